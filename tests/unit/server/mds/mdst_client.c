/* SPDX-License-Identifier: GPL-2.0 */
/* Scripted clients of the rank; see mdst.h. */
#include "mdst.h"
#include "protocol/codec.h"
#include "server/mds/core.h"
#undef log_info

/* ---- receiving ------------------------------------------------------------------------------------------- */

static void keep(struct mdst_client *c, struct message *message)
{
	struct mdst_news *news = calloc(1, sizeof(*news));

	news->message = message;
	TAILQ_INSERT_TAIL(&c->news, news, link);
}

static void answer_revoke(struct mdst_client *c, const struct nacre_cap_revoke *revoke)
{
	struct nacre_cap_update update = {
		.ino = revoke->ino, .cap_id = revoke->cap_id, .cap_gen = revoke->cap_gen,
		.cap_seq = revoke->cap_seq, .held = revoke->keep, .wanted = c->answer_wanted,
		.update_flags = NACRE_CAP_UPDATE_ANSWER,
	};

	c->revokes++;
	if (!c->stubborn)
		conn_send(c->conn, NACRE_MSG_CAP_UPDATE, &update, NULL);
}

static void take_state(struct mdst_client *c, const struct nacre_session_state *state)
{
	if (state->result)
		return;
	c->instance = state->instance;
	c->incarnation = state->incarnation;
	c->safe = state->safe;
	c->open = true;
	msgr_set_instance(c->msgr, c->instance);
	if (state->ino_count) {
		c->ino_next = state->ino_first;
		c->ino_left = state->ino_count;
	}
}

static void came(void *owner, struct conn *conn, struct message *message);

/* As if each had come alone. */
static void several_came(struct mdst_client *c, struct conn *conn, struct message *message)
{
	const struct nacre_cap_revokes *several = &message->host.cap_revokes;
	int i, count = nacre_array_count(nacre_cap_revoke_desc(), several->revokes_bytes);
	struct nacre_cap_revoke revoke;

	c->several++;
	for (i = 0; i < count; i++) {
		assert_int_equal(nacre_array_at(nacre_cap_revoke_desc(), several->revokes, (uint32_t)i, &revoke), 0);
		came(c, conn, message_part(message, NACRE_MSG_CAP_REVOKE, &revoke, sizeof(revoke)));
	}
	message_put(message);
}

static void came(void *owner, struct conn *conn, struct message *message)
{
	struct mdst_client *c = owner;

	switch (message->type) {
	case NACRE_MSG_SESSION_STATE:
		take_state(c, &message->host.session_state);
		break;
	case NACRE_MSG_SESSION_KILLED:
		c->killed = true;
		c->open = false;
		break;
	case NACRE_MSG_SAFE:
		c->safe = message->host.safe.safe;
		break;
	case NACRE_MSG_REPLY:
		if (c->safe < message->host.reply.safe)
			c->safe = message->host.reply.safe;
		break;
	case NACRE_MSG_CAP_REVOKE:
		answer_revoke(c, &message->host.cap_revoke);
		break;
	case NACRE_MSG_CAP_REVOKES:
		several_came(c, conn, message);
		return;
	}
	keep(c, message);
}

/* Everything that a client of a new incarnation has to say. */
static void come_back(struct mdst_client *c)
{
	static uint8_t encoded[64 * sizeof(struct nacre_cap_claim_wire)];
	struct nacre_writer w = nacre_writer(encoded, sizeof(encoded));
	struct nacre_session_reconnect body = { .instance = c->instance,
						.oldest_tid = c->oldest_tid, .safe = c->safe,
						.claims = encoded };
	struct nacre_session_reconnect_done done = { .instance = c->instance };
	unsigned int i;

	for (i = 0; i < c->claim_count; i++)
		nacre_encode(nacre_cap_claim_desc(), &w, &c->claims[i]);
	body.claims_bytes = (uint32_t)nacre_writer_bytes(&w);
	conn_send(c->conn, NACRE_MSG_SESSION_RECONNECT, &body, NULL);
	if (c->resend)
		c->resend(c);
	conn_send(c->conn, NACRE_MSG_SESSION_RECONNECT_DONE, &done, NULL);
}

static void opened(void *owner, struct conn *conn)
{
	struct mdst_client *c = owner;

	c->connected = true;
	if (c->coming_back)
		come_back(c);
}

