// SPDX-License-Identifier: GPL-2.0
/*
 * Random requests against a simple model, with crashes at any moment: after each
 * the store must hold what some prefix of the submitted transactions left, and no
 * shorter one than what was durable. Torn and lost writes come from the simulated
 * disk; of the keys that were not flushed a random prefix survives. Some of the objects are snapshots, and all of them are cloned at times: what
 * blocks they share, and how often, is checked after each crash, with all else that a check finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <xxhash.h>
#include "osd_store_rig.h"

#define OBJECTS 8
#define SNAPSHOTS 2			/* the last of them: of the first ones */
#define BYTES (96u << 10)		/* of the largest object */
#define BLOCKS (BYTES / OSD_BLOCK_BYTES)
#define NAMES 4

/* What an object should be. */
struct model_object {
	bool exists;
	uint32_t size;
	uint8_t attrs[NAMES], keys[NAMES];	/* value, 0 = absent */
	uint8_t blocks[BLOCKS];		/* enum osd_block_state */
	uint8_t bytes[BYTES];
};

struct model {
	struct model_object objects[OBJECTS];
};

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

/* Where the bytes of writes go: the journal, fresh blocks, or one or the other, by chance. */
enum mode { MODE_DATA, MODE_COW, MODE_MIXED };

static struct rig rig;
static enum mode mode;
static uint64_t direct_bytes, space_waits, discarded;	/* of all histories of a test */
static struct sim_random dice;

/* Models after transactions not yet known to be durable; [0] is durable. */
#define HISTORY_MAX 64
static struct model history[HISTORY_MAX];
static unsigned int history_count;
static uint64_t history_first;		/* transactions before history[0] */

static uint64_t digest(const struct model *model)
{
	const struct model_object *o;
	uint64_t hash = 0;
	int i;

	for (i = 0; i < OBJECTS; i++) {
		o = &model->objects[i];
		hash = XXH64(&o->exists, sizeof(o->exists), hash);
		if (!o->exists)
			continue;
		hash = XXH64(&o->size, sizeof(o->size), hash);
		hash = XXH64(o->attrs, sizeof(o->attrs), hash);
		hash = XXH64(o->keys, sizeof(o->keys), hash);
		hash = XXH64(o->blocks, sizeof(o->blocks), hash);
		hash = XXH64(o->bytes, o->size, hash);
	}
	return hash;
}

/* ---- one random request, on the model and as a request ----------------------------- */

static void name_of(int n, char name[4])
{
	snprintf(name, 4, "n%d", n);
}

static void grow(struct model_object *o, uint32_t size)
{
	o->exists = true;
	if (size > o->size)
		o->size = size;
}

