/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the time of requests went: how often and how long each waited for what, and what the rank did meanwhile. The
 * longest are kept until they are forgotten, for the admin command `slowest`: "why did that call take a second?"
 */
#ifndef MDS_SLOWEST_H
#define MDS_SLOWEST_H

#include <stdint.h>

struct mds;
struct mds_request;
struct admin_answer;

/* What a request waits for; shown by the admin commands `requests` and `slowest`. */
#define MDS_WAITS(W)					\
	W(NOTHING, "running")				\
	W(LOCK, "caps to be given back")		\
	W(REPORT, "the writers of a file to report its size")	\
	W(LOAD, "an object to be read")			\
	W(SAFE, "another session's change to be journaled (SHARE-1)")	\
	W(COMMIT, "its own change to be journaled")	\
	W(ROOM, "room in the journal")			\
	W(MEMORY, "inodes in memory to be written back")	\
	W(TRIM, "truncated objects")			\
	W(ACTIVE, "the rank to become active")		\
	W(STATFS, "the OSDs' counts")			\
	W(QUOTA, "what others have reserved in a quota")

#define MDS_WAIT_ENUM(name, doc) MDS_WAIT_##name,
enum mds_wait { MDS_WAITS(MDS_WAIT_ENUM) MDS_WAIT_KINDS };

const char *mds_wait_text(enum mds_wait wait);

/* What is counted while a request waits: counters of the rank (core.h). */
#define MDS_MEANWHILE(M)	\
	M(batches)		\
	M(writeback_requests)	\
	M(loads)		\
	M(splits)		\
	M(merges)		\
	M(purged_objects)

#define MDS_MEANWHILE_FIELD(name) uint64_t name;
struct mds_meanwhile { MDS_MEANWHILE(MDS_MEANWHILE_FIELD) };

/* Of one request. */
struct mds_spent {
	uint64_t since_ns;		/* it was put where it waits now */
	uint64_t turn_ns;		/* ready, and others ran before it */
	uint64_t waited_ns[MDS_WAIT_KINDS];
	uint32_t waits[MDS_WAIT_KINDS];
	struct mds_meanwhile before;	/* as it came */
};

struct mds_slowest;

void mds_slowest_init(struct mds *mds);
void mds_slowest_free(struct mds *mds);
/* It has come; it waits; what it waited for is there; it runs again; it ends. */
void mds_spent_begin(struct mds *mds, struct mds_request *request);
void mds_spent_park(struct mds *mds, struct mds_request *request);
void mds_spent_ready(struct mds *mds, struct mds_request *request);
void mds_spent_run(struct mds *mds, struct mds_request *request);
void mds_spent_end(struct mds *mds, struct mds_request *request);
void mds_slowest_show(struct mds *mds, struct admin_answer *answer);
void mds_slowest_forget(struct mds *mds);

#endif
