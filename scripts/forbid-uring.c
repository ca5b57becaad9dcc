// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a command that is refused io_uring (EPERM), as in many containers: how
 * `make unit IO=aio` sees to it that nothing needs it.
 *
 *	build/forbid-uring COMMAND [ARGUMENT]...
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/unit/server/base/forbid.h"

int main(int argc, char **argv)
{
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: forbid-uring COMMAND [ARGUMENT]...\n");
		return 2;
	}
	err = forbid_call(__NR_io_uring_setup, EPERM);
	if (err) {
		fprintf(stderr, "forbid-uring: seccomp: %s\n", strerror(-err));
		return 1;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "forbid-uring: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
