// SPDX-License-Identifier: GPL-2.0
/* The map in words: what a person must be able to read from it. */
#include <string.h>
#include "../base/maps.h"
#include "server/tools/show.h"

static char *status_of(const struct cluster_map *map, const struct mapaccess_lease *leases,
		       size_t count)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	show_status(out, map, leases, count);
	fclose(out);
	return text;
}

static char *words_of(const struct cluster_map *map)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	show_map(out, map);
	fclose(out);
	return text;
}

/* Every line that stands in `expected` stands in the text. */
static void assert_line(const char *text, const char *expected)
{
	size_t length = strlen(expected);
	const char *at = text;

	while ((at = strstr(at, expected)) && ((at != text && at[-1] != '\n') || at[length] != '\n'))
		at++;
	if (!at)
		fail_msg("no line \"%s\" in:\n%s", expected, text);
}

/* Instances: OSDs 1 to 3, the rank's daemon 4, a standby 5; OSD 2 is down. */
static struct cluster_map *make_map(void)
{
	struct mapedit *edit = maps_edit(3, 2);

	edit->head.next_instance = 9;
	edit->ranks[0] = (struct nacre_map_rank){
		.rank = 0, .instance = 4, .address_lo = 0xffff0a000001, .port = 7270,
		.state = NACRE_RANK_ACTIVE, .incarnation = 2,
	};
	edit->ranks[1] = (struct nacre_map_rank){ .rank = 1 };
	edit->rank_count = 2;
	edit->subtrees[0] = (struct nacre_map_subtree){ .ino = 1, .rank = 0 };
	edit->subtree_count = 1;
	for (uint16_t id = 0; id < 3; id++)
		mapedit_osd_up(edit, id, id + 1, 0, 0xffff7f000001, 7300 + id);
	mapedit_osd_up(edit, 1, 8, 0x20010db800000000, 1, 7301);
	mapedit_kill(edit, 7);
	edit->head.epoch = 1;
	mapedit_osd_down(edit, 2);
	edit->osds[2].weight = 0x8000;
	return maps_finish(edit);
}

static void status_says_how_everybody_fares(void **state)
{
	static const struct mapaccess_lease leases[] = {
		{ { .name = "osd0", .instance = 1 }, true },
		{ { .name = "osd1", .instance = 8 }, false },
		{ { .name = "mds0", .instance = 4 }, true },
		{ { .name = "mds1", .instance = 5 }, true },
		{ { .name = "mds2", .instance = 6 }, false },
	};
	struct cluster_map *map = make_map();
	struct show_groups groups = show_count_groups(&map->view, 0);
	char *text = status_of(map, leases, 5);

	assert_line(text, "fsid 0000000000000016000000000000000b");
	assert_line(text, "map 1, 8 instances issued, 3 of them dead, fence at map 1");
	assert_line(text, "rank 0 active, mds0, instance 4, incarnation 2, 10.0.0.1:7270");
	assert_line(text, "rank 1 down");
	assert_line(text, "mds1 standby, instance 5");
	assert_null(strstr(text, "mds2"));
	assert_line(text, "osd0 up, instance 1, 127.0.0.1:7300, 64 groups");
	assert_line(text, "osd1 up, instance 8, [2001:db8::1]:7301, lease run out, 63 groups");
	assert_line(text, "osd2 down, 65 groups, weight 0.50");
	assert_int_equal(groups.active + groups.degraded + groups.inactive, 32);
	assert_int_equal(groups.inactive, 0);
	assert_true(groups.degraded > 0);
	free(text);
	cluster_map_put(map);
}

static void status_counts_groups(void **state)
{
	struct mapedit *edit = maps_edit(2, 2);
	struct cluster_map *map;
	char *text;

	edit->head.next_instance = 3;
	mapedit_osd_up(edit, 0, 1, 0, 0xffff7f000001, 7300);
	map = maps_finish(edit);
	text = status_of(map, NULL, 0);
	assert_line(text, "pool 0 (metadata): 0 groups active, 32 degraded, 0 inactive, 0 moving");
	assert_line(text, "osd0 up, instance 1, 127.0.0.1:7300, no lease, 96 groups");
	free(text);
	edit = mapedit_open(map);
	mapedit_osd_down(edit, 0);
	cluster_map_put(map);
	map = maps_finish(edit);
	text = status_of(map, NULL, 0);
	assert_line(text, "pool 1 (data): 0 groups active, 0 degraded, 64 inactive, 0 moving");
	free(text);
	cluster_map_put(map);
}

/* As told with the leases: of 100 bytes, so many in use. */
static struct mapaccess_lease lease_with(uint64_t instance, enum fill_state state, uint64_t used)
{
	return (struct mapaccess_lease){
		.lease = { .instance = instance, .fill = { state, .bytes_total = 100, .bytes_free = 100 - used } }, .alive = true,
	};
}

