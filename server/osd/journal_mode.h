/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A journal mode: where the bytes of a write go, and when. One table per mode;
 * the pool's mode (protocol/map.h) chooses it for each request.
 *
 *	data	every changed block keeps its place, or is given one if it has none;
 *		its image is journaled and written to its place later
 *	cow	what is written is written once, to fresh blocks, and durable there before
 *		the record that points to them is journaled (direct.h); small writes as in data
 *
 *	ordered	what is overwritten is written once, in its place, and durable there before
 *		the record is journaled; an intent tells before (intents.h); small writes as in data
 *
 * A mode decides for one request at a time, and the journal says
 * of each transaction what it has done: a pool may change its mode at any time.
 */
#ifndef NACRE_SERVER_OSD_JOURNAL_MODE_H
#define NACRE_SERVER_OSD_JOURNAL_MODE_H

#include <stdbool.h>
#include <stdint.h>
#include "protocol/map.h"

struct osd_store;
struct osd_view;
struct osd_txn;

struct osd_journal_mode {
	const char *name;
	enum nacre_journal_mode number;
	/*
	 * Give every changed block of the view a place on the device, and enter
	 * images and space into the transaction. `leave`: so many blocks have
	 * to stay free. 0, or -ENOSPC or -EAGAIN with nothing taken: the latter when
	 * osd_store_wait_space() is to be called.
	 */
	int (*place)(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
		     uint64_t leave);
};

extern const struct osd_journal_mode osd_journal_mode_data;
extern const struct osd_journal_mode osd_journal_mode_cow;
extern const struct osd_journal_mode osd_journal_mode_ordered;

/* The table of a pool's mode, or NULL: not served here. */
const struct osd_journal_mode *osd_journal_mode_find(uint8_t number);

#endif
