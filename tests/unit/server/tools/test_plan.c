// SPDX-License-Identifier: GPL-2.0
/* The first map: what stands in it, and what is refused. */
#include <string.h>
#include "../base/maps.h"
#include "protocol/mds.h"
#include "server/tools/plan.h"

static const struct plan_osd stores[NACRE_MAP_OSDS_MAX] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };

static struct plan good(void)
{
	return (struct plan){ .fsid_lo = 11, .fsid_hi = 22, .osds = stores, .osd_count = 3,
			      .rank_count = 1, .replicas = 2 };
}

static void the_first_map_is_complete(void **state)
{
	struct plan plan = good();
	const char *why;
	struct cluster_map *map = maps_finish(plan_map(&plan, &why));
	const struct nacre_map_view *view = &map->view;
	struct nacre_map_pool pool;
	struct nacre_map_rank rank;
	struct nacre_map_osd osd;

	assert_int_equal(view->epoch, 1);
	assert_int_equal(view->fsid_lo, 11);
	assert_int_equal(view->fsid_hi, 22);
	assert_int_equal(view->next_instance, 1);
	assert_int_equal(view->pool_count, 2);
	nacre_map_pool_at(view, NACRE_POOL_META, &pool);
	assert_int_equal(pool.pg_count, 32);
	nacre_map_pool_at(view, NACRE_POOL_DATA, &pool);
	assert_int_equal(pool.pg_count, 64);
	assert_int_equal(pool.replicas, 2);
	assert_int_equal(pool.min_size, 1);
	assert_int_equal(pool.object_bytes, 4 << 20);
	assert_int_equal(view->osd_count, 3);
	nacre_map_osd_at(view, 1, &osd);
	assert_int_equal(osd.flags, NACRE_OSD_IN);	/* not up before its daemon says so */
	assert_int_equal(osd.instance, 0);
	assert_int_equal(osd.store_lo, 3);
	assert_int_equal(osd.store_hi, 4);
	assert_int_equal(osd.domain, 1);
	assert_int_equal(view->rank_count, 1);
	nacre_map_rank_at(view, 0, &rank);
	assert_int_equal(rank.state, NACRE_RANK_DOWN);
	assert_int_equal(nacre_map_subtree_rank(view, NACRE_INO_ROOT), 0);
	cluster_map_put(map);
}

static uint8_t min_size_of(unsigned int replicas, unsigned int asked)
{
	struct plan plan = good();
	const char *why;
	struct mapedit *edit;
	uint8_t min_size;

	plan.osd_count = 4;
	plan.replicas = replicas;
	plan.min_size = asked;
	edit = plan_map(&plan, &why);
	assert_non_null(edit);
	min_size = edit->pools[1].min_size;
	mapedit_free(edit);
	return min_size;
}

static void one_copy_may_be_missing_unless_said_otherwise(void **state)
{
	assert_int_equal(min_size_of(1, 0), 1);
	assert_int_equal(min_size_of(2, 0), 1);
	assert_int_equal(min_size_of(3, 0), 2);
	assert_int_equal(min_size_of(4, 0), 3);
	assert_int_equal(min_size_of(3, 3), 3);
}

static void a_single_group_is_enough(void **state)
{
	struct plan plan = good();
	const char *why;
	struct cluster_map *map;

	plan.pg_count = 1;
	map = maps_finish(plan_map(&plan, &why));
	assert_int_equal(map->view.pg_count, 2);
	cluster_map_put(map);
}

static void the_journal_mode_is_that_of_file_data(void **state)
{
	struct plan plan = good();
	struct nacre_map_pool pool;
	struct cluster_map *map;
	const char *why;

	plan.journal_mode = NACRE_JOURNAL_COW;
	map = maps_finish(plan_map(&plan, &why));
	nacre_map_pool_at(&map->view, NACRE_POOL_DATA, &pool);
	assert_int_equal(pool.journal_mode, NACRE_JOURNAL_COW);
	nacre_map_pool_at(&map->view, NACRE_POOL_META, &pool);
	assert_int_equal(pool.journal_mode, NACRE_JOURNAL_DATA);
	cluster_map_put(map);
}

static void refused(struct plan plan, const char *words)
{
	const char *why = "";

	assert_null(plan_map(&plan, &why));
	assert_non_null(strstr(why, words));
}

static void what_makes_no_map_is_refused_with_the_reason(void **state)
{
	struct plan plan = good();

#define WITH(field, value, words) (plan = good(), plan.field = value, refused(plan, words))
	WITH(osd_count, 0, "needs an OSD");
	WITH(osd_count, NACRE_MAP_OSDS_MAX + 1, "more OSDs");
	WITH(osd_count, 1, "fewer OSDs than replicas");
	WITH(rank_count, 0, "ranks");
	WITH(rank_count, 65, "ranks");
	WITH(replicas, 0, "replicas");
	WITH(replicas, 5, "replicas");
	WITH(min_size, 3, "least number");
	WITH(journal_mode, NACRE_JOURNAL_COW + 1, "no such journal mode");
	WITH(pg_count, 48, "power of two");
	WITH(pg_count, 16384, "power of two");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_map_is_complete),
		cmocka_unit_test(one_copy_may_be_missing_unless_said_otherwise),
		cmocka_unit_test(a_single_group_is_enough),
		cmocka_unit_test(the_journal_mode_is_that_of_file_data),
		cmocka_unit_test(what_makes_no_map_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
