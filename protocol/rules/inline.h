/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Small files in the inode: when their data is there, when it is in the objects, and how it gets from the one
 * place to the other while several clients write.
 *
 * Once a file's data has left the inode it never comes back. Whether it has is decided by object 0 alone: by its
 * *mark*, an attribute that holds the generation of the inline data that was left. The object itself may exist
 * earlier, for it carries the backtrace.
 *
 * A client's view of one file (INLINE-1: the first data request to object 0 sets the mark):
 *
 *	 UNKNOWN ──TOLD_INLINE──▶ INLINE ──GUARD──▶ LEAVING ──MARKED──▶ LEFT ──SAFE──▶ NONE
 *	    │                       │ ▲                │                                ▲
 *	    │                       │ └────FAILED──────┘                                │
 *	    └──────TOLD_NONE────────┴──────────────TOLD_NONE, SEEN──────────────────────┘
 *
 * The guard is one compound request on object 0: if the mark is absent, write the bytes that were inline and set the
 * mark; then the real operation. All holders have the same bytes, so whoever comes first is right, and
 * for the others the guard does nothing. No object behind 0 is written before a guard was answered (INLINE-2). A read
 * asks for the mark and the data together and never writes: without the mark the inline bytes are the answer, for
 * whatever part of the file.
 *
 * Who is told NONE while its own guard is under way has old bytes: another's guard came first, and that client may have written
 * since. They answer nothing any more; the answer to the guard changes nothing.
 *
 * LEFT is dirty cap state (INLINE-4): it goes out, as NACRE_CAP_UPDATE_UNINLINED, with every flush of FILE until one
 * that said it is journaled. Whoever only saw the mark need not tell: the one who set it does, or is lost, and
 * then the rank looks itself.
 *
 * The rank's view:
 *
 *	 INLINE ──LEFT──▶ NONE ◀──LEFT, MARKED── UNSURE
 *	   │  ▲                                    ▲ │
 *	   │  └──────────────UNMARKED──────────────┼─┘
 *	   └──────────────────LOST─────────────────┘
 *
 * Release: if one client says that it has left, it has left. UNSURE: a holder that could write was lost (its range is in the
 * inode's image, SIZE-1); nothing is granted before object 0 was looked at behind the fence.
 *
 * Pure; the caller keeps bytes and generation and counts guards under way.
 */
#ifndef NACRE_RULES_INLINE_H
#define NACRE_RULES_INLINE_H

#include "../map.h"
#include "../mds.h"
#include "machine.h"

#define NACRE_INLINE_MARK "inline"	/* attribute of object 0; its value is the generation, 8 bytes */
#define NACRE_INLINE_MARK_BYTES 6	/* of the name */

/* ---- the client ----------------------------------------------------------------------------------- */

#define NACRE_INLINE_STATES(W)							\
	W(0, UNKNOWN, "no data has come with caps yet")				\
	W(1, INLINE, "the data is in the inode, and this client has it")	\
	W(2, LEAVING, "a guard is under way: the data may have left")		\
	W(3, LEFT, "the mark is set, and the rank has not journaled that we said so") \
	W(4, NONE, "the data is in the objects, for good")

#define NACRE_INLINE_EVENTS(W)							\
	W(0, TOLD_INLINE, "an info with inline data")				\
	W(1, TOLD_NONE, "an info without inline generation")			\
	W(2, GUARD, "a request with the guard goes out")			\
	W(3, MARKED, "one was answered: the mark is set, by whomever")		\
	W(4, FAILED, "the last one under way was answered with an error: nothing was done") \
	W(5, SEEN, "a read has found the mark")					\
	W(6, SAFE, "a flush that said that the data has left is journaled")	\
	W(7, LOST, "the cap is gone without our doing")

#define NACRE_INLINE_ACTIONS(W)							\
	W(1, TAKE, "the bytes of the info are the file's, unless ours are newer (nacre_cap_client_takes)") \
	W(2, DROP, "the bytes are of no use any more")				\
	W(4, TELL, "FILE is dirty: the rank has to hear that the data has left") \
	W(8, WAKE, "who waits for the objects goes on")

#define NACRE_INLINE_ROWS(T)							\
	T(UNKNOWN, TOLD_INLINE, INLINE, NACRE_INLINEA_TAKE)			\
	T(UNKNOWN, TOLD_NONE, NONE, 0)						\
	T(UNKNOWN, MARKED, UNKNOWN, 0)						\
	T(UNKNOWN, FAILED, UNKNOWN, 0)						\
	T(UNKNOWN, SEEN, NONE, 0)						\
	T(UNKNOWN, SAFE, UNKNOWN, 0)						\
	T(UNKNOWN, LOST, UNKNOWN, 0)						\
	T(INLINE, TOLD_INLINE, INLINE, NACRE_INLINEA_TAKE)			\
	T(INLINE, TOLD_NONE, NONE, NACRE_INLINEA_DROP | NACRE_INLINEA_WAKE)	\
	T(INLINE, GUARD, LEAVING, 0)						\
	T(INLINE, SEEN, NONE, NACRE_INLINEA_DROP | NACRE_INLINEA_WAKE)		\
	T(INLINE, LOST, UNKNOWN, NACRE_INLINEA_DROP | NACRE_INLINEA_WAKE)	\
	T(LEAVING, TOLD_INLINE, LEAVING, 0)					\
	T(LEAVING, TOLD_NONE, NONE, NACRE_INLINEA_DROP | NACRE_INLINEA_WAKE)	\
	T(LEAVING, GUARD, LEAVING, 0)						\
	T(LEAVING, MARKED, LEFT, NACRE_INLINEA_DROP | NACRE_INLINEA_TELL | NACRE_INLINEA_WAKE) \
	T(LEAVING, FAILED, INLINE, NACRE_INLINEA_WAKE)				\
	T(LEAVING, SEEN, LEAVING, 0)						\
	T(LEAVING, LOST, UNKNOWN, NACRE_INLINEA_DROP | NACRE_INLINEA_WAKE)	\
	T(LEFT, TOLD_INLINE, LEFT, 0)						\
	T(LEFT, TOLD_NONE, LEFT, 0)						\
	T(LEFT, MARKED, LEFT, 0)						\
	T(LEFT, FAILED, LEFT, 0)						\
	T(LEFT, SEEN, LEFT, 0)							\
	T(LEFT, SAFE, NONE, 0)							\
	T(LEFT, LOST, UNKNOWN, NACRE_INLINEA_WAKE)				\
	T(NONE, TOLD_INLINE, NONE, 0)						\
	T(NONE, TOLD_NONE, NONE, 0)						\
	T(NONE, MARKED, NONE, 0)						\
	T(NONE, FAILED, NONE, 0)						\
	T(NONE, SEEN, NONE, 0)							\
	T(NONE, SAFE, NONE, 0)							\
	T(NONE, LOST, UNKNOWN, 0)

#define NACRE_INLINE_STATE_ENUM(value, name, doc) NACRE_INLINE_##name = value,
#define NACRE_INLINE_EVENT_ENUM(value, name, doc) NACRE_INLINEE_##name = value,
#define NACRE_INLINE_ACTION_ENUM(value, name, doc) NACRE_INLINEA_##name = value,
enum nacre_inline_state { NACRE_INLINE_STATES(NACRE_INLINE_STATE_ENUM) };
enum nacre_inline_event { NACRE_INLINE_EVENTS(NACRE_INLINE_EVENT_ENUM) };
enum nacre_inline_action { NACRE_INLINE_ACTIONS(NACRE_INLINE_ACTION_ENUM) };

/* One file at one client; zero is a file of which nothing is known. The caller's cap lock. */
struct nacre_inline_client {
	__u64 gen;			/* of the inline data; kept when it has left */
	__u64 said_flush;		/* LEFT: the first flush that said so, 0 = none yet */
	__u32 guards;			/* requests with the guard that are under way */
	__u8 state;			/* enum nacre_inline_state */
};

/*
 * An info of a file has come: `inline_gen` and whether its data came along. What is there to be done (action bits). Data that
 * did not come along changes nothing, for without it no caps on data come either (INLINE-5).
 */
__u32 nacre_inline_told(struct nacre_inline_client *file, __u64 inline_gen, int has_data);

/* Is the file's data, as far as this client knows, what it has of it in memory? */
int nacre_inline_is_in(const struct nacre_inline_client *file);
/* Must a data request to object 0 carry the guard, and one to any other object wait? */
int nacre_inline_needs_guard(const struct nacre_inline_client *file);

/* A request with the guard goes out; it has been answered, well or not. Action bits. */
void nacre_inline_guard_sent(struct nacre_inline_client *file);
__u32 nacre_inline_guard_answered(struct nacre_inline_client *file, int good);

/* A read has found the mark. */
__u32 nacre_inline_seen(struct nacre_inline_client *file);

/* Has a flush of FILE to say UNINLINED? Then it does, and this is its id. */
int nacre_inline_says_left(struct nacre_inline_client *file, __u64 flush_id);
/*
 * Or has it to carry the bytes, of which the rank has older ones if `news`? Also while a guard is under way: with the flush
 * the file may pass to others, and their guard, with the rank's bytes, may come to object 0 before ours (INLINE-1).
 */
int nacre_inline_says_data(const struct nacre_inline_client *file, int news);
/* A flush is journaled. */
void nacre_inline_flushed(struct nacre_inline_client *file, __u64 flush_id);

/* The cap is gone without our doing. */
__u32 nacre_inline_lost(struct nacre_inline_client *file);

extern const struct nacre_machine nacre_inline_machine;

/* ---- the rank --------------------------------------------------------------------------------------- */

#define NACRE_INLINE_RANK_STATES(W)						\
	W(0, NONE, "the data is in the objects, for good")			\
	W(1, INLINE, "the data is in the inode")				\
	W(2, UNSURE, "a writer was lost: object 0 decides, behind the fence")

#define NACRE_INLINE_RANK_EVENTS(W)						\
	W(0, BYTES, "a flush with the data, of a client that alone has the file") \
	W(1, LEFT, "a flush that says that the data has left")			\
	W(2, LOST, "a holder with a journaled range is lost")			\
	W(3, MARKED, "object 0, behind the fence, has the mark")		\
	W(4, UNMARKED, "object 0, behind the fence, has no mark, or there is none") \
	W(5, CUT, "a truncation, with the file to the rank alone")

#define NACRE_INLINE_RANK_ACTIONS(W)						\
	W(1, STORE, "the flush's bytes are the file's")				\
	W(2, DROP, "the bytes are not the file's any more: forget them")	\
	W(4, SHORTEN, "cut the bytes to the file's new size")			\
	W(8, PROBE, "look at object 0 before anything is granted (INLINE-4)")	\
	W(16, REFUSE, "bytes of a file whose data has left: against the rules")

#define NACRE_INLINE_RANK_ROWS(T)						\
	T(NONE, BYTES, NONE, NACRE_INLINERA_REFUSE)				\
	T(NONE, LEFT, NONE, 0)							\
	T(NONE, LOST, NONE, 0)							\
	T(NONE, CUT, NONE, 0)							\
	T(INLINE, BYTES, INLINE, NACRE_INLINERA_STORE)				\
	T(INLINE, LEFT, NONE, NACRE_INLINERA_DROP)				\
	T(INLINE, LOST, UNSURE, NACRE_INLINERA_PROBE)				\
	T(INLINE, CUT, INLINE, NACRE_INLINERA_SHORTEN)				\
	T(UNSURE, BYTES, UNSURE, NACRE_INLINERA_STORE)				\
	T(UNSURE, LEFT, NONE, NACRE_INLINERA_DROP)				\
	T(UNSURE, LOST, UNSURE, NACRE_INLINERA_PROBE)				\
	T(UNSURE, MARKED, NONE, NACRE_INLINERA_DROP)				\
	T(UNSURE, UNMARKED, INLINE, 0)

#define NACRE_INLINER_STATE_ENUM(value, name, doc) NACRE_INLINER_##name = value,
#define NACRE_INLINER_EVENT_ENUM(value, name, doc) NACRE_INLINERE_##name = value,
#define NACRE_INLINER_ACTION_ENUM(value, name, doc) NACRE_INLINERA_##name = value,
enum nacre_inline_rank_state { NACRE_INLINE_RANK_STATES(NACRE_INLINER_STATE_ENUM) };
enum nacre_inline_rank_event { NACRE_INLINE_RANK_EVENTS(NACRE_INLINER_EVENT_ENUM) };
enum nacre_inline_rank_action { NACRE_INLINE_RANK_ACTIONS(NACRE_INLINER_ACTION_ENUM) };

/* The state is read off what the inode's image has: its generation, and whether a lost writer is to be looked for. */
__u8 nacre_inline_rank_state(__u64 inline_gen, int probe);

extern const struct nacre_machine nacre_inline_rank_machine;

/* ---- both --------------------------------------------------------------------------------------------- */

/* Generation of a new file's inline data. */
#define NACRE_INLINE_FIRST_GEN 1

/* The limit that a map's pool tells, bytes; 0 = no inline data. */
static inline __u32 nacre_inline_limit(const struct nacre_map_pool *pool)
{
	return pool->inline_units * NACRE_INLINE_UNIT;
}

#endif
