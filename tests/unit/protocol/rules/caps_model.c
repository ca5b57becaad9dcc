// SPDX-License-Identifier: GPL-2.0
/* The world of caps_model.h: how it begins, what can happen in it, accidents. */
#include "caps_model_parts.h"

static const char *const event_names[] = {
	"client receives", "rank receives", "read begins", "read ends", "write begins",
	"write ends", "written back", "invalidated", "set attribute", "fsync", "ask for a change",
	"want to read", "want to write", "want attributes", "want attributes exclusively",
	"want nothing", "drop", "repeat revokes", "connection lost",
};

void model_init(struct model *m, const struct model_rules *rules)
{
	memset(m, 0, sizeof(*m));
	nacre_lock_init(&m->rank.auth, NACRE_GROUP_AUTH);
	nacre_lock_init(&m->rank.file, NACRE_GROUP_FILE);
	m->rank.gen = 1;
	m->rank.value = 1;
	m->truth_attr = 1;
	m->disk = 1;
	m->truth_data = 1;
	m->resets_left = (__u8)rules->resets;
	m->crashes_left = (__u8)rules->crashes;
}

int model_events(const struct model_rules *rules)
{
	return rules->clients * EV_PER_CLIENT + 1;
}

const char *model_event_name(const struct model_rules *rules, int event)
{
	static char text[64];

	if (event == rules->clients * EV_PER_CLIENT)
		return "new incarnation";
	snprintf(text, sizeof(text), "client %d: %s", event / EV_PER_CLIENT,
		 event_names[event % EV_PER_CLIENT]);
	return text;
}

int model_push(struct model_queue *q, const struct model_rules *rules,
		const struct model_message *message)
{
	if (q->count >= rules->queue)
		return 0;
	q->at[q->count++] = *message;
	return 1;
}

struct model_message model_pop(struct model_queue *q)
{
	struct model_message first = q->at[0];

	q->count--;
	memmove(&q->at[0], &q->at[1], q->count * sizeof(q->at[0]));
	memset(&q->at[q->count], 0, sizeof(q->at[0]));
	return first;
}
/* ---- accidents ---------------------------------------------------------------------------------- */

static int say_again(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];
	int ok = model_client_event(m, rules, c, NACRE_CAPE_RECONNECTED);

	if (cl->asking)
		ok &= model_send_open(m, rules, c);
	if (cl->changing)
		ok &= model_send_change(m, rules, c);
	return ok;
}

static int reset(struct model *m, const struct model_rules *rules, int c)
{
	if (!m->resets_left)
		return 0;
	m->resets_left--;
	memset(&m->client[c].in, 0, sizeof(m->client[c].in));
	memset(&m->rank.of[c].in, 0, sizeof(m->rank.of[c].in));
	m->rank.of[c].fresh_connection = 1;
	return say_again(m, rules, c);
}

/* Claims, then re-sent flushes, both before the rank grants anything: see NACRE_SESA_SEND_CLAIMS. */
static int claim(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];
	struct model_rank *r = &m->rank;
	struct nacre_cap_claim claim;
	struct model_message flush = { .value = cl->copy, .dirty = NACRE_GROUP_AUTH };

	memset(&cl->in, 0, sizeof(cl->in));
	memset(&r->of[c].in, 0, sizeof(r->of[c].in));
	r->of[c].present = 0;
	r->of[c].change_waits = 0;
	r->of[c].fresh_connection = 0;
	if (cl->cap.cap_id) {
		nacre_cap_client_claim(&cl->cap, INO, &claim);
		nacre_cap_rank_claim(&r->of[c].cap, claim.cap_id, r->gen, claim.held,
				     claim.wanted);
		r->of[c].present = 1;
		nacre_lock_claim(&r->auth, CLIENT_ID(c), claim.held);
		nacre_lock_claim(&r->file, CLIENT_ID(c), claim.held);
	}
	flush.flush_id = (__u32)cl->cap.flush_id[0];
	return !cl->cap.flushing || model_take_flush(m, rules, c, &flush);
}

