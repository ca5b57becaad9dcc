// SPDX-License-Identifier: GPL-2.0
/* `nacre pool`: names, the list. What a change does to the map is test_mapedit.c's. */
#include <string.h>
#include "../base/maps.h"
#include "server/tools/pool.h"

static void pools_have_names_and_numbers(void **state)
{
	uint32_t id;

	assert_true(pool_parse("metadata", &id));
	assert_int_equal(id, NACRE_POOL_META);
	assert_true(pool_parse("data", &id));
	assert_int_equal(id, NACRE_POOL_DATA);
	assert_true(pool_parse("7", &id));
	assert_int_equal(id, 7);
	assert_false(pool_parse("16", &id));
	assert_false(pool_parse("files", &id));
	assert_false(pool_parse("", &id));
	assert_string_equal(pool_name(NACRE_POOL_DATA), "data");
	assert_string_equal(pool_name(7), "");
}

static void the_list_says_how_each_one_journals(void **state)
{
	struct mapedit *edit = maps_edit(3, 2);
	struct cluster_map *map;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(mapedit_pool_journal(edit, NACRE_POOL_DATA, NACRE_JOURNAL_COW, 16), 0);
	map = maps_finish(edit);
	pool_list(out, map);
	fclose(out);
	assert_string_equal(text,
			    "pool 0 metadata: 2 replicas, min_size 1, 32 groups, journal-mode data, direct-bytes 0 (as each OSD decides)\n"
			    "pool 1 data: 2 replicas, min_size 1, 64 groups, journal-mode cow, direct-bytes 65536\n");
	free(text);
	cluster_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_have_names_and_numbers),
		cmocka_unit_test(the_list_says_how_each_one_journals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
