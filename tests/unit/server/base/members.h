/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Members of one small cluster on a `dir:` store, all on the test's ring: start, crash,
 * leave, and rows of the map as one of them knows it.
 */
#ifndef NACRE_TEST_MEMBERS_H
#define NACRE_TEST_MEMBERS_H

#include <errno.h>
#include "run.h"
#include "maps.h"
#include "server/base/mapstore.h"
#include "server/base/member.h"

#define LEASE_MS 300
#define OUT_AFTER_MS 60000		/* longer than any test */
#define DAEMONS 5

struct daemon_under_test {
	struct fixture *f;
	struct msgr *msgr;
	struct mapstore *store;
	struct member *member;
	uint64_t instance, epoch;
	bool joined, fenced, failed, left;
	unsigned int maps;
	int result;
	char reason[256];
};

struct fixture {
	struct io *io;
	char *folder;
	char url[128];
	struct log *log;
	struct daemon_under_test d[DAEMONS];
};

static inline void on_joined(void *owner, uint64_t instance)
{
	struct daemon_under_test *d = owner;

	assert_true(d->maps > 0);
	assert_true(member_lease_valid(d->member));
	d->instance = instance;
	d->joined = true;
}

static inline void on_map(void *owner, struct cluster_map *map)
{
	struct daemon_under_test *d = owner;

	assert_true(map->view.epoch > d->epoch);
	d->epoch = map->view.epoch;
	d->maps++;
}

static inline void on_fenced(void *owner, const char *reason)
{
	struct daemon_under_test *d = owner;

	assert_false(d->fenced);
	assert_false(member_lease_valid(d->member));
	d->fenced = true;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static inline void on_failed(void *owner, int result, const char *reason)
{
	struct daemon_under_test *d = owner;

	d->failed = true;
	d->result = result;
	snprintf(d->reason, sizeof(d->reason), "%s", reason);
}

static const struct member_handler member_handler = { on_joined, on_map, on_fenced, on_failed };

static inline void no_opened(void *owner, struct conn *conn)
{
}

static inline void no_message(void *owner, struct conn *conn, struct message *message)
{
	message_put(message);
}

static inline void no_closed(void *owner, struct conn *conn, int reason)
{
}

static const struct msgr_handler msgr_handler = { no_opened, no_message, no_closed };

static inline void start_with_store(struct fixture *f, int slot, enum nacre_role role, uint16_t id,
			     uint64_t store_lo)
{
	struct daemon_under_test *d = &f->d[slot];
	struct msgr_config msgr_config = {
		.io = f->io, .name = "x", .role = role, .id = id, .handler = &msgr_handler, .owner = d,
	};
	struct member_config config = {
		.io = f->io, .role = role, .id = id, .store_lo = store_lo, .store_hi = 1,
		.time_scale_percent = 100, .lease_ms = LEASE_MS, .out_after_ms = OUT_AFTER_MS, .handler = &member_handler,
		.owner = d, .log = f->log,
	};
	const char *error;
	char name[16];

	snprintf(name, sizeof(name), "%s%u", role == NACRE_ROLE_OSD ? "osd" : "mds", id);
	memset(d, 0, sizeof(*d));
	d->f = f;
	assert_int_equal(mapstore_open(f->io, f->url, &d->store, &error), 0);
	assert_int_equal(msgr_create(&msgr_config, &d->msgr), 0);
	config.name = name;
	config.store = d->store;
	config.msgr = d->msgr;
	assert_int_equal(io_address_parse("10.1.2.3", (uint16_t)(7300 + slot), &config.address), 0);
	assert_int_equal(member_start(&config, &d->member), 0);
}

static inline void start(struct fixture *f, int slot, enum nacre_role role, uint16_t id)
{
	start_with_store(f, slot, role, id, 100u + id);
}

/* Without leaving, as a crash would (but for the file lock, which ends with the store). */
static inline void crash(struct fixture *f, int slot)
{
	struct daemon_under_test *d = &f->d[slot];

	if (!d->member)
		return;
	member_destroy(d->member);
	mapstore_destroy(d->store);
	msgr_destroy(d->msgr);
	d->member = NULL;
	d->store = NULL;
}

static inline void on_left(void *owner)
{
	((struct daemon_under_test *)owner)->left = true;
}

static inline void leave(struct fixture *f, int slot)
{
	member_leave(f->d[slot].member, on_left, &f->d[slot]);
	run_until_set(f->io, &f->d[slot].left);
	crash(f, slot);
}

static inline void put_map(struct fixture *f, struct mapedit *edit);

static inline void setup(struct fixture *f, unsigned int osds, uint8_t replicas, unsigned int ranks)
{
	struct mapedit *edit = maps_edit(osds, replicas);

	memset(f, 0, sizeof(*f));
	f->io = run_loop();
	f->folder = run_folder();
	snprintf(f->url, sizeof(f->url), "dir:%s", f->folder);
	f->log = getenv("TEST_LOG") ? log_create(NULL, "test", LOG_DEBUG) : NULL;
	for (unsigned int i = 0; i < ranks; i++)
		edit->ranks[edit->rank_count++] = (struct nacre_map_rank){ .rank = (uint16_t)i };
	put_map(f, edit);
}

static inline void on_put(void *owner, int result)
{
	assert_int_equal(result, 0);
	*(bool *)owner = true;
}

static inline void put_map(struct fixture *f, struct mapedit *edit)
{
	struct mapstore *store;
	const char *error;
	bool done = false;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(mapstore_open(f->io, f->url, &store, &error), 0);
	assert_int_equal(mapedit_encode(edit, &bytes, &length), 0);
	mapstore_swap(store, edit->head.epoch, bytes, length, on_put, &done);
	run_until_set(f->io, &done);
	mapstore_destroy(store);
	mapedit_free(edit);
	free(bytes);
}

static inline void teardown(struct fixture *f)
{
	for (int i = 0; i < DAEMONS; i++)
		crash(f, i);
	run_ms(f->io, 10);
	loop_destroy(f->io);
	log_destroy(f->log);
	run_folder_remove(f->folder);
}

static inline struct nacre_map_osd osd_row(struct fixture *f, int slot, uint32_t id)
{
	struct nacre_map_osd osd;

	assert_int_equal(nacre_map_osd_at(&member_map(f->d[slot].member)->view, id, &osd), 0);
	return osd;
}

static inline struct nacre_map_rank rank_row(struct fixture *f, int slot, uint32_t id)
{
	struct nacre_map_rank rank;

	assert_int_equal(nacre_map_rank_at(&member_map(f->d[slot].member)->view, id, &rank), 0);
	return rank;
}

#endif
