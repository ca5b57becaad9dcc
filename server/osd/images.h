/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Images of blocks that are journaled, or about to be, but not yet written to
 * their place. Readers find the newest image of a block here before they go to
 * the disk. Images belong to their transaction (txn.h).
 *
 * Older images of a block stay linked behind the newest, because only what is
 * durable in the journal may be written to its place.
 */
#ifndef NACRE_SERVER_OSD_IMAGES_H
#define NACRE_SERVER_OSD_IMAGES_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "mem.h"

struct osd_image {
	uint64_t block;			/* of the data area */
	uint64_t seq;			/* of its transaction */
	uint64_t freed_seq;		/* the transaction that gave the block back, 0 = none */
	uint32_t object_block;		/* which block of the object */
	uint32_t crc;			/* CRC32C of the bytes */
	bool in_place;			/* written directly over older bytes of the object: intents.h */
	const uint8_t *bytes;		/* OSD_BLOCK_BYTES, block-aligned */
	struct mem_buffer *buffer;	/* counted; holds the bytes */
	struct osd_image *newer, *older;
	UT_hash_handle hh;		/* the newest of a block only */
};

struct osd_images {
	struct osd_image *newest;	/* hash by block */
	uint64_t count;
};

/* The newest image of a block, or NULL. */
struct osd_image *osd_images_find(const struct osd_images *set, uint64_t block);
void osd_images_enter(struct osd_images *set, struct osd_image *image);
/* It is written, or not needed: images leave in the order of their transactions. */
void osd_images_leave(struct osd_images *set, struct osd_image *image);
/* Transaction `seq` gave the block back: what stands in its image need not be written. */
void osd_images_freed(struct osd_images *set, uint64_t block, uint64_t seq);
/* Need an image be written by a write-back that ends with transaction `seq`? */
bool osd_image_needed(const struct osd_image *image, uint64_t seq);

#endif
