/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Ranges of keys that transactions in the journal delete. Lists of the store do not know of them (store.h); who reads all
 * keys of a kind has to. Of a store in which nothing changes, and as long as that is so.
 */
#ifndef NACRE_SERVER_OSD_DELETED_H
#define NACRE_SERVER_OSD_DELETED_H

#include "store.h"

struct osd_deleted_range;

struct osd_deleted {
	struct osd_deleted_range *ranges;	/* ascending */
	size_t count;
};

void osd_deleted_collect(struct osd_deleted *deleted, const struct osd_store *store);
bool osd_deleted_has(const struct osd_deleted *deleted, const struct kv_pair *pair);
void osd_deleted_free(struct osd_deleted *deleted);

#endif
