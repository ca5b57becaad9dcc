// SPDX-License-Identifier: GPL-2.0
/*
 * One full OSD among three: what its groups need space for is refused, nothing else changes. Writes of other groups are as many at a time as
 * before; a member that comes back and has no room for what it missed is not sent it again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "osd_cluster_rig.h"
#include "server/osd/osd_core.h"

#define PIECE (256u << 10)
#define SMALL 4096u
#define DEPTH 32u
#define REFUSED 8u

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;
static uint8_t *bytes;

static void start(uint8_t journal_mode)
{
	memset(&c, 0, sizeof(c));
	c.journal_mode = journal_mode;
	bytes = mem_zero(1, PIECE);
	cluster_start(&c, 3, 3, 2, 1);
}

static void end(void)
{
	cluster_end(&c);
	free(bytes);
}

static bool group_has(uint64_t ino, uint16_t osd)
{
	struct nacre_map_pg row;

	assert_int_equal(nacre_map_pg_at(&c.map->view, NACRE_POOL_DATA, cluster_pg(&c, ino), &row), 0);
	return nacre_pg_slot_of(&row, osd) >= 0;
}

/* The first inode behind `ino` whose object is, or is not, on OSD 0, and is on `other`. */
static uint64_t next_ino(uint64_t ino, bool on_osd0, uint16_t other)
{
	do
		ino++;
	while (group_has(ino, 0) != on_osd0 || !group_has(ino, other));
	return ino;
}

/* What its primaries may still write to it. */
static uint64_t bytes_free(uint16_t osd)
{
	return osd_store_space(c.osds[osd].osd->store).bytes_free;
}

/* Objects until OSD 0 is full, beside whichever of the others has more room. Their inodes are up to the one returned. */
static uint64_t fill_osd0(uint64_t ino)
{
	uint32_t result = 0;

	while (!result) {
		ino = next_ino(ino, true, bytes_free(1) > bytes_free(2) ? 1 : 2);
		result = cluster_write(&c, ino, 0, bytes, PIECE);
	}
	assert_int_equal(result, ENOSPC);
	while (!(result = cluster_write(&c, ino, 0, bytes, SMALL)))
		ino = next_ino(ino, true, bytes_free(1) > bytes_free(2) ? 1 : 2);
	assert_int_equal(result, ENOSPC);
	assert_true(bytes_free(0) < PIECE && bytes_free(1) > 4 * PIECE && bytes_free(2) > 4 * PIECE);
	return ino;
}

/* ---- many at a time ------------------------------------------------------------------------- */

static unsigned int ended, refused;

static void write_ended(struct osdc_request *request, uint32_t result)
{
	ended++;
	refused += result == ENOSPC;
	assert_true(!result || result == ENOSPC);
}

static bool all_ended(struct cluster *cluster)
{
	return ended == DEPTH || ended == DEPTH + REFUSED;
}

static struct osdc_request *submit(uint64_t ino, uint64_t offset)
{
	struct osdc_request *request = osdc_request_new(c.osdc, NACRE_POOL_DATA, ino, 0);

	osdc_add_data(request, NACRE_OSD_OP_WRITE, offset, bytes, SMALL);
	osdc_submit(request, write_ended, &c);
	return request;
}

/*
 * DEPTH writes at once that have nothing to do with OSD 0. How many group commits they took there: one by one they would take DEPTH.
 * `ino`: others, that are refused, stand beside them.
 */
static uint64_t commits(uint64_t base, uint64_t ino)
{
	struct osdc_request *requests[DEPTH + REFUSED];
	uint64_t before = 0, after = 0;
	unsigned int i, count = 0;

	ended = refused = 0;
	for (i = 1; i < 3; i++)
		before += c.osds[i].osd->store->stats->records;
	for (i = 0; i < REFUSED && ino; i++)
		requests[count++] = submit(ino, (uint64_t)(i + 1) * PIECE);
	for (i = 0; i < DEPTH; i++) {
		base = next_ino(base, false, 1);
		requests[count++] = submit(base, 0);
	}
	cluster_until(&c, all_ended, 60, "all writes");
	while (ended < count)
		cluster_pass(&c, 1);
	assert_int_equal(refused, ino ? REFUSED : 0);
	for (i = 1; i < 3; i++)
		after += c.osds[i].osd->store->stats->records;
	while (count)
		osdc_request_free(requests[--count]);
	return after - before;
}

