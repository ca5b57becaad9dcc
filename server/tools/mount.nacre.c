// SPDX-License-Identifier: GPL-2.0
/*
 * mount.nacre: the helper that mount(8) calls. It resolves a host's name, as the
 * kernel knows numeric addresses only, splits the options, and calls mount(2). A
 * source that is numeric is passed on as it is.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include "mountargs.h"
#include "server/base/version.h"
#include "tool.h"

struct arguments {
	const char *source, *folder;
	unsigned long flags;
	char data[4096];
	bool fake, verbose;
};

static const struct option long_options[] = {
	{ "options", required_argument, NULL, 'o' },
	{ "fake", no_argument, NULL, 'f' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static int print_help(void)
{
	printf("usage: mount.nacre HOST[:PORT]:/PATH DIR [-o OPTIONS] [-fv]\n\n"
	       "Mounts a nacre file system; mount(8) calls it for `mount -t nacre`. HOST is a metadata\n"
	       "server's name or address, an IPv6 address in brackets.\n\n"
	       "  -o, --options LIST   options, comma-separated: those of mount(8), and nacre's own\n"
	       "  -f, --fake           do all but the mount itself\n"
	       "  -v, --verbose        say what is done\n"
	       "      --help           this text\n"
	       "      --version        version of program and protocol\n");
	return TOOL_OK;
}

/* ---- the mount ------------------------------------------------------------------------------ */

/* 0 or -errno. */
static int mount_at(const struct arguments *arguments, const char *source)
{
	if (arguments->verbose)
		printf("mount.nacre: mount %s on %s, flags %#lx, options \"%s\"\n", source,
		       arguments->folder, arguments->flags, arguments->data);
	if (arguments->fake)
		return 0;
	return mount(source, arguments->folder, "nacre", arguments->flags, arguments->data) ? -errno
											    : 0;
}

static int explain(const struct arguments *arguments, const char *source, int err)
{
	switch (err) {
	case -ENODEV:
		return tool_failed("the kernel has no nacre file system: modprobe nacre");
	case -EPERM:
		return tool_failed("mounting %s on %s: only root may", source, arguments->folder);
	case -ENOENT:
	case -ENOTDIR:
		return tool_failed("mounting %s on %s: %s (the folder, or the path in the file system)",
				   source, arguments->folder, strerror(-err));
	case -EINVAL:
		return tool_failed("mounting %s on %s: wrong option or source; the kernel's log names it",
				   source, arguments->folder);
	default:
		return tool_failed("mounting %s on %s: %s; the kernel's log may say more", source,
				   arguments->folder, strerror(-err));
	}
}

/* May another address of the same host do better? */
static bool is_unreachable(int err)
{
	switch (err) {
	case -ECONNREFUSED:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -EADDRNOTAVAIL:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

/* Each address of a name in turn, until one answers. */
static int mount_resolved(const struct arguments *arguments, const struct mount_source *source)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL, *at;
	char address[NI_MAXHOST], text[4608] = "";
	int err = getaddrinfo(source->host, NULL, &hints, &found);

	if (err)
		return tool_failed("host %s: %s", source->host, gai_strerror(err));
	err = -EHOSTUNREACH;
	for (at = found; at && is_unreachable(err); at = at->ai_next) {
		if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address), NULL, 0,
				NI_NUMERICHOST))
			continue;
		err = mount_source_print(source, address, text, sizeof(text));
		if (!err)
			err = mount_at(arguments, text);
	}
	freeaddrinfo(found);
	return err ? explain(arguments, *text ? text : arguments->source, err) : TOOL_OK;
}

static int run(const struct arguments *arguments)
{
	struct mount_source source;
	const char *why;
	int err;

	if (mount_source_parse(arguments->source, &source, &why))
		return tool_misused("%s: %s", arguments->source, why);
	/* a remount speaks to no server */
	if (!source.numeric && !(arguments->flags & MS_REMOUNT))
		return mount_resolved(arguments, &source);
	err = mount_at(arguments, arguments->source);
	return err ? explain(arguments, arguments->source, err) : TOOL_OK;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static int take_option(int option, const char *which, struct arguments *arguments)
{
	switch (option) {
	case 'o':
		if (mount_options_split(optarg, &arguments->flags, arguments->data,
					sizeof(arguments->data)))
			return tool_misused("the options are too long");
		return TOOL_OK;
	case 'f':
		arguments->fake = true;
		return TOOL_OK;
	case 'v':
		arguments->verbose = true;
		return TOOL_OK;
	case 's':			/* mount(8) passes them; they say nothing to us */
	case 'n':
	case 'N':
	case 't':
		return TOOL_OK;
	case 'r':
		arguments->flags |= MS_RDONLY;
		return TOOL_OK;
	case 'w':
		arguments->flags &= ~(unsigned long)MS_RDONLY;
		return TOOL_OK;
	default:
		return tool_misused("%s: unknown option, or its value is missing", which);
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = { 0 };
	int option, status;

	tool_name("mount.nacre");
	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:fvsnrwN:t:h", long_options, NULL)) != -1) {
		if (option == 'h')
			return print_help();
		if (option == 'V') {
			version_print("mount.nacre");
			return TOOL_OK;
		}
		status = take_option(option, argv[optind - 1], &arguments);
		if (status)
			return status;
	}
	if (argc - optind < 2)
		return tool_misused("HOST:/PATH and DIR are needed");
	if (argc - optind > 2)
		return tool_misused("%s: an argument that means nothing here", argv[optind + 2]);
	arguments.source = argv[optind];
	arguments.folder = argv[optind + 1];
	return run(&arguments);
}