static void closed(void *owner, struct conn *conn, int reason)
{
	struct mdst_client *c = owner;

	c->connected = false;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

static void renew(struct io_timer *timer)
{
	struct mdst_client *c = container_of(timer, struct mdst_client, renew);
	struct nacre_session_renew body = { .renew_seq = ++c->renew_seq, .inos_left = c->ino_left,
					    .oldest_tid = c->oldest_tid };

	io_timer_arm(sim_host_io(c->host), timer,
		     io_now(sim_host_io(c->host)) + MDST_LEASE_MS / 3 * SIM_NS_PER_MS);
	if (c->open && c->connected && !c->silent)
		conn_send(c->conn, NACRE_MSG_SESSION_RENEW, &body, NULL);
}

struct mdst_client *mdst_client_new(struct mdst *t, const char *name)
{
	static const struct msgr_handler handler = { opened, came, closed };
	struct mdst_client *c = calloc(1, sizeof(*c));
	struct io_address address = t->host->address;
	struct msgr_config config = { .name = name, .role = NACRE_ROLE_CLIENT,
				      .time_scale_percent = 100, .handler = &handler, .owner = c };

	c->t = t;
	c->host = sim_host_add(t->world, name);
	c->oldest_tid = 1;
	c->renew.fire = renew;
	TAILQ_INIT(&c->news);
	config.io = sim_host_io(c->host);
	assert_int_equal(msgr_create(&config, &c->msgr), 0);
	address.port = NACRE_DEFAULT_PORT;
	c->conn = msgr_dial(c->msgr, &address, c);
	return c;
}

static bool is_connected(void *owner)
{
	struct mdst_client *c = owner;

	return c->connected;
}

static bool is_open(void *owner)
{
	struct mdst_client *c = owner;

	return c->open;
}

void mdst_client_open(struct mdst_client *c)
{
	struct nacre_session_open body = { .instance = c->instance };

	mdst_until(c->t, is_connected, c);
	conn_send(c->conn, NACRE_MSG_SESSION_OPEN, &body, NULL);
	mdst_until(c->t, is_open, c);
	if (!c->renew.heap_index)
		renew(&c->renew);
}

struct mdst_client *mdst_client_begin(struct mdst *t, const char *name)
{
	struct mdst_client *c = mdst_client_new(t, name);

	mdst_client_open(c);
	return c;
}

static void forget_news(struct mdst_client *c)
{
	struct mdst_news *news;

	while ((news = TAILQ_FIRST(&c->news))) {
		TAILQ_REMOVE(&c->news, news, link);
		message_put(news->message);
		free(news);
	}
}

void mdst_client_destroy(struct mdst_client *c)
{
	io_timer_cancel(sim_host_io(c->host), &c->renew);
	forget_news(c);
	msgr_destroy(c->msgr);
	free(c);
}

void mdst_client_reset(struct mdst_client *c)
{
	conn_reset(c->conn, -ECONNRESET);
	c->connected = false;
	mdst_until(c->t, is_connected, c);
}

void mdst_client_reconnect(struct mdst_client *c, const struct nacre_cap_claim *claims,
			   unsigned int count, void (*resend)(struct mdst_client *c))
{
	c->open = false;
	c->claims = claims;
	c->claim_count = count;
	c->resend = resend;
	c->coming_back = true;
	if (c->connected)
		come_back(c);
	mdst_until(c->t, is_open, c);
	c->coming_back = false;
}

void mdst_restart(struct mdst *t, struct mdst_client *c)
{
	mdst_crash(t);
	mdst_osd_revive(t->osd);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

struct message *mdst_poll(struct mdst_client *c, uint16_t type)
{
	struct mdst_news *news;
	struct message *message;

	TAILQ_FOREACH(news, &c->news, link)
		if (news->message->type == type) {
			message = news->message;
			TAILQ_REMOVE(&c->news, news, link);
			free(news);
			return message;
		}
	return NULL;
}

struct message *mdst_take(struct mdst_client *c, uint16_t type)
{
	uint64_t limit = c->t->world->now_ns + MDST_PATIENCE_NS;
	struct message *message;

	while (!(message = mdst_poll(c, type))) {
		if (c->t->world->now_ns >= limit)
			fail_msg("message %u never came", type);
		sim_run(c->t->world, c->t->world->now_ns + SIM_NS_PER_MS / 10);
	}
	return message;
}

static struct mdst_news *find_reply(struct mdst_client *c, uint64_t tid)
{
	struct mdst_news *news;

	TAILQ_FOREACH(news, &c->news, link)
		if (news->message->type == NACRE_MSG_REPLY && news->message->host.reply.tid == tid)
			return news;
	return NULL;
}

bool mdst_has_reply(struct mdst_client *c, uint64_t tid)
{
	return find_reply(c, tid);
}

void mdst_send(struct mdst_client *c, uint16_t type, const void *body)
{
	assert_int_equal(conn_send(c->conn, type, body, NULL), 0);
}

static void take_entries(const struct nacre_reply *body, struct mdst_reply *reply)
{
	struct nacre_reader r = nacre_reader(body->extra, body->extra_bytes);
	struct nacre_dirent dirent;

	while (nacre_reader_left(&r) >= sizeof(struct nacre_dirent_wire) &&
	       nacre_dirent_next(&r, &dirent)) {
		struct nacre_inode_info info = { 0 };
		uint32_t at = reply->entry_count++;

		assert_true(at < 256 && dirent.name_bytes < 64);
		memcpy(reply->name_room[at], dirent.name, dirent.name_bytes);
		if (dirent.info_bytes)
			assert_int_equal(nacre_decode_all(nacre_inode_info_desc(), dirent.info,
							  dirent.info_bytes, &info), 0);
		reply->entries[at] = dirent;
		reply->entries[at].name = reply->name_room[at];
		reply->entries[at].info = NULL;
		reply->entry_size[at] = info.size;
		reply->entry_valid[at] = info.valid;
		reply->entry_issued[at] = info.issued;
	}
}

static struct mdst_reply take_reply(const struct nacre_reply *body)
{
	static struct mdst_reply reply;

	memset(&reply, 0, sizeof(reply));
	reply.result = body->result;
	reply.flags = body->flags;
	reply.applied = body->applied;
	reply.safe = body->safe;
	reply.has_target = nacre_trace_find(body, NACRE_TRACE_TARGET, &reply.target);
	reply.has_parent = nacre_trace_find(body, NACRE_TRACE_PARENT, &reply.parent);
	reply.has_victim = nacre_trace_find(body, NACRE_TRACE_VICTIM, &reply.victim);
	if (body->extra_bytes > sizeof(struct nacre_statfs_wire))
		take_entries(body, &reply);
	return reply;
}

struct mdst_reply mdst_wait(struct mdst_client *c, uint64_t tid)
{
	uint64_t limit = c->t->world->now_ns + MDST_PATIENCE_NS;
	struct mdst_news *news;
	struct mdst_reply reply;

	while (!(news = find_reply(c, tid))) {
		if (c->t->world->now_ns >= limit)
			fail_msg("the reply to tid %llu never came", (unsigned long long)tid);
		sim_run(c->t->world, c->t->world->now_ns + SIM_NS_PER_MS / 10);
	}
	reply = take_reply(&news->message->host.reply);
	/* tails are not for keeping */
	reply.target.symlink = reply.target.xattrs = reply.target.data = NULL;
	TAILQ_REMOVE(&c->news, news, link);
	message_put(news->message);
	free(news);
	return reply;
}

struct mdst_reply mdst_call(struct mdst_client *c, uint16_t type, const void *body)
{
	mdst_send(c, type, body);
	return mdst_wait(c, ((const struct nacre_statfs_req *)body)->tid);
}

struct nacre_record_req mdst_record(struct mdst_client *c, uint64_t parent, const char *name)
{
	return (struct nacre_record_req){
		.tid = ++c->tid, .oldest_tid = c->oldest_tid, .parent = parent,
		.name = (const uint8_t *)name, .name_bytes = name ? (uint32_t)strlen(name) : 0,
		.ctime = 1000000000ull * 1000 + c->tid,
	};
}

static struct nacre_record_req new_inode(struct mdst_client *c, uint64_t parent, const char *name,
					 uint16_t kind, uint32_t mode)
{
	struct nacre_record_req body = mdst_record(c, parent, name);

	body.kind = kind;
	body.mode = mode;
	body.set_mask = NACRE_SET_MODE;
	if (c->ino_left) {
		body.ino = c->ino_next++;
		c->ino_left--;
	}
	return body;
}

struct mdst_reply mdst_create(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_record_req body = new_inode(c, parent, name, NACRE_RECORD_CREATE,
						 S_IFREG | 0644);

	body.wanted = NACRE_WANT_WRITE;
	return mdst_call(c, NACRE_MSG_CREATE, &body);
}

struct mdst_reply mdst_mkdir(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_record_req body = new_inode(c, parent, name, NACRE_RECORD_MKDIR,
						 S_IFDIR | 0755);

	return mdst_call(c, NACRE_MSG_MKDIR, &body);
}

struct mdst_reply mdst_lookup(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_lookup_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid,
					 .parent = parent, .name = (const uint8_t *)name,
					 .name_bytes = (uint32_t)strlen(name) };

	return mdst_call(c, NACRE_MSG_LOOKUP, &body);
}

uint64_t mdst_open_send(struct mdst_client *c, uint64_t ino, uint32_t flags, uint32_t need, uint32_t wanted)
{
	struct nacre_open_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino, .open_flags = flags,
				       .need = need, .wanted = wanted };

	mdst_send(c, NACRE_MSG_OPEN, &body);
	return body.tid;
}

