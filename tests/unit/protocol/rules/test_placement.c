// SPDX-License-Identifier: GPL-2.0
/* The cluster map: lookup, fencing (FENCE-1), and that a map with anything wrong in it is refused. */
#include <xxhash.h>
#include "../cmocka_all.h"
#include "../samples.h"
#include "protocol/error.h"
#include "protocol/rules/placement.h"
#include "protocol/session.h"

static struct nacre_map map;
static struct nacre_map_view view;

static int setup(void **state)
{
	sample_map(&map);
	return nacre_map_view(&view, &map);
}

static void placement_hash_input(void **state)
{
	static const __u8 expect[24] = { 8, 7, 6, 5, 4, 3, 2, 1, 9, 0, 0, 0, 0, 0, 0, 0, 1 };
	__u8 bytes[NACRE_PLACEMENT_BYTES];

	nacre_placement_bytes(0x0102030405060708, 9, 1, bytes);
	assert_memory_equal(bytes, expect, 24);
	/* Fixed for ever: objects are found by it. */
	assert_int_equal(XXH64(bytes, sizeof(bytes), 0), 0x7461ccdd18872ec2ull);
	assert_int_equal(nacre_placement_group(0x1234567f, 64), 0x3f);
	assert_int_equal(nacre_placement_group(~0ull, 1), 0);
}

static void map_lookup(void **state)
{
	struct nacre_map_pg pg;
	struct nacre_map_pool pool;
	__u32 group;

	assert_int_equal(view.pool_count, 2);
	assert_int_equal(view.osd_count, 3);
	assert_int_equal(view.pg_count, 16);
	assert_int_equal(nacre_map_pool_at(&view, 1, &pool), 0);
	assert_int_equal(pool.pg_first, 8);
	assert_int_equal(nacre_map_pool_at(&view, 2, &pool), -ENOENT);
	assert_int_equal(nacre_map_pg_at(&view, 1, 0, &pg), 0);
	assert_int_equal(pg.osd0, 8 % 3);
	assert_int_equal(nacre_map_pg_at(&view, 1, 8, &pg), -ENOENT);
	assert_int_equal(nacre_map_pg_at(&view, 7, 0, &pg), -ENOENT);
	assert_int_equal(nacre_map_pg_of(&view, 1, 0xabcd, &group), 0);
	assert_int_equal(group, 5);
	assert_int_equal(nacre_map_pg_of(&view, 2, 0, &group), -ENOENT);
	assert_int_equal(nacre_pg_slot_of(&pg, 0), 1);
	assert_int_equal(nacre_pg_slot_of(&pg, NACRE_OSD_NONE), -1);
	assert_int_equal(nacre_map_subtree_rank(&view, NACRE_INO_ROOT), 0);
	assert_int_equal(nacre_map_subtree_rank(&view, 2), -ENOENT);
}

