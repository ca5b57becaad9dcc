/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scrub: are the replicas of an object right, and equal? The primary asks, of one object at a time:
 *
 *	WAITING ──held──▶ SCANNING ──all are right and equal──────────────▶ done
 *	   ▲                 │ └──changed meanwhile──▶ again, a few times
 *	   └──held exclusively─┘
 *	                     └──bad blocks──▶ REPAIRING ──fetch, store, for each run──▶ done
 *
 * While an object is held nothing is under way to it, on any in-sync member: all have the same version of it. So what
 * differs does differ, and what does not match its checksum is rotten and not half written. What a scan without an
 * exclusive hold finds is looked at again with one before it is believed.
 *
 * **Only a checksum repairs.** A block that does not match its own checksum is written again with the bytes of a member
 * where they match, at the same version. Replicas that all match their checksums and differ are reported and left as they
 * are, also when another block of theirs is bad: nobody can say who is right.
 *
 * scrub.c turns to the groups and paces; scrub_object.c does one object at the primary, scrub_repair.c its bad blocks,
 * scrub_member.c is the member; scrub_report.c remembers and tells.
 */
#ifndef NACRE_SERVER_OSD_SCRUB_H
#define NACRE_SERVER_OSD_SCRUB_H

#include "object_queue.h"
#include "pg.h"
#include "object_scan.h"

#define SCRUB_REASONS(R)								\
	R(CHECKSUM, "checksum", "bytes do not match their checksum, or cannot be read")	\
	R(ABSENT, "absent", "the object is not there, and is on the replica it was compared with") \
	R(EXTRA, "extra", "the object is there, and not on the replica it was compared with") \
	R(VERSION, "version", "another version than on the replica it was compared with")	\
	R(SIZE, "size", "another size")							\
	R(ATTRIBUTES, "attributes", "other attributes or times")			\
	R(KEYS, "keys", "other key-value pairs")					\
	R(DATA, "data", "other bytes, though all match their checksums")		\
	R(METADATA, "metadata", "what the store says of the object cannot be read or understood")

#define SCRUB_REASON_ENUM(NAME, text, doc) SCRUB_##NAME,
enum scrub_reason { SCRUB_REASONS(SCRUB_REASON_ENUM) };

/* What was found wrong, on one replica. */
struct scrub_finding {
	uint64_t number;		/* counts from 1 */
	uint64_t wall_ns;
	struct osd_object_key key;	/* ino 0: the list of the group's objects */
	uint64_t offset, length;	/* CHECKSUM */
	uint16_t osd;
	uint16_t other;			/* what it was compared with, or repaired from */
	enum scrub_reason reason;
	bool repaired;
};

/* One replica of an object, while that is scrubbed. */
struct scrub_side {
	uint16_t osd;
	bool self;
	bool waits;			/* for an answer */
	bool gone;			/* it gives none */
	unsigned int tries;
	uint64_t sent_ns;
	struct nacre_rep_scrub wire;	/* what it was asked */
	uint32_t result;
	bool unstable, exists, cut;
	uint64_t version, interval, size, head, keys, data, bytes;
	struct nacre_osd_extent bad[NACRE_REP_SCRUB_BAD_MAX];
	uint32_t bad_count;
};

struct scrub_object {
	TAILQ_ENTRY(scrub_object) link;
	struct osd *osd;
	struct pg *pg;
	struct osd_object_key key;
	uint64_t interval;		/* of the group, when it began */
	bool deep;
	bool exclusive;
	bool repairing;
	bool aborted;			/* the interval has ended, or the server */
	bool busy;			/* our own scan or execution is under way */
	unsigned int scans;
	unsigned int dialled;		/* how often a member that is in sync could not be asked */
	uint64_t again_ns;		/* scan again, not before; 0: no */
	struct object_hold hold;
	struct scrub_side sides[NACRE_PG_SLOTS];
	unsigned int count;		/* sides[0] is ours */
	/* What came of it. */
	bool unstable;			/* it changed again and again: nothing was said */
	unsigned int findings;
	void (*done)(struct scrub_object *object);	/* NULL; it is freed behind it */
	void *owner;
	/* REPAIRING: the run that is being repaired. */
	unsigned int target, source;
	uint32_t range;			/* of the target's bad ones */
	uint64_t at;			/* next offset in it */
	uint32_t length;
	bool differs;			/* replicas that are right do: no repair */
	struct mem_bytes bytes;
	struct nacre_osd_request request;
	struct osd_exec exec;
	struct osd_object_scan scan;
};

