/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Allocations that fail on purpose, in a kernel with failslab and fail_page_alloc (the debug kernel): those whose
 * call chain passes through a range of the kernel's text, sleeping ones included, and no others. Two ways: the
 * N-th of the calling task, or some at random, everybody's.
 *
 * Settings are the machine's, not the process's. What cannot be set ends the program.
 */
#ifndef NACRE_TESTS_VM_FAILING_H
#define NACRE_TESTS_VM_FAILING_H

#include <stdbool.h>

/* The range [first, last), hexadecimal. Nothing fails yet. */
void failing_in(const char *first, const char *last);
/* The text of one function of the kernel: whatever it calls. */
void failing_under(const char *function);

/* One of `interval` matching allocations is taken into view, and fails with this probability; 0: none. */
void failing_at_random(unsigned int percent, unsigned int interval);

/* The n-th matching allocation of this task from here on fails; 0: none does. */
void failing_nth(int n);
/* Was there an allocation with that number? */
bool failing_has_struck(void);

#endif