/* A full OSD makes nobody's writes synchronous. */
static void full_osd_concerns_its_groups_only(uint8_t journal_mode)
{
	uint64_t last, quiet, full, ino;
	size_t got = 0;

	start(journal_mode);
	assert_int_equal(cluster_write(&c, next_ino(100000, false, 1), 0, bytes, SMALL), 0);	/* connected */
	quiet = commits(100001, 0);
	last = fill_osd0(100);
	cluster_pass(&c, 1000);
	full = commits(200000, last);
	print_message("%u writes, %llu group commits of both replicas; %llu while an OSD is full\n", DEPTH,
		      (unsigned long long)quiet, (unsigned long long)full);
	assert_true(full < DEPTH);
	assert_true(full <= 2 * quiet);
	/* and in its own groups: reading, overwriting, deleting, and writing in the place of what is gone */
	ino = next_ino(100, true, 1);
	assert_int_equal(cluster_read(&c, ino, bytes, SMALL, &got), 0);
	assert_int_equal(got, SMALL);
	memset(bytes, 7, PIECE);
	assert_int_equal(cluster_write(&c, ino, 0, bytes, SMALL), 0);
	assert_int_equal(cluster_write(&c, ino, PIECE, bytes, PIECE), ENOSPC);
	for (ino = 101; ino <= last; ino++) {
		struct nacre_osd_request head = { .ino = ino };

		if (group_has(ino, 0) && ino % 2)
			cluster_raw(&c, cluster_primary(&c, ino), &head, NACRE_OSD_OP_DELETE, NULL, 0, NULL, 0);
	}
	ino = next_ino(last, true, 1);
	while (cluster_write(&c, ino, 0, bytes, PIECE) == ENOSPC)	/* until the primary has asked */
		cluster_pass(&c, 10);
	assert_int_equal(cluster_write(&c, ino, PIECE, bytes, PIECE), 0);
	assert_true(cluster_all_clean(&c));
	cluster_compare_replicas(&c);
	end();
}

static void test_mode_data(void **state)
{
	full_osd_concerns_its_groups_only(NACRE_JOURNAL_DATA);
}

static void test_mode_cow(void **state)
{
	full_osd_concerns_its_groups_only(NACRE_JOURNAL_COW);
}

static void test_mode_ordered(void **state)
{
	full_osd_concerns_its_groups_only(NACRE_JOURNAL_ORDERED);
}

/* ---- catching up ---------------------------------------------------------------------------- */

static bool osd0_is_away(struct cluster *cluster)
{
	struct nacre_map_pg row;
	uint32_t pg;

	for (pg = 0; pg < CLUSTER_PGS; pg++) {
		nacre_map_pg_at(&cluster->map->view, NACRE_POOL_DATA, pg, &row);
		if (nacre_pg_slot_of(&row, 0) >= 0 && row.in_sync >> nacre_pg_slot_of(&row, 0) & 1)
			return false;
	}
	return true;
}

static bool somebody_is_behind(struct cluster *cluster)
{
	return cluster->osds[1].osd->stats.members_full;
}

static void test_a_full_member_is_waited_for(void **state)
{
	uint64_t last, pushed, tries, fat, ino;
	unsigned int i;

	start(NACRE_JOURNAL_DATA);
	fat = next_ino(100000, true, 1);
	last = fill_osd0(100);
	cluster_osd_kill(&c.osds[0], SIM_CRASH_KILL);
	cluster_until(&c, osd0_is_away, 60, "it is out of sync");
	for (i = 0; i < 8; i++)		/* what it will miss, and has no room for */
		assert_int_equal(cluster_write(&c, fat, (uint64_t)i * PIECE, bytes, PIECE), 0);
	sim_host_restart(c.osds[0].host);
	cluster_osd_start(&c.osds[0]);
	cluster_until(&c, somebody_is_behind, 60, "its primary has noticed");
	cluster_pass(&c, 10000);
	tries = c.osds[1].osd->stats.members_full;
	pushed = c.osds[1].osd->stats.objects_pushed;
	cluster_pass(&c, 60000);
	assert_int_equal(c.osds[1].osd->stats.members_full, tries);	/* it is not tried again, for nothing */
	assert_int_equal(c.osds[1].osd->stats.objects_pushed, pushed);
	assert_true(c.osds[0].osd->store->alloc.free >= c.osds[0].osd->store->alloc.reserve / 2);
	assert_int_equal(c.osds[0].osd->fill, FILL_FULL);
	assert_int_equal(c.osds[1].osd->stats.members_dropped + c.osds[2].osd->stats.members_dropped, 0);
	assert_false(cluster_all_clean(&c));
	for (ino = 101; ino <= last; ino++) {
		struct nacre_osd_request head = { .ino = ino };

		if (group_has(ino, 0))
			cluster_raw(&c, cluster_primary(&c, ino), &head, NACRE_OSD_OP_DELETE, NULL, 0, NULL, 0);
	}
	cluster_until(&c, cluster_all_clean, 120, "it has room, and is caught up");
	cluster_pass(&c, 2000);
	assert_int_equal(c.osds[0].osd->fill, FILL_WELL);
	cluster_compare_replicas(&c);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode_data),
		cmocka_unit_test(test_mode_cow),
		cmocka_unit_test(test_mode_ordered),
		cmocka_unit_test(test_a_full_member_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
