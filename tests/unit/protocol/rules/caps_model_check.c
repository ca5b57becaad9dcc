// SPDX-License-Identifier: GPL-2.0
/* What must be true in every state of the model, and that everything comes to an end. */
#include "caps_model_parts.h"

/* ---- what must be true -------------------------------------------------------------------------- */

static const char *check_client(const struct model *m, int c)
{
	const struct model_client *cl = &m->client[c];
	const char *broken = nacre_cap_client_invariant(&cl->cap, model_used_by(cl));

	if (broken)
		return broken;
	if (cl->cap.cap_id &&
	    (!m->rank.of[c].present || m->rank.of[c].cap.cap_id != cl->cap.cap_id ||
	     (cl->cap.held & ~m->rank.of[c].cap.held)))
		return "a client holds what the rank does not know";
	if (!cl->changing && nacre_cap_client_can_use(&cl->cap, NACRE_CAP_AUTH_SHARED) &&
	    cl->copy != m->truth_attr)
		return "a client would answer an old attribute from its copy";
	if (nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_CACHE) && cl->page &&
	    cl->page != m->truth_data)
		return "a client would read old data from its page cache";
	if (nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_READ) && !cl->page &&
	    m->disk != m->truth_data)
		return "a client would read old data from the OSD";
	return NULL;
}

static const char *check_rank(const struct model *m, const struct model_rules *rules)
{
	const struct model_rank *r = &m->rank;
	const char *broken = nacre_lock_invariant(&r->auth);
	int c;

	if (!broken)
		broken = nacre_lock_invariant(&r->file);
	for (c = 0; c < rules->clients && !broken; c++) {
		if (!r->of[c].present)
			continue;
		broken = nacre_cap_rank_invariant(&r->of[c].cap);
		if (!broken)
			broken = nacre_lock_holder_invariant(&r->auth, CLIENT_ID(c),
							     r->of[c].cap.held);
		if (!broken)
			broken = nacre_lock_holder_invariant(&r->file, CLIENT_ID(c),
							     r->of[c].cap.held);
	}
	if (!broken && nacre_lock_can_read(&r->auth, 0) && r->value != m->truth_attr)
		broken = "the rank would answer an old attribute";
	return broken;
}

const char *model_check(const struct model *m, const struct model_rules *rules)
{
	const char *broken = check_rank(m, rules);
	int a, b;

	for (a = 0; a < rules->clients && !broken; a++) {
		broken = check_client(m, a);
		for (b = 0; b < a && !broken; b++)
			if (nacre_caps_conflict(m->client[a].cap.held, m->client[b].cap.held))
				broken = "two clients hold what excludes each other";
	}
	return broken;
}

/* ---- settling ----------------------------------------------------------------------------------- */

static const char *unsettled(const struct model *m, const struct model_rules *rules)
{
	const struct model_rank *r = &m->rank;
	__u32 missing;
	int c;

	if (!nacre_lock_is_stable(&r->auth) || !nacre_lock_is_stable(&r->file))
		return "a lock never gets to where it goes";
	for (c = 0; c < rules->clients; c++) {
		const struct model_client *cl = &m->client[c];

		if (r->of[c].present && nacre_cap_rank_revoking(&r->of[c].cap))
			return "a revoke is never answered";
		if (cl->cap.owes_answer)
			return "a client never answers";
		if (cl->asking || cl->changing || r->of[c].change_waits)
			return "a request is never answered";
		if (cl->cap.flushing)
			return "a flush is never acknowledged";
		missing = (nacre_lock_may_grant(&r->auth, CLIENT_ID(c)) |
			   nacre_lock_may_grant(&r->file, CLIENT_ID(c))) &
			  cl->cap.wanted & ~cl->cap.issued;
		if (missing)
			return "a client never gets what it wants and may have";
	}
	return NULL;
}

static const int settling_events[] = {
	EV_CLIENT_RECEIVES, EV_RANK_RECEIVES, EV_READ_END, EV_WRITE_END, EV_WRITTEN_BACK,
	EV_INVALIDATED,
};

/* One event that brings things forward; 0 when there is none. */
static int settle_step(struct model *m, const struct model_rules *rules)
{
	struct model before = *m;
	unsigned int i;
	int c;

	for (i = 0; i < sizeof(settling_events) / sizeof(settling_events[0]); i++)
		for (c = 0; c < rules->clients; c++) {
			if (model_try(m, rules, c * EV_PER_CLIENT + settling_events[i]))
				return 1;
			*m = before;
		}
	return 0;
}

const char *model_settle(struct model *m, const struct model_rules *rules)
{
	struct model_rules wide = *rules;
	const char *broken;
	int i, c, repeats;

	wide.queue = MODEL_QUEUE_MAX;
	wide.flight = 0;
	for (repeats = 0; repeats < 3; repeats++) {
		for (i = 0; i < 300 && settle_step(m, &wide); i++) {
			broken = model_check(m, &wide);
			if (broken)
				return broken;
		}
		for (c = 0; c < rules->clients; c++)
			model_repeat(m, &wide, c);
	}
	return unsettled(m, &wide);
}
