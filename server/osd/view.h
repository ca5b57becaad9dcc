/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An object as a request in execution sees and changes it. Changes stay in the view:
 * copies of the chunks it touches, images of the blocks it writes, a list of key
 * changes in a transaction of its own.
 *
 * Invariant: the bytes behind the object's size, in its last block, are zeros.
 */
#ifndef NACRE_SERVER_OSD_VIEW_H
#define NACRE_SERVER_OSD_VIEW_H

#include "object.h"
#include "txn.h"

struct osd_exec;
struct osd_store;

struct osd_view_image {
	const uint8_t *bytes;		/* NULL: the block is as the map says */
	struct mem_buffer *buffer;	/* counted */
};

struct osd_view_chunk {
	struct osd_chunk map;
	struct osd_view_image images[OSD_CHUNK_BLOCKS];
};

struct osd_view {
	struct osd_object *object;	/* pinned */
	bool exists;
	bool changed;
	struct osd_onode onode;
	struct osd_view_chunk *chunks[OSD_CHUNKS_MAX];	/* NULL: as in the object */
	struct osd_txn *txn;
	struct osd_changes keys;	/* the newest changes of K keys among txn->changes */
};

/* A loaded object, unchanged. */
void osd_view_begin(struct osd_view *view, struct osd_object *object);
/* Forget everything; the object stays pinned by the caller. */
void osd_view_end(struct osd_view *view);

/* Make it exist. */
void osd_view_create(struct osd_exec *exec);
/* Remove everything of it. 0 or OSD_MISS. */
uint32_t osd_view_remove(struct osd_exec *exec);

/* Bytes of block `n`; zeros for a hole. 0, OSD_MISS, NACRE_E_CHECKSUM. */
uint32_t osd_view_block(struct osd_exec *exec, uint32_t n, const uint8_t **ret_bytes);
/* Copy [offset, +length) out, which lies below the size. 0, OSD_MISS, NACRE_E_CHECKSUM. */
uint32_t osd_view_read(struct osd_exec *exec, uint64_t offset, uint64_t length, uint8_t *bytes);
/* Put bytes in, growing the object. data NULL: zeros, in blocks. */
uint32_t osd_view_write(struct osd_exec *exec, uint64_t offset, uint64_t length,
			const uint8_t *data);
uint32_t osd_view_zero(struct osd_exec *exec, uint64_t offset, uint64_t length);
/* Give the holes of a range blocks of zeros, growing the object. 0 or OSD_MISS. */
uint32_t osd_view_allocate(struct osd_exec *exec, uint64_t offset, uint64_t length);
/* From *offset to the first byte in a hole, or in a block, but no further than `end`. 0 or OSD_MISS. */
uint32_t osd_view_seek(struct osd_exec *exec, bool hole, uint64_t end, uint64_t *offset);
uint32_t osd_view_truncate(struct osd_exec *exec, uint64_t size);

/* Key-value pairs. */
void osd_view_key_set(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes,
		      const uint8_t *value, uint32_t value_bytes);
void osd_view_key_remove(struct osd_exec *exec, const uint8_t *name, uint32_t name_bytes);
void osd_view_keys_clear(struct osd_exec *exec);

/* SIZE-3: bytes of the object that lie below a file size of truncate_size. */
uint64_t osd_view_limit(const struct osd_exec *exec, uint64_t truncate_size);

#endif
