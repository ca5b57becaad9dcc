// SPDX-License-Identifier: GPL-2.0
/*
 * fiemap: where a file has blocks, which of them were never written, and that it says so in pieces as at once. Where the
 * blocks are on what disk is no business of a test.
 */
#define _GNU_SOURCE
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include "harness.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define EXTENTS_MAX 64

struct map {
	struct fiemap fiemap;
	struct fiemap_extent room[EXTENTS_MAX];
};

static void map_range(int fd, uint64_t start, uint64_t length, uint32_t count, struct map *map)
{
	memset(map, 0, sizeof(*map));
	map->fiemap.fm_start = start;
	map->fiemap.fm_length = length;
	map->fiemap.fm_flags = FIEMAP_FLAG_SYNC;
	map->fiemap.fm_extent_count = count;
	OK(ioctl(fd, FS_IOC_FIEMAP, &map->fiemap));
}

/* Whole files in one go; ends the test where there is no fiemap. */
static void map_all(int fd, struct map *map)
{
	struct fiemap none = { .fm_length = ~0ull };

	if (ioctl(fd, FS_IOC_FIEMAP, &none) && errno == EOPNOTSUPP)
		test_skip("no fiemap here");
	map_range(fd, 0, ~0ull, EXTENTS_MAX, map);
	CHECK(map->fiemap.fm_mapped_extents < EXTENTS_MAX);
}

/* "first-end", in KiB, u = unwritten; extents that touch are joined, as a file system may have cut them. */
static void expect_map(int fd, const char *want)
{
	char got[1000] = "";
	uint64_t from = 0, to = 0;
	struct map map;
	bool unwritten = false, any = false, one;
	size_t at = 0;

	map_all(fd, &map);
	for (unsigned int i = 0; i <= map.fiemap.fm_mapped_extents; i++) {
		struct fiemap_extent *extent = &map.fiemap.fm_extents[i];

		one = extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN;
		if (i < map.fiemap.fm_mapped_extents)
			EQUAL(!!(extent->fe_flags & FIEMAP_EXTENT_LAST), i == map.fiemap.fm_mapped_extents - 1);
		if (any && i < map.fiemap.fm_mapped_extents && extent->fe_logical == to && one == unwritten) {
			to += extent->fe_length;
			continue;
		}
		if (any)
			at += (size_t)snprintf(got + at, sizeof(got) - at, "%s%llu-%llu%s", at ? " " : "",
					       (unsigned long long)(from / KIB), (unsigned long long)(to / KIB),
					       unwritten ? "u" : "");
		from = extent->fe_logical;
		to = from + extent->fe_length;
		unwritten = one;
		any = true;
	}
	if (strcmp(got, want))
		test_fail(__FILE__, __LINE__, "the map is \"%s\", not \"%s\"", got, want);
}

static int new_file(void)
{
	return (int)OK(open("a", O_CREAT | O_RDWR, 0644));
}

static void put(int fd, uint64_t offset, size_t bytes)
{
	static char some[MIB];

	memset(some, 'x', bytes);
	EQUAL(OK(pwrite(fd, some, bytes, (off_t)offset)), (long)bytes);
}

TEST(written_and_not)
{
	int fd = new_file();

	expect_map(fd, "");
	OK(fallocate(fd, 0, 0, 10 * MIB));
	expect_map(fd, "0-10240u");
	put(fd, 4 * MIB - 8 * KIB, 16 * KIB);
	expect_map(fd, "0-4088u 4088-4104 4104-10240u");
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * MIB, 4 * MIB));
	expect_map(fd, "0-4088u 4088-4104 4104-5120u 9216-10240u");
	put(fd, 7 * MIB, 8 * KIB);
	expect_map(fd, "0-4088u 4088-4104 4104-5120u 7168-7176 9216-10240u");
	OK(close(fd));
}

TEST(zeroed_blocks_stay_allocated)
{
	int fd = new_file();

	put(fd, 0, 64 * KIB);
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 16 * KIB, 16 * KIB))
		test_skip("no FALLOC_FL_ZERO_RANGE here");
	expect_map(fd, "0-16 16-32u 32-64");
	OK(close(fd));
}

TEST(room_behind_the_end)
{
	int fd = new_file();

	put(fd, 0, 64 * KIB);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * KIB, 9 * MIB));
	expect_map(fd, "0-64 64-9280u");
	OK(ftruncate(fd, MIB));
	expect_map(fd, "0-64 64-9280u");
	OK(ftruncate(fd, MIB));
	expect_map(fd, "0-64 64-1024u");
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9 * MIB));
	OK(ftruncate(fd, 32 * KIB));
	expect_map(fd, "0-32");
	OK(close(fd));
}

