/* SPDX-License-Identifier: GPL-2.0 */
/* The world of the tests of the rank; see mdst.h. */
#include "mdst.h"
#include "server/base/mapedit.h"

#define FSID_LO 0x1234
#define FSID_HI 0x5678

/* ---- the rank --------------------------------------------------------------------------------------------- */

static void active(void *owner)
{
	struct mdst *t = owner;

	t->active = true;
}

static void fenced(void *owner, const char *reason)
{
	struct mdst *t = owner;

	t->ended = true;
}

static void failed(void *owner, int result, const char *reason)
{
	struct mdst *t = owner;

	print_message("the rank failed: %s\n", reason);
	t->ended = true;
}

static void log_sink(void *owner, enum log_level level, const char *line)
{
	if (getenv("MDST_LOG"))
		print_message("%s\n", line);
}

void mdst_start_only(struct mdst *t)
{
	static const struct mds_events events = { active, fenced, failed };
	struct mds_config config = {
		.io = sim_host_io(t->host), .log = t->log, .listen = t->host->address,
		.name = "mds0", .time_scale_percent = 100, .lease_ms = 1000,
		.session_lease_ms = MDST_LEASE_MS, .reconnect_ms = 2000, .revoke_warn_ms = 1000,
		.revoke_evict_ms = 5000, .cache_inodes = t->cache_inodes,
		.journal_bytes = t->journal_bytes, .dir_split = t->dir_split, .events = &events, .owner = t,
	};

	config.listen.port = NACRE_DEFAULT_PORT;
	t->active = t->ended = false;
	t->mapstore = sim_store_open(t->store, config.io);
	config.store = t->mapstore;
	assert_int_equal(mds_create(&config, &t->mds), 0);
}

static bool is_active(void *owner)
{
	struct mdst *t = owner;

	return t->active || t->ended;
}

void mdst_start(struct mdst *t)
{
	mdst_start_only(t);
	mdst_until(t, is_active, t);
	assert_true(t->active);
}

void mdst_crash(struct mdst *t)
{
	mds_destroy(t->mds);
	mapstore_destroy(t->mapstore);
	t->mds = NULL;
	t->active = false;
}

/* ---- the world ----------------------------------------------------------------------------------------------- */

void mdst_until(struct mdst *t, bool (*is)(void *owner), void *owner)
{
	uint64_t limit = t->world->now_ns + MDST_PATIENCE_NS;

	while (!is(owner)) {
		if (t->world->now_ns >= limit)
			fail_msg("it never happened");
		sim_run(t->world, t->world->now_ns + SIM_NS_PER_MS / 10);
	}
}

void mdst_run_ms(struct mdst *t, uint64_t ms)
{
	sim_run(t->world, t->world->now_ns + ms * SIM_NS_PER_MS);
}

static uint64_t half(const uint8_t *bytes)
{
	uint64_t value = 0;
	int i;

	for (i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void add_pool(struct mapedit *edit, uint32_t id)
{
	edit->pools[id] = (struct nacre_map_pool){
		.id = id, .pg_count = MDST_PGS, .replicas = 1, .min_size = 1,
		.object_bytes = 64 << 10, .pg_first = id * MDST_PGS,
	};
	edit->pool_count = id + 1;
	assert_int_equal(mapedit_place_pool(edit, id), 0);
}

static void first_map(struct mdst *t)
{
	struct io_address address = mdst_osd_address(t->osd);
	struct mapedit *edit = mapedit_open(NULL);
	uint8_t *bytes;
	size_t length;

	edit->head.fsid_lo = FSID_LO;
	edit->head.fsid_hi = FSID_HI;
	edit->head.next_instance = MDST_OSD_INSTANCE + 1;
	edit->osds[0] = (struct nacre_map_osd){
		.instance = MDST_OSD_INSTANCE, .address_hi = half(address.ip),
		.address_lo = half(address.ip + 8), .port = address.port,
		.flags = NACRE_OSD_UP | NACRE_OSD_IN, .weight = 0x10000,
	};
	edit->osd_count = 1;
	edit->rank_count = 1;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = NACRE_INO_ROOT };
	edit->subtree_count = 1;
	add_pool(edit, NACRE_POOL_META);
	add_pool(edit, NACRE_POOL_DATA);
	/* for files that are made with NACRE_RECORD_INLINE */
	edit->head.features = NACRE_FEATURE_BASE | NACRE_FEATURE_INLINE;
	edit->pools[NACRE_POOL_DATA].inline_units = NACRE_INLINE_MAX / NACRE_INLINE_UNIT;
	assert_int_equal(mapedit_encode(edit, &bytes, &length), 0);
	sim_store_set_map(t->store, edit->head.epoch, bytes, length);
	free(bytes);
	mapedit_free(edit);
}

int mdst_setup(void **state)
{
	struct mdst *t = calloc(1, sizeof(*t));

	t->world = sim_world_create(1);
	t->store = sim_store_create(t->world);
	t->osd = mdst_osd_create(t->world, t->store);
	t->host = sim_host_add(t->world, "mds0");
	t->log = log_create(NULL, "mds0", LOG_INFO);
	log_set_sink(t->log, log_sink, t);
	t->cache_inodes = 10000;
	t->journal_bytes = 8 << 20;
	first_map(t);
	mdst_start(t);
	*state = t;
	return 0;
}

int mdst_teardown(void **state)
{
	struct mdst *t = *state;

	if (t->mds)
		mdst_crash(t);
	sim_run(t->world, t->world->now_ns + SIM_NS_PER_S);
	mdst_osd_destroy(t->osd);
	sim_run(t->world, t->world->now_ns + SIM_NS_PER_S);
	log_destroy(t->log);
	sim_store_destroy(t->store);
	sim_world_destroy(t->world);
	free(t);
	return 0;
}
