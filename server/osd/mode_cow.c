// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode `cow`: what is written goes to fresh blocks, is durable there, and only then a
 * record points to them (direct.h). An overwrite costs its bytes once and is atomic: until the record is in the journal,
 * the object has its old blocks, which nobody has touched. Decision 0014.
 */
#include "journal_mode.h"
#include "place.h"

static int cow_place(struct osd_store *store, struct osd_view *view, struct osd_txn *txn, uint64_t leave)
{
	return osd_place_direct(store, view, txn, leave, false);
}

const struct osd_journal_mode osd_journal_mode_cow = {
	.name = "cow",
	.number = NACRE_JOURNAL_COW,
	.place = cow_place,
};
