/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is a store right in itself? Every key is read and understood, every object's blocks are where the device has room for
 * them, marked as used, and nobody else's but for those that are counted as shared, and counted right; what is marked as used has an owner; and, if `deep`,
 * every block matches its checksum. Whether replicas agree is not asked here.
 *
 * For a store in which nothing changes: one that was opened `read_only`, as it would be after the replay of its journal.
 * Memory: a bit for each block, and 8 bytes for each of those that stand near to shared ones (check_shares.h), whatever the number of objects. A checksum's verdict is the only one on data; a store
 * with faults is not repaired but filled again from its peers.
 */
#ifndef NACRE_SERVER_OSD_CHECK_H
#define NACRE_SERVER_OSD_CHECK_H

#include "store.h"

#define OSD_CHECK_FAULTS(F)							\
	F(METADATA, metadata, "keys and values that cannot be understood, or contradict each other") \
	F(PLACE, place, "blocks behind the device's end, of two objects and not counted as shared, or not marked as used") \
	F(SHARE, share, "blocks that more or fewer objects have than are counted") \
	F(LEAK, leak, "blocks and keys that belong to no object")		\
	F(DATA, data, "blocks that cannot be read, or do not match their checksum")

#define OSD_CHECK_FAULT_ENUM(NAME, name, doc) OSD_CHECK_##NAME,
enum osd_check_fault { OSD_CHECK_FAULTS(OSD_CHECK_FAULT_ENUM) OSD_CHECK_FAULT_KINDS };

struct osd_check_counts {
	uint64_t objects;
	uint64_t blocks;		/* of objects, unwritten ones included */
	uint64_t unwritten;		/* allocated and never written */
	uint64_t blocks_compared;	/* with their checksums */
	uint64_t unstable;		/* of these, do not match, and an intent says that a crash may have torn them: no fault */
	uint64_t pairs;			/* key-value pairs of objects */
	uint64_t log_entries;
	uint64_t kept;			/* transactions not known to be committed */
	uint64_t leaked;		/* blocks */
	uint64_t faults[OSD_CHECK_FAULT_KINDS];
};

struct osd_check_config {
	struct osd_store *store;
	bool deep;
	/* One is found; the sentence names the place and is gone after the call. */
	void (*fault)(void *owner, enum osd_check_fault fault, const char *sentence);
	/* 0, or -EIO: it could not be brought to its end, as the key-value store cannot be read. */
	void (*done)(void *owner, int result);
	void *owner;
};

struct osd_check;
/* Begin; done() follows, not before this returns. */
struct osd_check *osd_check_start(const struct osd_check_config *config);
/* As far as it is. */
const struct osd_check_counts *osd_check_counts(const struct osd_check *check);
/* After done(). */
void osd_check_free(struct osd_check *check);

const char *osd_check_fault_name(enum osd_check_fault fault);

#endif
