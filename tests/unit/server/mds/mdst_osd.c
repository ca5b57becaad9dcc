/* SPDX-License-Identifier: GPL-2.0 */
/* An object server in memory; see mdst_osd.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <bsd/sys/queue.h>
#include <xxhash.h>
#include "mdst_osd.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/placement.h"
#include "protocol/rules/validate.h"
#include "server/base/msgr.h"

/* A key or an attribute; lists are sorted by key. */
struct pair {
	TAILQ_ENTRY(pair) link;
	uint8_t *key, *value;
	uint32_t key_bytes, value_bytes;
};
TAILQ_HEAD(pairs, pair);

struct object {
	TAILQ_ENTRY(object) link;
	uint32_t pool;
	uint64_t ino, index;
	uint8_t *data;
	uint64_t size;
	struct pairs attrs, keys;
};

struct held {
	TAILQ_ENTRY(held) link;
	struct conn *conn;
	struct message *message;
};

struct mdst_osd {
	struct sim_host *host;
	struct mapstore *store;
	struct msgr *msgr;
	TAILQ_HEAD(, object) objects;
	TAILQ_HEAD(, held) held;
	uint64_t hold_ino;
	unsigned int changes;
	unsigned int ops[64];		/* executed, by code */
	unsigned int refusals;		/* left, */
	uint16_t refused_code;		/* of requests that begin with this, */
	uint32_t refused_result;	/* by this answer */
	unsigned int changes_left;
	bool limited;
};

static void *copy(const void *bytes, size_t length)
{
	void *to = malloc(length ? length : 1);

	return length ? memcpy(to, bytes, length) : to;
}

/* ---- objects ------------------------------------------------------------------------------------------ */

static struct object *find(const struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index)
{
	struct object *object;

	TAILQ_FOREACH(object, &osd->objects, link)
		if (object->pool == pool && object->ino == ino && object->index == index)
			return object;
	return NULL;
}

static struct object *get(struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index)
{
	struct object *object = find(osd, pool, ino, index);

	if (object)
		return object;
	object = calloc(1, sizeof(*object));
	object->pool = pool;
	object->ino = ino;
	object->index = index;
	TAILQ_INIT(&object->attrs);
	TAILQ_INIT(&object->keys);
	TAILQ_INSERT_HEAD(&osd->objects, object, link);
	return object;
}

static int compare(const struct pair *pair, const uint8_t *key, uint32_t key_bytes)
{
	uint32_t shorter = pair->key_bytes < key_bytes ? pair->key_bytes : key_bytes;
	int order = memcmp(pair->key, key, shorter);

	return order ? order : (int)pair->key_bytes - (int)key_bytes;
}

static struct pair *find_pair(const struct pairs *pairs, const uint8_t *key, uint32_t key_bytes)
{
	struct pair *pair;

	TAILQ_FOREACH(pair, pairs, link)
		if (!compare(pair, key, key_bytes))
			return pair;
	return NULL;
}

static void remove_pair(struct pairs *pairs, struct pair *pair)
{
	TAILQ_REMOVE(pairs, pair, link);
	free(pair->key);
	free(pair->value);
	free(pair);
}

static void set_pair(struct pairs *pairs, const struct nacre_osd_step *step)
{
	struct pair *pair = find_pair(pairs, step->name, step->op.name_size), *at;

	if (pair)
		remove_pair(pairs, pair);
	pair = calloc(1, sizeof(*pair));
	pair->key = copy(step->name, step->op.name_size);
	pair->key_bytes = step->op.name_size;
	pair->value = copy(step->value, step->op.value_size);
	pair->value_bytes = step->op.value_size;
	TAILQ_FOREACH(at, pairs, link)
		if (compare(at, pair->key, pair->key_bytes) > 0) {
			TAILQ_INSERT_BEFORE(at, pair, link);
			return;
		}
	TAILQ_INSERT_TAIL(pairs, pair, link);
}

