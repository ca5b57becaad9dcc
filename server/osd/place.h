/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the changed blocks of a view go: what the journal modes have in common.
 *
 * Both enter images, direct writes and space into the view's transaction, and give blocks back that they
 * replace and nobody else has. `leave`: so many blocks have to stay free. 0, -ENOSPC, or -EAGAIN: it could be done if
 * less were barred (bars.h); nothing is taken then.
 */
#ifndef NACRE_SERVER_OSD_PLACE_H
#define NACRE_SERVER_OSD_PLACE_H

#include <stdbool.h>
#include <stdint.h>

struct osd_store;
struct osd_view;
struct osd_txn;

/* Blocks stay where they are, those without a place get one; all bytes are journaled. */
int osd_place_journaled(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
			uint64_t leave);
/*
 * Large writes go directly: to fresh blocks, into room where nothing was ever written, or (`in_place`) over what was there
 * if an intent can be had. What is small goes through the journal, as a flush of its own for the data would cost more than
 * writing a few blocks twice; and so does what finds no room for a second copy: overwriting works on a full device, too.
 */
int osd_place_direct(struct osd_store *store, struct osd_view *view, struct osd_txn *txn,
		     uint64_t leave, bool in_place);

#endif
