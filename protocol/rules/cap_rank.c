// SPDX-License-Identifier: GPL-2.0
/* The rank's view of one client's cap. See cap_rank.h for why each lost message does no harm. */
#include <linux/string.h>
#include "cap_rank.h"

void nacre_cap_rank_init(struct nacre_cap_rank *cap, __u64 cap_id, __u32 gen)
{
	memset(cap, 0, sizeof(*cap));
	cap->cap_id = cap_id;
	cap->gen = gen;
}

void nacre_cap_rank_claim(struct nacre_cap_rank *cap, __u64 cap_id, __u32 gen, __u32 held,
			  __u32 wanted)
{
	nacre_cap_rank_init(cap, cap_id, gen);
	cap->issued = held;
	cap->held = held;
	cap->wanted = wanted;
}

__u32 nacre_cap_rank_grant(struct nacre_cap_rank *cap, __u32 caps)
{
	__u32 revoked = cap->held & ~cap->issued;

	cap->issued |= (caps & NACRE_CAPS_KNOWN & ~revoked) | NACRE_CAP_PIN;
	cap->held |= cap->issued;
	cap->seq++;
	cap->grow_seq = cap->seq;
	return cap->issued;
}

int nacre_cap_rank_revoke(struct nacre_cap_rank *cap, __u32 caps)
{
	if (!(cap->issued & caps))
		return 0;
	cap->issued &= ~caps;
	cap->seq++;
	cap->revoke_seq = cap->seq;
	return 1;
}

int nacre_cap_rank_revoking(const struct nacre_cap_rank *cap)
{
	return (cap->held & ~cap->issued) != 0;
}

/* What the client may hold after a report of `held` at `seq`. */
static void believe(struct nacre_cap_rank *cap, __u32 seq, __u32 held)
{
	if (seq >= cap->grow_seq) {
		cap->held &= held;
		cap->issued &= held;
	} else if (seq >= cap->revoke_seq) {
		cap->held &= held | cap->issued;
	}
}

static __u32 take_wanted(struct nacre_cap_rank *cap, __u32 wanted)
{
	if (wanted == cap->wanted)
		return 0;
	cap->wanted = wanted;
	return NACRE_CAPR_WANTED;
}

/* Written before the client saw our first message of this generation: only its wishes count. */
static __u32 update_of_old_generation(struct nacre_cap_rank *cap,
				      const struct nacre_cap_update *update, int same_connection)
{
	return take_wanted(cap, update->wanted) | (same_connection ? 0 : NACRE_CAPR_BEHIND);
}

static __u32 update_unknown(struct nacre_cap_rank *cap, __u32 seq)
{
	believe(cap, seq, 0);
	return seq >= cap->grow_seq ? NACRE_CAPR_GONE : 0;
}

__u32 nacre_cap_rank_update(struct nacre_cap_rank *cap, const struct nacre_cap_update *update,
			    int same_connection)
{
	int revoking = nacre_cap_rank_revoking(cap);
	__u32 before = cap->held, seq = update->cap_seq, news = 0;

	if (update->cap_id != cap->cap_id)
		return NACRE_CAPR_IGNORED;
	if (update->cap_gen < cap->gen && !(update->update_flags & NACRE_CAP_UPDATE_UNKNOWN))
		return update_of_old_generation(cap, update, same_connection);
	if (update->cap_gen != cap->gen || seq > cap->seq)
		return NACRE_CAPR_IGNORED;
	if (update->update_flags & NACRE_CAP_UPDATE_UNKNOWN) {
		news |= update_unknown(cap, seq);
	} else {
		believe(cap, seq, update->held);
		news |= take_wanted(cap, update->wanted);
	}
	if (seq < cap->grow_seq && !same_connection)
		news |= NACRE_CAPR_BEHIND;
	if (cap->held != before)
		news |= NACRE_CAPR_SHRUNK;
	if (revoking && !nacre_cap_rank_revoking(cap))
		news |= NACRE_CAPR_GATHERED;
	return news;
}

__u32 nacre_cap_rank_release(struct nacre_cap_rank *cap, const struct nacre_cap_ref *ref)
{
	if (ref->cap_id != cap->cap_id || ref->cap_gen != cap->gen ||
	    ref->cap_seq < cap->grow_seq || ref->cap_seq > cap->seq)
		return NACRE_CAPR_IGNORED;
	cap->issued = 0;
	cap->held = 0;
	return NACRE_CAPR_GONE | NACRE_CAPR_SHRUNK;
}

const char *nacre_cap_rank_invariant(const struct nacre_cap_rank *cap)
{
	if (cap->issued & ~cap->held)
		return "rank's cap: issued what is not held";
	if (cap->grow_seq > cap->seq || cap->revoke_seq > cap->seq)
		return "rank's cap: a message that was not sent";
	if (nacre_cap_rank_revoking(cap) && !cap->revoke_seq)
		return "rank's cap: revoked without a revoke";
	return NULL;
}