static int crash(struct model *m, const struct model_rules *rules)
{
	struct model_rank *r = &m->rank;
	int c, ok = 1;

	if (!m->crashes_left)
		return 0;
	m->crashes_left--;
	r->gen++;
	nacre_lock_init(&r->auth, NACRE_GROUP_AUTH);
	nacre_lock_init(&r->file, NACRE_GROUP_FILE);
	for (c = 0; c < rules->clients; c++)
		ok &= claim(m, rules, c);
	for (c = 0; c < rules->clients; c++)
		if (r->of[c].present)
			ok &= model_send_grant(m, rules, c, 0);
	for (c = 0; c < rules->clients; c++) {
		if (m->client[c].asking)
			ok &= model_send_open(m, rules, c);
		if (m->client[c].changing)
			ok &= model_send_change(m, rules, c);
	}
	return ok && model_rank_works(m, rules);
}

static int drop(struct model *m, const struct model_rules *rules, int c)
{
	if (!m->client[c].cap.cap_id || m->client[c].asking || m->client[c].changing ||
	    m->client[c].cap.wanted)
		return 0;
	return model_client_event(m, rules, c, NACRE_CAPE_DROP);
}

static int fsync_attr(struct model *m, const struct model_rules *rules, int c)
{
	return m->client[c].cap.dirty && model_client_event(m, rules, c, NACRE_CAPE_FLUSH);
}

static int try_attr_event(struct model *m, const struct model_rules *rules, int c, int event)
{
	switch (event) {
	case EV_SET_ATTR:
		return model_set_attr(m, rules, c);
	case EV_FSYNC:
		return fsync_attr(m, rules, c);
	case EV_ASK_CHANGE:
		return model_ask_change(m, rules, c);
	case EV_WANT_ATTR:
		return model_want(m, rules, c, WANT_ATTR);
	default:
		return model_want(m, rules, c, WANT_ATTR_EXCL);
	}
}

static int try_data_event(struct model *m, const struct model_rules *rules, int c, int event)
{
	switch (event) {
	case EV_READ_BEGIN:
		return model_read_begin(&m->client[c]);
	case EV_READ_END:
		return model_read_end(m, rules, c);
	case EV_WRITE_BEGIN:
		return model_write_begin(&m->client[c]);
	case EV_WRITE_END:
		return model_write_end(m, rules, c);
	case EV_WRITTEN_BACK:
		return model_written_back(m, rules, c);
	case EV_INVALIDATED:
		return model_invalidated(m, rules, c);
	case EV_WANT_READ:
		return model_want(m, rules, c, NACRE_WANT_READ);
	default:
		return model_want(m, rules, c, NACRE_WANT_WRITE | NACRE_WANT_READ);
	}
}

static int may_do(const struct model_rules *rules, int c, int event)
{
	if (!rules->readers && !rules->writers)
		return 1;
	if (event == EV_READ_BEGIN || event == EV_WANT_READ)
		return rules->readers >> c & 1;
	if (event == EV_WRITE_BEGIN || event == EV_WANT_WRITE)
		return rules->writers >> c & 1;
	return 1;
}

static int in_flight(const struct model *m, const struct model_rules *rules)
{
	int c, count = 0;

	for (c = 0; c < rules->clients; c++)
		count += m->client[c].in.count + m->rank.of[c].in.count;
	return count;
}

static int try_event(struct model *m, const struct model_rules *rules, int event)
{
	int c = event / EV_PER_CLIENT;

	if (c == rules->clients)
		return crash(m, rules);
	event %= EV_PER_CLIENT;
	switch (event) {
	case EV_CLIENT_RECEIVES:
		return model_client_receives(m, rules, c);
	case EV_RANK_RECEIVES:
		return model_rank_receives(m, rules, c);
	case EV_WANT_NOTHING:
		return model_want(m, rules, c, 0);
	case EV_DROP:
		return drop(m, rules, c);
	case EV_REPEAT:
		return model_repeat(m, rules, c);
	case EV_RESET:
		return reset(m, rules, c);
	case EV_SET_ATTR:
	case EV_FSYNC:
	case EV_ASK_CHANGE:
	case EV_WANT_ATTR:
	case EV_WANT_ATTR_EXCL:
		return rules->use_attr && try_attr_event(m, rules, c, event);
	default:
		return rules->use_data && may_do(rules, c, event) &&
		       try_data_event(m, rules, c, event);
	}
}

/* What would put too many messages under way does not happen; what takes one away always may. */
int model_try(struct model *m, const struct model_rules *rules, int event)
{
	int before, after;

	if (!rules->flight)
		return try_event(m, rules, event);
	before = in_flight(m, rules);
	if (!try_event(m, rules, event))
		return 0;
	after = in_flight(m, rules);
	return after <= rules->flight || after <= before;
}