static void remove_object(struct mdst_osd *osd, struct object *object)
{
	struct pair *pair;

	TAILQ_REMOVE(&osd->objects, object, link);
	while ((pair = TAILQ_FIRST(&object->attrs)))
		remove_pair(&object->attrs, pair);
	while ((pair = TAILQ_FIRST(&object->keys)))
		remove_pair(&object->keys, pair);
	free(object->data);
	free(object);
}

static void resize(struct object *object, uint64_t size)
{
	object->data = realloc(object->data, size ? size : 1);
	if (size > object->size)
		memset(object->data + object->size, 0, size - object->size);
	object->size = size;
}

/* ---- operations ----------------------------------------------------------------------------------------- */

struct run {
	struct mdst_osd *osd;
	const struct nacre_osd_request *request;
	const uint8_t *input_data;
	struct nacre_osd_result results[NACRE_OSD_OPS_MAX];
	unsigned int count;
	struct nacre_writer output;
	struct nacre_writer data;
};

static uint32_t list_pairs(struct run *run, const struct pairs *pairs, const struct nacre_osd_step *step,
			   uint64_t keys, uint64_t bytes, struct nacre_osd_result *result)
{
	uint8_t *start = run->output.at;
	const struct pair *pair;

	TAILQ_FOREACH(pair, pairs, link) {
		struct nacre_key_value item = { .key = pair->key, .key_bytes = pair->key_bytes,
						.value = pair->value,
						.value_bytes = pair->value_bytes };

		if (step->op.op_flags & NACRE_OSD_OPF_NAMES)
			item.value_bytes = 0;
		if (step->op.name_size && compare(pair, step->name, step->op.name_size) <= 0)
			continue;
		if (!keys-- || (size_t)(run->output.at - start) +
					       nacre_encoded_bytes(nacre_key_value_desc(), &item) > bytes) {
			result->result_flags |= NACRE_OSD_RESULT_MORE;
			break;
		}
		nacre_encode(nacre_key_value_desc(), &run->output, &item);
	}
	result->output_size = (uint32_t)(run->output.at - start);
	return 0;
}

static uint32_t get_pair(struct run *run, const struct pairs *pairs, const struct nacre_osd_step *step,
			 struct nacre_osd_result *result)
{
	const struct pair *pair = find_pair(pairs, step->name, step->op.name_size);

	if (!pair)
		return ENODATA;
	nacre_put(&run->output, pair->value, pair->value_bytes);
	result->output_size = pair->value_bytes;
	return 0;
}

static bool is_in_group(const struct object *object, uint32_t pg)
{
	uint8_t bytes[NACRE_PLACEMENT_BYTES];

	nacre_placement_bytes(object->ino, object->index, object->pool, bytes);
	return nacre_placement_group(XXH64(bytes, sizeof(bytes), 0), MDST_PGS) == pg;
}

/* In no order, and all at once: enough for the few that a test has. */
static uint32_t list_objects(struct run *run, const struct nacre_osd_step *step,
			     struct nacre_osd_result *result)
{
	uint8_t *start = run->output.at;
	const struct object *object;

	TAILQ_FOREACH(object, &run->osd->objects, link) {
		struct nacre_oid oid = { object->ino, object->index, NACRE_SNAP_HEAD, object->pool };

		if (object->pool == run->request->pool && is_in_group(object, run->request->pg) &&
		    object->ino - step->op.offset < step->op.length)
			nacre_encode(nacre_oid_desc(), &run->output, &oid);
	}
	result->output_size = (uint32_t)(run->output.at - start);
	return 0;
}

static uint32_t read_op(struct run *run, struct object *object, const struct nacre_osd_step *step,
			struct nacre_osd_result *result)
{
	uint64_t end = step->op.offset + step->op.length;

