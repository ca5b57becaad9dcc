/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rank's machine for one cap: what one client was given on one inode, what
 * it has been asked to give back, and when it has. The twin of cap_client.h; which
 * bits may be given at all is decided by lock_table.h.
 *
 * Every message about the cap carries seq, counted up here, and the whole mask, never a
 * difference. So a lost message does no harm:
 *	lost GRANT	the client lacks bits; its next message has an old seq; grant again
 *	lost REVOKE	repeated until answered (CAP-2)
 *	lost answer	the repeat is answered again
 *	lost RELEASE	the next revoke is answered UNKNOWN
 * A client's report `held` at seq s is exact if it had seen every grant (s >= grow_seq);
 * then it is believed. Otherwise a grant is under way and only bits that were
 * revoked at or before s are known to be gone.
 *
 *	        grant                    revoke
 *	 NONE ────────▶ IDLE ───────────────────────▶ REVOKING ──repeat──┐
 *	  ▲              │ ▲ ◀──update that clears──────┘  │  ▲──────────┘
 *	  └──release─────┘ └───────────────────────────────┘
 *
 * (The states are read off the fields: NONE = seq 0, REVOKING = held has bits that
 * are not issued.) Pure; the caller keeps one struct per (inode, session).
 */
#ifndef NACRE_RULES_CAP_RANK_H
#define NACRE_RULES_CAP_RANK_H

#include "cap_bits.h"

struct nacre_cap_rank {
	__u64 cap_id;			/* never used again by this rank, over all incarnations */
	__u32 gen;			/* session generation */
	__u32 seq;			/* of the last message sent about it; 0 = none yet */
	__u32 grow_seq;			/* of the last GRANT */
	__u32 revoke_seq;		/* of the last REVOKE, 0 = none */
	__u32 issued;			/* what the client may use, once it has read all messages */
	__u32 held;			/* what it may still be using; covers issued */
	__u32 wanted;			/* what it said it wants */
};

enum nacre_cap_rank_news {
	NACRE_CAPR_GATHERED = 1,	/* a revoke is done: held has shrunk to issued */
	NACRE_CAPR_SHRUNK = 2,		/* held has lost bits: look at the inode's locks */
	NACRE_CAPR_WANTED = 4,		/* wanted has changed */
	NACRE_CAPR_BEHIND = 8,		/* the client has not seen our last grant and it may be lost: grant again */
	NACRE_CAPR_GONE = 16,		/* the cap is no more: forget it */
	NACRE_CAPR_IGNORED = 32,	/* message of another cap, generation, or too old */
};

/* A new cap, nothing issued. */
void nacre_cap_rank_init(struct nacre_cap_rank *cap, __u64 cap_id, __u32 gen);

/* Rebuild from a client's claim, with the bits that are accepted; the first message is to be a grant. */
void nacre_cap_rank_claim(struct nacre_cap_rank *cap, __u64 cap_id, __u32 gen, __u32 held,
			  __u32 wanted);

/*
 * A GRANT (or an info in a reply) goes out now: add bits (and PIN) to issued, but none that is being
 * revoked: it can be given again when the client has answered. Returns the mask to send as
 * `issued`; cap->seq is its seq. With caps 0 it repeats what is issued.
 */
__u32 nacre_cap_rank_grant(struct nacre_cap_rank *cap, __u32 caps);

/*
 * A REVOKE of these bits goes out now, unless the client holds none of them (returns 0)
 * or all of them are being revoked already (returns 0). 1: send cap->issued as `keep` with cap->seq.
 */
int nacre_cap_rank_revoke(struct nacre_cap_rank *cap, __u32 caps);

/* Is an answer outstanding, so that the revoke must be repeated (with revoke_seq, keep = issued)? */
int nacre_cap_rank_revoking(const struct nacre_cap_rank *cap);

/*
 * A CAP_UPDATE has come, its dirty values already taken in. `same_connection`: no connection
 * was lost since the last grant was sent (then a grant with a higher seq is only late).
 * Returns enum nacre_cap_rank_news bits.
 */
__u32 nacre_cap_rank_update(struct nacre_cap_rank *cap, const struct nacre_cap_update *update,
			    int same_connection);

/* A CAP_RELEASE entry has come: GONE, or IGNORED when a grant has crossed it. */
__u32 nacre_cap_rank_release(struct nacre_cap_rank *cap, const struct nacre_cap_ref *ref);

/* 0, or a static text that says what is broken. */
const char *nacre_cap_rank_invariant(const struct nacre_cap_rank *cap);

#endif
