/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small world in which the client's cap machine, the rank's cap machine and the lock table
 * are driven against each other: one inode, two groups (AUTH and FILE), up to three clients,
 * bounded queues, lost connections, a rank that is replaced. The world is a plain struct that
 * can be copied and hashed, so that a test can visit every state it can get into.
 *
 * What is checked in every state: the invariants of all machines, no two clients holding
 * bits that exclude each other, and the promise behind it all: a client that may answer
 * from its copy, its page cache or an OSD would answer with the newest value there is.
 *
 * The only things not from protocol/rules are the environment (users, pages, an OSD) and
 * a rank of thirty lines that does what a rank must do at least.
 */
#ifndef NACRE_TEST_CAPS_MODEL_H
#define NACRE_TEST_CAPS_MODEL_H

#include "protocol/rules/cap_client.h"
#include "protocol/rules/cap_rank.h"
#include "protocol/rules/lock_table.h"

#define MODEL_CLIENTS_MAX 3
#define MODEL_QUEUE_MAX 6

enum model_message_kind {
	MODEL_NOTHING,
	MODEL_GRANT,			/* rank → client */
	MODEL_REVOKE,
	MODEL_FLUSH_ACK,
	MODEL_CHANGED,			/* answers CHANGE */
	MODEL_OPEN,			/* client → rank: a cap, please, and what is wanted */
	MODEL_UPDATE,
	MODEL_RELEASE,
	MODEL_CHANGE,			/* change the attribute for me */
};

struct model_message {
	__u8 kind;
	__u8 flags;			/* nacre_cap_update flags */
	__u8 tid;			/* CHANGE, CHANGED */
	__u8 dirty;			/* groups */
	__u32 cap_id;
	__u32 gen;
	__u32 seq;
	__u32 caps;			/* issued, keep, or held */
	__u32 wanted;
	__u32 value;			/* of AUTH */
	__u32 flush_id;
	__u32 valid;			/* groups whose value is current */
};

struct model_queue {
	__u8 count;
	struct model_message at[MODEL_QUEUE_MAX];
};

struct model_client {
	struct nacre_cap_client cap;
	__u32 refs;			/* cap bits with a reference (a reader or writer at work) */
	__u32 copy;			/* value of AUTH */
	__u32 page;			/* version in the page cache, 0 = none */
	__u8 page_dirty;
	__u8 asking;			/* an OPEN is under way */
	__u8 changing;			/* a CHANGE is under way */
	__u8 tid;			/* of the last CHANGE, 0 or 1 */
	__u32 next_flush;
	struct model_queue in;		/* from the rank */
};

struct model_rank {
	struct nacre_lock auth;
	struct nacre_lock file;
	__u32 value;			/* of AUTH */
	__u32 gen;
	struct {
		struct nacre_cap_rank cap;
		__u8 present;
		__u8 fresh_connection;	/* reset since the last grant was sent */
		__u8 applied_tid;	/* CHANGE answered last; the first is 1 */
		__u8 change_waits;	/* a CHANGE that waits for the lock: the lower, the longer */
		__u32 applied_flush;
		__u32 next_cap_id;
		struct model_queue in;	/* from this client */
	} of[MODEL_CLIENTS_MAX];
};

struct model {
	struct model_client client[MODEL_CLIENTS_MAX];
	struct model_rank rank;
	__u32 disk;			/* version of the data at the OSD */
	__u32 truth_attr;		/* newest value of AUTH, wherever it is */
	__u32 truth_data;		/* newest version of the data */
	__u8 resets_left;
	__u8 crashes_left;
};

/* What of the world may happen; fixed during an exploration. */
struct model_rules {
	int clients;
	int queue;			/* messages a queue takes */
	int flight;			/* messages under way at a time, in all queues; 0 = any number */
	int resets;			/* lost connections allowed */
	int crashes;			/* new incarnations of the rank allowed */
	int use_attr;			/* clients use AUTH */
	int use_data;			/* clients use FILE */
	unsigned int readers;		/* data: bits of the clients that read, */
	unsigned int writers;		/* … that write; both 0 = all do both */
	int break_rule;			/* enum model_break: for showing that the checks can fail */
};

enum model_break {
	MODEL_BREAK_NOTHING,
	MODEL_BREAK_ANSWER_EARLY,	/* CAP-1: answer while a bit is used */
	MODEL_BREAK_FORGET_FLUSH,	/* answer without the dirty values */
	MODEL_BREAK_NO_REPEAT,		/* CAP-2: a revoke is sent once */
	MODEL_BREAK_RELEASE_CROSSES,	/* catalogue B1/B2: a release that a grant has crossed is believed */
	MODEL_BREAK_GRANT_EARLY,	/* the rank does not wait for answers */
	MODEL_BREAK_UNKNOWN_SILENT,	/* catalogue B2: a revoke for an unknown inode is not answered */
};

void model_init(struct model *m, const struct model_rules *rules);

/* Number of things that can be tried in any state: model_try(m, 0 … model_events - 1). */
int model_events(const struct model_rules *rules);

/* Let event number `event` happen. 1; 0: it cannot happen here (m is then in an undefined state). */
int model_try(struct model *m, const struct model_rules *rules, int event);

/* NULL, or what is wrong with this state. */
const char *model_check(const struct model *m, const struct model_rules *rules);

/* Make equal what will behave alike: forget what nobody will look at again, rename numbers. */
void model_normalize(struct model *m, const struct model_rules *rules);

/* Clients that may do the same are alike: exchange two; put all in a fixed order, and who[] with them. */
void model_swap(struct model *m, int a, int b);
void model_order(struct model *m, const struct model_rules *rules, int *who);

/*
 * Let everything under way come to its end without new wishes: deliver, write back, repeat
 * revokes. NULL, or what never ends. Changes m.
 */
const char *model_settle(struct model *m, const struct model_rules *rules);

const char *model_event_name(const struct model_rules *rules, int event);

#endif
