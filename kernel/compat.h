/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that looks at which kernel this is. The module is written for
 * Linux 6.12 as Debian keeps it; where one of its updates, or a newer kernel, has
 * changed an interface, both ways are here under one name. What no version number tells, Kbuild
 * finds out (NACRE_HAVE_*).
 */
#ifndef NACRE_COMPAT_H
#define NACRE_COMPAT_H

#include <linux/netfs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "nacre needs Linux 6.12 or newer"
#endif

/* Later updates of 6.12 took over the rolling buffer, and with it another way to end a read. */
static inline void nacre_compat_read_terminated(struct netfs_io_subrequest *subreq, int error)
{
#ifdef NACRE_HAVE_ROLLING_BUFFER
	subreq->error = error;
	netfs_read_subreq_terminated(subreq);
#else
	netfs_read_subreq_terminated(subreq, error, true);
#endif
}

#endif
