/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An object as a request in execution sees and changes it. Changes stay in the view:
 * copies of the chunks it touches, images of the blocks it writes, a list of key
 * changes in a transaction of its own.
 *
 * Invariant: the bytes behind the object's size are zeros: those in its last block, and all blocks behind that are
 * unwritten or holes.
 */
#ifndef NACRE_SERVER_OSD_VIEW_H
#define NACRE_SERVER_OSD_VIEW_H

#include "object.h"
#include "shares.h"
#include "txn.h"

struct osd_exec;
struct osd_store;

struct osd_view_image {
	const uint8_t *bytes;		/* NULL: the block is as the map says */
	struct mem_buffer *buffer;	/* counted */
	bool whole;			/* nothing of what was there before is in them */
};

struct osd_view_chunk {
	struct osd_chunk map;
	struct osd_view_image images[OSD_CHUNK_BLOCKS];
};

struct osd_view {
	struct osd_object *object;	/* pinned */
	bool exists;
	bool changed;
	uint32_t direct_blocks;		/* modes ordered and cow: from so many on, what is written goes to its place at once; 0 = as the store does */
	struct osd_onode onode;
	struct osd_view_chunk *chunks[OSD_CHUNKS_MAX];	/* NULL: as in the object */
	struct osd_txn *txn;
	struct osd_changes keys;	/* the newest changes of K keys among txn->changes */
	struct osd_disk_space *gained;	/* blocks of another object that it has from now on, too */
	uint32_t gained_count, gained_room;
	struct osd_share_use *shares;	/* hash: shares.h */
};

/* A loaded object, unchanged. */
void osd_view_begin(struct osd_view *view, struct osd_object *object);
/* Forget everything; the object stays pinned by the caller. */
void osd_view_end(struct osd_view *view);

/* Make it exist. */
void osd_view_create(struct osd_exec *exec);
/* Remove everything of it. 0 or OSD_MISS. */
uint32_t osd_view_remove(struct osd_exec *exec);

/* The view's own copy of a chunk. 0 or OSD_MISS. */
uint32_t osd_view_own_chunk(struct osd_exec *exec, uint32_t chunk, struct osd_view_chunk **ret_chunk);

/* Bytes of block `n`; zeros for one that is not written. 0, OSD_MISS, NACRE_E_CHECKSUM. */
uint32_t osd_view_block(struct osd_exec *exec, uint32_t n, const uint8_t **ret_bytes);
/* Copy [offset, +length) out, which lies below the size. 0, OSD_MISS, NACRE_E_CHECKSUM. */
uint32_t osd_view_read(struct osd_exec *exec, uint64_t offset, uint64_t length, uint8_t *bytes);
/* Put bytes in, growing the object. */
uint32_t osd_view_write(struct osd_exec *exec, uint64_t offset, uint64_t length,
			const uint8_t *data);
uint32_t osd_view_zero(struct osd_exec *exec, uint64_t offset, uint64_t length);
/*
 * Give the holes of a range unwritten blocks, growing the object unless NACRE_OSD_OPF_KEEP; NACRE_OSD_OPF_ZERO: what is
 * written there becomes zeros, whole blocks of it unwritten ones in their places. 0, OSD_MISS, NACRE_E_CHECKSUM.
 */
uint32_t osd_view_allocate(struct osd_exec *exec, uint64_t offset, uint64_t length, uint16_t flags);
/* Block `n`, a hole, becomes one of another object's, which is written. 0 or OSD_MISS. */
uint32_t osd_view_share(struct osd_exec *exec, uint32_t n, uint64_t block, uint32_t crc);
/* Nothing stays behind `size`, which may be larger than what it is. */
uint32_t osd_view_truncate(struct osd_exec *exec, uint64_t size);
/* The same, and the object does not grow. */
uint32_t osd_view_cut(struct osd_exec *exec, uint64_t size);

/* What a view asks of a journal mode: view_map.c. */
struct osd_view_count {
	uint32_t chunks;		/* of its own */
	uint32_t images;		/* blocks with new bytes */
	uint32_t homeless;		/* blocks that are to have a place and have none */
};
struct osd_view_count osd_view_count(const struct osd_view *view);
static inline bool osd_view_is_homeless(const struct osd_view_chunk *chunk, uint32_t i)
{
	return chunk->map.block[i] == OSD_NO_BLOCK &&
	       (chunk->images[i].bytes || osd_chunk_state(&chunk->map, i) == OSD_BLOCK_UNWRITTEN);
}

/* How block `n` stands: view_map.c. 0 or OSD_MISS. */
uint32_t osd_view_state(struct osd_exec *exec, uint32_t n, enum osd_block_state *ret_state);
/*
 * The run of blocks in one state that begins at *offset, a block's beginning, and ends at `end` at the latest; length 0 for one of
 * holes. *offset moves behind it. 0 or OSD_MISS.
 */
uint32_t osd_view_extent(struct osd_exec *exec, uint64_t *offset, uint64_t end,
			 struct nacre_osd_extent *ret_extent);
/* From *offset to the first byte that is not in a written block (`hole`), or is in one, but no further than `end`. 0 or OSD_MISS. */
uint32_t osd_view_seek(struct osd_exec *exec, bool hole, uint64_t end, uint64_t *offset);

/* Key-value pairs. */
void osd_view_key_set(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes,
		      const uint8_t *value, uint32_t value_bytes);
void osd_view_key_remove(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes);
void osd_view_keys_clear(struct osd_exec *exec);

/* SIZE-3: bytes of the object that lie below a file size of truncate_size. */
uint64_t osd_view_limit(const struct osd_exec *exec, uint64_t truncate_size);

#endif