	if (step->op.code == NACRE_OSD_OP_OBJECTS)
		return list_objects(run, step, result);
	if (!object)
		return ENOENT;
	result->size = object->size;
	switch (step->op.code) {
	case NACRE_OSD_OP_READ:
		if (end > object->size)
			end = object->size;
		if (step->op.offset < end) {
			result->data_size = (uint32_t)(end - step->op.offset);
			nacre_put(&run->data, object->data + step->op.offset, result->data_size);
		}
		return 0;
	case NACRE_OSD_OP_STAT:
		return 0;
	case NACRE_OSD_OP_GETXATTR:
		return get_pair(run, &object->attrs, step, result);
	case NACRE_OSD_OP_LISTXATTR:
		return list_pairs(run, &object->attrs, step, 1000, 1 << 18, result);
	case NACRE_OSD_OP_KV_GET:
		return get_pair(run, &object->keys, step, result);
	case NACRE_OSD_OP_KV_LIST:
		return list_pairs(run, &object->keys, step, step->op.length, step->op.offset, result);
	}
	return NACRE_E_UNSUPPORTED;
}

static uint32_t write_op(struct run *run, struct object *object, const struct nacre_osd_step *step)
{
	const struct nacre_osd_request *request = run->request;
	struct pair *pair;

	if (step->op.code == NACRE_OSD_OP_DELETE) {
		if (object)
			remove_object(run->osd, object);
		return object || (step->op.op_flags & NACRE_OSD_OPF_QUIET) ? 0 : ENOENT;
	}
	object = get(run->osd, request->pool, request->ino, request->index);
	switch (step->op.code) {
	case NACRE_OSD_OP_WRITE:
		if (step->op.offset + step->op.length > object->size)
			resize(object, step->op.offset + step->op.length);
		memcpy(object->data + step->op.offset, run->input_data + step->data_offset,
		       step->op.length);
		return 0;
	case NACRE_OSD_OP_TRUNCATE:
		resize(object, step->op.offset);
		return 0;
	case NACRE_OSD_OP_SETXATTR:
		set_pair(&object->attrs, step);
		return 0;
	case NACRE_OSD_OP_KV_SET:
		set_pair(&object->keys, step);
		return 0;
	case NACRE_OSD_OP_KV_RM:
		pair = find_pair(&object->keys, step->name, step->op.name_size);
		if (pair)
			remove_pair(&object->keys, pair);
		return 0;
	}
	return NACRE_E_UNSUPPORTED;
}

static void reply(struct run *run, struct conn *conn, uint32_t result)
{
	static uint8_t encoded[NACRE_OSD_OPS_MAX * sizeof(struct nacre_osd_result_wire)];
	struct nacre_writer w = nacre_writer(encoded, sizeof(encoded));
	struct iovec iov = { run->data.start, nacre_writer_bytes(&run->data) };
	struct payload payload = { .iov = &iov, .iov_count = 1, .bytes = (uint32_t)iov.iov_len };
	struct nacre_osd_reply body = {
		.tid = run->request->tid, .map_epoch = run->request->map_epoch, .result = result,
		.failed_op = result ? run->count - 1 : 0, .results = encoded,
		.output = run->output.start, .output_bytes = (uint32_t)nacre_writer_bytes(&run->output),
	};
	unsigned int i;

	for (i = 0; i < run->count; i++)
		nacre_encode(nacre_osd_result_desc(), &w, &run->results[i]);
	body.results_bytes = (uint32_t)nacre_writer_bytes(&w);
	conn_send(conn, NACRE_MSG_OSD_REPLY, &body, iov.iov_len ? &payload : NULL);
}

static bool is_refused(struct mdst_osd *osd, const struct nacre_osd_request *request)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;

	nacre_osd_cursor(&cursor, request);
	if (!osd->refusals || !nacre_osd_next(&cursor, &step) || step.op.code != osd->refused_code)
		return false;
	osd->refusals--;
	return true;
}