struct mdst_reply mdst_getattr(struct mdst_client *c, uint64_t ino)
{
	struct nacre_getattr_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino,
					  .mask = NACRE_GROUP_AUTH | NACRE_GROUP_LINK |
						  NACRE_GROUP_FILE };

	return mdst_call(c, NACRE_MSG_GETATTR, &body);
}

struct mdst_reply mdst_unlink(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_record_req body = mdst_record(c, parent, name);

	body.kind = NACRE_RECORD_UNLINK;
	return mdst_call(c, NACRE_MSG_UNLINK, &body);
}

struct mdst_reply mdst_rmdir(struct mdst_client *c, uint64_t parent, const char *name)
{
	struct nacre_record_req body = mdst_record(c, parent, name);

	body.kind = NACRE_RECORD_RMDIR;
	return mdst_call(c, NACRE_MSG_RMDIR, &body);
}

struct mdst_reply mdst_link(struct mdst_client *c, uint64_t ino, uint64_t parent, const char *name)
{
	struct nacre_record_req body = mdst_record(c, parent, name);

	body.kind = NACRE_RECORD_LINK;
	body.ino = ino;
	return mdst_call(c, NACRE_MSG_LINK, &body);
}

struct mdst_reply mdst_rename(struct mdst_client *c, uint64_t parent, const char *name,
			      uint64_t parent2, const char *name2, uint16_t flags)
{
	struct nacre_record_req body = mdst_record(c, parent, name);

	body.kind = NACRE_RECORD_RENAME;
	body.parent2 = parent2;
	body.name2 = (const uint8_t *)name2;
	body.name2_bytes = (uint32_t)strlen(name2);
	body.rename_flags = flags;
	return mdst_call(c, NACRE_MSG_RENAME, &body);
}

