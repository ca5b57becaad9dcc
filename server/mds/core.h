/* SPDX-License-Identifier: GPL-2.0 */
/*
 * struct mds: the rank and its parts. Each part owns its member; what several
 * of them use (clock, counters, settings) stands at the top.
 *
 * Single-threaded: everything runs from the loop of `io`. Out of memory is a
 * crash like any other (alloc.h): the journal has what was promised.
 */
#ifndef MDS_CORE_H
#define MDS_CORE_H

#include <assert.h>
#include <errno.h>
#include "alloc.h"
#include "audit.h"
#include "checkpoint.h"
#include "dentry.h"
#include "filelocks.h"
#include "filework.h"
#include "inline.h"
#include "inode.h"
#include "journal.h"
#include "leftover.h"
#include "load.h"
#include "purge.h"
#include "quota.h"
#include "mds.h"
#include "reconnect.h"
#include "record.h"
#include "report.h"
#include "request.h"
#include "session.h"
#include "slowest.h"
#include "server/base/member.h"
#include "server/base/msgr.h"
#include "server/base/osdc.h"
#include "server/base/stats.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/layout.h"

#define MDS_COUNTERS(C)								\
	C(inodes, "inodes in memory")						\
	C(caps, "caps held by clients")						\
	C(sessions, "sessions")							\
	C(requests, "requests taken in")					\
	C(requests_waiting, "requests that are waiting now")			\
	C(resends, "requests answered as applied before (LOG-2)")		\
	C(events, "events journaled")						\
	C(batches, "journal writes")						\
	C(journal_bytes, "bytes of journal written")				\
	C(shared_flushes, "journal flushes because another session looked (SHARE-1)") \
	C(writeback_requests, "object requests that wrote changes back")	\
	C(writeback_items, "entries, inodes, backtraces and records in them")	\
	C(loads, "object reads of entries and inodes")				\
	C(splits, "fragments of directories split")				\
	C(merges, "fragments of directories merged")				\
	C(moved_entries, "entries that changed their object with that")	\
	C(evicted_inodes, "inodes dropped from memory")				\
	C(grants, "caps granted unasked")					\
	C(revokes, "revokes sent first")					\
	C(revokes_repeated, "revokes sent again")				\
	C(recalls, "caps taken back to win memory")				\
	C(size_asks, "writers asked for the size of a file")			\
	C(size_reports, "stats answered by what the writers of a file reported")	\
	C(size_reports_missed, "stats for which reports were late or not to be had")	\
	C(evictions, "sessions evicted")					\
	C(probes, "files whose size was probed (SIZE-2)")			\
	C(trims, "truncations carried out")					\
	C(purged_objects, "objects of removed files deleted")			\
	C(inline_bytes, "bytes of small files that are in memory with their inodes")	\
	C(uninlined, "files whose data has left the inode")			\
	C(leftovers, "trimmed journal objects of earlier incarnations deleted")	\
	C(listings, "groups asked which objects of a range of inodes they have")	\
	C(filelocks, "ranges of files locked by clients")			\
	C(filelock_waits, "waits for such locks")				\
	C(waits_for_room, "times that a request waited for room in the journal")	\
	C(waits_for_memory, "times that a request waited for inodes to leave memory")	\
	C(sealed, "requests that wrote back what was not journaled yet, behind its batch")	\
	C(busy, "requests refused because a queue was full")			\
	C(quotas, "quotas of directory trees")					\
	C(quota_refusals, "what was refused because a quota leaves no room")	\
	C(quota_recalls, "files whose caps were taken back, so that what they had reserved in a quota is free") \
	C(longest_request_us, "longest request, from its arrival to its end; the others: see slowest") \
	C(longest_revoke_us, "longest time from a revoke to its answer")	\
	C(longest_load_us, "longest read of entries or inodes")			\
	C(longest_load_behind_us, "of that: behind earlier requests on the same object")	\
	C(longest_batch_us, "longest write of a journal batch")			\
	C(longest_writeback_us, "longest request that wrote changes back")	\
	C(longest_split_us, "longest split or merge, till its switch was journaled")	\
	C(longest_split_work_us, "of that: work of the rank")

STATS_STRUCT(mds_counters, MDS_COUNTERS);

enum mds_state {
	MDS_JOINING,			/* waits for instance, lease and rank */
	MDS_REPLAYING,			/* reads table and journal */
	MDS_RECONNECTING,		/* waits for the sessions it knows */
	MDS_ACTIVE,
	MDS_STOPPING,			/* writes the journal, answers nobody */
	MDS_DEAD,			/* fenced or failed */
};

#define MDS_REQUESTS_MAX 65536u		/* in all; over it BUSY */
#define MDS_SESSION_REQUESTS_MAX 4096u
#define MDS_READY_SLICE 128		/* requests run in one turn (TIME-1) */

struct mds_purger;
struct mds_prober;
struct mds_replay;
struct mds_reconnect;
struct mds_statfs_cache;
struct mds_ids;
struct mds_map_readers;
struct admin;

