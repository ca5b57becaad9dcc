/* SPDX-License-Identifier: GPL-2.0 */
/*
 * STATFS: what the OSDs that are up say of their space, added up and divided by the data pool's
 * replicas; asked again when the last answer is older than a second. An OSD that does not
 * answer in time counts as it last did.
 */
#include "core.h"
#include "ops.h"
#include "statfs.h"

#define FRESH_MS 1000			/* before scaling */
#define PATIENCE_MS 2000

/* One OSD, over a connection of our own. */
struct statfs_osd {
	TAILQ_ENTRY(statfs_osd) link;
	uint16_t id;
	struct io_address address;
	struct conn *conn;
	bool asked;			/* its answer is awaited */
	struct nacre_osd_statfs last;
};

struct mds_statfs_cache {
	TAILQ_HEAD(, statfs_osd) osds;
	struct mds_waitlist waiters;
	struct io_timer patience;
	struct mds *mds;
	uint64_t tid;
	uint64_t asked_ns;		/* when the last round began; 0 = never */
	unsigned int awaited;
	bool round;			/* is under way */
};

static void end_round(struct mds *mds)
{
	mds->statfs->round = false;
	io_timer_cancel(mds->io, &mds->statfs->patience);
	mds_wake(mds, &mds->statfs->waiters);
}

static void out_of_patience(struct io_timer *timer)
{
	struct mds_statfs_cache *cache = container_of(timer, struct mds_statfs_cache, patience);
	struct statfs_osd *osd;

	TAILQ_FOREACH(osd, &cache->osds, link)
		osd->asked = false;
	cache->awaited = 0;
	end_round(cache->mds);
}

void mds_statfs_init(struct mds *mds)
{
	mds->statfs = mds_zalloc(sizeof(*mds->statfs));
	mds->statfs->mds = mds;
	mds->statfs->patience.fire = out_of_patience;
	TAILQ_INIT(&mds->statfs->osds);
	TAILQ_INIT(&mds->statfs->waiters);
}

static void drop_osd(struct mds_statfs_cache *cache, struct statfs_osd *osd)
{
	TAILQ_REMOVE(&cache->osds, osd, link);
	cache->awaited -= osd->asked;
	if (osd->conn)
		conn_close(osd->conn);
	free(osd);
}

void mds_statfs_free(struct mds *mds)
{
	struct statfs_osd *osd;

	io_timer_cancel(mds->io, &mds->statfs->patience);
	while ((osd = TAILQ_FIRST(&mds->statfs->osds)))
		drop_osd(mds->statfs, osd);
	free(mds->statfs);
}

/* ---- connections -------------------------------------------------------------------------------------------- */

static struct statfs_osd *find_osd(struct mds *mds, const struct conn *conn)
{
	struct statfs_osd *osd;

	TAILQ_FOREACH(osd, &mds->statfs->osds, link)
		if (osd->conn == conn)
			return osd;
	return NULL;
}

static void ask(struct mds *mds, struct statfs_osd *osd)
{
	struct nacre_osd_statfs_req request = { .tid = ++mds->statfs->tid };

	if (osd->asked && conn_is_open(osd->conn))
		mds_send(mds, osd->conn, NACRE_MSG_OSD_STATFS, &request);
}

bool mds_statfs_opened(struct mds *mds, struct conn *conn)
{
	struct statfs_osd *osd = find_osd(mds, conn);

	if (osd)
		ask(mds, osd);
	return osd;
}

bool mds_statfs_closed(struct mds *mds, struct conn *conn)
{
	struct statfs_osd *osd = find_osd(mds, conn);

	if (!osd)
		return false;
	if (conn_is_refused(conn))
		drop_osd(mds->statfs, osd);
	return true;
}

bool mds_statfs_message(struct mds *mds, struct conn *conn, struct message *message)
{
	struct statfs_osd *osd = find_osd(mds, conn);

	if (!osd || message->type != NACRE_MSG_OSD_STATFS_REPLY)
		return false;
	osd->last = message->host.osd_statfs;
	if (osd->asked) {
		osd->asked = false;
		mds->statfs->awaited--;
		if (!mds->statfs->awaited && mds->statfs->round)
			end_round(mds);
	}
	message_put(message);
	return true;
}

