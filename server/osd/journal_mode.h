/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A journal mode: where the bytes of a write go, and when. One table per mode;
 * the pool's mode (protocol/map.h) chooses it for each request.
 *
 *	data	every changed block keeps its place, or is given one if it has none;
 *		its image is journaled and written to its place later
 *
 * A mode that writes data to its place first gives changed blocks fresh places in
 * place() and keeps their images out of the transaction; a step between the end of
 * execution and osd_store_submit() then makes the data durable.
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
	 * to stay free. 0, or -ENOSPC with nothing taken.
	 */
	int (*place)(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
		     uint64_t leave);
};

extern const struct osd_journal_mode osd_journal_mode_data;

/* The table of a pool's mode, or NULL: not served here. */
const struct osd_journal_mode *osd_journal_mode_find(uint8_t number);

#endif
