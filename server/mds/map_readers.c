/* SPDX-License-Identifier: GPL-2.0 */
/* Handing out the cluster map; see map_readers.h. */
#include "core.h"
#include "map_readers.h"

struct map_reader {
	TAILQ_ENTRY(map_reader) link;
	struct conn *conn;		/* referenced */
	uint64_t have_epoch;
};

struct mds_map_readers {
	TAILQ_HEAD(, map_reader) list;
};

static struct mds_map_readers *readers(struct mds *mds)
{
	if (!mds->map_readers) {
		mds->map_readers = mds_zalloc(sizeof(*mds->map_readers));
		TAILQ_INIT(&mds->map_readers->list);
	}
	return mds->map_readers;
}

static struct map_reader *find_reader(struct mds *mds, const struct conn *conn)
{
	struct map_reader *reader;

	TAILQ_FOREACH(reader, &readers(mds)->list, link)
		if (reader->conn == conn)
			return reader;
	return NULL;
}

void mds_map_get(struct mds *mds, struct conn *conn, const struct nacre_map_get *get)
{
	struct cluster_map *map = member_map(mds->member);
	struct map_reader *reader = find_reader(mds, conn);

	if (!reader && (get->flags & NACRE_MAP_SUBSCRIBE)) {
		reader = mds_zalloc(sizeof(*reader));
		reader->conn = conn_get(conn);
		reader->have_epoch = get->have_epoch;
		TAILQ_INSERT_TAIL(&readers(mds)->list, reader, link);
	}
	if (!map || map->view.epoch <= get->have_epoch)
		return;
	if (reader)
		reader->have_epoch = map->view.epoch;
	mds_send(mds, conn, NACRE_MSG_MAP, &map->map);
}

void mds_map_tell(struct mds *mds)
{
	struct cluster_map *map = member_map(mds->member);
	struct map_reader *reader;

	TAILQ_FOREACH(reader, &readers(mds)->list, link)
		if (reader->have_epoch < map->view.epoch) {
			reader->have_epoch = map->view.epoch;
			mds_send(mds, reader->conn, NACRE_MSG_MAP, &map->map);
		}
}

void mds_map_forget(struct mds *mds, struct conn *conn)
{
	struct map_reader *reader = find_reader(mds, conn);

	if (!reader)
		return;
	TAILQ_REMOVE(&readers(mds)->list, reader, link);
	conn_put(reader->conn);
	free(reader);
}

void mds_map_readers_free(struct mds *mds)
{
	struct map_reader *reader;

	while ((reader = TAILQ_FIRST(&readers(mds)->list)))
		mds_map_forget(mds, reader->conn);
	free(mds->map_readers);
	mds->map_readers = NULL;
}
