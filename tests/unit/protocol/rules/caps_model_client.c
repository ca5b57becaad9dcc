// SPDX-License-Identifier: GPL-2.0
/* A client of the model: the cap machine, the messages it makes, and who uses the file. */
#include "caps_model_parts.h"

/* ---- the client's side -------------------------------------------------------------------------- */

__u32 model_used_by(const struct model_client *cl)
{
	return cl->refs | (cl->page_dirty ? NACRE_CAP_FILE_BUFFER : 0);
}

static int send_update(struct model *m, const struct model_rules *rules, int c,
		       const struct nacre_cap_update *u, __u32 flush_id)
{
	struct model_message msg = {
		.kind = MODEL_UPDATE, .flags = (__u8)u->update_flags, .cap_id = (__u32)u->cap_id,
		.gen = u->cap_gen, .seq = u->cap_seq, .caps = u->held, .wanted = u->wanted,
	};

	if (flush_id) {
		msg.dirty = NACRE_GROUP_AUTH;
		msg.flush_id = flush_id;
		msg.value = m->client[c].copy;
	}
	return model_push(&m->rank.of[c].in, rules, &msg);
}

static int send_own_update(struct model *m, const struct model_rules *rules, int c, int answer,
			   __u32 flush_id)
{
	struct nacre_cap_update u;

	nacre_cap_client_update(&m->client[c].cap, INO, answer, &u);
	return send_update(m, rules, c, &u, flush_id);
}

static int client_step(struct model *m, const struct model_rules *rules, int c,
		       struct nacre_cap_event *e);

/* New flush id for the values going out now. */
static __u32 begin_flush(struct model *m, const struct model_rules *rules, int c, __u32 groups)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_event sent = { .kind = NACRE_CAPE_FLUSH_SENT, .groups = groups,
					.flush_id = ++cl->next_flush };

	client_step(m, rules, c, &sent);
	return cl->next_flush;
}

static int answer(struct model *m, const struct model_rules *rules, int c,
		  const struct nacre_cap_step *step)
{
	__u32 flush = 0;

	if (step->actions & NACRE_CAPA_FLUSH) {
		flush = begin_flush(m, rules, c, step->flush);
		if (rules->break_rule == MODEL_BREAK_FORGET_FLUSH &&
		    (step->actions & NACRE_CAPA_ANSWER))
			flush = 0;
	}
	return send_own_update(m, rules, c, !!(step->actions & NACRE_CAPA_ANSWER), flush);
}

/* Do what a step asks for, in the order of the table of actions. */
static int act(struct model *m, const struct model_rules *rules, int c,
	       const struct nacre_cap_event *e, const struct nacre_cap_step *step)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_update u;
	struct model_message msg;
	int ok = 1;

	if (step->actions & NACRE_CAPA_REFLUSH)
		ok &= send_own_update(m, rules, c, 0, (__u32)cl->cap.flush_id[0]);
	if (step->actions & (NACRE_CAPA_ANSWER | NACRE_CAPA_FLUSH))
		ok &= answer(m, rules, c, step);
	if ((step->actions & NACRE_CAPA_ANSWER_UNKNOWN) &&
	    rules->break_rule != MODEL_BREAK_UNKNOWN_SILENT) {
		nacre_cap_answer_unknown(INO, e->cap_id, e->gen, e->seq, &u);
		ok &= send_update(m, rules, c, &u, 0);
	}
	if (step->actions & NACRE_CAPA_RELEASE) {
		memset(&msg, 0, sizeof(msg));
		msg.kind = MODEL_RELEASE;
		msg.cap_id = (__u32)step->release_cap_id;
		msg.gen = step->release_gen;
		msg.seq = step->release_seq;
		ok &= model_push(&m->rank.of[c].in, rules, &msg);
		cl->page = 0;
	}
	if (step->actions & NACRE_CAPA_WANT)
		ok &= send_own_update(m, rules, c, 0, 0);
	return ok;
}

static int client_step(struct model *m, const struct model_rules *rules, int c,
		       struct nacre_cap_event *e)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_step step;

	e->used = model_used_by(cl);
	if (rules->break_rule == MODEL_BREAK_ANSWER_EARLY)
		e->used = 0;
	if (nacre_cap_client_step(&cl->cap, e, &step))
		return 0;
	return act(m, rules, c, e, &step);
}

int model_client_event(struct model *m, const struct model_rules *rules, int c, __u8 kind)
{
	struct nacre_cap_event e = { .kind = kind };

	return client_step(m, rules, c, &e);
}

int model_send_open(struct model *m, const struct model_rules *rules, int c)
{
	struct model_message msg = { .kind = MODEL_OPEN, .wanted = m->client[c].cap.wanted };

	m->client[c].asking = 1;
	return model_push(&m->rank.of[c].in, rules, &msg);
}

