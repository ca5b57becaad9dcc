// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode `cow`: what is written goes to fresh blocks, is durable there, and only then a
 * record points to them (direct.h). An overwrite costs its bytes once and is atomic: until the record is in the journal,
 * the object has its old blocks, which nobody has touched.
 *
 * What is small goes through the journal as in mode `data`: a flush of its own for the data would cost more than writing
 * a few blocks twice. So does what finds no room for a second copy, so that on a full device overwriting
 * still works, and with it every write into room that ALLOCATE has given (decision 0014).
 */
#include <errno.h>
#include "exec.h"
#include "place.h"

static int cow_place(struct osd_store *store, struct osd_view *view, struct osd_txn *txn, uint64_t leave)
{
	int err;

	if (osd_view_count(view).images < store->direct_blocks)
		return osd_place_journaled(store, view, txn, leave);
	err = osd_place_direct(store, view, txn, leave);
	if (err != -EAGAIN)
		return err;
	osd_store_want_space(store);
	return osd_place_journaled(store, view, txn, leave);
}

const struct osd_journal_mode osd_journal_mode_cow = {
	.name = "cow",
	.number = NACRE_JOURNAL_COW,
	.place = cow_place,
};
