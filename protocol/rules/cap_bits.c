// SPDX-License-Identifier: GPL-2.0
/* Groups of cap bits, from the one table in protocol/caps.h. See cap_bits.h. */
#include "cap_bits.h"

struct group_row {
	__u32 group;
	__u32 caps;
	__u32 shared;
	__u32 excl;
	__u32 cover;			/* bits under which the values may have been changed */
};

#define WRITING (NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)
#define COPIES (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_BUFFER)

static const struct group_row groups_table[NACRE_GROUP_COUNT] = {
	{ NACRE_GROUP_AUTH, NACRE_CAPS_AUTH, NACRE_CAP_AUTH_SHARED, NACRE_CAP_AUTH_EXCL,
	  NACRE_CAP_AUTH_EXCL },
	{ NACRE_GROUP_LINK, NACRE_CAPS_LINK, NACRE_CAP_LINK_SHARED, NACRE_CAP_LINK_EXCL,
	  NACRE_CAP_LINK_EXCL },
	{ NACRE_GROUP_XATTR, NACRE_CAPS_XATTR, NACRE_CAP_XATTR_SHARED, NACRE_CAP_XATTR_EXCL,
	  NACRE_CAP_XATTR_EXCL },
	{ NACRE_GROUP_FILE, NACRE_CAPS_FILE, NACRE_CAP_FILE_SHARED, NACRE_CAP_FILE_EXCL,
	  NACRE_CAP_FILE_EXCL | WRITING },
	{ NACRE_GROUP_DIR, NACRE_CAPS_DIR, NACRE_CAP_DIR_SHARED, NACRE_CAP_DIRX, NACRE_CAP_DIRX },
};

int nacre_group_index(__u32 group)
{
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups_table[i].group == group)
			return i;
	return -1;
}

__u32 nacre_group_at(int index)
{
	return groups_table[index].group;
}

__u32 nacre_group_caps(__u32 groups)
{
	__u32 caps = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & groups_table[i].group)
			caps |= groups_table[i].caps;
	return caps;
}

__u32 nacre_group_shared(__u32 groups)
{
	__u32 caps = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & groups_table[i].group)
			caps |= groups_table[i].shared;
	return caps;
}

__u32 nacre_group_excl(__u32 groups)
{
	__u32 caps = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & groups_table[i].group)
			caps |= groups_table[i].excl;
	return caps;
}

__u32 nacre_caps_groups(__u32 caps)
{
	__u32 groups = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (caps & groups_table[i].caps)
			groups |= groups_table[i].group;
	return groups;
}

__u32 nacre_group_cover(__u32 groups)
{
	__u32 caps = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (groups & groups_table[i].group)
			caps |= groups_table[i].cover;
	return caps;
}

__u32 nacre_caps_conflict(__u32 mine, __u32 theirs)
{
	__u32 conflict = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		if (theirs & groups_table[i].caps)
			conflict |= mine & groups_table[i].excl;
		if (theirs & groups_table[i].excl)
			conflict |= mine & groups_table[i].caps;
	}
	if (theirs & COPIES)
		conflict |= mine & WRITING;
	if (theirs & WRITING)
		conflict |= mine & COPIES;
	return conflict;
}

/* One letter a bit, behind the letter of its group when the group has any. */
struct letter_row {
	__u32 cap;
	char letter;
	char group;
};

static const struct letter_row letters[] = {
	{ NACRE_CAP_PIN, 'p', 0 },
	{ NACRE_CAP_AUTH_SHARED, 's', 'A' }, { NACRE_CAP_AUTH_EXCL, 'x', 'A' },
	{ NACRE_CAP_LINK_SHARED, 's', 'L' }, { NACRE_CAP_LINK_EXCL, 'x', 'L' },
	{ NACRE_CAP_XATTR_SHARED, 's', 'X' }, { NACRE_CAP_XATTR_EXCL, 'x', 'X' },
	{ NACRE_CAP_FILE_SHARED, 's', 'F' }, { NACRE_CAP_FILE_EXCL, 'x', 'F' },
	{ NACRE_CAP_FILE_CACHE, 'c', 'F' }, { NACRE_CAP_FILE_READ, 'r', 'F' },
	{ NACRE_CAP_FILE_WRITE, 'w', 'F' }, { NACRE_CAP_FILE_BUFFER, 'b', 'F' },
	{ NACRE_CAP_DIR_SHARED, 's', 'D' }, { NACRE_CAP_DIRX, 'x', 'D' },
};

const char *nacre_caps_text(__u32 caps, char text[NACRE_CAPS_TEXT_BYTES])
{
	char group = 0, *at = text;
	unsigned int i;

	for (i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (!(caps & letters[i].cap))
			continue;
		if (letters[i].group != group) {
			group = letters[i].group;
			*at++ = group;
		}
		*at++ = letters[i].letter;
	}
	if (at == text)
		*at++ = '-';
	*at = 0;
	return text;
}
