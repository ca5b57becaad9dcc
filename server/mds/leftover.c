/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deleting journal objects that were left behind; see leftover.h. The header that says that they are trimmed is
 * written before they are deleted, so a crash in between loses the knowledge of them. They lie below the place where
 * replay began; nothing below it is ever read or written again.
 */
#include "core.h"
#include "leftover.h"

struct mds_leftover {
	struct mds *mds;
	struct mds_listing *listing;
	uint64_t below;			/* objects of the journal that are trimmed */
	unsigned int in_flight;
};

static void deleted(struct osdc_request *request, uint32_t result)
{
	struct mds_leftover *leftover = osdc_request_owner(request);
	struct mds *mds = leftover->mds;

	osdc_request_free(request);
	if (mds->state == MDS_DEAD)
		return;
	if (result)	/* the next incarnation looks again */
		log_warn(mds->log, "journal", "a trimmed journal object stays: result %u", result);
	leftover->in_flight--;
	if (!leftover->in_flight && mds_listing_ended(leftover->listing))
		mds_leftover_free(mds);
}

static void delete_object(struct mds_leftover *leftover, uint64_t index)
{
	struct mds *mds = leftover->mds;
	struct osdc_request *request = mds_must(osdc_request_new(
		mds->osdc, NACRE_POOL_META, NACRE_INO_JOURNAL(mds->config.rank), index));

	osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
	leftover->in_flight++;
	mds->counters.leftovers++;
	osdc_submit(request, deleted, leftover);
}

static void listed(void *owner)
{
	struct mds_leftover *leftover = owner;
	uint64_t ino, index;

	while (mds_listing_take(leftover->listing, &ino, &index))
		if (index < leftover->below)
			delete_object(leftover, index);
	if (!leftover->in_flight && mds_listing_ended(leftover->listing))
		mds_leftover_free(leftover->mds);
}

void mds_leftover_begin(struct mds *mds)
{
	struct mds_leftover *leftover = mds_zalloc(sizeof(*leftover));

	mds->leftover = leftover;
	leftover->mds = mds;
	leftover->below = mds->checkpoint.trim_index;
	leftover->listing = mds_listing_new(mds, NACRE_POOL_META, NACRE_INO_JOURNAL(mds->config.rank),
					    1, listed, leftover);
	listed(leftover);
}

void mds_leftover_free(struct mds *mds)
{
	if (!mds->leftover)
		return;
	mds_listing_free(mds->leftover->listing);
	free(mds->leftover);
	mds->leftover = NULL;
}
