// SPDX-License-Identifier: GPL-2.0
/*
 * See osd_cluster_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <xxhash.h>
#include "osd_cluster_rig.h"

#define DISK_BYTES (24ull << 20)
#define JOURNAL_BYTES (4u << 20)
#define LEASE_MS 1000

static void line(void *owner, enum log_level level, const char *text)
{
	struct cluster_osd *o = owner;

	if (getenv("RIG_LOG"))
		fprintf(stderr, "%10.6f osd%u %s\n",
			(double)o->cluster->world->now_ns / SIM_NS_PER_S, o->id, text);
}

static void client_line(void *owner, enum log_level level, const char *text)
{
	if (getenv("RIG_LOG"))
		fprintf(stderr, "           client %s\n", text);
}

/* ---- daemons ---------------------------------------------------------------------------- */

static void serving(void *owner)
{
	((struct cluster_osd *)owner)->serving = true;
}

static void fenced(void *owner, const char *reason)
{
	struct cluster_osd *o = owner;

	o->serving = false;
	o->fenced = true;
	if (!o->cluster->no_restart)
		cluster_osd_start_later(o, 1);
}

static void failed(void *owner, int result, const char *reason)
{
	struct cluster_osd *o = owner;

	if (getenv("RIG_LOG"))
		fprintf(stderr, "osd%u failed: %d %s\n", o->id, result, reason);
	o->serving = false;
	o->failed = true;
	if (!o->cluster->no_restart)
		cluster_osd_start_later(o, 500);
}

void cluster_osd_start(struct cluster_osd *o)
{
	static const struct osd_events events = { serving, fenced, failed };
	struct io *io = sim_host_io(o->host);
	struct osd_config config = {
		.io = io,
		.log = o->log,
		.listen = o->host->address,
		.advertise = o->host->address,
		.name = o->host->name,
		.id = o->id,
		.lease_ms = LEASE_MS,
		.backlog_bytes = 1 << 20,
		.cache_bytes = 512 << 10,
		.writeback_ms = 50,
		.direct_bytes = 1,
		.trim_bytes = o->cluster->journal_mode == NACRE_JOURNAL_ORDERED ? 4096 : 0,
		.lone_intents = true,
		.log_keep = o->cluster->log_keep,
		.events = &events,
		.owner = o,
	};

	o->serving = o->fenced = o->failed = false;
	config.listen.port = config.advertise.port = 7300;
	config.mapstore = sim_store_open(o->cluster->store, io);
	config.kv = kv_mem_open(io, o->keys);
	assert_int_equal(io_file_open(io, "store", &config.file), 0);
	assert_int_equal(osd_create(&config, &o->osd), 0);
}

void cluster_osd_kill(struct cluster_osd *o, enum sim_crash kind)
{
	if (!o->osd)
		return;
	sim_host_crash(o->host, kind);
	kv_mem_disk_crash(o->keys, (unsigned int)sim_below(&o->cluster->world->random, 4));
	o->osd = NULL;
	o->serving = false;
}

static void restart(struct sim_event *event)
{
	struct cluster_osd *o = (struct cluster_osd *)((char *)event -
						       offsetof(struct cluster_osd, restart));

	cluster_osd_kill(o, SIM_CRASH_KILL);	/* one that was fenced or failed is still there */
	sim_host_restart(o->host);
	cluster_osd_start(o);
}

void cluster_osd_start_later(struct cluster_osd *o, uint64_t ms)
{
	o->restart.run = restart;
	sim_event_at(o->cluster->world, NULL, &o->restart,
		     o->cluster->world->now_ns + ms * SIM_NS_PER_MS);
}

/* ---- making ---------------------------------------------------------------------------------- */

static void formatted(void *owner, int result, const char *why)
{
	assert_int_equal(result, 0);
	((struct cluster *)owner)->done = true;
}

static bool is_done(struct cluster *c)
{
	return c->done;
}

