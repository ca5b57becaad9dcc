/* SPDX-License-Identifier: GPL-2.0 */
/* What cutting and probing a file share; see filework.h. */
#include "core.h"
#include "filework.h"

#define FILE_LOCK 3			/* place of NACRE_GROUP_FILE */
#define PAUSE_MS 100			/* before scaling; doubles up to PAUSE_MS << PAUSES_MAX */
#define PAUSES_MAX 8
#define LIST_FACTOR 4			/* so many requests a group, and the groups are asked first */

/* One object's part of it. */
struct part {
	struct mds_filework *work;
	uint64_t index;
};

/* Bring the FILE lock where nobody else is, and hold it there. */
bool mds_file_lock_pin(struct mds *mds, struct mds_inode *inode, uint8_t event)
{
	struct nacre_lock *lock = &inode->locks[FILE_LOCK];

	if (lock->state != NACRE_LOCK_TO_LOCK && !nacre_lock_can_change(lock, 0))
		mds_lock_step(mds, inode, FILE_LOCK, event, 0);
	return nacre_lock_pin_change(lock, 0) == 0;
}

static void pause_is_over(struct io_timer *timer)
{
	struct mds_filework *work = container_of(timer, struct mds_filework, pause);

	if (work->mds->state != MDS_DEAD)
		work->ops->go(work);
}

void mds_filework_begin(struct mds *mds, struct mds_filework *work, struct mds_inode *inode,
			const struct mds_filework_ops *ops)
{
	work->mds = mds;
	work->inode = inode;
	work->ops = ops;
	work->pause.fire = pause_is_over;
	mds_inode_pin(inode);
	TAILQ_INSERT_TAIL(&mds->fileworks, work, link);
}

static void work_free(struct mds_filework *work)
{
	TAILQ_REMOVE(&work->mds->fileworks, work, link);
	io_timer_cancel(work->mds->io, &work->pause);
	mds_listing_free(work->listing);
	free(work);
}

void mds_filework_end(struct mds_filework *work)
{
	struct mds_inode *inode = work->inode;
	struct mds *mds = work->mds;

	nacre_lock_unpin_change(&inode->locks[FILE_LOCK]);
	mds_wake(mds, &inode->waiters);
	mds_caps_settle(mds, inode);
	mds_inode_unpin(mds, inode);
	work_free(work);
}

void mds_filework_free_all(struct mds *mds)
{
	struct mds_filework *work;

	while ((work = TAILQ_FIRST(&mds->fileworks)))
		work_free(work);
}

/* ---- requests -------------------------------------------------------------------------------------------- */

/* All of this round is answered. */
static void end_round(struct mds_filework *work)
{
	struct mds *mds = work->mds;
	unsigned int doubled = work->pauses < PAUSES_MAX ? work->pauses : PAUSES_MAX;

	if (!work->failed) {
		work->ops->go(work);
		return;
	}
	work->failed = false;
	work->pauses++;
	io_timer_arm(mds->io, &work->pause,
		     mds_now(mds) + mds_scaled_ns(mds, (uint64_t)PAUSE_MS << doubled));
}

static void answered(struct osdc_request *request, uint32_t result)
{
	struct part *part = osdc_request_owner(request);
	struct mds_filework *work = part->work;
	struct mds *mds = work->mds;
	uint64_t index = part->index;

	free(part);
	work->in_flight--;
	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	if (!work->ops->answered(work, index, request, result)) {
		log_error(mds->log, work->ops->what, "object %llu of inode %#llx: result %u, trying again",
			  (unsigned long long)index, (unsigned long long)work->inode->ino, result);
		work->failed = true;
	}
	osdc_request_free(request);
	if (!work->in_flight)
		end_round(work);
}

struct osdc_request *mds_filework_request(struct mds_filework *work, uint64_t index)
{
	return mds_must(osdc_request_new(work->mds->osdc, work->inode->pool, work->inode->ino,
					 index));
}

void mds_filework_submit(struct mds_filework *work, struct osdc_request *request, uint64_t index)
{
	struct part *part = mds_zalloc(sizeof(*part));

	*part = (struct part){ work, index };
	work->in_flight++;
	osdc_submit(request, answered, part);
}

/* ---- which objects there are ------------------------------------------------------------------------------- */

bool mds_filework_is_sparse(const struct mds_filework *work, uint64_t objects)
{
	return objects > (uint64_t)LIST_FACTOR * mds_listing_cost(work->mds, work->inode->pool);
}

static void listed(void *owner)
{
	struct mds_filework *work = owner;

	if (!work->in_flight && !work->failed)
		work->ops->go(work);
}

void mds_filework_list(struct mds_filework *work)
{
	mds_listing_free(work->listing);
	work->listing = mds_listing_new(work->mds, work->inode->pool, work->inode->ino, 1, listed,
					work);
}
