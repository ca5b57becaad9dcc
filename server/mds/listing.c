/* SPDX-License-Identifier: GPL-2.0 */
/* Which objects there are; see listing.h. */
#include "core.h"
#include "listing.h"

#define PAUSE_MS 100			/* before scaling, of a group that did not answer; doubles */
#define PAUSES_MAX 8

struct mds_listing {
	struct mds *mds;
	uint32_t pool;
	uint64_t first, count;
	uint32_t pg, pg_count;		/* being asked, of how many */
	struct nacre_oid behind;	/* last object seen of the group; ino 0: none */
	struct osdc_request *page;	/* the answer; NULL: there is none to take from */
	struct nacre_reader objects;	/* of it, not taken yet */
	uint32_t flags;			/* of it: enum nacre_osd_result_flags */
	bool asking;			/* or pausing before it asks again */
	unsigned int refusals;		/* one after the other */
	struct io_timer pause;
	void (*turned)(void *owner);
	void *owner;
};

uint32_t mds_listing_cost(struct mds *mds, uint32_t pool)
{
	struct cluster_map *map = member_map(mds->member);
	struct nacre_map_pool row;

	return nacre_map_pool_at(&map->view, pool, &row) ? 0 : row.pg_count;
}

/* ---- asking ---------------------------------------------------------------------------------------------- */

/*
 * A group that is skipped is a group whose objects stay for ever: whoever lists deletes what is named. So it is
 * asked until it answers.
 */
static void pause_and_ask(struct mds_listing *listing)
{
	struct mds *mds = listing->mds;
	unsigned int doubled = listing->refusals < PAUSES_MAX ? listing->refusals : PAUSES_MAX;

	listing->refusals++;
	io_timer_arm(mds->io, &listing->pause,
		     mds_now(mds) + mds_scaled_ns(mds, (uint64_t)PAUSE_MS << doubled));
}

static void answered(struct osdc_request *request, uint32_t result)
{
	struct mds_listing *listing = osdc_request_owner(request);
	struct mds *mds = listing->mds;
	struct osdc_result page;

	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	if (result) {
		log_warn(mds->log, "listing", "group %u.%u does not list its objects: result %u, trying again",
			 listing->pool, listing->pg, result);
		osdc_request_free(request);
		pause_and_ask(listing);
		return;
	}
	listing->asking = false;
	listing->refusals = 0;
	listing->page = request;
	page = osdc_request_result(request, 0);
	listing->objects = nacre_reader(page.output, page.output_bytes);
	listing->flags = page.flags;
	listing->turned(listing->owner);
}

static void ask(struct mds_listing *listing)
{
	struct mds *mds = listing->mds;
	struct osdc_request *request = mds_must(osdc_request_new(mds->osdc, listing->pool,
								 listing->first, 0));
	uint8_t behind[sizeof(struct nacre_oid_wire)];
	struct nacre_writer w = nacre_writer(behind, sizeof(behind));

	nacre_encode(nacre_oid_desc(), &w, &listing->behind);
	osdc_request_group(request, listing->pg);
	osdc_add(request, NACRE_OSD_OP_OBJECTS, 0, NULL, 0, behind,
		 listing->behind.ino ? sizeof(behind) : 0, listing->first, listing->count);
	listing->asking = true;
	mds->counters.listings++;
	osdc_submit(request, answered, listing);
}

static void ask_again(struct io_timer *timer)
{
	struct mds_listing *listing = container_of(timer, struct mds_listing, pause);

	if (listing->mds->state != MDS_DEAD)
		ask(listing);
}

/* ---- listing --------------------------------------------------------------------------------------------- */

struct mds_listing *mds_listing_new(struct mds *mds, uint32_t pool, uint64_t first, uint64_t count,
				    void (*turned)(void *owner), void *owner)
{
	struct mds_listing *listing = mds_zalloc(sizeof(*listing));

	listing->mds = mds;
	listing->pause.fire = ask_again;
	listing->pool = pool;
	listing->first = first;
	listing->count = count;
	listing->pg_count = mds_listing_cost(mds, pool);
	listing->turned = turned;
	listing->owner = owner;
	return listing;
}

void mds_listing_free(struct mds_listing *listing)
{
	if (!listing)
		return;
	io_timer_cancel(listing->mds->io, &listing->pause);
	osdc_request_free(listing->page);
	free(listing);
}

static void next_group(struct mds_listing *listing)
{
	listing->pg++;
	listing->behind.ino = 0;
}

/* The page is used up: there is another one of the group, or it is the next group's turn. */
static void end_page(struct mds_listing *listing)
{
	bool more = listing->flags & NACRE_OSD_RESULT_MORE;
	bool went_on = listing->behind.ino;

	osdc_request_free(listing->page);
	listing->page = NULL;
	if (!more || !went_on)
		next_group(listing);
}

bool mds_listing_take(struct mds_listing *listing, uint64_t *ret_ino, uint64_t *ret_index)
{
	while (listing->page) {
		if (nacre_decode(nacre_oid_desc(), &listing->objects, &listing->behind)) {
			end_page(listing);
		} else if (listing->behind.snap == NACRE_SNAP_HEAD) {
			*ret_ino = listing->behind.ino;
			*ret_index = listing->behind.index;
			return true;
		}
	}
	if (!listing->asking && listing->pg < listing->pg_count)
		ask(listing);
	return false;
}

bool mds_listing_asks(const struct mds_listing *listing)
{
	return listing->asking;
}

uint32_t mds_listing_group(const struct mds_listing *listing)
{
	return listing->pg;
}

bool mds_listing_ended(const struct mds_listing *listing)
{
	return !listing->page && !listing->asking && listing->pg >= listing->pg_count;
}
