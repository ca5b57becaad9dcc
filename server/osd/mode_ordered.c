// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode `ordered`: what is overwritten stays where it is, and is durable there before the record is journaled. An
 * intent (intents.h) is durable before the first byte changes; what a crash leaves torn is told by it.
 *
 * An intent costs nothing as long as a record is to be written anyway before this one's data is. When the journal is at
 * rest it would cost a write and a flush of its own: then the bytes go to fresh blocks, as in mode `cow`, which is cheaper. Decision 0016.
 */
#include "journal_mode.h"
#include "place.h"
#include "store.h"

static int ordered_place(struct osd_store *store, struct osd_view *view, struct osd_txn *txn, uint64_t leave)
{
	return osd_place_direct(store, view, txn, leave, osd_intents_ride(&store->intents));
}

const struct osd_journal_mode osd_journal_mode_ordered = {
	.name = "ordered",
	.number = NACRE_JOURNAL_ORDERED,
	.place = ordered_place,
};
