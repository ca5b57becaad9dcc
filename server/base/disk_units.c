// SPDX-License-Identifier: GPL-2.0
/*
 * How large the sectors of a file's device are, and what it gives back as a whole. What a loss of power takes of a write, and what a
 * device has to read before it writes less, go by its physical sector; what a program may write, by the logical one. A device that nothing is known of has sectors of 4 KiB.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "loop_disk.h"

#define LEAST 512u
#define DISCARD_GRAIN_MAX (64u << 20)	/* what says more is not believed */

static uint32_t in_range(uint64_t bytes, uint32_t least)
{
	if (bytes < least || bytes & (bytes - 1))
		return bytes < least && bytes ? least : IO_DISK_ALIGN;
	return bytes > IO_DISK_ALIGN ? IO_DISK_ALIGN : (uint32_t)bytes;
}

/* A number from a device's queue; a partition has its parent's. 0: there is none. */
static uint64_t queue_number(dev_t dev, const char *name)
{
	static const char *const ways[] = { "queue", "../queue" };
	unsigned long long value = 0;
	unsigned int i;
	char path[128];
	FILE *f;

	for (i = 0; i < 2 && !value; i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev), ways[i], name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

/* What direct I/O of a regular file is aligned to: as its file system says, or else as its device. */
static uint64_t direct_align(int fd, dev_t dev)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) && stx.stx_mask & STATX_DIOALIGN &&
	    stx.stx_dio_offset_align)
		return stx.stx_dio_offset_align;
#endif
	return queue_number(dev, "logical_block_size");
}

/* What a block device gives back as a whole: 0, nothing. */
static uint32_t discard_grain(dev_t dev)
{
	uint64_t bytes = queue_number(dev, "discard_granularity");

	if (!queue_number(dev, "discard_max_bytes"))
		return 0;
	bytes = (bytes + IO_DISK_ALIGN - 1) / IO_DISK_ALIGN * IO_DISK_ALIGN;
	return bytes && bytes <= DISCARD_GRAIN_MAX ? (uint32_t)bytes : IO_DISK_ALIGN;
}

struct io_units disk_units_find(int fd, bool direct)
{
	struct io_units units = { IO_DISK_ALIGN, IO_DISK_ALIGN, IO_DISK_ALIGN };
	unsigned int physical = 0;
	int logical = 0;
	struct stat st;

	if (fstat(fd, &st))
		return units;
	if (S_ISBLK(st.st_mode)) {
		units.discard = discard_grain(st.st_rdev);
		if (!ioctl(fd, BLKSSZGET, &logical))
			units.least = in_range((uint64_t)logical, LEAST);
		if (!ioctl(fd, BLKPBSZGET, &physical))
			units.sector = in_range(physical, units.least);
		return units;
	}
	units.least = direct ? in_range(direct_align(fd, st.st_dev), LEAST) : LEAST;
	units.sector = in_range(queue_number(st.st_dev, "physical_block_size"), units.least);
	return units;
}