/* Change one element of an encoded table in place. */
#define EDIT(table, type, index, field, new_value)						\
	do {											\
		struct type edited;								\
		__u8 *at = (__u8 *)map.table + (index) * sizeof(struct type##_wire);		\
		struct nacre_writer w = nacre_writer(at, sizeof(struct type##_wire));		\
		assert_int_equal(nacre_array_at(type##_desc(), map.table, index, &edited), 0);	\
		edited.field = new_value;							\
		assert_int_equal(nacre_encode(type##_desc(), &w, &edited), 0);			\
	} while (0)

static void map_primary_is_first_in_sync_and_up(void **state)
{
	/* group 0 of pool 0: OSDs 0 and 1, both in sync */
	assert_int_equal(nacre_map_primary(&view, 0, 0), 0);
	assert_int_equal(nacre_map_pg_alive(&view, 0, 0), 2);
	EDIT(osds, nacre_map_osd, 0, flags, NACRE_OSD_IN);
	assert_int_equal(nacre_map_primary(&view, 0, 0), 1);
	assert_true(nacre_map_pg_active(&view, 0, 0));
	EDIT(placement, nacre_map_pg, 0, in_sync, 1);
	assert_int_equal(nacre_map_primary(&view, 0, 0), -EAGAIN);
	assert_false(nacre_map_pg_active(&view, 0, 0));
	assert_int_equal(nacre_map_primary(&view, 0, 99), -ENOENT);
	assert_int_equal(nacre_map_pg_alive(&view, 0, 99), 0);
	EDIT(pools, nacre_map_pool, 1, min_size, 2);
	assert_false(nacre_map_pg_active(&view, 1, 1));	/* OSDs 0 (down) and 1 */
}

/* The fifth is told otherwise than the others: a row of an older program has none. */
static void map_fifth_slot(void **state)
{
	struct nacre_map_pg pg;
	int slot;

	assert_int_equal(nacre_map_pg_at(&view, 0, 0, &pg), 0);
	assert_int_equal(pg.osd4, 0);
	assert_int_equal(nacre_pg_slot(&pg, 4), NACRE_OSD_NONE);
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		nacre_pg_set_slot(&pg, slot, (__u16)(NACRE_PG_SLOTS - 1 - slot));
		assert_int_equal(nacre_pg_slot(&pg, slot), NACRE_PG_SLOTS - 1 - slot);
	}
	assert_int_equal(nacre_pg_slot_of(&pg, 0), 4);
	nacre_pg_set_slot(&pg, 4, NACRE_OSD_NONE);
	assert_int_equal(pg.osd4, 0);
	assert_int_equal(nacre_pg_slot_of(&pg, 0), -1);
	/* it can serve, as any that is in sync */
	map.features |= NACRE_FEATURE_FIFTH_SLOT;
	assert_int_equal(nacre_map_pg_alive(&view, 0, 0), 2);
	EDIT(placement, nacre_map_pg, 0, osd4, 3);
	EDIT(placement, nacre_map_pg, 0, in_sync, 1u << 4);
	assert_int_equal(nacre_map_primary(&view, 0, 0), nacre_map_osd_is_up(&view, 2) ? 2 : -EAGAIN);
}

/* Dead are 6, 7 and 11; 1 … 19 were issued. */
static void map_fence_1(void **state)
{
	static const __u64 dead[] = { 6, 7, 11 };
	__u64 i;
	size_t d = 0;

	for (i = 1; i < 30; i++) {
		int is_dead = d < COUNT_OF(dead) && i == dead[d];

		d += (size_t)is_dead;
		assert_int_equal(nacre_map_is_dead(&view, i), is_dead);
		assert_int_equal(nacre_map_was_issued(&view, i), i < 20);
	}
	assert_false(nacre_map_was_issued(&view, 0));
	assert_int_equal(nacre_map_judge(&view, 5, 7, 7), NACRE_OK);
	assert_int_equal(nacre_map_judge(&view, 5, 8, 0), NACRE_E_NEWER_EPOCH);
	assert_int_equal(nacre_map_judge(&view, 5, 7, 8), NACRE_E_NEWER_EPOCH);
	assert_int_equal(nacre_map_judge(&view, 6, 1, 0), NACRE_E_DEAD_INSTANCE);
	assert_int_equal(nacre_map_judge(&view, 20, 7, 0), NACRE_E_UNKNOWN_INSTANCE);
	assert_int_equal(nacre_map_judge(&view, 0, 7, 0), NACRE_E_UNKNOWN_INSTANCE);
	/* An id issued after our map: only a newer map may judge it. */
	assert_int_equal(nacre_map_judge(&view, 20, 8, 0), NACRE_E_NEWER_EPOCH);
}

static int is_valid(void)
{
	const char *reason = NULL;
	int err = nacre_validate_map(&map, &reason);

	assert_int_equal(err ? -EBADMSG : 0, err);
	assert_int_equal(!!err, reason != NULL);
	return !err;
}

#define REFUSED(change)				\
	do {					\
		sample_map(&map);		\
		assert_true(is_valid());	\
		change;				\
		assert_false(is_valid());	\
	} while (0)

static void map_validation(void **state)
{
	REFUSED(map.epoch = 0);
	REFUSED(map.fsid_lo = map.fsid_hi = 0);
	REFUSED(map.fence_epoch = 8);
	REFUSED(map.next_instance = 4);
	REFUSED(map.pools_bytes--);
	REFUSED(map.placement_bytes -= 24);
	REFUSED(EDIT(pools, nacre_map_pool, 0, id, 1));
	REFUSED(EDIT(pools, nacre_map_pool, 0, pg_count, 7));
	REFUSED(EDIT(pools, nacre_map_pool, 1, pg_first, 0));
	REFUSED(EDIT(pools, nacre_map_pool, 0, replicas, 5));
	REFUSED(EDIT(pools, nacre_map_pool, 0, replicas, 0));
	REFUSED(EDIT(pools, nacre_map_pool, 0, min_size, 3));
	REFUSED(EDIT(pools, nacre_map_pool, 0, journal_mode, 3));
	REFUSED(EDIT(pools, nacre_map_pool, 0, flags, 1));
	REFUSED(EDIT(pools, nacre_map_pool, 1, direct_units, 1));	/* without its feature */
	REFUSED(EDIT(pools, nacre_map_pool, 0, object_bytes, 5000));
	REFUSED(EDIT(osds, nacre_map_osd, 1, id, 0));
	REFUSED(EDIT(osds, nacre_map_osd, 1, flags, 4));
	REFUSED(EDIT(osds, nacre_map_osd, 1, instance, 20));
	REFUSED(EDIT(osds, nacre_map_osd, 1, instance, 0));
	REFUSED(EDIT(osds, nacre_map_osd, 1, port, 0));
	REFUSED(EDIT(ranks, nacre_map_rank, 0, rank, 1));
	REFUSED(EDIT(ranks, nacre_map_rank, 0, state, 4));
	REFUSED(EDIT(ranks, nacre_map_rank, 0, incarnation, 0));
	REFUSED(EDIT(subtrees, nacre_map_subtree, 0, rank, 1));
	REFUSED(EDIT(subtrees, nacre_map_subtree, 0, ino, 0));
	REFUSED(EDIT(dead, nacre_map_dead, 0, first, 0));
	REFUSED(EDIT(dead, nacre_map_dead, 0, count, 0));
	REFUSED(EDIT(dead, nacre_map_dead, 0, count, 5));	/* touches the next run */
	REFUSED(EDIT(dead, nacre_map_dead, 0, count, ~0ull));
	REFUSED(EDIT(dead, nacre_map_dead, 1, count, 10));
	REFUSED(EDIT(placement, nacre_map_pg, 3, interval, 0));
	REFUSED(EDIT(placement, nacre_map_pg, 3, interval, 8));
	REFUSED(EDIT(placement, nacre_map_pg, 3, in_sync, 16));
	REFUSED(EDIT(placement, nacre_map_pg, 3, in_sync, 7));
	REFUSED(EDIT(placement, nacre_map_pg, 3, osd2, 3));
	REFUSED(EDIT(placement, nacre_map_pg, 3, in_sync, 32));
	REFUSED(EDIT(placement, nacre_map_pg, 3, osd2, 0));
	REFUSED(EDIT(placement, nacre_map_pg, 3, osd4, 3));	/* without its feature */
	REFUSED(map.features |= NACRE_FEATURE_FIFTH_SLOT; EDIT(placement, nacre_map_pg, 3, osd4, 4));
	sample_map(&map);
	map.features |= NACRE_FEATURE_FIFTH_SLOT;
	EDIT(placement, nacre_map_pg, 3, osd4, 3);
	assert_true(is_valid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placement_hash_input),
		cmocka_unit_test_setup(map_lookup, setup),
		cmocka_unit_test_setup(map_primary_is_first_in_sync_and_up, setup),
		cmocka_unit_test_setup(map_fifth_slot, setup),
		cmocka_unit_test_setup(map_fence_1, setup),
		cmocka_unit_test(map_validation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