static void status_says_how_full_osds_are(void **state)
{
	struct mapaccess_lease leases[] = {
		lease_with(1, FILL_WELL, 12), lease_with(8, FILL_NEARLY, 91), lease_with(3, FILL_FULL, 100),
	};
	struct cluster_map *map = make_map();
	char *text = status_of(map, leases, 3);

	assert_non_null(strstr(text, " groups, 12 % used\n"));
	assert_non_null(strstr(text, " groups, 91 % used: nearly full\n"));
	assert_null(strstr(text, "100 % used"));	/* it is down: what it said is of another time */
	assert_null(strstr(text, "waiting for room"));
	free(text);
	leases[0] = lease_with(1, FILL_UNKNOWN, 0);
	text = status_of(map, leases, 1);
	assert_null(strstr(text, "used"));
	free(text);
	cluster_map_put(map);
}

/* Groups of two members each, on four OSDs; the last one is to be emptied. */
static void status_says_what_waits_for_room(void **state)
{
	struct mapaccess_lease leases[] = {
		lease_with(1, FILL_NEARLY, 91), lease_with(2, FILL_NEARLY, 91), lease_with(3, FILL_NEARLY, 91), lease_with(4, FILL_NEARLY, 99),
	};
	struct mapedit *edit = maps_edit(4, 2);
	struct nacre_map_pg *first;
	struct cluster_map *map;
	char *text;

	edit->head.next_instance = 9;
	for (uint16_t id = 0; id < 4; id++)
		mapedit_osd_up(edit, id, id + 1, 0, 0xffff7f000001, 7300 + id);
	edit->osds[3].weight = 0;
	for (unsigned int i = 0; i < edit->pg_count; i++)
		edit->pgs[i] = (struct nacre_map_pg){ .interval = 1, .osd0 = 0, .osd1 = i % 64 < 4 ? 3 : 1, .osd2 = NACRE_OSD_NONE, .osd3 = NACRE_OSD_NONE, .in_sync = 3 };
	map = maps_finish(edit);
	text = status_of(map, leases, 4);
	assert_line(text, "pool 0 (metadata): 32 groups active, 0 degraded, 0 inactive, 0 moving, 4 waiting for room");
	free(text);
	leases[2] = lease_with(3, FILL_WELL, 10);	/* somebody could be given them */
	text = status_of(map, leases, 4);
	assert_line(text, "pool 0 (metadata): 32 groups active, 0 degraded, 0 inactive, 0 moving");
	free(text);
	edit = mapedit_open(map);
	cluster_map_put(map);
	/* a move whose target has become full, and a place that was lost */
	first = &edit->pgs[0];
	*first = (struct nacre_map_pg){ .interval = 1, .osd0 = 0, .osd1 = 2, .osd2 = 3, .osd3 = NACRE_OSD_NONE, .in_sync = 5 };
	first[1] = (struct nacre_map_pg){ .interval = 1, .osd0 = 0, .osd1 = NACRE_OSD_NONE, .osd2 = NACRE_OSD_NONE, .osd3 = NACRE_OSD_NONE, .in_sync = 1 };
	map = maps_finish(edit);
	leases[2] = lease_with(3, FILL_FULL, 100);
	text = status_of(map, leases, 4);
	assert_line(text, "pool 0 (metadata): 31 groups active, 1 degraded, 0 inactive, 1 moving, 3 waiting for room");
	free(text);
	cluster_map_put(map);
}

static void the_whole_map_is_there(void **state)
{
	struct cluster_map *map = make_map();
	char *text = words_of(map), line[128];
	struct nacre_map_pg group;
	unsigned int count = 0;

	assert_line(text, "pool 1 (data): 64 groups, 2 replicas, min_size 1, journal data, objects of 4194304 bytes");
	assert_line(text, "osd2: down, in, instance 3, 127.0.0.1:7302, weight 0.50, domain 2, store 00000000000000000000000000000000");
	assert_line(text, "rank 0: active, instance 4, 10.0.0.1:7270, incarnation 2");
	assert_line(text, "rank 1: down, instance 0, -, incarnation 0");
	assert_line(text, "subtree of inode 0x1: rank 0");
	assert_line(text, "dead: 2 to 3");
	assert_line(text, "dead: 7");
	for (uint32_t pg = 0; pg < 64; pg++) {
		nacre_map_pg_at(&map->view, 1, pg, &group);
		if (group.osd0 == 2)		/* down: it lags, the other one leads */
			snprintf(line, sizeof(line), "group 1.%u: (osd2) osd%u*, interval 1", pg,
				 group.osd1);
		else if (group.osd1 == 2)
			snprintf(line, sizeof(line), "group 1.%u: osd%u* (osd2), interval 1", pg,
				 group.osd0);
		else
			snprintf(line, sizeof(line), "group 1.%u: osd%u* osd%u, interval 1", pg,
				 group.osd0, group.osd1);
		assert_line(text, line);
	}
	for (char *at = text; (at = strstr(at, "\ngroup ")); at++)
		count++;
	assert_int_equal(count, 96);
	free(text);
	cluster_map_put(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_says_how_everybody_fares),
		cmocka_unit_test(status_counts_groups),
		cmocka_unit_test(status_says_how_full_osds_are),
		cmocka_unit_test(status_says_what_waits_for_room),
		cmocka_unit_test(the_whole_map_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