static uint32_t up(uint32_t bytes)
{
	return (bytes + OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES;
}

static void model_put(struct model_object *o, uint32_t offset, uint32_t length, uint8_t value)
{
	memset(o->bytes + offset, value, length);
	if (length)
		memset(o->blocks + offset / OSD_BLOCK_BYTES, OSD_BLOCK_WRITTEN,
		       up(offset + length) - offset / OSD_BLOCK_BYTES);
	grow(o, offset + length);
}

/* Blocks that are zeroed in whole become holes; the last one is whole if what lies behind it is zeros. */
static void model_zero(struct model_object *o, uint32_t offset, uint32_t length)
{
	uint32_t end = offset + length, i;

	if (offset < o->size)
		memset(o->bytes + offset, 0, end < o->size ? length : o->size - offset);
	if (end >= o->size && end < up(o->size) * OSD_BLOCK_BYTES)
		end = up(o->size) * OSD_BLOCK_BYTES;
	for (i = up(offset); i < end / OSD_BLOCK_BYTES && i < BLOCKS; i++)
		o->blocks[i] = OSD_BLOCK_HOLE;
}

static void model_allocate(struct model_object *o, uint32_t offset, uint32_t length, bool zero, bool keep)
{
	uint32_t i, at;

	if (zero)
		memset(o->bytes + offset, 0, length);
	for (i = offset / OSD_BLOCK_BYTES; i < up(offset + length); i++) {
		at = i * OSD_BLOCK_BYTES;
		if (o->blocks[i] == OSD_BLOCK_HOLE ||
		    (zero && at >= offset && at + OSD_BLOCK_BYTES <= offset + length))
			o->blocks[i] = OSD_BLOCK_UNWRITTEN;
	}
	grow(o, keep ? 0 : offset + length);
}

static void model_cut(struct model_object *o, uint32_t size)
{
	if (size < o->size)
		model_zero(o, size, o->size - size);
	memset(o->blocks + up(size), OSD_BLOCK_HOLE, BLOCKS - up(size));
	o->size = size;
	o->exists = true;
}

static void add_write(struct rig_request *r, struct model_object *o)
{
	uint32_t offset = (uint32_t)sim_below(&dice, BYTES);
	uint32_t length = 1 + (uint32_t)sim_below(&dice, sim_below(&dice, 3) ? 6000 : BYTES);
	uint8_t value = (uint8_t)sim_below(&dice, 256);

	if (sim_below(&dice, 3) == 0)
		offset &= ~4095u;
	if (length > BYTES - offset)
		length = BYTES - offset;
	model_put(o, offset, length, value);
	rig_data_op(r, NACRE_OSD_OP_WRITE, offset, o->bytes + offset, length);
}

static void add_named(struct rig_request *r, struct model_object *o, int what)
{
	int n = (int)sim_below(&dice, NAMES);
	uint8_t value = (uint8_t)(1 + sim_below(&dice, 255));
	char name[4];

	name_of(n, name);
	switch (what) {
	case 0:
		rig_op(r, NACRE_OSD_OP_SETXATTR, 0, name, 2, &value, 1, 0, 0);
		o->attrs[n] = value;
		o->exists = true;
		break;
	case 1:
		rig_op(r, NACRE_OSD_OP_RMXATTR, NACRE_OSD_OPF_QUIET, name, 2, NULL, 0, 0, 0);
		o->attrs[n] = 0;
		break;
	case 2:
		rig_op(r, NACRE_OSD_OP_KV_SET, 0, name, 2, &value, 1, 0, 0);
		o->keys[n] = value;
		o->exists = true;
		break;
	case 3:
		rig_op(r, NACRE_OSD_OP_KV_RM, 0, name, 2, NULL, 0, 0, 0);
		o->keys[n] = 0;
		break;
	default:
		rig_op(r, NACRE_OSD_OP_KV_CLEAR, 0, NULL, 0, NULL, 0, 0, 0);
		memset(o->keys, 0, sizeof(o->keys));
	}
}

static bool is_snapshot(int n)
{
	return n >= OBJECTS - SNAPSHOTS;
}

static struct osd_object_key key_of(int n)
{
	return (struct osd_object_key){
		.ino = 100 + (uint64_t)(is_snapshot(n) ? n - (OBJECTS - SNAPSHOTS) : n),
		.snap = is_snapshot(n) ? 7 : NACRE_SNAP_HEAD, .pool = 1,
	};
}

static void request_for(struct rig_request *r, int n)
{
	struct osd_object_key key = key_of(n);

	rig_request(&rig, r, key.ino, 0);
	r->head.snap = key.snap;
}

static void add_clone(struct rig_request *r, struct model *model, int to)
{
	int from = (int)sim_below(&dice, OBJECTS);
	struct nacre_oid oid = { .ino = key_of(from).ino, .snap = key_of(from).snap, .pool = 1 };
	struct mem_bytes value = { 0 };

	if (from == to || !model->objects[from].exists || (is_snapshot(to) && model->objects[to].exists))
		return;
	osd_disk_append(&value, nacre_oid_desc(), &oid);
	rig_op(r, NACRE_OSD_OP_CLONE, 0, NULL, 0, value.at, value.length, 0, 0);
	mem_bytes_free(&value);
	model->objects[to] = model->objects[from];
}

static void add_allocate(struct rig_request *r, struct model_object *o, uint32_t offset)
{
	uint32_t length = 1 + (uint32_t)sim_below(&dice, BYTES - offset);
	bool zero = sim_below(&dice, 2), keep = sim_below(&dice, 2);
	uint16_t flags = (zero ? NACRE_OSD_OPF_ZERO : 0) | (keep ? NACRE_OSD_OPF_KEEP : 0);

	rig_op(r, NACRE_OSD_OP_ALLOCATE, flags, NULL, 0, NULL, 0, offset, length);
	model_allocate(o, offset, length, zero, keep);
}

static void add_random(struct rig_request *r, struct model *model, int n)
{
	struct model_object *o = &model->objects[n];
	uint32_t offset = (uint32_t)sim_below(&dice, BYTES), length;

	switch (sim_below(&dice, 13)) {
	case 0: case 1: case 2: case 3:
		add_write(r, o);
		break;
	case 4:
		model_cut(o, 0);
		model_put(o, 0, offset, (uint8_t)offset);
		rig_data_op(r, NACRE_OSD_OP_WRITE_FULL, 0, o->bytes, offset);
		break;
	case 5:
		length = 1 + (uint32_t)sim_below(&dice, 20000);
		rig_op(r, NACRE_OSD_OP_ZERO, 0, NULL, 0, NULL, 0, offset, length);
		model_zero(o, offset, length);
		break;
	case 6:
		rig_op(r, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, offset, 0);
		model_cut(o, offset);
		break;
	case 7:
		rig_op(r, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
		memset(o, 0, sizeof(*o));
		break;
	case 8:
		add_clone(r, model, n);
		break;
	case 9:
		add_allocate(r, o, offset);
		break;
	default:
		add_named(r, o, (int)sim_below(&dice, 5));
	}
}

/* A snapshot is made, or removed, or both. */
static void add_for_snapshot(struct rig_request *r, struct model *model, int n)
{
	if (sim_below(&dice, 2)) {
		rig_op(r, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
		memset(&model->objects[n], 0, sizeof(model->objects[n]));
	}
	add_clone(r, model, n);
	rig_op(r, NACRE_OSD_OP_CMPSIZE, 0, NULL, 0, NULL, 0, 0, model->objects[n].size);	/* never empty */
}

static void step(void)
{
	struct model *model = &history[history_count];
	int n = (int)sim_below(&dice, OBJECTS), ops = 1 + (int)sim_below(&dice, 3);
	struct rig_request r;
	uint64_t before;

	rig.mode = mode == MODE_COW || (mode == MODE_MIXED && sim_below(&dice, 2)) ?
		   &osd_journal_mode_cow : &osd_journal_mode_data;
	*model = history[history_count - 1];
	request_for(&r, n);
	while (ops-- && !is_snapshot(n))
		add_random(&r, model, n);
	if (is_snapshot(n))
		add_for_snapshot(&r, model, n);
	else
		rig_op(&r, NACRE_OSD_OP_KV_RM, 0, "x", 1, NULL, 0, 0, 0);	/* never empty */
	before = rig.submitted;
	assert_int_equal(rig_run(&rig, &r, NULL, false), 0);
	history_count += rig.submitted != before;	/* nothing of a snapshot may be to be changed */
}

/* ---- reading it all back ----------------------------------------------------------------- */

static void read_named(struct rig_reply *reply, int op, uint8_t *values)
{
	struct nacre_key_value pair;
	struct nacre_reader reader;
	size_t at = 0;
	int i;

	for (i = 0; i < op; i++)
		at += reply->results[i].output_size;
	reader = nacre_reader(reply->output.at + at, reply->results[op].output_size);
	while (nacre_reader_left(&reader)) {
		assert_int_equal(nacre_decode(nacre_key_value_desc(), &reader, &pair), 0);
		values[pair.key[1] - '0'] = pair.value[0];
	}
}

static void read_blocks(int n, struct model_object *o)
{
	struct nacre_osd_extent extent;
	struct nacre_reader reader;
	struct rig_request r;
	struct rig_reply reply;

	request_for(&r, n);
	rig_op(&r, NACRE_OSD_OP_MAP, 0, NULL, 0, NULL, 0, 0, NACRE_OBJECT_MAX);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	reader = nacre_reader(reply.output.at, reply.output.length);
	while (nacre_reader_left(&reader)) {
		assert_int_equal(nacre_decode(nacre_osd_extent_desc(), &reader, &extent), 0);
		assert_true(extent.length && extent.offset + extent.length <= BYTES);
		memset(o->blocks + extent.offset / OSD_BLOCK_BYTES,
		       extent.extent_flags ? OSD_BLOCK_UNWRITTEN : OSD_BLOCK_WRITTEN,
		       extent.length / OSD_BLOCK_BYTES);
	}
	rig_reply_free(&reply);
}

static void read_object(int n, struct model_object *o)
{
	struct rig_request r;
	struct rig_reply reply;

	memset(o, 0, sizeof(*o));
	request_for(&r, n);
	rig_op(&r, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	if (rig_run(&rig, &r, &reply, true)) {
		rig_reply_free(&reply);
		return;
	}
	o->exists = true;
	o->size = (uint32_t)reply.results[0].size;
	rig_reply_free(&reply);
	request_for(&r, n);
	rig_op(&r, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, BYTES);
	rig_op(&r, NACRE_OSD_OP_LISTXATTR, 0, NULL, 0, NULL, 0, 0, 0);
	rig_op(&r, NACRE_OSD_OP_KV_LIST, 0, NULL, 0, NULL, 0, 10000, 100);
	assert_int_equal(rig_run(&rig, &r, &reply, true), 0);
	assert_int_equal(reply.data.length, o->size);
	if (o->size)
		memcpy(o->bytes, reply.data.at, o->size);
	read_named(&reply, 1, o->attrs);
	read_named(&reply, 2, o->keys);
	read_blocks(n, o);
	rig_reply_free(&reply);
}

/* Which of the history's states is this? Fails the test if it is none of them. */
static void find_state(uint64_t seed)
{
	static struct model now;
	uint64_t found, first = rig.durable - history_first;
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		read_object((int)i, &now.objects[i]);
	found = digest(&now);
	for (i = (unsigned int)first; i < history_count; i++)
		if (digest(&history[i]) == found)
			break;
	if (i == history_count)
		fail_msg("seed %llu: no prefix of %u transactions at or behind %llu fits",
			 (unsigned long long)seed, history_count - 1, (unsigned long long)first);
	history[0] = history[i];
	history_count = 1;
	rig.submitted = rig.durable = history_first = history_first + i;
}

/* Everything durable: the history shrinks to its end. */
static bool all_durable(struct rig *r)
{
	return r->durable == r->submitted;
}

static void settle(void)
{
	rig_until(&rig, all_durable);
	history[0] = history[history_count - 1];
	history_count = 1;
	history_first = rig.durable;
}

static void one_history(uint64_t seed, enum sim_crash kind)
{
	int life, i;

	/* in a small one blocks that rest are soon all that are free */
	rig_create(&rig, seed, seed % 4 ? 12 << 20 : 5 << 20, seed % 4 ? 2 << 20 : 1 << 20);
	rig.backlog_bytes = seed % 3 ? 0 : 512 << 10;
	rig.direct_bytes = seed % 2 ? 1 : 8 << 10;
	rig.pipeline_bytes = seed / 3 % 2;	/* one record for each transaction, up to OSD_WRITING_MAX of them under way */
	rig.discard = seed / 2 % 2;
	rig.discard_bytes = 4096u << seed % 3;
	dice = sim_random_from(seed);
	memset(history, 0, sizeof(history[0]));
	history_count = 1;
	history_first = 0;
	assert_int_equal(rig_format(&rig, false), 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	for (life = 0; life < 5; life++) {
		for (i = (int)sim_below(&dice, 120); i > 0; i--) {
			step();
			if (sim_below(&dice, 4) == 0)
				sim_run(rig.world, rig.world->now_ns +
					sim_below(&dice, 3000) * SIM_NS_PER_US);
			if (history_count == HISTORY_MAX - 1 || sim_below(&dice, 10) == 0)
				settle();
		}
		sim_run(rig.world, rig.world->now_ns + sim_below(&dice, 3000) * SIM_NS_PER_US);
		direct_bytes += rig.store->stats->bytes_direct;
		space_waits += rig.store->stats->space_waits;
		discarded += rig.store->stats->bytes_discarded;
		rig_crash_and_check(&rig, kind, (unsigned int)sim_below(&dice, 5));
		find_state(seed);
	}
	rig_destroy(&rig);
}

static unsigned int seeds(unsigned int usual)
{
	const char *wanted = getenv("SEEDS");

	return wanted ? (unsigned int)atoi(wanted) : usual;
}

static void histories(enum mode how, enum sim_crash kind, uint64_t first, unsigned int usual)
{
	uint64_t seed;

	mode = how;
	direct_bytes = space_waits = discarded = 0;
	for (seed = first + 1; seed <= first + seeds(usual); seed++)
		one_history(seed, kind);
	assert_int_equal(!!direct_bytes, how != MODE_DATA);
	assert_true(discarded);
	printf("%llu bytes direct, %llu waits, %llu bytes discarded\n", (unsigned long long)direct_bytes,
	       (unsigned long long)space_waits, (unsigned long long)discarded);
}

static void test_kill_at_any_time(void **state)
{
	histories(MODE_DATA, SIM_CRASH_KILL, 0, 40);
}

static void test_power_loss_at_any_time(void **state)
{
	histories(MODE_DATA, SIM_CRASH_POWER, 1000, 80);
}

static void test_kill_with_direct_writes(void **state)
{
	histories(MODE_COW, SIM_CRASH_KILL, 2000, 40);
}

static void test_power_loss_with_direct_writes(void **state)
{
	histories(MODE_COW, SIM_CRASH_POWER, 3000, 80);
}

static void test_kill_with_changing_modes(void **state)
{
	histories(MODE_MIXED, SIM_CRASH_KILL, 4000, 40);
}

static void test_power_loss_with_changing_modes(void **state)
{
	histories(MODE_MIXED, SIM_CRASH_POWER, 5000, 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_at_any_time),
		cmocka_unit_test(test_power_loss_at_any_time),
		cmocka_unit_test(test_kill_with_direct_writes),
		cmocka_unit_test(test_power_loss_with_direct_writes),
		cmocka_unit_test(test_kill_with_changing_modes),
		cmocka_unit_test(test_power_loss_with_changing_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
