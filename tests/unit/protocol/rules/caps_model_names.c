// SPDX-License-Identifier: GPL-2.0
/*
 * One state for all that will behave alike, so that the world is finite and small. Nothing
 * here changes what can happen or what is wrong:
 *
 *	- what nobody will look at again is forgotten (fields of messages that will be ignored),
 *	- a number that is only compared becomes the lowest that compares alike,
 *	- values become NEWEST or OLD: what is old never gets new again.
 *
 * test_caps_exhaustive.c shows on long walks that this is so: renaming first and then letting
 * something happen ends in the same state as the other way round.
 */
#include "caps_model_parts.h"

/* ---- numbers ------------------------------------------------------------------------------------ */

#define NAMES_MAX 32

/* Numbers in use, and their new names: 0 stays 0, the others become 1, 2, … in order. */
struct names {
	__u32 *at[NAMES_MAX];
	int count;
};

static void name(struct names *n, __u32 *number)
{
	if (*number)
		n->at[n->count++] = number;
}

/* The number of different ones. */
static __u32 rename_all(struct names *n)
{
	__u32 next = 1, lowest, value[NAMES_MAX];
	int i;

	if (!n->count)
		return 0;
	for (i = 0; i < n->count; i++)
		value[i] = *n->at[i];
	for (;;) {
		lowest = ~0u;
		for (i = 0; i < n->count; i++)
			if (value[i] < lowest)
				lowest = value[i];
		if (lowest == ~0u)
			return next - 1;
		for (i = 0; i < n->count; i++)
			if (value[i] == lowest) {
				*n->at[i] = next;
				value[i] = ~0u;
			}
		next++;
	}
}

/* *best becomes `number` if that is nearer to `limit`, from below. */
static void nearest(__u32 *best, __u32 number, __u32 limit)
{
	if (number <= limit && number > *best)
		*best = number;
}

/* ---- what nobody will look at again ------------------------------------------------------------- */

static int same_cap(const struct model_message *msg, __u64 cap_id, __u32 gen)
{
	return msg->cap_id == cap_id && msg->gen == gen;
}

static int is_older(const struct model_message *msg, const struct nacre_cap_client *cap)
{
	return msg->gen != cap->gen ? msg->gen < cap->gen : msg->cap_id < cap->cap_id;
}

/* The rank compares a report's seq with those of its last grant and of the revoke under way. */
static __u32 seq_for_rank(const struct nacre_cap_rank *cap, __u32 seq)
{
	__u32 best = 0;

	nearest(&best, cap->grow_seq, seq);
	nearest(&best, cap->revoke_seq, seq);
	return best;
}

/* A cap that the rank has forgotten never comes back: of its messages only dirty values count. */
static void forget_in_update(const struct model *m, int c, struct model_message *msg)
{
	const struct nacre_cap_rank *cap = &m->rank.of[c].cap;

	if (!m->rank.of[c].present || msg->cap_id != cap->cap_id ||
	    (msg->gen != cap->gen && (msg->flags & NACRE_CAP_UPDATE_UNKNOWN))) {
		msg->cap_id = msg->gen = msg->seq = msg->caps = msg->wanted = 0;
		msg->flags = 0;
	} else if (msg->gen != cap->gen) {
		msg->seq = msg->caps = 0;
	} else {
		msg->seq = seq_for_rank(cap, msg->seq);
	}
	if (!msg->dirty || msg->flush_id <= m->rank.of[c].applied_flush)
		msg->value = 0;
}

static void forget_in_release(const struct model *m, int c, struct model_message *msg)
{
	const struct nacre_cap_rank *cap = &m->rank.of[c].cap;

	if (!m->rank.of[c].present || !same_cap(msg, cap->cap_id, cap->gen))
		msg->cap_id = msg->gen = msg->seq = 0;
	else
		msg->seq = msg->seq >= cap->grow_seq ? cap->grow_seq : 0;
}

static void forget_for_rank(struct model *m, int c)
{
	struct model_queue *q = &m->rank.of[c].in;
	int i;

	for (i = 0; i < q->count; i++)
		if (q->at[i].kind == MODEL_UPDATE)
			forget_in_update(m, c, &q->at[i]);
		else if (q->at[i].kind == MODEL_RELEASE)
			forget_in_release(m, c, &q->at[i]);
}