static void execute(struct mdst_osd *osd, struct conn *conn, struct message *message)
{
	static uint8_t output[1 << 19], data[4 << 20];
	struct run run = {
		.osd = osd, .request = &message->host.osd_request, .input_data = message->data,
		.output = nacre_writer(output, sizeof(output)),
		.data = nacre_writer(data, sizeof(data)),
	};
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	uint32_t result = 0;

	if (is_refused(osd, run.request)) {
		run.count = 1;
		run.results[0].result = osd->refused_result;
		reply(&run, conn, osd->refused_result);
		message_put(message);
		return;
	}
	nacre_osd_cursor(&cursor, run.request);
	while (!result && nacre_osd_next(&cursor, &step)) {
		struct nacre_osd_result *out = &run.results[run.count++];
		struct object *object = find(osd, run.request->pool, run.request->ino,
					     run.request->index);

		osd->ops[step.op.code]++;
		result = nacre_osd_op_writes(step.op.code) ? write_op(&run, object, &step) :
							     read_op(&run, object, &step, out);
		out->result = result;
	}
	osd->changes += nacre_osd_request_writes(run.request);
	if (conn_is_open(conn))
		reply(&run, conn, result);
	message_put(message);
}

/* Is it dead, or about to die with this request? */
static bool dies(struct mdst_osd *osd, const struct nacre_osd_request *request)
{
	if (!osd->limited)
		return false;
	if (!osd->changes_left)
		return true;
	if (nacre_osd_request_writes(request))
		osd->changes_left--;
	return false;
}

static void came(void *owner, struct conn *conn, struct message *message)
{
	struct mdst_osd *osd = owner;
	struct held *held;

	if (message->type == NACRE_MSG_OSD_STATFS) {
		struct nacre_osd_statfs statfs = { .tid = message->host.osd_statfs_req.tid,
						   .bytes_total = 1 << 30, .bytes_free = 1 << 29,
						   .objects = 7 };

		conn_send(conn, NACRE_MSG_OSD_STATFS_REPLY, &statfs, NULL);
		message_put(message);
	} else if (message->type != NACRE_MSG_OSD_REQUEST ||
		   dies(osd, &message->host.osd_request)) {
		message_put(message);
	} else if (osd->hold_ino && message->host.osd_request.ino == osd->hold_ino) {
		held = calloc(1, sizeof(*held));
		held->conn = conn_get(conn);
		held->message = message;
		TAILQ_INSERT_TAIL(&osd->held, held, link);
	} else {
		execute(osd, conn, message);
	}
}

static void opened(void *owner, struct conn *conn)
{
}