static void add_osd(struct cluster *c, uint16_t id)
{
	struct cluster_osd *o = &c->osds[id];
	struct osd_format_config config = {
		.fsid_lo = 7,
		.fsid_hi = 8,
		.store_lo = id + 1,
		.store_hi = 9,
		.journal_bytes = JOURNAL_BYTES,
		.osd_id = id,
	};
	char name[16];

	snprintf(name, sizeof(name), "osd%u", id);
	o->cluster = c;
	o->id = id;
	o->host = sim_host_add(c->world, name);
	o->log = log_create(NULL, name, LOG_DEBUG);
	log_set_sink(o->log, line, o);
	o->keys = kv_mem_disk_create();
	sim_disk_add(o->host, "store", DISK_BYTES);
	config.io = sim_host_io(o->host);
	config.kv = kv_mem_open(config.io, o->keys);
	assert_int_equal(io_file_open(config.io, "store", &config.file), 0);
	c->done = false;
	osd_store_format(&config, formatted, c);
	cluster_until(c, is_done, 10, "formatting");
	kv_close(config.kv);
}

static void add_pool(struct cluster *c, struct mapedit *edit, uint32_t id)
{
	edit->pools[id] = (struct nacre_map_pool){
		.id = id,
		.pg_count = CLUSTER_PGS,
		.replicas = (uint8_t)c->replicas,
		.min_size = (uint8_t)c->min_size,
		.journal_mode = c->journal_mode,
		.object_bytes = 4u << 20,
		.pg_first = id * CLUSTER_PGS,
	};
	edit->pool_count = id + 1;
	assert_int_equal(mapedit_place_pool(edit, id), 0);
}

static void first_map(struct cluster *c)
{
	struct mapedit *edit = mapedit_open(NULL);
	uint8_t *bytes;
	size_t length;
	uint16_t i;

	edit->head.fsid_lo = 7;
	edit->head.fsid_hi = 8;
	edit->head.next_instance = 1;
	for (i = 0; i < c->osd_count; i++)
		edit->osds[i] = (struct nacre_map_osd){ .id = i, .flags = NACRE_OSD_IN,
							.weight = 0x10000, .domain = i,
							.store_lo = (uint64_t)i + 1, .store_hi = 9 };
	edit->osd_count = c->osd_count;
	edit->rank_count = 1;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = 1 };
	edit->subtree_count = 1;
	add_pool(c, edit, 0);
	add_pool(c, edit, 1);
	c->instance = mapedit_new_instance(edit);
	assert_int_equal(mapedit_encode(edit, &bytes, &length), 0);
	sim_store_set_map(c->store, edit->head.epoch, bytes, length);
	free(bytes);
	mapedit_free(edit);
}

void cluster_edit(struct cluster *c, int (*edit)(struct cluster *c, struct mapedit *next))
{
	struct mapedit *next;
	uint8_t *bytes;
	size_t length;

	cluster_refresh(c);
	next = mapedit_open(c->map);
	assert_int_equal(edit(c, next), 0);
	assert_int_equal(mapedit_encode(next, &bytes, &length), 0);
	sim_store_set_map(c->store, next->head.epoch, bytes, length);
	free(bytes);
	mapedit_free(next);
	cluster_refresh(c);
}

/* ---- the client ----------------------------------------------------------------------------------- */

static void opened(void *owner, struct conn *conn)
{
	osdc_opened(((struct cluster *)owner)->osdc, conn);
}

static void message(void *owner, struct conn *conn, struct message *m)
{
	struct cluster *c = owner;
	unsigned int i;

	for (i = 0; i < c->osd_count; i++) {
		if (conn != c->raw[i] || m->type != NACRE_MSG_OSD_REPLY)
			continue;
		c->reply = (struct cluster_reply){
			true, m->host.osd_reply.tid, m->host.osd_reply.result,
			m->host.osd_reply.failed_op, m->host.osd_reply.version,
			m->host.osd_reply.results_bytes / 32,
		};
		message_put(m);
		return;
	}
	if (!osdc_message(c->osdc, conn, m))
		message_put(m);
}

static void closed(void *owner, struct conn *conn, int reason)
{
	osdc_closed(((struct cluster *)owner)->osdc, conn, reason);
}