TAILQ_HEAD(scrub_object_list, scrub_object);

struct scrub_run;
struct scrub_asked;

#define SCRUB_FINDINGS_MAX 256u

struct osd_scrub {
	struct scrub_object_list objects;	/* being scrubbed */
	unsigned int object_count;
	unsigned int member_scans;	/* for other primaries */
	uint64_t next_tid;
	/* scrub.c */
	TAILQ_HEAD(, scrub_asked) asked;	/* groups, by hand */
	struct scrub_run *run;		/* the group being scrubbed */
	uint64_t start_wall_ns;
	uint64_t asked_groups, asked_done;	/* since nothing was asked for */
	uint64_t asked_objects, asked_bytes;	/* likewise */
	/* scrub_report.c */
	struct scrub_finding findings[SCRUB_FINDINGS_MAX];	/* the last ones, by number */
	uint64_t found;
};

/* ---- scrub.c ---- */

struct osd_scrub *osd_scrub_create(struct osd *osd);
void osd_scrub_free(struct osd *osd);
/* Every so often. */
void osd_scrub_tick(struct osd *osd);
/* The group's interval has ended: forget what is under way. */
void osd_scrub_abort(struct pg *pg);
/* The server ends. */
void osd_scrub_stop(struct osd *osd);
/* By hand: all groups whose primary is here, or one. How many. */
unsigned int osd_scrub_ask(struct osd *osd, const struct pg *only, bool deep);
/* A request, or catching a member up, has met a bad checksum: repair the object, before all who wait for it. */
void osd_scrub_repair(struct pg *pg, const struct osd_object_key *key);
/* May more objects be under repair? */
bool osd_scrub_has_room(const struct osd *osd);
void osd_scrub_listed(struct pg *pg, struct pg_member *member, const struct nacre_rep_listed *listed);
/* How far; for people. */
void osd_scrub_status(struct osd *osd, struct admin_answer *answer);

/* ---- scrub_object.c ---- */

struct scrub_object *scrub_object_start(struct pg *pg, const struct osd_object_key *key, bool deep, bool exclusive,
					void (*done)(struct scrub_object *object), void *owner);
void scrub_object_tick(struct scrub_object *object);
void scrub_object_abort(struct scrub_object *object);
/* REP_SCRUBBED. */
void scrub_object_answered(struct pg *pg, const struct pg_member *member, struct message *message);
/* Its end, aborted or not. */
void scrub_object_end(struct scrub_object *object);
/* Ask a member; `what` and what belongs to it are set in side->wire. */
void scrub_object_ask(struct scrub_object *object, struct scrub_side *side);
/* May the member be asked? */
bool scrub_member_counts(const struct pg *pg, const struct pg_member *member);

/* ---- scrub_repair.c ---- */

/* All sides are scanned, and some have bad blocks. */
void scrub_repair_begin(struct scrub_object *object);
/* A member has answered READ or REPAIR, or gives no answer any more. */
void scrub_repair_answered(struct scrub_object *object, struct scrub_side *side, const uint8_t *data,
			   uint32_t data_bytes);

/* ---- scrub_member.c ---- */

/* LIGHT, DEEP: takes no reference. */
void scrub_member_scan(struct pg *pg, struct message *message);
struct member_job;
/* READ, REPAIR, in the order of the primary's messages: prepare for execution; false: it is refused. */
bool scrub_member_begin(struct member_job *job);

/* ---- scrub_report.c ---- */

void scrub_found(struct osd *osd, const struct scrub_finding *finding);
const char *scrub_reason_name(enum scrub_reason reason);
/* `scrub ...` at the admin socket. */
bool osd_scrub_command(void *owner, int argc, char **argv, struct admin_answer *answer);

#endif