/* Write-back: see checkpoint.h. */
struct mds_checkpoint {
	struct mds_dirty_list queue;	/* not on its way, oldest first */
	struct mds_dirty *passed;	/* of it: what stands up to here cannot go yet; NULL: from the front */
	uint64_t queued;
	struct mds_dirty_list writing;	/* on its way */
	unsigned int in_flight;		/* object requests */
	TAILQ_HEAD(, writeback) sealed;	/* of them: that wait for a batch (writeback.c) */
	uint64_t header_expire;		/* as the header in the table says */
	uint64_t header_next;		/* as it will say */
	uint64_t header_next_pos;
	bool header_writing;
	uint64_t forced;		/* what batches up to this one changed is to be written, due or not */
	uint64_t trim_index;		/* journal objects below it are deleted */
	struct io_task task;
};

struct mds {
	struct mds_config config;
	struct io *io;
	struct log *log;
	struct msgr *msgr;
	struct osdc *osdc;
	struct member *member;
	enum mds_state state;
	uint64_t instance;
	uint64_t incarnation;
	uint64_t barrier_epoch;		/* nothing below it goes to the OSDs (FENCE-2) */
	struct mds_counters counters;
	struct stats_set stats;		/* of them */
	char name[32];

	struct mds_inode *inodes;	/* by number */
	struct mds_inode_list lru;
	uint64_t leaving_count;		/* inodes on their way out of memory */
	struct mds_inode_list settle;
	struct io_task settle_task;
	struct io_task evict_task;
	struct io_task purge_task;
	struct io_task audit_task;
	struct io_task end_sessions_task;
	struct mds_loads inode_loads;
	uint64_t next_ino;		/* lowest number never given out */
	uint64_t lost_inos, lost_end;	/* from and to: what incarnations before may have given out and lost */
	uint64_t next_cap_id;

	struct mds_session *sessions;	/* by instance */
	struct mds_session_list tell_safe;
	struct mds_session_list gathered;	/* sessions whose revokes wait for the end of this turn … */
	bool gathering;				/* … which is a recall */
	struct io_timer safe_timer;
	struct mds_cap_list revoking;	/* oldest first */
	struct io_timer sweep_timer;

	struct mds_waitlist requests;	/* all, oldest first */
	struct mds_waitlist ready;
	struct mds_waitlist waiting_active;
	struct mds_waitlist waiting_room;	/* in the journal */
	struct mds_waitlist waiting_memory;
	struct mds_waitlist waiting_reports;	/* in the order in which they asked */
	struct io_timer report_timer;	/* when the first of them has waited enough */
	struct io_task ready_task;
	uint64_t request_count;
	uint64_t request_number;

	struct mds_journal journal;
	struct mds_checkpoint checkpoint;
	struct mds_record *records;
	struct mds_purger *purger;
	struct mds_leftover *leftover;	/* being looked for; NULL: they are deleted */
	struct mds_audit *audit;	/* the last one, or the one that runs; NULL: none yet */
	struct mds_filework_list fileworks;	/* files being cut or probed */
	struct mds_filelocks filelocks;
	struct mds_prober *prober;
	struct mds_replay *replay;
	struct mds_reconnect *reconnect;
	struct mds_statfs_cache *statfs;
	struct mds_quotas quotas;
	struct mds_ids *ids;
	struct mds_map_readers *map_readers;
	struct mds_slowest *slowest;
	struct admin *admin;		/* where our commands are registered; NULL */
	struct io_task end_task;	/* tells the owner that we are fenced or failed */
	struct io_task bury_task;	/* frees this struct behind all other tasks */
	int end_result;			/* 0: fenced */
	char end_reason[256];
	struct mds_intervals closed;	/* replay: instances whose clients took their leave; till active */
	struct mds_intervals dying;	/* instances on their way into the dead set */
	bool burying;
	uint64_t bury_at_ns;

	uint8_t *scratch;		/* MDS_SCRATCH_BYTES: to encode in, within one function */
	uint8_t *scratch2;		/* the same, for what goes inside */
	void (*stopped)(void *owner);
	void *stopped_owner;
	struct mds_commit stop_commit;
	struct io_timer stop_timer;	/* stops waiting for the OSDs */
	bool leaving;
};

#define MDS_SCRATCH_BYTES (4u << 20)

/* A length of time that the configuration scales. */
static inline uint64_t mds_scaled_ns(const struct mds *mds, uint64_t ms)
{
	return ms * 10000 * mds->config.time_scale_percent;
}

/* Queue a task, unless the rank is on its way to be freed. */
static inline void mds_defer(struct mds *mds, struct io_task *task)
{
	if (mds->state != MDS_DEAD)
		io_defer(mds->io, task);
}

static inline uint64_t mds_now(const struct mds *mds) { return io_now(mds->io); }

/* The rank cannot go on; nothing is served from here. */
void mds_fail(struct mds *mds, int result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void mds_admin_unregister(struct mds *mds);
void mds_set_state(struct mds *mds, enum mds_state state);
const char *mds_state_name(enum mds_state state);
/* Raise the barrier: our own object requests and all that clients are told from here. */
void mds_set_barrier(struct mds *mds, uint64_t epoch);

#endif
