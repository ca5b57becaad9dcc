// SPDX-License-Identifier: GPL-2.0
/* The rank of the model: the least that a rank must do around cap_rank.h and lock_table.h. */
#include "caps_model_parts.h"

/* ---- the rank ----------------------------------------------------------------------------------- */

static __u32 all_forbidden(const struct model_rank *r, int c, __u32 caps)
{
	return nacre_lock_forbidden(&r->auth, CLIENT_ID(c), caps) |
	       nacre_lock_forbidden(&r->file, CLIENT_ID(c), caps);
}

/* Groups whose values the rank has, as this client may take them: what nacre_inode_info calls valid. */
static __u32 current_groups(const struct model_rank *r, int c)
{
	__u32 groups = 0;

	if (nacre_lock_can_read(&r->auth, CLIENT_ID(c)))
		groups |= NACRE_GROUP_AUTH;
	if (nacre_lock_can_read(&r->file, CLIENT_ID(c)))
		groups |= NACRE_GROUP_FILE;
	return groups;
}

/*
 * In the reply to a change of its own a client takes the group as long as nobody else may have changed
 * it since, whatever the lock is doing: until the reply came it did nothing to the group itself.
 */
static __u32 current_after_change(const struct model_rank *r, const struct model_rules *rules,
				  int asker)
{
	int c;

	for (c = 0; c < rules->clients; c++)
		if (c != asker && r->of[c].present &&
		    (r->of[c].cap.held & nacre_group_cover(NACRE_GROUP_AUTH)))
			return 0;
	return NACRE_GROUP_AUTH;
}

int model_send_grant(struct model *m, const struct model_rules *rules, int c, __u32 caps)
{
	struct model_rank *r = &m->rank;
	struct model_message msg = { .kind = MODEL_GRANT, .value = r->value,
				     .valid = current_groups(r, c) };

	msg.caps = nacre_cap_rank_grant(&r->of[c].cap, caps);
	msg.cap_id = (__u32)r->of[c].cap.cap_id;
	msg.gen = r->of[c].cap.gen;
	msg.seq = r->of[c].cap.seq;
	r->of[c].fresh_connection = 0;
	return model_push(&m->client[c].in, rules, &msg);
}

int model_send_revoke(struct model *m, const struct model_rules *rules, int c)
{
	const struct nacre_cap_rank *cap = &m->rank.of[c].cap;
	struct model_message msg = { .kind = MODEL_REVOKE, .caps = cap->issued,
				     .cap_id = (__u32)cap->cap_id, .gen = cap->gen,
				     .seq = cap->revoke_seq };

	return model_push(&m->client[c].in, rules, &msg);
}

static int revoke_forbidden(struct model *m, const struct model_rules *rules)
{
	struct model_rank *r = &m->rank;
	int c, ok = 1;

	for (c = 0; c < rules->clients; c++)
		if (r->of[c].present &&
		    nacre_cap_rank_revoke(&r->of[c].cap, all_forbidden(r, c, r->of[c].cap.issued)))
			ok &= model_send_revoke(m, rules, c);
	return ok;
}

static int grant_wanted(struct model *m, const struct model_rules *rules)
{
	struct model_rank *r = &m->rank;
	int c, ok = 1;
	__u32 give;

	for (c = 0; c < rules->clients; c++) {
		if (!r->of[c].present)
			continue;
		give = (nacre_lock_may_grant(&r->auth, CLIENT_ID(c)) |
			nacre_lock_may_grant(&r->file, CLIENT_ID(c))) &
		       r->of[c].cap.wanted & ~r->of[c].cap.held;
		if (give)
			ok &= model_send_grant(m, rules, c, give);
	}
	return ok;
}