int model_send_change(struct model *m, const struct model_rules *rules, int c)
{
	struct model_message msg = { .kind = MODEL_CHANGE, .tid = m->client[c].tid };

	return model_push(&m->rank.of[c].in, rules, &msg);
}

int model_client_receives(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_event e = { 0 };
	struct model_message msg;

	if (!cl->in.count)
		return 0;
	msg = model_pop(&cl->in);
	e.cap_id = msg.cap_id;
	e.gen = msg.gen;
	e.seq = msg.seq;
	e.caps = msg.caps;
	e.missing = NACRE_GROUPS_ALL & ~msg.valid;
	e.flush_id = msg.flush_id;
	switch (msg.kind) {
	case MODEL_CHANGED:
		if (!cl->changing || msg.tid != cl->tid)
			return 1;
		cl->changing = 0;
		if (msg.valid & NACRE_GROUP_AUTH)
			cl->copy = msg.value;
		return 1;
	case MODEL_GRANT:
		if ((msg.valid & NACRE_GROUP_AUTH) &&
		    nacre_cap_client_takes(&cl->cap, NACRE_GROUP_AUTH))
			cl->copy = msg.value;
		cl->asking = 0;
		e.kind = NACRE_CAPE_GRANT;
		break;
	case MODEL_REVOKE:
		e.kind = NACRE_CAPE_REVOKE;
		break;
	default:
		e.kind = NACRE_CAPE_FLUSH_ACKED;
		break;
	}
	return client_step(m, rules, c, &e);
}

int model_want(struct model *m, const struct model_rules *rules, int c, __u32 caps)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_event e = { .kind = NACRE_CAPE_WANT, .caps = caps };

	if (cl->cap.wanted == caps)
		return 0;
	if (!client_step(m, rules, c, &e))
		return 0;
	return cl->cap.cap_id || cl->asking || !caps || model_send_open(m, rules, c);
}

/* ---- users of the file -------------------------------------------------------------------------- */

#define READ_REFS (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE)
#define WRITE_REFS (NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)

int model_read_begin(struct model_client *cl)
{
	if ((cl->refs & READ_REFS) || !nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_READ))
		return 0;
	cl->refs |= NACRE_CAP_FILE_READ;
	if (nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_CACHE))
		cl->refs |= NACRE_CAP_FILE_CACHE;
	return 1;
}

int model_read_end(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];

	if (!(cl->refs & READ_REFS))
		return 0;
	if ((cl->refs & NACRE_CAP_FILE_CACHE) && !cl->page)
		cl->page = m->disk;
	cl->refs &= ~(__u32)READ_REFS;
	return model_client_event(m, rules, c, NACRE_CAPE_USE);
}

/* Without BUFFER a write waits until older dirty pages are written: see cap_client.h. */
int model_write_begin(struct model_client *cl)
{
	if (cl->page_dirty && !nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_BUFFER))
		return 0;
	if ((cl->refs & WRITE_REFS) || !nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_WRITE))
		return 0;
	cl->refs |= NACRE_CAP_FILE_WRITE;
	if (nacre_cap_client_can_use(&cl->cap, NACRE_CAP_FILE_BUFFER))
		cl->refs |= NACRE_CAP_FILE_BUFFER;
	return 1;
}

int model_write_end(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];

	if (!(cl->refs & WRITE_REFS))
		return 0;
	m->truth_data++;
	if (cl->refs & NACRE_CAP_FILE_BUFFER) {
		cl->page = m->truth_data;
		cl->page_dirty = 1;
	} else {
		m->disk = m->truth_data;
		cl->page = 0;
	}
	cl->refs &= ~(__u32)WRITE_REFS;
	return model_client_event(m, rules, c, NACRE_CAPE_USE);
}

int model_written_back(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];

	if (!cl->page_dirty)
		return 0;
	cl->page_dirty = 0;
	m->disk = cl->page;
	return model_client_event(m, rules, c, NACRE_CAPE_USE);
}

int model_invalidated(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];

	if (cl->cap.state != NACRE_CAPC_INVALIDATING)
		return 0;
	cl->page = 0;
	return model_client_event(m, rules, c, NACRE_CAPE_INVALIDATED);
}

int model_set_attr(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];
	struct nacre_cap_event e = { .kind = NACRE_CAPE_DIRTY, .groups = NACRE_GROUP_AUTH };

	if (cl->changing || !nacre_cap_client_can_use(&cl->cap, NACRE_CAP_AUTH_EXCL))
		return 0;
	cl->copy = ++m->truth_attr;
	return client_step(m, rules, c, &e);
}

int model_ask_change(struct model *m, const struct model_rules *rules, int c)
{
	struct model_client *cl = &m->client[c];

	if (cl->changing || cl->asking || cl->cap.dirty || cl->cap.flushing ||
	    (cl->cap.held & NACRE_CAP_AUTH_EXCL))
		return 0;
	cl->changing = 1;
	cl->tid ^= 1;
	return model_send_change(m, rules, c);
}
