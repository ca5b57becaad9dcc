// SPDX-License-Identifier: GPL-2.0
/* osd_rebuild: what is refused is tried again, ever more rarely. The rest is in tests/tools/scrub. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "server/osd/rebuild.h"

static void pauses_double_up_to_minutes(void **state)
{
	assert_int_equal(osd_rebuild_pause_s(1, 100), 5);
	assert_int_equal(osd_rebuild_pause_s(2, 100), 10);
	assert_int_equal(osd_rebuild_pause_s(6, 100), 160);
	assert_int_equal(osd_rebuild_pause_s(7, 100), 300);
	assert_int_equal(osd_rebuild_pause_s(1000000, 100), 300);
	assert_int_equal(osd_rebuild_pause_s(3, 500), 100);
	assert_int_equal(osd_rebuild_pause_s(1, 1), 1);		/* never none */
}

static void only_damage_helps(void **state)
{
	assert_true(osd_rebuild_helps("Corruption: block checksum mismatch"));
	assert_false(osd_rebuild_helps("IO error: No space left on device"));
	assert_false(osd_rebuild_helps(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_minutes),
		cmocka_unit_test(only_damage_helps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