/* Is everything that the lock does not allow given back? */
static int is_gathered(const struct model_rank *r, const struct model_rules *rules,
		       const struct nacre_lock *lock)
{
	int c;

	for (c = 0; c < rules->clients; c++)
		if (r->of[c].present &&
		    nacre_lock_waits_for(lock, CLIENT_ID(c), r->of[c].cap.held,
					 r->of[c].cap.issued) &&
		    rules->break_rule != MODEL_BREAK_GRANT_EARLY)
			return 0;
	return 1;
}

static int longest_waiting(const struct model_rank *r, const struct model_rules *rules)
{
	int c, longest = -1;

	for (c = 0; c < rules->clients; c++)
		if (r->of[c].change_waits &&
		    (longest < 0 || r->of[c].change_waits < r->of[longest].change_waits))
			longest = c;
	return longest;
}

static void wait_for_change(struct model_rank *r, const struct model_rules *rules, int asker)
{
	__u8 last = 0;
	int c;

	for (c = 0; c < rules->clients; c++)
		if (r->of[c].change_waits > last)
			last = r->of[c].change_waits;
	if (!r->of[asker].change_waits)
		r->of[asker].change_waits = last + 1;
}

/* The oldest wish for a change decides where AUTH goes. 1: done or on its way; 0: there is none. */
static int serve_change(struct model *m, const struct model_rules *rules, int *ok)
{
	struct model_rank *r = &m->rank;
	struct model_message msg = { .kind = MODEL_CHANGED };
	__u32 todo = 0;
	int c = longest_waiting(r, rules);

	if (c < 0)
		return 0;
	if (!nacre_lock_can_change(&r->auth, CLIENT_ID(c))) {
		nacre_lock_step(&r->auth, NACRE_LOCKE_NEED_LOCK, CLIENT_ID(c), &todo);
		return 1;
	}
	r->value = ++m->truth_attr;
	r->of[c].change_waits = 0;
	r->of[c].applied_tid ^= 1;
	msg.tid = r->of[c].applied_tid;
	msg.value = r->value;
	msg.valid = NACRE_GROUP_AUTH;
	*ok &= model_push(&m->client[c].in, rules, &msg);
	return 1;
}

static void follow_demand(struct model *m, const struct model_rules *rules,
			  struct nacre_lock *lock)
{
	struct nacre_lock_demand demand = { 0 };
	__u64 loner;
	__u32 todo;
	int c, event;

	for (c = 0; c < rules->clients; c++)
		if (m->rank.of[c].present)
			nacre_lock_demand_add(&demand, lock->group, CLIENT_ID(c),
					      m->rank.of[c].cap.wanted);
	event = nacre_lock_target(lock, &demand, &loner);
	if (event >= 0)
		nacre_lock_step(lock, (__u8)event, loner, &todo);
}

/* Everything the rank does after anything has changed. */
int model_rank_works(struct model *m, const struct model_rules *rules)
{
	struct model_rank *r = &m->rank;
	struct nacre_lock before_auth, before_file;
	__u32 before_value, todo;
	int ok = 1, rounds = 0;

	do {
		before_auth = r->auth;
		before_file = r->file;
		before_value = r->value;
		if (!serve_change(m, rules, &ok))
			follow_demand(m, rules, &r->auth);
		follow_demand(m, rules, &r->file);
		ok &= revoke_forbidden(m, rules);
		if (!nacre_lock_is_stable(&r->auth) && is_gathered(r, rules, &r->auth))
			nacre_lock_step(&r->auth, NACRE_LOCKE_GATHERED, 0, &todo);
		if (!nacre_lock_is_stable(&r->file) && is_gathered(r, rules, &r->file))
			nacre_lock_step(&r->file, NACRE_LOCKE_GATHERED, 0, &todo);
		if (!ok || rounds++ > 20)
			return 0;
	} while (before_auth.state != r->auth.state || before_file.state != r->file.state ||
		 before_auth.loner != r->auth.loner || before_value != r->value);
	return grant_wanted(m, rules);
}

