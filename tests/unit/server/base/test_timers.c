// SPDX-License-Identifier: GPL-2.0
/* The timer heap against a plain list, with arming, moving and cancelling in random order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "server/base/timers.h"

#define COUNT 300

static void fires_in_order_of_time(void **state)
{
	static struct io_timer timer[COUNT];
	struct timers timers = { 0 };
	struct io_timer *first;
	uint64_t last = 0;
	size_t armed = 0, fired = 0;

	srand(1);
	for (int round = 0; round < 5000; round++) {
		struct io_timer *t = &timer[rand() % COUNT];

		if (rand() % 3)
			timers_arm(&timers, t, (uint64_t)(rand() % 1000));
		else
			timers_cancel(&timers, t);
	}
	for (int i = 0; i < COUNT; i++)
		armed += timer[i].heap_index != 0;
	while ((first = timers_first(&timers))) {
		for (int i = 0; i < COUNT; i++)
			assert_true(!timer[i].heap_index || timer[i].at_ns >= first->at_ns);
		assert_true(first->at_ns >= last);
		last = first->at_ns;
		timers_cancel(&timers, first);
		assert_int_equal(first->heap_index, 0);
		fired++;
	}
	assert_int_equal(fired, armed);
	timers_free(&timers);
}

static void equal_times_fire_in_order_of_arming(void **state)
{
	struct io_timer timer[50] = { 0 };
	struct timers timers = { 0 };

	for (int i = 0; i < 50; i++)
		timers_arm(&timers, &timer[(i * 7) % 50], 5);
	for (int i = 0; i < 50; i++) {
		assert_ptr_equal(timers_first(&timers), &timer[(i * 7) % 50]);
		timers_cancel(&timers, &timer[(i * 7) % 50]);
	}
	timers_free(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_order_of_time),
		cmocka_unit_test(equal_times_fire_in_order_of_arming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
