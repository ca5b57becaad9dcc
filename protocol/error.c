// SPDX-License-Identifier: GPL-2.0
/* Names and errno values of wire results, from the one table in error.h. */
#include "error.h"

struct error_row {
	__u32 number;
	int os;
	const char *name;
};

#define ERROR_ROW(number, name, os, text) { number, os, #name },
static const struct error_row rows[] = { NACRE_ERRORS(ERROR_ROW) };

static const struct error_row *find(__u32 result)
{
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].number == result)
			return &rows[i];
	return NULL;
}

int nacre_error_errno(__u32 result)
{
	const struct error_row *row;

	if (result < 1000)
		return (int)result;
	row = find(result);
	return row ? row->os : EIO;
}

/* Decimal digits of n, at most `room` bytes with the terminator. */
static void put_number(char *at, size_t room, __u32 n)
{
	char digits[10];
	int count = 0;

	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (count && room > 1) {
		*at++ = digits[--count];
		room--;
	}
	*at = 0;
}

const char *nacre_error_name(__u32 result, char *buffer, size_t buffer_bytes)
{
	static const char prefix[] = "errno ";
	const struct error_row *row = find(result);
	size_t i;

	if (!result)
		return "OK";
	if (row)
		return row->name;
	if (buffer_bytes < sizeof(prefix) + 10)
		return "unknown";
	for (i = 0; i < sizeof(prefix) - 1; i++)
		buffer[i] = prefix[i];
	put_number(buffer + i, buffer_bytes - i, result);
	return buffer;
}