static void forget_for_client(struct model *m, int c)
{
	const struct nacre_cap_client *cap = &m->client[c].cap;
	struct model_queue *q = &m->client[c].in;
	struct model_message *msg;
	int i;

	for (i = 0; i < q->count; i++) {
		msg = &q->at[i];
		if (msg->kind == MODEL_FLUSH_ACK && (!cap->flushing || msg->flush_id != cap->flush_id[0]))
			msg->flush_id = 0;
		if ((msg->kind == MODEL_GRANT || msg->kind == MODEL_REVOKE) && cap->cap_id &&
		    is_older(msg, cap))
			msg->cap_id = msg->gen = msg->seq = msg->caps = 0;
		if (!(msg->valid & NACRE_GROUP_AUTH))
			msg->value = 0;
	}
}

static void forget_in_client(struct model *m, int c)
{
	struct model_client *cl = &m->client[c];
	int i;

	if (!cl->cap.cap_id) {
		cl->cap.gen = 0;
		cl->cap.seq = 0;
	}
	if (!(nacre_cap_client_revoked(&cl->cap) & NACRE_CAP_FILE_CACHE))
		cl->cap.invalidated = 0;
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (!(cl->cap.flushing & nacre_group_at(i)))
			cl->cap.flush_id[i] = 0;
	if (!(cl->cap.held & ATTR_CAPS) && !cl->cap.flushing)
		cl->copy = 0;
}

static void forget_in_rank(struct model *m, int c)
{
	struct nacre_cap_rank *cap = &m->rank.of[c].cap;

	if (!m->rank.of[c].present) {
		memset(cap, 0, sizeof(*cap));
		m->rank.of[c].fresh_connection = 0;
	}
	if (!nacre_cap_rank_revoking(cap))
		cap->revoke_seq = 0;
}

/* ---- numbers that are only compared ------------------------------------------------------------- */

/* The client compares its seq with those of messages about the same cap, and reports it. */
static void lower_client_seq(struct model *m, int c)
{
	struct nacre_cap_client *cap = &m->client[c].cap;
	const struct nacre_cap_rank *rcap = &m->rank.of[c].cap;
	const struct model_queue *q = &m->client[c].in;
	__u32 best = 0;
	int i;

	if (rcap->cap_id == cap->cap_id && rcap->gen == cap->gen)
		best = seq_for_rank(rcap, cap->seq);
	for (i = 0; i < q->count; i++)
		if (same_cap(&q->at[i], cap->cap_id, cap->gen))
			nearest(&best, q->at[i].seq, cap->seq);
	cap->seq = best;
}

static void name_messages(struct model *m, int c, struct names *n, size_t offset)
{
	int i;

	for (i = 0; i < m->client[c].in.count; i++)
		name(n, (__u32 *)((char *)&m->client[c].in.at[i] + offset));
	for (i = 0; i < m->rank.of[c].in.count; i++)
		name(n, (__u32 *)((char *)&m->rank.of[c].in.at[i] + offset));
}

/* A seq belongs to a cap. The number of different ones. */
static __u32 rename_seqs_of(struct model *m, int c, __u64 cap_id, __u32 gen)
{
	struct nacre_cap_client *cap = &m->client[c].cap;
	struct nacre_cap_rank *rcap = &m->rank.of[c].cap;
	struct model_queue *in = &m->client[c].in, *out = &m->rank.of[c].in;
	struct names n = { .count = 0 };
	int i;

	for (i = 0; i < in->count; i++)
		if (same_cap(&in->at[i], cap_id, gen))
			name(&n, &in->at[i].seq);
	for (i = 0; i < out->count; i++)
		if (same_cap(&out->at[i], cap_id, gen))
			name(&n, &out->at[i].seq);
	if (cap->cap_id == cap_id && cap->gen == gen)
		name(&n, &cap->seq);
	if (rcap->cap_id == cap_id && rcap->gen == gen) {
		name(&n, &rcap->grow_seq);
		name(&n, &rcap->revoke_seq);
	}
	return rename_all(&n);
}

static void rename_seqs(struct model *m, int c)
{
	struct nacre_cap_rank *rcap = &m->rank.of[c].cap;
	struct model_queue *in = &m->client[c].in;
	int i;

	lower_client_seq(m, c);
	for (i = 0; i < in->count; i++)
		rename_seqs_of(m, c, in->at[i].cap_id, in->at[i].gen);
	rename_seqs_of(m, c, m->client[c].cap.cap_id, m->client[c].cap.gen);
	rcap->seq = rcap->cap_id ? rename_seqs_of(m, c, rcap->cap_id, rcap->gen) : 0;
}

