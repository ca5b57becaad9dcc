/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Intents (journal mode `ordered`): which blocks are being overwritten in place. Until the overwrite's own record is durable
 * nobody knows what a loss of power would leave there, and the intent says so.
 *
 *	submit ──▶ the intent joins a transaction that waits in the journal ──durable──▶ the bytes are written
 *	       ──flush──▶ the overwrite's record, which deletes the intent
 *
 * An intent is a key of the store (layout.h), put by a small transaction that holds those of all overwrites that came
 * while it waited, and deleted by the overwrite's transaction. So journal, write-back and replay treat it like any key,
 * and its transaction goes into the record of those that wait before it: no flush of its own. What is there when the
 * store is opened, a crash has left: *unstable*. It ends with a transaction that writes all of its blocks, or drops them.
 */
#ifndef NACRE_SERVER_OSD_INTENTS_H
#define NACRE_SERVER_OSD_INTENTS_H

#include "layout.h"
#include "object.h"

struct osd_store;
struct osd_txn;
struct osd_view;

/* Blocks of an object that a crash may have torn. */
struct osd_unstable {
	TAILQ_ENTRY(osd_unstable) link;
	struct osd_key key;		/* of the intent */
	struct osd_object_key object;
	uint32_t left;			/* of its blocks */
	uint64_t blocks[OSD_CHUNKS_MAX];	/* bitmap */
};

TAILQ_HEAD(osd_unstable_list, osd_unstable);

struct osd_intents {
	struct osd_store *store;
	bool alone;			/* a record of its own is worth it */
	struct osd_txn *gathering;	/* waits in the journal, and takes more */
	uint32_t gathered;		/* intents in it */
	struct osd_unstable_list unstable;
	uint64_t unstable_blocks;
};

void osd_intents_init(struct osd_intents *intents, struct osd_store *store);
void osd_intents_fini(struct osd_intents *intents);

/* May something be overwritten in place now: would its intent go into a record that has to be written anyway? */
bool osd_intents_ride(const struct osd_intents *intents);
/* The transaction is about to be submitted, and overwrites in place. */
void osd_intents_begin(struct osd_intents *intents, struct osd_txn *txn);

/* What stands under an I key, when the store is opened. 0 or -EBADMSG. */
int osd_intents_load(struct osd_intents *intents, const uint8_t *key, uint32_t key_bytes, const uint8_t *value,
		     uint32_t value_bytes);
/* Is block `n` of an object unstable? */
bool osd_intents_cover(const struct osd_intents *intents, const struct osd_object_key *object, uint32_t n);
/* The same for a block of the device, by the object's lists of blocks that are in memory. */
bool osd_intents_cover_place(const struct osd_intents *intents, const struct osd_object *object, uint64_t block);
/* A view is being committed: what it writes or drops is known again. */
void osd_intents_settle(struct osd_intents *intents, struct osd_view *view);
/* The next run of its blocks, from *first on. False: there is none. */
bool osd_unstable_run(const struct osd_unstable *unstable, uint32_t *first, uint32_t *ret_count);

#endif
