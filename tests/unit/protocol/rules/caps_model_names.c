// SPDX-License-Identifier: GPL-2.0
/*
 * Renaming: states that differ only in the absolute values of counters become equal, so that the world
 * is finite. The rules compare counters and count them up, nothing else; order is kept.
 */
#include "caps_model_parts.h"

/* ---- renaming ----------------------------------------------------------------------------------- */

#define NAMES_MAX 128

/* Numbers in use, and their new names: 0 stays 0, the others become 1, 2, … in order. */
struct names {
	__u32 *at[NAMES_MAX];
	int count;
};

static void name(struct names *n, __u32 *number)
{
	n->at[n->count++] = number;
}

static void rename_all(struct names *n)
{
	__u32 next = 1, lowest, value[NAMES_MAX];
	int i;

	for (i = 0; i < n->count; i++) {
		value[i] = *n->at[i];
		if (!value[i])
			value[i] = ~0u;
	}
	for (;;) {
		lowest = ~0u;
		for (i = 0; i < n->count; i++)
			if (value[i] < lowest)
				lowest = value[i];
		if (lowest == ~0u)
			return;
		for (i = 0; i < n->count; i++)
			if (value[i] == lowest) {
				*n->at[i] = next;
				value[i] = ~0u;
			}
		next++;
	}
}

static void name_messages(struct model *m, int c, struct names *n, size_t offset)
{
	int i;

	for (i = 0; i < MODEL_QUEUE_MAX; i++) {
		name(n, (__u32 *)((char *)&m->client[c].in.at[i] + offset));
		name(n, (__u32 *)((char *)&m->rank.of[c].in.at[i] + offset));
	}
}

/* 64-bit fields are renamed through a copy. */
static void normalize_client(struct model *m, int c)
{
	struct nacre_cap_client *cap = &m->client[c].cap;
	struct nacre_cap_rank *rcap = &m->rank.of[c].cap;
	__u32 ids[2], flushes[NACRE_GROUP_COUNT];
	struct names seqs = { .count = 0 }, caps = { .count = 0 }, flush = { .count = 0 };
	int i;

	name_messages(m, c, &seqs, offsetof(struct model_message, seq));
	name(&seqs, &cap->seq);
	name(&seqs, &rcap->seq);
	name(&seqs, &rcap->grow_seq);
	name(&seqs, &rcap->revoke_seq);
	rename_all(&seqs);

	ids[0] = (__u32)cap->cap_id;
	ids[1] = (__u32)rcap->cap_id;
	name_messages(m, c, &caps, offsetof(struct model_message, cap_id));
	name(&caps, &ids[0]);
	name(&caps, &ids[1]);
	name(&caps, &m->rank.of[c].next_cap_id);
	rename_all(&caps);
	cap->cap_id = ids[0];
	rcap->cap_id = ids[1];

	name_messages(m, c, &flush, offsetof(struct model_message, flush_id));
	name(&flush, &m->client[c].next_flush);
	name(&flush, &m->rank.of[c].applied_flush);
	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		flushes[i] = (__u32)cap->flush_id[i];
		name(&flush, &flushes[i]);
	}
	rename_all(&flush);
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		cap->flush_id[i] = flushes[i];
}

/* What nobody will look at again must not tell states apart. */
static void forget_leftovers(struct model *m, int c)
{
	struct model_client *cl = &m->client[c];
	int i;

	if (!cl->cap.cap_id) {
		cl->cap.gen = 0;
		cl->cap.seq = 0;
	}
	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (!(cl->cap.flushing & nacre_group_at(i)))
			cl->cap.flush_id[i] = 0;
	if (!(cl->cap.held & ATTR_CAPS) && !cl->cap.flushing)
		cl->copy = 0;
	if (!m->rank.of[c].present) {
		memset(&m->rank.of[c].cap, 0, sizeof(m->rank.of[c].cap));
		m->rank.of[c].fresh_connection = 0;
	}
}

void model_normalize(struct model *m, const struct model_rules *rules)
{
	struct names gens = { .count = 0 }, values = { .count = 0 }, versions = { .count = 0 };
	int c;

	for (c = 0; c < rules->clients; c++) {
		forget_leftovers(m, c);
		normalize_client(m, c);
		name_messages(m, c, &gens, offsetof(struct model_message, gen));
		name(&gens, &m->client[c].cap.gen);
		name(&gens, &m->rank.of[c].cap.gen);
		name_messages(m, c, &values, offsetof(struct model_message, value));
		name(&values, &m->client[c].copy);
		name(&versions, &m->client[c].page);
	}
	name(&gens, &m->rank.gen);
	rename_all(&gens);
	name(&values, &m->rank.value);
	name(&values, &m->truth_attr);
	rename_all(&values);
	name(&versions, &m->disk);
	name(&versions, &m->truth_data);
	rename_all(&versions);
}