TEST(in_pieces)
{
	int fd = new_file();
	struct map all, one;
	uint64_t at = 0;

	for (uint64_t i = 0; i < 20; i++)
		put(fd, i * 512 * KIB, 4 * KIB);
	map_all(fd, &all);
	map_range(fd, 0, ~0ull, 0, &one);
	EQUAL(one.fiemap.fm_mapped_extents, all.fiemap.fm_mapped_extents);
	for (unsigned int i = 0; i < all.fiemap.fm_mapped_extents; i++) {
		struct fiemap_extent *extent = &one.fiemap.fm_extents[0];

		map_range(fd, at, ~0ull - at, 1, &one);
		EQUAL(one.fiemap.fm_mapped_extents, 1);
		EQUAL(extent->fe_logical, all.fiemap.fm_extents[i].fe_logical);
		EQUAL(extent->fe_length, all.fiemap.fm_extents[i].fe_length);
		EQUAL(extent->fe_flags & FIEMAP_EXTENT_LAST, all.fiemap.fm_extents[i].fe_flags & FIEMAP_EXTENT_LAST);
		at = extent->fe_logical + extent->fe_length;
	}
	/* a range: what only begins behind it is not told */
	map_range(fd, 512 * KIB, 512 * KIB, EXTENTS_MAX, &one);
	EQUAL(one.fiemap.fm_mapped_extents, 1);
	EQUAL(one.fiemap.fm_extents[0].fe_logical, 512 * KIB);
	map_range(fd, 100 * KIB, 100 * KIB, EXTENTS_MAX, &one);
	EQUAL(one.fiemap.fm_mapped_extents, 0);
	OK(close(fd));
}

/* It may lie in the inode; if so it says where it ends. */
TEST(a_small_file)
{
	int fd = new_file();
	struct map map;

	put(fd, 0, 100);
	map_all(fd, &map);
	EQUAL(map.fiemap.fm_mapped_extents, 1);
	EQUAL(map.fiemap.fm_extents[0].fe_logical, 0);
	CHECK(map.fiemap.fm_extents[0].fe_flags & FIEMAP_EXTENT_LAST);
	if (map.fiemap.fm_extents[0].fe_flags & FIEMAP_EXTENT_DATA_INLINE) {
		EQUAL(map.fiemap.fm_extents[0].fe_length, 100);
		CHECK(map.fiemap.fm_extents[0].fe_flags & FIEMAP_EXTENT_NOT_ALIGNED);
	}
	OK(close(fd));
}

/* Where extended attributes are: nowhere without any, then in the inode. A security module may have given the file a label. */
TEST(extended_attributes)
{
	int fd = new_file();
	struct map map = { .fiemap = { .fm_length = ~0ull, .fm_flags = FIEMAP_FLAG_XATTR, .fm_extent_count = EXTENTS_MAX } };
	const unsigned int labels = OK(flistxattr(fd, NULL, 0)) ? 1 : 0;

	put(fd, 0, 100);
	if (ioctl(fd, FS_IOC_FIEMAP, &map.fiemap) < 0)
		test_skip("no map of extended attributes here");
	EQUAL(map.fiemap.fm_mapped_extents, labels);
	OK(fsetxattr(fd, "user.name", "value", 5, 0));
	OK(ioctl(fd, FS_IOC_FIEMAP, &map.fiemap));
	EQUAL(map.fiemap.fm_mapped_extents, 1);
	EQUAL(map.fiemap.fm_extents[0].fe_logical, 0);
	CHECK(map.fiemap.fm_extents[0].fe_length >= 14);
	CHECK(map.fiemap.fm_extents[0].fe_flags & FIEMAP_EXTENT_LAST);
	OK(fremovexattr(fd, "user.name"));
	OK(ioctl(fd, FS_IOC_FIEMAP, &map.fiemap));
	EQUAL(map.fiemap.fm_mapped_extents, labels);
	OK(close(fd));
}

TEST(what_is_refused)
{
	int fd = new_file();
	struct map map;

	put(fd, 0, 100);
	map_all(fd, &map);
	map.fiemap.fm_flags = FIEMAP_FLAG_XATTR << 5;
	FAILS(ioctl(fd, FS_IOC_FIEMAP, &map.fiemap), EBADR);
	map.fiemap.fm_flags = 0;
	map.fiemap.fm_length = 0;
	FAILS(ioctl(fd, FS_IOC_FIEMAP, &map.fiemap), EINVAL);
	OK(close(fd));
}
