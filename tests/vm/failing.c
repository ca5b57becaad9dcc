// SPDX-License-Identifier: GPL-2.0
/* The settings behind failing.h: Documentation/fault-injection of the kernel describes them. */
#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUGFS "/sys/kernel/debug/"
#define ADDRESS_ROOM 24

static const char *const kinds[] = { "failslab", "fail_page_alloc" };
static int nth_fd = -1;

static void put(const char *kind, const char *name, const char *text)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), DEBUGFS "%s/%s", kind, name);
	fd = open(file, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		printf("Bail out! %s: %s\n", file, strerror(errno));
		exit(1);
	}
	close(fd);
}

static void put_both(const char *name, const char *text)
{
	for (int i = 0; i < 2; i++)
		put(kinds[i], name, text);
}

/* From a function's address to the next one in the table; false: this kernel has no such function. */
static bool find_function(const char *function, char first[ADDRESS_ROOM], char last[ADDRESS_ROOM])
{
	char line[256], symbol[128], address[ADDRESS_ROOM - 2];
	FILE *symbols = fopen("/proc/kallsyms", "r");
	bool found = false, ended = false;

	while (symbols && !ended && fgets(line, sizeof(line), symbols)) {
		if (sscanf(line, "%17s %*c %127s", address, symbol) != 2)
			continue;
		ended = found && strcmp(first + 2, address) != 0;
		if (ended)
			snprintf(last, ADDRESS_ROOM, "0x%s", address);
		else if (!strcmp(symbol, function))
			found = snprintf(first, ADDRESS_ROOM, "0x%s", address) > 0;
	}
	if (symbols)
		fclose(symbols);
	return ended;
}

/*
 * What the kernel itself does not survive: these allocations fail only when they are made to.
 *
 * Early 6.12's netfs ignores that it could not list a folio for write-back, and then waits for it forever; later ones
 * keep a reserve.
 */
#define NETFS_LISTS "netfs_buffer_append_folio"
/* A slab cache whose folder in sysfs cannot be made leaks its name. */
#define SLAB_FOLDERS "sysfs_slab_add"

static void spare(const char *function)
{
	char first[ADDRESS_ROOM], last[ADDRESS_ROOM];
	bool there = find_function(function, first, last);

	put_both("reject-start", there ? first : "0");
	put_both("reject-end", there ? last : "0");
}

void failing_in(const char *first, const char *last)
{
	failing_at_random(0, 1);
	put_both("ignore-gfp-wait", "N");
	put_both("verbose", "0");
	put_both("times", "-1");
	put_both("stacktrace-depth", "32");
	put_both("require-start", first);
	put_both("require-end", last);
	spare(NETFS_LISTS);
	put("fail_page_alloc", "min-order", "0");
	put("fail_page_alloc", "ignore-gfp-highmem", "N");
}

void failing_under(const char *function)
{
	char first[ADDRESS_ROOM], last[ADDRESS_ROOM];

	if (!find_function(function, first, last)) {
		printf("Bail out! no function %s\n", function);
		exit(1);
	}
	failing_in(first, last);
	spare(SLAB_FOLDERS);
}

void failing_at_random(unsigned int percent, unsigned int interval)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", interval);
	put_both("interval", text);
	snprintf(text, sizeof(text), "%u", percent);
	put_both("probability", text);
}

void failing_nth(int n)
{
	char text[16];
	int bytes = snprintf(text, sizeof(text), "%d", n);

	if (nth_fd < 0)
		nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0 || pwrite(nth_fd, text, bytes, 0) != bytes) {
		printf("Bail out! fail-nth: %s\n", strerror(errno));
		exit(1);
	}
}

bool failing_has_struck(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	return atoi(text) == 0;
}
