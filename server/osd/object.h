/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metadata of objects in memory: a cache of what the O and B keys say after all
 * submitted transactions. Entries can always be dropped, because the unapplied
 * changes (changes.h) and the key-value store together have everything.
 */
#ifndef NACRE_SERVER_OSD_OBJECT_H
#define NACRE_SERVER_OSD_OBJECT_H

#include <assert.h>
#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <uthash.h>
#include "layout.h"
#include "mem.h"

#define OSD_NO_BLOCK UINT64_MAX		/* a hole: zeros */

/* How a block of an object stands. */
enum osd_block_state {
	OSD_BLOCK_HOLE,			/* zeros, and no place */
	OSD_BLOCK_UNWRITTEN,		/* zeros, and a place whose bytes say nothing: never read, no checksum */
	OSD_BLOCK_WRITTEN,
};

/* Which object, and in which group it is. No padding: it is hashed as bytes. */
struct osd_object_key {
	uint64_t ino, index, snap;
	uint32_t pool, pg;
};

/* An attribute; counted, never changed. */
struct osd_attr {
	uint32_t references;
	uint32_t name_bytes;
	uint32_t value_bytes;
	uint8_t bytes[];		/* name, value */
};

struct osd_onode {
	uint64_t object_id;
	uint64_t kv_id;			/* 0: no keys */
	uint64_t size;
	uint64_t version, interval;
	uint64_t mtime;
	uint64_t truncate_size;
	uint32_t truncate_seq;
	uint32_t attr_count;
	struct osd_attr **attrs;	/* by name */
	uint8_t chunks[OSD_CHUNKS_MAX / 8];	/* bitmap: which B keys exist */
};

/* Where 64 blocks of an object are. */
struct osd_chunk {
	uint64_t block[OSD_CHUNK_BLOCKS];	/* OSD_NO_BLOCK: a hole */
	uint32_t crc[OSD_CHUNK_BLOCKS];		/* of written blocks, else 0 */
	uint64_t unwritten;			/* bit i: block i is; in a view its place may be yet to be given */
};

struct osd_object {
	struct osd_object_key key;
	UT_hash_handle hh;
	TAILQ_ENTRY(osd_object) lru;	/* while nobody pins it */
	uint32_t pins;
	uint32_t bytes;			/* that count against the cache */
	bool loaded;			/* what follows says something */
	bool exists;
	struct osd_onode onode;
	struct osd_chunk *chunks[OSD_CHUNKS_MAX];	/* NULL: not loaded, or no such key */
};

TAILQ_HEAD(osd_object_list, osd_object);

struct osd_objects {
	struct osd_object *all;		/* hash by key */
	struct osd_object_list unused;	/* least recently used first */
	uint64_t bytes, bytes_max;
	uint64_t count;
};

void osd_objects_init(struct osd_objects *objects, uint64_t bytes_max);
void osd_objects_fini(struct osd_objects *objects);

/* Find or make an entry, pinned; it may have to be loaded. */
struct osd_object *osd_object_pin(struct osd_objects *objects, const struct osd_object_key *key);
void osd_object_unpin(struct osd_objects *objects, struct osd_object *object);
/* Its memory use has changed. */
void osd_object_account(struct osd_objects *objects, struct osd_object *object);

/* What the O key says (NULL: there is none). 0, or -EBADMSG: it cannot be understood. */
int osd_object_load(struct osd_object *object, const uint8_t *value, uint32_t length);
/* What a B key says. 0 or -EBADMSG. */
int osd_object_load_chunk(struct osd_object *object, uint32_t chunk, const uint8_t *value,
			  uint32_t length);

void osd_onode_encode(const struct osd_onode *onode, struct mem_bytes *ret_value);
int osd_onode_decode(struct osd_onode *onode, const uint8_t *value, uint32_t length);
/* A copy that counts the attributes. */
void osd_onode_copy(struct osd_onode *to, const struct osd_onode *from);
void osd_onode_free(struct osd_onode *onode);
void osd_chunk_encode(const struct osd_chunk *chunk, struct mem_bytes *ret_value);
int osd_chunk_decode(struct osd_chunk *chunk, const uint8_t *value, uint32_t length);
bool osd_chunk_is_empty(const struct osd_chunk *chunk);
struct osd_chunk *osd_chunk_new(void);
/* All holes: what osd_chunk_decode() wants. */
void osd_chunk_clear(struct osd_chunk *chunk);

static_assert(OSD_CHUNK_BLOCKS == 64, "a bit of osd_chunk.unwritten for each");

static inline enum osd_block_state osd_chunk_state(const struct osd_chunk *chunk, uint32_t i)
{
	if (chunk->unwritten >> i & 1)
		return OSD_BLOCK_UNWRITTEN;
	return chunk->block[i] == OSD_NO_BLOCK ? OSD_BLOCK_HOLE : OSD_BLOCK_WRITTEN;
}

static inline bool osd_onode_has_chunk(const struct osd_onode *onode, uint32_t chunk)
{
	return onode->chunks[chunk / 8] >> (chunk % 8) & 1;
}

static inline void osd_onode_set_chunk(struct osd_onode *onode, uint32_t chunk, bool exists)
{
	uint8_t mask = (uint8_t)(1u << (chunk % 8));

	onode->chunks[chunk / 8] = exists ? onode->chunks[chunk / 8] | mask :
					    onode->chunks[chunk / 8] & (uint8_t)~mask;
}

/* Index of an attribute, or -1 and where it would stand in *ret_at. */
int osd_attr_find(const struct osd_onode *onode, const uint8_t *name, uint32_t name_bytes,
		  uint32_t *ret_at);
/* Set or replace; the caller has checked limits. */
void osd_attr_set(struct osd_onode *onode, const uint8_t *name, uint32_t name_bytes,
		  const uint8_t *value, uint32_t value_bytes);
void osd_attr_remove(struct osd_onode *onode, uint32_t at);
/* Bytes of all attributes, encoded. */
uint32_t osd_attrs_bytes(const struct osd_onode *onode);

#endif