int model_take_flush(struct model *m, const struct model_rules *rules, int c,
		      const struct model_message *msg)
{
	struct model_rank *r = &m->rank;
	struct model_message ack = { .kind = MODEL_FLUSH_ACK, .flush_id = msg->flush_id };

	if (msg->flush_id > r->of[c].applied_flush) {
		r->value = msg->value;
		r->of[c].applied_flush = msg->flush_id;
	}
	return model_push(&m->client[c].in, rules, &ack);
}

static int rank_updated(struct model *m, const struct model_rules *rules, int c,
			const struct model_message *msg)
{
	struct nacre_cap_update u = { .ino = INO, .cap_id = msg->cap_id, .cap_gen = msg->gen,
				      .cap_seq = msg->seq, .held = msg->caps,
				      .wanted = msg->wanted, .update_flags = msg->flags };
	__u32 news;

	if (msg->dirty && !model_take_flush(m, rules, c, msg))
		return 0;
	if (!m->rank.of[c].present)
		return 1;
	news = nacre_cap_rank_update(&m->rank.of[c].cap, &u, !m->rank.of[c].fresh_connection);
	if (news & NACRE_CAPR_GONE)
		m->rank.of[c].present = 0;
	else if (news & NACRE_CAPR_BEHIND)
		return model_send_grant(m, rules, c, 0);
	return 1;
}

static void rank_released(struct model *m, const struct model_rules *rules, int c,
			  const struct model_message *msg)
{
	struct nacre_cap_ref ref = { .ino = INO, .cap_id = msg->cap_id, .cap_gen = msg->gen,
				     .cap_seq = msg->seq };

	if (!m->rank.of[c].present)
		return;
	if (rules->break_rule == MODEL_BREAK_RELEASE_CROSSES)
		ref.cap_seq = m->rank.of[c].cap.seq;
	if (nacre_cap_rank_release(&m->rank.of[c].cap, &ref) & NACRE_CAPR_GONE)
		m->rank.of[c].present = 0;
}

static int rank_opened(struct model *m, const struct model_rules *rules, int c,
		       const struct model_message *msg)
{
	struct model_rank *r = &m->rank;

	if (!r->of[c].present) {
		nacre_cap_rank_init(&r->of[c].cap, ++r->of[c].next_cap_id, r->gen);
		r->of[c].present = 1;
	}
	r->of[c].cap.wanted = msg->wanted;
	return model_rank_works(m, rules) && model_send_grant(m, rules, c, NACRE_CAP_PIN);
}

static int rank_asked(struct model *m, const struct model_rules *rules, int c,
		      const struct model_message *msg)
{
	struct model_message again = { .kind = MODEL_CHANGED, .tid = msg->tid,
				       .value = m->rank.value };

	if (m->rank.of[c].applied_tid != msg->tid) {
		wait_for_change(&m->rank, rules, c);
		return 1;
	}
	again.valid = current_after_change(&m->rank, rules, c);
	return model_push(&m->client[c].in, rules, &again);
}

int model_rank_receives(struct model *m, const struct model_rules *rules, int c)
{
	struct model_message msg;
	int ok = 1;

	if (!m->rank.of[c].in.count)
		return 0;
	msg = model_pop(&m->rank.of[c].in);
	if (msg.kind == MODEL_OPEN)
		ok = rank_opened(m, rules, c, &msg);
	else if (msg.kind == MODEL_UPDATE)
		ok = rank_updated(m, rules, c, &msg);
	else if (msg.kind == MODEL_RELEASE)
		rank_released(m, rules, c, &msg);
	else
		ok = rank_asked(m, rules, c, &msg);
	return ok && model_rank_works(m, rules);
}

int model_repeat(struct model *m, const struct model_rules *rules, int c)
{
	if (!m->rank.of[c].present || !nacre_cap_rank_revoking(&m->rank.of[c].cap) ||
	    rules->break_rule == MODEL_BREAK_NO_REPEAT)
		return 0;
	return model_send_revoke(m, rules, c);
}
