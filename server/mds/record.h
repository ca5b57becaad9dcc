/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys of the rank's table object: sessions, orphans, inodes with writers, purges, quotas. A record
 * says that such a key is to be there (live) or not; its value is made when it is written.
 */
#ifndef MDS_RECORD_H
#define MDS_RECORD_H

#include <uthash.h>
#include "dirty.h"

struct mds;

enum mds_record_kind {
	MDS_RECORD_SESSION = 's',
	MDS_RECORD_ORPHAN = 'o',
	MDS_RECORD_WRITERS = 'w',
	MDS_RECORD_PURGE = 'p',
	MDS_RECORD_QUOTA = 'q',
};

struct mds_record_key {
	uint64_t kind;			/* enum mds_record_kind; 64 bits: no padding in the hash key */
	uint64_t number;		/* instance or ino */
};

struct mds_record {
	struct mds_record_key key;
	bool live;
	struct mds_dirty dirty;
	UT_hash_handle hh;
};

/* The record, or NULL. */
struct mds_record *mds_record_find(struct mds *mds, enum mds_record_kind kind, uint64_t number);
/* Batch `seq` made it so. Marks it dirty if that is a change, or if it has a value that may differ. */
void mds_record_set(struct mds *mds, enum mds_record_kind kind, uint64_t number, bool live,
		    uint64_t seq);
/* It stands in the table object so. */
void mds_record_loaded(struct mds *mds, enum mds_record_kind kind, uint64_t number);
/* Drop it if it is neither live nor dirty. */
void mds_record_trim(struct mds *mds, struct mds_record *record);
/* A live, clean one may be dropped by whoever finds it in the table again. */
void mds_record_forget(struct mds *mds, struct mds_record *record);
void mds_record_free_all(struct mds *mds);
/* Key in the table object; its length. */
uint32_t mds_record_key_text(const struct mds_record_key *key, char *text);
int mds_record_key_parse(const uint8_t *text, uint32_t length, struct mds_record_key *key);

#endif
