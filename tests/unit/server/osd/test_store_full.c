// SPDX-License-Identifier: GPL-2.0
/*
 * A full store, in every journal mode: what is there can be read, overwritten and deleted, what needs space gets ENOSPC, a loss of power takes
 * nothing that was acknowledged, and what was deleted can be written again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "osd_store_rig.h"

#define LARGE (64u << 10)
#define FIRST 100u

/* Memory of operations under way at a crash stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct rig rig;

static uint32_t delete(uint64_t ino)
{
	struct rig_request r;

	rig_request(&rig, &r, ino, 0);
	rig_op(&r, NACRE_OSD_OP_DELETE, 0, NULL, 0, NULL, 0, 0, 0);
	return rig_run(&rig, &r, NULL, true);
}

/* Objects of 64 KiB until there is no room for another, then of 4 KiB. One behind the last. */
static uint64_t fill(uint64_t *ret_large)
{
	uint64_t ino = FIRST;
	uint32_t result;

	while (!(result = rig_put(&rig, ino, 0, LARGE, (uint8_t)ino, ino % 8 == 0)))
		ino++;
	assert_int_equal(result, ENOSPC);
	*ret_large = ino;
	while (!(result = rig_put(&rig, ino, 0, OSD_BLOCK_BYTES, (uint8_t)ino, true)))
		ino++;
	assert_int_equal(result, ENOSPC);
	return ino;
}

static void expect_all(uint64_t large, uint64_t end, unsigned int added)
{
	uint64_t ino;

	for (ino = FIRST; ino < end; ino++)
		assert_int_equal(rig_value(&rig, ino, 0, ino < large ? LARGE : OSD_BLOCK_BYTES),
				 (uint8_t)(ino + (ino < large && ino % 5 == 0 ? added : 0)));
}

/* Every fifth, over what it has: through the journal, as there is no second place for it. */
static void overwrite(uint64_t large, unsigned int added)
{
	uint64_t ino;

	for (ino = FIRST; ino < large; ino += 5)
		assert_int_equal(rig_put(&rig, ino, 0, LARGE, (uint8_t)(ino + added), ino % 3 == 0), 0);
}

static void full_in(const struct osd_journal_mode *mode)
{
	uint64_t large, end, ino;

	rig_serve(&rig);
	rig.mode = mode;
	end = fill(&large);
	assert_true(rig.store->alloc.free < rig.store->alloc.reserve + LARGE / OSD_BLOCK_BYTES);
	assert_int_equal(osd_store_space(rig.store).bytes_free, 0);
	expect_all(large, end, 0);
	overwrite(large, 1);
	assert_int_equal(rig_put(&rig, 1, 0, OSD_BLOCK_BYTES, 1, true), ENOSPC);
	assert_int_equal(rig_put(&rig, FIRST, LARGE, LARGE, 1, true), ENOSPC);	/* one that grows */
	assert_int_equal(rig_put(&rig, FIRST + 1, 0, OSD_BLOCK_BYTES, FIRST + 1, true), 0);
	expect_all(large, end, 1);
	rig_crash(&rig, SIM_CRASH_POWER, 0);
	assert_int_equal(rig_open(&rig, RIG_OSD, RIG_FSID_LO), 0);
	expect_all(large, end, 1);
	overwrite(large, 2);
	assert_int_equal(rig_put(&rig, 1, 0, OSD_BLOCK_BYTES, 1, true), ENOSPC);
	for (ino = large; ino < end; ino++)
		assert_int_equal(delete(ino), 0);
	assert_int_equal(delete(FIRST), 0);
	assert_int_equal(delete(FIRST + 1), 0);
	assert_int_equal(rig_put(&rig, 1, 0, LARGE, 77, true), 0);
	assert_int_equal(rig_value(&rig, 1, 0, LARGE), 77);
	for (ino = FIRST + 2; ino < large; ino++)
		assert_int_equal(rig_value(&rig, ino, 0, LARGE), (uint8_t)(ino + (ino % 5 ? 0 : 2)));
	rig_destroy(&rig);
}

static void test_mode_data(void **state)
{
	full_in(&osd_journal_mode_data);
}

static void test_mode_cow(void **state)
{
	full_in(&osd_journal_mode_cow);
}

static void test_mode_ordered(void **state)
{
	full_in(&osd_journal_mode_ordered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode_data),
		cmocka_unit_test(test_mode_cow),
		cmocka_unit_test(test_mode_ordered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