struct mdst_reply mdst_readdir(struct mdst_client *c, uint64_t ino, uint64_t after, uint32_t max)
{
	struct nacre_readdir_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino,
					  .after = after, .max_entries = max,
					  .max_bytes = 1 << 18 };

	return mdst_call(c, NACRE_MSG_READDIR, &body);
}

struct mdst_reply mdst_truncate(struct mdst_client *c, uint64_t ino, uint64_t size)
{
	struct nacre_record_req body = mdst_record(c, 0, NULL);

	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.set_mask = NACRE_SET_SIZE;
	body.size = size;
	return mdst_call(c, NACRE_MSG_SETATTR, &body);
}

void mdst_sync(struct mdst_client *c)
{
	struct nacre_sync_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid };

	assert_int_equal(mdst_call(c, NACRE_MSG_SYNC, &body).result, 0);
}

uint32_t mdst_flush_size(struct mdst_client *c, const struct nacre_inode_info *cap,
			 uint64_t flush_id, uint64_t size)
{
	struct nacre_cap_update update = {
		.ino = cap->ino, .cap_id = cap->cap_id, .cap_gen = cap->cap_gen,
		.cap_seq = cap->cap_seq, .held = cap->issued, .wanted = 0,
		.dirty = NACRE_GROUP_FILE, .flush_id = flush_id, .oldest_flush = flush_id,
		.size = size, .truncate_seq = cap->truncate_seq, .mtime = 5000, .atime = 5000,
		.ctime = 5000, .update_flags = NACRE_CAP_UPDATE_SYNC,
	};
	struct message *ack;
	uint32_t result;

	mdst_send(c, NACRE_MSG_CAP_UPDATE, &update);
	ack = mdst_take(c, NACRE_MSG_CAP_FLUSH_ACK);
	assert_int_equal(ack->host.cap_flush_ack.flush_id, flush_id);
	result = ack->host.cap_flush_ack.result;
	message_put(ack);
	return result;
}

void mdst_release(struct mdst_client *c, const struct nacre_inode_info *cap)
{
	struct nacre_cap_ref ref = { .ino = cap->ino, .cap_id = cap->cap_id,
				     .cap_gen = cap->cap_gen, .cap_seq = cap->cap_seq };
	uint8_t bytes[sizeof(struct nacre_cap_ref_wire)];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	struct nacre_cap_release body = { .caps = bytes, .caps_bytes = sizeof(bytes) };

	nacre_encode(nacre_cap_ref_desc(), &w, &ref);
	mdst_send(c, NACRE_MSG_CAP_RELEASE, &body);
	mdst_run_ms(c->t, 20);
}

/* ---- looking inside ----------------------------------------------------------------------------------------------- */

static bool is_written_back(void *owner)
{
	return mds_checkpoint_idle(owner);
}

void mdst_force_writeback(struct mdst *t)
{
	mds_checkpoint_force(t->mds);
}

void mdst_writeback(struct mdst *t)
{
	mds_checkpoint_force(t->mds);
	mdst_until(t, is_written_back, t->mds);
}

uint64_t mdst_counter(struct mdst *t, const char *name)
{
	STATS_ROWS(rows, MDS_COUNTERS);
	const uint64_t *values = (const uint64_t *)&t->mds->counters;
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, name))
			return values[i];
	fail_msg("no counter %s", name);
	return 0;
}
