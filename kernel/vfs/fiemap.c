// SPDX-License-Identifier: GPL-2.0
/*
 * fiemap: where a file has blocks, and which of them were never written, as the objects say. What is dirty here is written
 * back before, with FIEMAP_FLAG_SYNC or without: there is no delayed allocation to be told of. Extended attributes (FIEMAP_FLAG_XATTR)
 * are in the inode, always.
 *
 * Where a block is on which disk means nothing to who asks, so every extent has FIEMAP_EXTENT_UNKNOWN, and no place. An extent of a
 * file may be part of a larger one that begins before what was asked for; extents that touch each other are shown as one.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include "batch.h"
#include "data.h"
#include "protocol/codec.h"
#include "protocol/rules/size.h"

#define WIDTH 8				/* pieces asked at once */
#define PIECE (4u << 20)		/* bytes of a piece */
#define PIECE_OUTPUT (PIECE / NACRE_BLOCK_BYTES * sizeof(struct nacre_osd_extent_wire))

/* The extent that was found last and not told yet: the next one may go on where it ends, or show that it is not the last. */
struct map {
	struct fiemap_extent_info *info;
	u64 end;			/* nobody asks for what begins here or behind */
	u64 at, length;			/* in the file; length 0 = none yet */
	u32 flags;			/* FIEMAP_EXTENT_* */
	bool over;			/* nothing more is wanted */
};

/* 0 or -errno. */
static int tell(struct map *map, u32 last)
{
	int err;

	if (!map->length || map->over)
		return 0;
	err = fiemap_fill_next_extent(map->info, map->at, 0, map->length, map->flags | last);
	map->length = 0;
	map->over = err;
	return min(err, 0);
}

static int found(struct map *map, u64 at, u64 length, u32 flags)
{
	int err;

	if (map->length && map->flags == flags && map->at + map->length == at) {
		map->length += length;
		return 0;
	}
	err = tell(map, 0);
	if (at >= map->end)
		map->over = true;
	map->at = at;
	map->length = length;
	map->flags = flags;
	return err;
}

/* What an object has said of a piece. */
static int take_piece(struct map *map, const struct nacre_batch *b, const struct nacre_osd_io *io)
{
	int count = nacre_array_count(nacre_osd_extent_desc(), io->output_bytes), i, err = count < 0 ? -EBADMSG : 0;
	struct nacre_osd_extent extent;

	for (i = 0; !err && !map->over && i < count; i++) {
		err = nacre_array_at(nacre_osd_extent_desc(), io->output, i, &extent);
		if (!err && (!extent.length || extent.offset >= io->offset + io->length))
			err = -EBADMSG;
		if (!err)
			err = found(map, nacre_batch_position(b, io, extent.offset), extent.length,
				    FIEMAP_EXTENT_UNKNOWN | (extent.extent_flags & NACRE_OSD_EXTENT_UNWRITTEN ?
							     FIEMAP_EXTENT_UNWRITTEN : 0));
	}
	return err;
}

static int map_objects(struct map *map, struct nacre_batch *b)
{
	unsigned int width = 1, i;
	int err = 0;

	for (; !err && !map->over && b->at < b->end; width = min(width * 2, WIDTH)) {
		err = nacre_batch_run(b, width);
		for (i = 0; !err && !map->over && i < b->count; i++)
			err = b->ios[i]->result ?: take_piece(map, b, b->ios[i]);
	}
	nacre_batch_empty(b);
	return err ?: tell(map, FIEMAP_EXTENT_LAST);
}

/* Behind the file's end there may be room, too. */
static u64 blocks_end(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);

	return max_t(u64, i_size_read(inode), READ_ONCE(ni->kept) * (u64)ni->object_bytes);
}

/* `bytes` that lie beside the attributes: at the rank, and in no block of an OSD. */
static int in_the_inode(struct fiemap_extent_info *info, u64 start, u64 bytes)
{
	if (start >= bytes)
		return 0;
	return min(fiemap_fill_next_extent(info, 0, 0, bytes, FIEMAP_EXTENT_DATA_INLINE |
					   FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_LAST), 0);
}

static int fiemap_locked(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 length)
{
	struct map map = { .info = info, .end = start + length };
	struct nacre_batch b = {
		.inode = inode,
		.code = NACRE_OSD_OP_MAP,
		.piece = PIECE,
		.at = round_down(start, NACRE_BLOCK_BYTES),
		.end = blocks_end(inode),
		.output_room = PIECE_OUTPUT,
	};
	u64 size = i_size_read(inode);
	int err;

	err = filemap_write_and_wait(inode->i_mapping);
	if (err)
		return err;
	if (nacre_small_is_in(inode))
		return in_the_inode(info, start, size);
	b.output = kvmalloc_array(WIDTH, PIECE_OUTPUT, GFP_KERNEL);
	if (!b.output)
		return -ENOMEM;
	err = map_objects(&map, &b);
	kvfree(b.output);
	return err;
}

int nacre_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 length)
{
	ssize_t bytes;
	u32 got;
	int err;

	if (info->fi_flags & FIEMAP_FLAG_XATTR) {
		err = fiemap_prep(inode, info, start, &length, FIEMAP_FLAG_XATTR);
		if (err)
			return err;
		bytes = nacre_xattr_bytes(inode);
		return bytes < 0 ? bytes : in_the_inode(info, start, bytes);
	}
	if (!nacre_mds_has_feature(nacre_inode_fs(inode), NACRE_FEATURE_UNWRITTEN))
		return -EOPNOTSUPP;
	err = fiemap_prep(inode, info, start, &length, 0) ?: nacre_caps_refresh(inode, NACRE_GROUP_FILE, false);
	if (err)
		return err;
	if (down_read_killable(&inode->i_rwsem))
		return -EINTR;
	err = nacre_caps_get(inode, NACRE_CAP_FILE_READ, NACRE_CAP_FILE_CACHE, 0, &got);
	if (!err) {
		err = fiemap_locked(inode, info, start, length);
		nacre_caps_put(inode, got);
	}
	up_read(&inode->i_rwsem);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_FIEMAP, start, length, err);
	return err;
}