static void closed(void *owner, struct conn *conn, int reason)
{
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static void lost(void *owner)
{
}

struct mdst_osd *mdst_osd_create(struct sim_world *world, struct sim_store *store)
{
	static const struct msgr_handler handler = { opened, came, closed };
	struct mdst_osd *osd = calloc(1, sizeof(*osd));
	struct io_address address;
	struct msgr_config config = { .name = "osd0", .role = NACRE_ROLE_OSD,
				      .time_scale_percent = 100, .handler = &handler,
				      .owner = osd };

	osd->host = sim_host_add(world, "osd0");
	TAILQ_INIT(&osd->objects);
	TAILQ_INIT(&osd->held);
	config.io = sim_host_io(osd->host);
	assert(!msgr_create(&config, &osd->msgr));
	msgr_set_instance(osd->msgr, MDST_OSD_INSTANCE);
	address = mdst_osd_address(osd);
	assert(!msgr_listen(osd->msgr, &address));
	osd->store = sim_store_open(store, config.io);
	assert(!mapstore_lease_hold(osd->store, "osd0", MDST_OSD_INSTANCE, 5 * SIM_NS_PER_S, lost,
				    osd));
	return osd;
}

struct io_address mdst_osd_address(const struct mdst_osd *osd)
{
	struct io_address address = osd->host->address;

	address.port = MDST_OSD_PORT;
	return address;
}

static void drop_held(struct mdst_osd *osd, bool run)
{
	struct held *held;

	while ((held = TAILQ_FIRST(&osd->held))) {
		TAILQ_REMOVE(&osd->held, held, link);
		if (run)
			execute(osd, held->conn, held->message);
		else
			message_put(held->message);
		conn_put(held->conn);
		free(held);
	}
}

void mdst_osd_destroy(struct mdst_osd *osd)
{
	struct object *object;

	drop_held(osd, false);
	while ((object = TAILQ_FIRST(&osd->objects)))
		remove_object(osd, object);
	mapstore_destroy(osd->store);
	msgr_destroy(osd->msgr);
	free(osd);
}

void mdst_osd_hold(struct mdst_osd *osd, uint64_t ino)
{
	osd->hold_ino = ino;
	if (!ino)
		drop_held(osd, true);
}

void mdst_osd_die_after(struct mdst_osd *osd, unsigned int changes)
{
	osd->limited = true;
	osd->changes_left = changes;
}

void mdst_osd_revive(struct mdst_osd *osd)
{
	osd->limited = false;
}

bool mdst_osd_is_dead(const struct mdst_osd *osd)
{
	return osd->limited && !osd->changes_left;
}

void mdst_osd_refuse(struct mdst_osd *osd, enum nacre_osd_op_code code, unsigned int times,
		     uint32_t result)
{
	osd->refused_code = code;
	osd->refusals = times;
	osd->refused_result = result;
}

unsigned int mdst_osd_ordinary(const struct mdst_osd *osd)
{
	const struct object *object;
	unsigned int count = 0;

	TAILQ_FOREACH(object, &osd->objects, link)
		count += object->ino >= NACRE_INO_FIRST(0);
	return count;
}

void mdst_osd_lose(struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index)
{
	struct object *object = find(osd, pool, ino, index);

	assert(object);
	remove_object(osd, object);
}

unsigned int mdst_osd_changes(const struct mdst_osd *osd)
{
	return osd->changes;
}

unsigned int mdst_osd_ops(const struct mdst_osd *osd, enum nacre_osd_op_code code)
{
	return osd->ops[code];
}

bool mdst_osd_exists(const struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index)
{
	return find(osd, pool, ino, index);
}

static unsigned int keys_of(const struct object *object)
{
	const struct pair *pair;
	unsigned int count = 0;

	TAILQ_FOREACH(pair, &object->keys, link)
		count++;
	return count;
}

unsigned int mdst_osd_keys(const struct mdst_osd *osd, uint32_t pool, uint64_t ino)
{
	const struct object *object;
	unsigned int count = 0;

	TAILQ_FOREACH(object, &osd->objects, link)
		if (object->pool == pool && object->ino == ino)
			count += keys_of(object);
	return count;
}

unsigned int mdst_osd_keys_max(const struct mdst_osd *osd, uint32_t pool, uint64_t ino)
{
	const struct object *object;
	unsigned int most = 0;

	TAILQ_FOREACH(object, &osd->objects, link)
		if (object->pool == pool && object->ino == ino && keys_of(object) > most)
			most = keys_of(object);
	return most;
}

unsigned int mdst_osd_objects(const struct mdst_osd *osd, uint32_t pool, uint64_t ino)
{
	const struct object *object;
	unsigned int count = 0;

	TAILQ_FOREACH(object, &osd->objects, link)
		count += object->pool == pool && object->ino == ino;
	return count;
}

bool mdst_osd_has_attr(const struct mdst_osd *osd, uint32_t pool, uint64_t ino, const char *name)
{
	const struct object *object = find(osd, pool, ino, 0);

	return object &&
	       find_pair(&object->attrs, (const uint8_t *)name, (uint32_t)strlen(name));
}

void mdst_osd_put(struct mdst_osd *osd, uint32_t pool, uint64_t ino, uint64_t index, uint64_t bytes)
{
	resize(get(osd, pool, ino, index), bytes);
}

void mdst_osd_mark(struct mdst_osd *osd, uint64_t ino, const char *name)
{
	set_pair(&get(osd, NACRE_POOL_DATA, ino, 0)->attrs,
		 &(struct nacre_osd_step){ .op.name_size = (uint32_t)strlen(name), .name = (const void *)name });
}
