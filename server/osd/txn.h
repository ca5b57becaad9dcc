/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A transaction of the store, in its final form: changes of keys, images of
 * blocks, blocks taken and given back. It is made by executing a request
 * (exec.h), goes into the journal as one piece, is applied, and is then freed.
 *
 *	made ──submit──▶ waiting ──record──▶ journaled (durable) ──write-back──▶ applied
 *
 * Nothing here decides anything: replay does the same as the first time.
 */
#ifndef NACRE_SERVER_OSD_TXN_H
#define NACRE_SERVER_OSD_TXN_H

#include "changes.h"
#include "images.h"
#include "object.h"
#include "protocol/codec.h"

enum osd_direct_state {
	OSD_DIRECT_DURABLE,		/* or there is nothing */
	OSD_DIRECT_WAITING,		/* for its intent to be durable */
	OSD_DIRECT_WRITING,
	OSD_DIRECT_WRITTEN,
	OSD_DIRECT_FLUSHING,
};

struct osd_txn {
	struct osd_txn *next_direct;	/* direct.c's */
	struct osd_txn *next;		/* journal's and write-back's: in the order of seq */
	uint64_t seq;			/* given at submit */
	uint64_t next_id;		/* of the store, after it */
	uint64_t number;		/* in the group's log, 0 = not part of one */
	uint64_t committed;		/* of the group, as known when it was made */
	uint32_t pool, pg;
	uint32_t objects_more, objects_less;
	struct osd_change_list changes;
	struct osd_image *images;	/* in the order of the record */
	uint32_t image_count;
	struct osd_image *direct;	/* written to their places, not journaled: direct.h */
	uint32_t direct_count;
	enum osd_direct_state direct_state;
	unsigned int direct_writes;	/* under way */
	uint32_t in_place;		/* how many of `direct` */
	uint64_t intent_seq;		/* the transaction that holds its intent */
	bool intents;			/* it holds intents of others, and nothing else */
	struct osd_object_key object;	/* that it changes, if in_place is not 0 */
	bool unread;			/* replayed: what was written directly is not in memory (refill.h) */
	struct osd_disk_space *space;	/* in the order of doing */
	uint32_t space_count, space_room;
	uint64_t *resting;		/* blocks that stay in use, and may not be written directly until it is safe (bars.h); not at replay */
	uint32_t resting_count;
	struct mem_bytes request;	/* encoded, when number is not 0: see REC-1 in README.md */
	struct mem_bytes entry;		/* encoded nacre_rep_entry, likewise */
	struct mem_bytes packed;	/* as it goes into the journal */
	uint32_t moved;			/* blocks taken in place of others, which are given back */
	uint64_t client_bytes;		/* bytes that clients asked to write, for the counters */
	bool bulk;			/* recovery's: counted apart */
	/* In the journal, for good, with all before it. Called once; not for replayed ones. */
	void (*durable)(struct osd_txn *txn);
	void *owner;
};

struct osd_txn *osd_txn_new(void);
/* Its changes and images must have left the store's sets, or never been there. */
void osd_txn_free(struct osd_txn *txn);

void osd_txn_put(struct osd_txn *txn, const struct osd_key *key, const void *value, size_t length);
void osd_txn_delete(struct osd_txn *txn, const struct osd_key *key);
void osd_txn_delete_range(struct osd_txn *txn, const struct osd_key *first,
			  const struct osd_key *end);
void osd_txn_space(struct osd_txn *txn, uint64_t block, uint32_t count, bool taken);
void osd_txn_rest(struct osd_txn *txn, uint64_t block);

/* Fill `packed`. */
void osd_txn_pack(struct osd_txn *txn);

/*
 * Unpack one transaction from a record; its images are the next ones of
 * `*images`, whose memory `buffer` counts. 0, or -EBADMSG.
 */
int osd_txn_unpack(struct nacre_reader *r, struct mem_buffer *buffer, const uint8_t **images,
		   const uint8_t *images_end, struct osd_txn **ret_txn);

/*
 * The data payload of txn->request, put together again from the images and from what was written directly: what the
 * same transaction has overwritten or cut off since is zeros, and makes no
 * difference to its outcome.
 */
void osd_txn_payload(const struct osd_txn *txn, struct mem_bytes *ret_data);

#endif
