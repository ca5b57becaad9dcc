// SPDX-License-Identifier: GPL-2.0
/*
 * Files of the `dir:` store: whole reads, durable new files, claims. Everything
 * here may block; it runs in helper threads, or at start and end of a daemon.
 *
 * A claim is one line of fixed length with a checksum, written in place with one
 * pwrite; a reader that meets a torn one looks again. How full an OSD is stands behind
 * that, with a checksum of its own: older daemons write nothing there, and read nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "crc.h"
#include "mapstore_dir.h"

#define CLAIM_BYTES 256			/* with its newline */
#define CLAIM_FORMAT "nacre-claim 1 %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %s "
#define FILL_FORMAT " fill %u %" PRIu64 " %" PRIu64 " "

int dir_path(char path[DIR_PATH_BYTES], const char *folder, const char *format, ...)
{
	int at = snprintf(path, DIR_PATH_BYTES, "%s/", folder), n;
	va_list args;

	if (at >= DIR_PATH_BYTES)
		return -ENAMETOOLONG;
	va_start(args, format);
	n = vsnprintf(path + at, (size_t)(DIR_PATH_BYTES - at), format, args);
	va_end(args);
	return n >= DIR_PATH_BYTES - at ? -ENAMETOOLONG : 0;
}

static int read_all(int fd, uint8_t *bytes, size_t length)
{
	ssize_t n;

	for (; length; bytes += n, length -= (size_t)n) {
		n = read(fd, bytes, length);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return n ? -errno : -EBADMSG;	/* shorter than it was a moment ago */
	}
	return 0;
}

int dir_read(const char *path, size_t limit, uint8_t **ret_bytes, size_t *ret_length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	uint8_t *bytes = NULL;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || (size_t)st.st_size > limit)
		err = -EFBIG;
	if (!err) {
		bytes = malloc((size_t)st.st_size + 1);
		err = bytes ? read_all(fd, bytes, (size_t)st.st_size) : -ENOMEM;
	}
	close(fd);
	if (err) {
		free(bytes);
		return err;
	}
	*ret_bytes = bytes;
	*ret_length = (size_t)st.st_size;
	return 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t length)
{
	ssize_t n;

	for (; length; bytes += n, length -= (size_t)n) {
		n = write(fd, bytes, length);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}

int dir_write_new(const char *path, const void *head, size_t head_bytes, const void *bytes,
		  size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, head, head_bytes);
	if (!err)
		err = write_all(fd, bytes, length);
	if (!err && fsync(fd))
		err = -errno;
	close(fd);
	if (err)
		unlink(path);
	return err;
}

int dir_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}

int dir_range(const char *folder, const char *prefix, uint64_t *ret_lowest, uint64_t *ret_highest)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint64_t number;
	char *end;

	*ret_lowest = *ret_highest = 0;
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		number = strtoull(entry->d_name + strlen(prefix), &end, 10);
		if (*end || !number)
			continue;
		if (!*ret_lowest || number < *ret_lowest)
			*ret_lowest = number;
		if (number > *ret_highest)
			*ret_highest = number;
	}
	closedir(dir);
	return 0;
}

/* ---- claims --------------------------------------------------------------------------------- */

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void read_boot_id(char boot[DIR_BOOT_ID_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, boot, DIR_BOOT_ID_BYTES - 1);

	boot[n > 0 ? n : 0] = 0;
	boot[strcspn(boot, "\n")] = 0;
	if (!*boot)
		strcpy(boot, "unknown");	/* then leases only end by their term */
	if (fd >= 0)
		close(fd);
}

void dir_claim_stamp(struct dir_claim *claim)
{
	claim->stamp_ns = clock_ns();
	if (!claim->boot[0])
		read_boot_id(claim->boot);
}

/* The checksum of all there is of a line, behind it. */
static int print_crc(char *line, int at)
{
	return at + snprintf(line + at, (size_t)(CLAIM_BYTES - at), "%08x", crc_of(line, (size_t)at));
}

static void claim_print(const struct dir_claim *claim, char line[CLAIM_BYTES + 1])
{
	int at;

	memset(line, ' ', CLAIM_BYTES);
	at = snprintf(line, CLAIM_BYTES, CLAIM_FORMAT, claim->name, claim->instance,
		      claim->stamp_ns, claim->term_ns, claim->released, claim->boot);
	at = print_crc(line, at);
	at += snprintf(line + at, (size_t)(CLAIM_BYTES - at), FILL_FORMAT, claim->fill.state,
		       claim->fill.bytes_total, claim->fill.bytes_free);
	at = print_crc(line, at);
	line[at] = ' ';
	line[CLAIM_BYTES - 1] = '\n';
}

/* `at`: behind the first checksum. */
static void fill_parse(const char *line, int at, struct fill *fill)
{
	unsigned int state, crc;
	struct fill found;
	int length = 0;

	if (sscanf(line + at, " fill %u %" SCNu64 " %" SCNu64 " %n%8x", &state, &found.bytes_total, &found.bytes_free, &length,
		   &crc) != 4 || state > FILL_FULL || found.bytes_free > found.bytes_total || crc != crc_of(line, (size_t)(at + length)))
		return;
	found.state = state;
	*fill = found;
}

static int claim_parse(const char line[CLAIM_BYTES + 1], struct dir_claim *claim)
{
	unsigned int crc;
	int released, at = 0, end = 0;

	memset(claim, 0, sizeof(*claim));
	if (sscanf(line, "nacre-claim 1 %31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %39s %n%8x%n",
		   claim->name, &claim->instance, &claim->stamp_ns, &claim->term_ns, &released,
		   claim->boot, &at, &crc, &end) != 7 ||
	    crc != crc_of(line, (size_t)at))
		return -EBADMSG;
	claim->released = released;
	fill_parse(line, end, &claim->fill);
	return 0;
}

int dir_claim_read(const char *path, struct dir_claim *claim)
{
	char line[CLAIM_BYTES + 1];
	int fd, err = -EBADMSG;
	ssize_t n;

	for (int look = 0; look < 5 && err == -EBADMSG; look++) {
		if (look)
			usleep(1000);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		n = pread(fd, line, CLAIM_BYTES, 0);
		close(fd);
		line[n > 0 ? n : 0] = 0;
		err = claim_parse(line, claim);
	}
	return err;
}

int dir_claim_write(int fd, const struct dir_claim *claim)
{
	char line[CLAIM_BYTES + 1];
	ssize_t n;

	claim_print(claim, line);
	n = pwrite(fd, line, CLAIM_BYTES, 0);
	return n == CLAIM_BYTES ? 0 : n < 0 ? -errno : -EIO;
}

int dir_claim_create(const char *folder, const struct dir_claim *claim,
		     char ret_path[DIR_PATH_BYTES])
{
	uint64_t random;
	int fd, err;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	err = dir_path(ret_path, folder, ".new.claim.%016" PRIx64, random);
	if (err)
		return err;
	fd = open(ret_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		err = -errno;
	if (!err)
		err = dir_claim_write(fd, claim);
	if (!err)
		return fd;
	close(fd);
	unlink(ret_path);
	return err;
}

bool dir_claim_stands(const struct dir_claim *claim, uint64_t now_ns)
{
	char boot[DIR_BOOT_ID_BYTES];

	read_boot_id(boot);
	return !claim->released && !strcmp(boot, claim->boot) &&
	       now_ns < claim->stamp_ns + claim->term_ns;
}

bool dir_claim_has_holder(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

bool dir_claim_in_place(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(path, &there) && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}
