/* SPDX-License-Identifier: GPL-2.0 */
/* cmocka with what it needs before it, in the order it needs it. */
#ifndef NACRE_TEST_CMOCKA_ALL_H
#define NACRE_TEST_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
