/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Numbers given to clients: instance ids, taken from the map in blocks so that not every
 * mount changes the map, and ranges of inode numbers (INO-1).
 */
#include "change.h"
#include "core.h"
#include "server/base/mapedit.h"

#define BLOCK_IDS 16
#define INOS_LOW(mds) ((mds)->config.ino_range / 2)	/* so few are left: the next range is on its way */

/* A connection that waits for an id. */
struct id_waiter {
	TAILQ_ENTRY(id_waiter) link;
	struct conn *conn;		/* referenced */
};

struct mds_ids {
	uint64_t first;
	uint64_t count;
	uint64_t asked_first;		/* what our edit of the map would take */
	bool asking;
	TAILQ_HEAD(, id_waiter) waiters;
};

void mds_ids_init(struct mds *mds)
{
	mds->ids = mds_zalloc(sizeof(*mds->ids));
	TAILQ_INIT(&mds->ids->waiters);
}

void mds_ids_free(struct mds *mds)
{
	struct id_waiter *waiter;

	while ((waiter = TAILQ_FIRST(&mds->ids->waiters))) {
		TAILQ_REMOVE(&mds->ids->waiters, waiter, link);
		conn_put(waiter->conn);
		free(waiter);
	}
	free(mds->ids);
}

void mds_ids_block(const struct mds *mds, __u64 *ret_first, __u64 *ret_count)
{
	*ret_first = mds->ids->first;
	*ret_count = mds->ids->count;
}

void mds_ids_set_block(struct mds *mds, uint64_t first, uint64_t count)
{
	mds->ids->first = first;
	mds->ids->count = count;
}

static void give_ids(struct mds *mds)
{
	struct mds_ids *ids = mds->ids;
	struct id_waiter *waiter;

	while (ids->count && (waiter = TAILQ_FIRST(&ids->waiters))) {
		uint64_t instance = ids->first++;

		ids->count--;
		TAILQ_REMOVE(&ids->waiters, waiter, link);
		mds_session_open(mds, waiter->conn, instance);
		conn_put(waiter->conn);
		free(waiter);
	}
}

static int take_block(void *owner, const struct cluster_map *now, struct mapedit *next)
{
	struct mds *mds = owner;
	unsigned int i;

	mds->ids->asked_first = mapedit_new_instance(next);
	for (i = 1; i < BLOCK_IDS; i++)
		mapedit_new_instance(next);
	return 0;
}

static void ask_for_block(struct mds *mds);

static void block_taken(void *owner, int result)
{
	struct mds *mds = owner;
	struct cluster_map *map = member_map(mds->member);
	struct mds_ids *ids = mds->ids;

	ids->asking = false;
	if (mds->state == MDS_DEAD)
		return;
	if (result) {
		log_warn(mds->log, "session", "no instance ids from the map: %s", strerror(-result));
		if (!TAILQ_EMPTY(&ids->waiters))
			ask_for_block(mds);
		return;
	}
	ids->first = ids->asked_first;
	ids->count = BLOCK_IDS;
	/* nobody may judge the new ids by an older map */
	mds_set_barrier(mds, map->view.epoch);
	give_ids(mds);
}

static void ask_for_block(struct mds *mds)
{
	if (mds->ids->asking)
		return;
	mds->ids->asking = true;
	member_change_map(mds->member, take_block, block_taken, mds);
}

void mds_ids_take(struct mds *mds, struct conn *conn)
{
	struct mds_session *session = conn_owner(conn);
	struct id_waiter *waiter;

	/* asked again on the same connection: the same answer */
	if (session) {
		mds_session_step(mds, session, NACRE_RSESE_OPEN);
		return;
	}
	TAILQ_FOREACH(waiter, &mds->ids->waiters, link)
		if (waiter->conn == conn)
			return;
	waiter = mds_zalloc(sizeof(*waiter));
	waiter->conn = conn_get(conn);
	TAILQ_INSERT_TAIL(&mds->ids->waiters, waiter, link);
	if (mds->ids->count)
		give_ids(mds);
	else
		ask_for_block(mds);
}

void mds_ids_forget(struct mds *mds, struct conn *conn)
{
	struct id_waiter *waiter;

	TAILQ_FOREACH(waiter, &mds->ids->waiters, link)
		if (waiter->conn == conn) {
			TAILQ_REMOVE(&mds->ids->waiters, waiter, link);
			conn_put(conn);
			free(waiter);
			return;
		}
}

/* ---- inode numbers ------------------------------------------------------------------------------------- */

uint64_t mds_take_inos(struct mds *mds, uint64_t count)
{
	uint64_t first = mds->next_ino;

	mds->next_ino += count;
	return first;
}

struct offer {
	struct mds_commit commit;
	uint64_t instance;
	uint64_t first;
};

static void offer_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct offer *offer = container_of(commit, struct offer, commit);
	struct mds_session *session = mds_session_find(mds, offer->instance);

	if (session) {
		session->offering = false;
		mds_intervals_add(&session->offered, offer->first, mds->config.ino_range);
		if (mds_session_serves(session))
			mds_session_send_state(mds, session, 0);
	}
	free(offer);
}

void mds_session_offer_inos(struct mds *mds, struct mds_session *session, uint64_t left)
{
	struct mds_change change;
	struct offer *offer;

	if (left >= INOS_LOW(mds) || session->offering || session->offered.count ||
	    !mds_session_serves(session) || session->inos.count >= MDS_INTERVALS_MAX / 2)
		return;
	offer = mds_zalloc(sizeof(*offer));
	offer->commit.done = offer_is_safe;
	offer->commit.owned = true;
	offer->instance = session->instance;
	offer->first = mds_take_inos(mds, mds->config.ino_range);
	session->offering = true;
	mds_intervals_add(&session->inos, offer->first, mds->config.ino_range);
	mds_change_begin(&change, mds, session);
	mds_change_session(&change, MDS_ITEM_SESSION_INOS, session->instance, offer->first,
			   mds->config.ino_range);
	mds_change_next_ino(&change);
	mds_journal_on_safe(mds, mds_change_commit(&change), &offer->commit);
}
