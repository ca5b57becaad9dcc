/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mount(8) tells its helper, taken apart: the source into host, port and path,
 * the option list into mount(2)'s flags and what the file system itself reads.
 */
#ifndef NACRE_TOOLS_MOUNTARGS_H
#define NACRE_TOOLS_MOUNTARGS_H

#include <stdbool.h>
#include <stddef.h>

/* "HOST[:PORT]:/PATH"; HOST is a name, an IPv4 address, or an IPv6 address in brackets. */
struct mount_source {
	char host[256];
	char port[8];			/* "": the standard one */
	char path[4096];		/* begins with "/" */
	bool numeric;			/* the kernel understands it as it is */
};

/* 0, or -EINVAL with a sentence. */
int mount_source_parse(const char *text, struct mount_source *source, const char **ret_error);

/* The source with an address in place of the host: "1.2.3.4:7270:/", "[::1]:/". 0 or -ENAMETOOLONG. */
int mount_source_print(const struct mount_source *source, const char *address, char *buffer,
		       size_t buffer_bytes);

/*
 * Options of mount(8) to flags; the others, comma-separated, into `data`. Those that
 * concern mount(8) alone (user, nofail, _netdev, x-...) are dropped. 0 or -E2BIG.
 */
int mount_options_split(const char *options, unsigned long *flags, char *data, size_t data_bytes);

#endif