static struct io_address address_of(const struct nacre_map_osd *row)
{
	struct io_address address = { .port = row->port };
	int i;

	for (i = 0; i < 8; i++) {
		address.ip[i] = (uint8_t)(row->address_hi >> (56 - 8 * i));
		address.ip[8 + i] = (uint8_t)(row->address_lo >> (56 - 8 * i));
	}
	return address;
}

/* The OSD of this row, under its present address. */
static struct statfs_osd *get_osd(struct mds *mds, const struct nacre_map_osd *row)
{
	struct io_address address = address_of(row);
	struct statfs_osd *osd, *next;

	for (osd = TAILQ_FIRST(&mds->statfs->osds); osd; osd = next) {
		next = TAILQ_NEXT(osd, link);
		if (osd->id != row->id)
			continue;
		if (!memcmp(&osd->address, &address, sizeof(address)))
			return osd;
		drop_osd(mds->statfs, osd);
	}
	osd = mds_zalloc(sizeof(*osd));
	osd->id = row->id;
	osd->address = address;
	TAILQ_INSERT_TAIL(&mds->statfs->osds, osd, link);
	osd->conn = mds_must(msgr_dial(mds->msgr, &address, osd));
	return osd;
}

static void begin_round(struct mds *mds)
{
	struct cluster_map *map = member_map(mds->member);
	struct nacre_map_osd row;
	uint32_t i;

	mds->statfs->round = true;
	mds->statfs->asked_ns = mds_now(mds);
	io_timer_arm(mds->io, &mds->statfs->patience,
		     mds_now(mds) + mds_scaled_ns(mds, PATIENCE_MS));
	for (i = 0; !nacre_map_osd_at(&map->view, i, &row); i++) {
		struct statfs_osd *osd;

		if (!(row.flags & NACRE_OSD_UP))
			continue;
		osd = get_osd(mds, &row);
		if (!osd->asked) {
			osd->asked = true;
			mds->statfs->awaited++;
		}
		ask(mds, osd);
	}
	if (!mds->statfs->awaited)
		end_round(mds);
}

/* ---- the request ------------------------------------------------------------------------------------------------ */

static void add_up(struct mds *mds, struct nacre_statfs *sum)
{
	struct cluster_map *map = member_map(mds->member);
	struct nacre_map_pool pool = { .replicas = 1 };
	const struct statfs_osd *osd;

	nacre_map_pool_at(&map->view, NACRE_POOL_DATA, &pool);
	*sum = (struct nacre_statfs){ 0 };
	TAILQ_FOREACH(osd, &mds->statfs->osds, link) {
		sum->bytes_total += osd->last.bytes_total;
		sum->bytes_free += osd->last.bytes_free;
		sum->files += osd->last.objects;
	}
	sum->bytes_total /= pool.replicas;
	sum->bytes_free /= pool.replicas;
	sum->files /= pool.replicas;
	sum->files_free = sum->bytes_free / NACRE_OBJECT_BYTES_MIN;
}

int mds_op_statfs(struct mds *mds, struct mds_request *request)
{
	struct mds_statfs_cache *cache = mds->statfs;
	struct nacre_writer w = nacre_writer(mds->scratch2, sizeof(struct nacre_statfs_wire));
	struct nacre_statfs sum;

	if (!cache->round && (!cache->asked_ns ||
			      mds_now(mds) - cache->asked_ns > mds_scaled_ns(mds, FRESH_MS)))
		begin_round(mds);
	if (cache->round)
		return mds_request_park(mds, request, &cache->waiters, MDS_WAIT_STATFS, 0);
	add_up(mds, &sum);
	nacre_encode(nacre_statfs_desc(), &w, &sum);
	return mds_reply_extra(mds, request, NULL, 0, mds->scratch2,
			       (uint32_t)nacre_writer_bytes(&w), 0);
}
