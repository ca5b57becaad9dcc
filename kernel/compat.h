/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The only place that looks at the kernel's version. The module is written for
 * Linux 6.12; what a newer kernel calls otherwise gets its 6.12 name here.
 */
#ifndef NACRE_COMPAT_H
#define NACRE_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#error "nacre needs Linux 6.12 or newer"
#endif

#endif