/* 64-bit fields are renamed through a copy. */
static void rename_caps(struct model *m, int c)
{
	__u32 ids[2] = { (__u32)m->client[c].cap.cap_id, (__u32)m->rank.of[c].cap.cap_id };
	struct names n = { .count = 0 };

	name_messages(m, c, &n, offsetof(struct model_message, cap_id));
	name(&n, &ids[0]);
	name(&n, &ids[1]);
	m->rank.of[c].next_cap_id = rename_all(&n);
	m->client[c].cap.cap_id = ids[0];
	m->rank.of[c].cap.cap_id = ids[1];
}

static void rename_flushes(struct model *m, int c)
{
	__u32 *applied = &m->rank.of[c].applied_flush, best = 0;
	__u32 sent = (__u32)m->client[c].cap.flush_id[0];
	const struct model_queue *q = &m->rank.of[c].in;
	struct names n = { .count = 0 };
	int i;

	nearest(&best, sent, *applied);
	for (i = 0; i < q->count; i++)
		nearest(&best, q->at[i].flush_id, *applied);
	*applied = best;
	name_messages(m, c, &n, offsetof(struct model_message, flush_id));
	name(&n, applied);
	name(&n, &sent);
	m->client[c].next_flush = rename_all(&n);
	m->client[c].cap.flush_id[0] = sent;
}

/* A client's CHANGEs alternate between two tids. */
static void rename_tids(struct model *m, int c)
{
	struct model_client *cl = &m->client[c];
	__u8 flip = cl->tid;
	int i;

	cl->tid ^= flip;
	m->rank.of[c].applied_tid ^= flip;
	for (i = 0; i < cl->in.count; i++)
		if (cl->in.at[i].kind == MODEL_CHANGED)
			cl->in.at[i].tid ^= flip;
	for (i = 0; i < m->rank.of[c].in.count; i++)
		if (m->rank.of[c].in.at[i].kind == MODEL_CHANGE)
			m->rank.of[c].in.at[i].tid ^= flip;
}

static void rename_gens(struct model *m, const struct model_rules *rules)
{
	struct names n = { .count = 0 };
	int c;

	for (c = 0; c < rules->clients; c++) {
		name_messages(m, c, &n, offsetof(struct model_message, gen));
		name(&n, &m->client[c].cap.gen);
		name(&n, &m->rank.of[c].cap.gen);
	}
	name(&n, &m->rank.gen);
	rename_all(&n);
}

/* Who has waited longest for a change comes first. */
static void rename_waits(struct model *m, const struct model_rules *rules)
{
	__u32 waits[MODEL_CLIENTS_MAX];
	struct names n = { .count = 0 };
	int c;

	for (c = 0; c < rules->clients; c++) {
		waits[c] = m->rank.of[c].change_waits;
		name(&n, &waits[c]);
	}
	rename_all(&n);
	for (c = 0; c < rules->clients; c++)
		m->rank.of[c].change_waits = (__u8)waits[c];
}

/* ---- values ------------------------------------------------------------------------------------- */

#define OLD 1
#define NEWEST 2

static void rename_value(__u32 *value, __u32 truth)
{
	if (*value)
		*value = *value == truth ? NEWEST : OLD;
}

static void rename_values(struct model *m, const struct model_rules *rules)
{
	int c, i;

	for (c = 0; c < rules->clients; c++) {
		for (i = 0; i < m->client[c].in.count; i++)
			rename_value(&m->client[c].in.at[i].value, m->truth_attr);
		for (i = 0; i < m->rank.of[c].in.count; i++)
			rename_value(&m->rank.of[c].in.at[i].value, m->truth_attr);
		rename_value(&m->client[c].copy, m->truth_attr);
		rename_value(&m->client[c].page, m->truth_data);
	}
	rename_value(&m->rank.value, m->truth_attr);
	rename_value(&m->disk, m->truth_data);
	m->truth_attr = NEWEST;
	m->truth_data = NEWEST;
}

void model_normalize(struct model *m, const struct model_rules *rules)
{
	int c;

	for (c = 0; c < rules->clients; c++) {
		forget_in_client(m, c);
		forget_in_rank(m, c);
		forget_for_rank(m, c);
		forget_for_client(m, c);
		rename_seqs(m, c);
		rename_caps(m, c);
		rename_flushes(m, c);
		rename_tids(m, c);
	}
	rename_gens(m, rules);
	rename_waits(m, rules);
	rename_values(m, rules);
}
