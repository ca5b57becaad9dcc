// SPDX-License-Identifier: GPL-2.0
/*
 * Section names of a configuration file. inih tells keys only, so a section
 * without a key would be missed; headers are looked for line by line instead, the
 * way inih recognises them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sections.h"

/* Insert keeping the order; a section that comes twice is one daemon. */
static int add(uint16_t *numbers, unsigned int *count, unsigned int max, uint16_t number)
{
	unsigned int at = *count;

	while (at && numbers[at - 1] >= number) {
		if (numbers[at - 1] == number)
			return 0;
		at--;
	}
	if (*count == max)
		return -EFBIG;
	memmove(&numbers[at + 1], &numbers[at], (*count - at) * sizeof(*numbers));
	numbers[at] = number;
	(*count)++;
	return 0;
}

/* "[osd12]" with prefix "osd" is 12. */
static bool parse_header(const char *line, const char *prefix, unsigned long *ret_number)
{
	size_t length = strlen(prefix);
	char *end;

	while (isspace((unsigned char)*line))
		line++;
	if (*line != '[' || strncmp(line + 1, prefix, length) ||
	    !isdigit((unsigned char)line[1 + length]))
		return false;
	*ret_number = strtoul(line + 1 + length, &end, 10);
	return *end == ']';
}

static int take_line(const char *line, struct sections *sections)
{
	unsigned long number;

	if (parse_header(line, "osd", &number))
		return number >= NACRE_MAP_OSDS_MAX
			       ? -EFBIG
			       : add(sections->osds, &sections->osd_count, NACRE_MAP_OSDS_MAX,
				     (uint16_t)number);
	if (parse_header(line, "mds", &number))
		return number > UINT16_MAX
			       ? -EFBIG
			       : add(sections->mds, &sections->mds_count, NACRE_MAP_RANKS_MAX,
				     (uint16_t)number);
	return 0;
}

int sections_read(const char *file, struct sections *sections)
{
	FILE *stream = fopen(file, "re");
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	memset(sections, 0, sizeof(*sections));
	if (!stream)
		return -errno;
	while (!err && getline(&line, &room, stream) >= 0)
		err = take_line(line, sections);
	if (!err && ferror(stream))
		err = -EIO;
	free(line);
	fclose(stream);
	return err;
}