static void make_client(struct cluster *c)
{
	static const struct msgr_handler handler = { opened, message, closed };
	struct msgr_config config = {
		.name = "client",
		.role = NACRE_ROLE_CLIENT,
		.time_scale_percent = 100,
		.handler = &handler,
		.owner = c,
	};
	struct osdc_config osdc = { .time_scale_percent = 100 };

	c->client = sim_host_add(c->world, "client");
	c->client_log = log_create(NULL, "client", LOG_DEBUG);
	log_set_sink(c->client_log, client_line, c);
	config.log = c->client_log;
	config.io = osdc.io = sim_host_io(c->client);
	assert_int_equal(msgr_create(&config, &c->msgr), 0);
	msgr_set_fsid(c->msgr, 7, 8);
	msgr_set_instance(c->msgr, c->instance);
	osdc.msgr = c->msgr;
	c->osdc = osdc_create(&osdc);
	osdc_set_instance(c->osdc, c->instance);
	cluster_refresh(c);
}

void cluster_refresh(struct cluster *c)
{
	struct cluster_map *map;
	const uint8_t *bytes;
	uint64_t epoch;
	size_t length;

	bytes = sim_store_map(c->store, &epoch, &length);
	if (c->map && c->map->view.epoch == epoch)
		return;
	assert_int_equal(cluster_map_create(bytes, length, &map), 0);
	if (c->map)
		cluster_map_put(c->map);
	c->map = map;
	if (c->osdc)
		osdc_set_map(c->osdc, map);
}

void cluster_start(struct cluster *c, uint64_t seed, unsigned int osds, unsigned int replicas,
		   unsigned int min_size)
{
	uint8_t journal_mode = c->journal_mode;
	uint32_t log_keep = c->log_keep;
	uint16_t i;

	memset(c, 0, sizeof(*c));
	c->journal_mode = journal_mode;
	c->log_keep = log_keep;
	c->world = sim_world_create(seed);
	c->store = sim_store_create(c->world);
	c->osd_count = osds;
	c->tid = 1000000;		/* apart from osdc's */
	c->replicas = replicas;
	c->min_size = min_size;
	for (i = 0; i < osds; i++)
		add_osd(c, i);
	first_map(c);
	for (i = 0; i < osds; i++)
		cluster_osd_start(&c->osds[i]);
	make_client(c);
	cluster_until(c, cluster_all_clean, 60, "the first start");
}

void cluster_end(struct cluster *c)
{
	unsigned int i;

	for (i = 0; i < c->osd_count; i++) {
		kv_mem_disk_destroy(c->osds[i].keys);
		log_destroy(c->osds[i].log);
	}
	cluster_map_put(c->map);
	log_destroy(c->client_log);
	sim_world_destroy(c->world);
}

/* ---- waiting ------------------------------------------------------------------------------------------ */

void cluster_until(struct cluster *c, bool (*holds)(struct cluster *c), unsigned int seconds,
		   const char *what)
{
	uint64_t end_ns = c->world->now_ns + seconds * SIM_NS_PER_S;

	while (!holds(c)) {
		if (c->world->now_ns > end_ns)
			fail_msg("waited %u s for %s", seconds, what);
		sim_run(c->world, c->world->now_ns + 200 * SIM_NS_PER_US);
		if (c->msgr)
			cluster_refresh(c);
	}
}

void cluster_pass(struct cluster *c, uint64_t ms)
{
	uint64_t end_ns = c->world->now_ns + ms * SIM_NS_PER_MS;

	while (c->world->now_ns < end_ns) {
		sim_run(c->world, c->world->now_ns + SIM_NS_PER_MS);
		cluster_refresh(c);
	}
}

bool cluster_all_serve(struct cluster *c)
{
	unsigned int i;

	for (i = 0; i < c->osd_count; i++)
		if (!c->osds[i].serving)
			return false;
	return true;
}

bool cluster_all_clean(struct cluster *c)
{
	struct nacre_map_pg row;
	uint32_t pool, number;
	struct pg *pg;
	int primary;

	if (!cluster_all_serve(c) || !c->map)
		return false;
	for (pool = 0; pool < 2; pool++) {
		for (number = 0; number < CLUSTER_PGS; number++) {
			if (nacre_map_pg_at(&c->map->view, pool, number, &row) ||
			    __builtin_popcount(row.in_sync) != (int)c->replicas)
				return false;
			primary = nacre_map_primary(&c->map->view, pool, number);
			if (primary < 0)
				return false;
			pg = pg_find(c->osds[primary].osd, pool, number);
			if (!pg || pg->state != PG_ACTIVE || pg->interval != row.interval ||
			    pg->committed != pg->last)
				return false;
		}
	}
	return true;
}

