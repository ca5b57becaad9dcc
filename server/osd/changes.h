/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changes of the key-value store that are made but not yet applied to it.
 *
 * Each belongs to a transaction (txn.h), which keeps it in order and frees it.
 * A set finds the newest change of a key, so that readers see what the
 * key-value store will say. The store has one set; a transaction in the making
 * has its own, which is merged at commit.
 */
#ifndef NACRE_SERVER_OSD_CHANGES_H
#define NACRE_SERVER_OSD_CHANGES_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include "layout.h"
#include "mem.h"

struct osd_change {
	RB_ENTRY(osd_change) entry;	/* in a set, while it is the newest of its key */
	TAILQ_ENTRY(osd_change) link;	/* of its transaction */
	uint64_t seq;			/* of its transaction, 0 before commit */
	bool in_set;
	uint8_t kind;			/* enum osd_change_kind */
	uint32_t key_bytes;
	uint32_t value_bytes;
	uint8_t bytes[];		/* key, value */
};

TAILQ_HEAD(osd_change_list, osd_change);
RB_HEAD(osd_changes, osd_change);

static inline const uint8_t *osd_change_value(const struct osd_change *change)
{
	return change->bytes + change->key_bytes;
}

struct osd_change *osd_change_new(enum osd_change_kind kind, const void *key, uint32_t key_bytes,
				  const void *value, uint32_t value_bytes);

/* The newest change of a key, or NULL. */
struct osd_change *osd_changes_find(const struct osd_changes *set, const void *key,
				    uint32_t key_bytes);
/* The first change whose key is at or behind this one; osd_changes_next() goes on. */
struct osd_change *osd_changes_from(const struct osd_changes *set, const void *key,
				    uint32_t key_bytes);
struct osd_change *osd_changes_next(struct osd_change *change);

/* Enter a change as the newest of its key; returns the one it replaces, or NULL. Ranges are not entered. */
struct osd_change *osd_changes_enter(struct osd_changes *set, struct osd_change *change);
/* Take it out, if it is the newest. */
void osd_changes_leave(struct osd_changes *set, struct osd_change *change);

#endif
