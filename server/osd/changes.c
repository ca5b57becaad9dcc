// SPDX-License-Identifier: GPL-2.0
/*
 * Sets of key-value changes. See changes.h.
 */
#include "changes.h"
#include "kv.h"

/* A key to look for, shaped like a change. */
union probe {
	struct osd_change change;
	uint8_t room[sizeof(struct osd_change) + OSD_KEY_MAX];
};

static int compare(const struct osd_change *a, const struct osd_change *b)
{
	return kv_compare(a->bytes, a->key_bytes, b->bytes, b->key_bytes);
}

RB_GENERATE_INTERNAL(osd_changes, osd_change, entry, compare, static inline)

struct osd_change *osd_change_new(enum osd_change_kind kind, const void *key, uint32_t key_bytes,
				  const void *value, uint32_t value_bytes)
{
	struct osd_change *change = mem_zero(1, sizeof(*change) + key_bytes + value_bytes);

	change->kind = (uint8_t)kind;
	change->key_bytes = key_bytes;
	change->value_bytes = value_bytes;
	memcpy(change->bytes, key, key_bytes);
	if (value_bytes)
		memcpy(change->bytes + key_bytes, value, value_bytes);
	return change;
}

static void fill_probe(union probe *probe, const void *key, uint32_t key_bytes)
{
	if (key_bytes > OSD_KEY_MAX)
		abort();
	memset(&probe->change, 0, sizeof(probe->change));
	probe->change.key_bytes = key_bytes;
	memcpy(probe->room + offsetof(struct osd_change, bytes), key, key_bytes);
}

struct osd_change *osd_changes_find(const struct osd_changes *set, const void *key,
				    uint32_t key_bytes)
{
	union probe probe;

	fill_probe(&probe, key, key_bytes);
	return RB_FIND(osd_changes, (struct osd_changes *)set, &probe.change);
}

struct osd_change *osd_changes_from(const struct osd_changes *set, const void *key,
				    uint32_t key_bytes)
{
	union probe probe;

	fill_probe(&probe, key, key_bytes);
	return RB_NFIND(osd_changes, (struct osd_changes *)set, &probe.change);
}

struct osd_change *osd_changes_next(struct osd_change *change)
{
	return RB_NEXT(osd_changes, NULL, change);
}

struct osd_change *osd_changes_enter(struct osd_changes *set, struct osd_change *change)
{
	struct osd_change *old;

	if (change->kind == OSD_CHANGE_DELETE_RANGE)
		return NULL;
	old = RB_FIND(osd_changes, set, change);
	if (old)
		osd_changes_leave(set, old);
	RB_INSERT(osd_changes, set, change);
	change->in_set = true;
	return old;
}

void osd_changes_leave(struct osd_changes *set, struct osd_change *change)
{
	if (!change->in_set)
		return;
	RB_REMOVE(osd_changes, set, change);
	change->in_set = false;
}