/* ---- through osdc ------------------------------------------------------------------------------------------ */

static void request_done(struct osdc_request *request, uint32_t result)
{
	struct cluster *c = osdc_request_owner(request);

	c->done = true;
	c->result = result;
}

uint32_t cluster_run(struct cluster *c, struct osdc_request *request)
{
	c->done = false;
	osdc_submit(request, request_done, c);
	cluster_until(c, is_done, 60, "a request");
	return c->result;
}

uint32_t cluster_write(struct cluster *c, uint64_t ino, uint64_t offset, const void *bytes,
		       size_t length)
{
	struct osdc_request *request = osdc_request_new(c->osdc, 1, ino, 0);

	osdc_add_data(request, NACRE_OSD_OP_WRITE, offset, bytes, length);
	cluster_run(c, request);
	osdc_request_free(request);
	return c->result;
}

uint32_t cluster_read(struct cluster *c, uint64_t ino, void *bytes, size_t length, size_t *ret_got)
{
	struct osdc_request *request = osdc_request_new(c->osdc, 1, ino, 0);
	int op = osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, length);
	struct osdc_result result;

	cluster_run(c, request);
	result = osdc_request_result(request, op);
	*ret_got = c->result ? 0 : result.data_bytes;
	if (*ret_got)
		memcpy(bytes, result.data, *ret_got);
	osdc_request_free(request);
	return c->result;
}

/* ---- raw ------------------------------------------------------------------------------------------------------ */

uint32_t cluster_pg(struct cluster *c, uint64_t ino)
{
	uint8_t bytes[NACRE_PLACEMENT_BYTES];

	nacre_placement_bytes(ino, 0, 1, bytes);
	return nacre_placement_group(XXH64(bytes, sizeof(bytes), 0), CLUSTER_PGS);
}

uint16_t cluster_primary(struct cluster *c, uint64_t ino)
{
	return (uint16_t)nacre_map_primary(&c->map->view, 1, cluster_pg(c, ino));
}

static bool raw_open(struct cluster *c)
{
	return conn_is_open(c->raw[c->target]);
}

static bool reply_came(struct cluster *c)
{
	return c->reply.came;
}

void cluster_raw_send(struct cluster *c, uint16_t osd, struct nacre_osd_request *head,
		      enum nacre_osd_op_code code, const void *name, size_t name_bytes,
		      const void *data, size_t length)
{
	struct nacre_osd_op op = { .code = (uint16_t)code, .name_size = (uint32_t)name_bytes,
				   .length = length };
	struct mem_bytes ops = { 0 };
	struct iovec iov = { (void *)data, length };
	struct payload payload = { &iov, 1, (uint32_t)length, NULL, NULL };
	struct io_address address = c->osds[osd].host->address;

	address.port = 7300;
	if (!c->raw[osd])
		c->raw[osd] = msgr_dial(c->msgr, &address, NULL);
	c->target = osd;
	cluster_until(c, raw_open, 10, "a connection");
	osd_disk_append(&ops, nacre_osd_op_desc(), &op);
	head->tid = head->tid ? head->tid : ++c->tid;
	head->instance = head->instance ? head->instance : c->instance;
	head->map_epoch = head->map_epoch ? head->map_epoch : c->map->view.epoch;
	head->pool = 1;
	head->pg = cluster_pg(c, head->ino);
	head->snap = NACRE_SNAP_HEAD;
	head->conn_gen = head->conn_gen ? head->conn_gen : conn_generation(c->raw[osd]);
	head->ops = ops.at;
	head->ops_bytes = (uint32_t)ops.length;
	head->input = name;
	head->input_bytes = (uint32_t)name_bytes;
	c->reply.came = false;
	assert_int_equal(conn_send(c->raw[osd], NACRE_MSG_OSD_REQUEST, head,
				   data ? &payload : NULL), 0);
	mem_bytes_free(&ops);
}

uint32_t cluster_raw(struct cluster *c, uint16_t osd, struct nacre_osd_request *head,
		     enum nacre_osd_op_code code, const void *name, size_t name_bytes,
		     const void *data, size_t length)
{
	cluster_raw_send(c, osd, head, code, name, name_bytes, data, length);
	cluster_until(c, reply_came, 10, "an answer");
	assert_int_equal(c->reply.tid, head->tid);
	return c->reply.result;
}
