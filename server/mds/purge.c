/* SPDX-License-Identifier: GPL-2.0 */
/* Deleting objects in the background; see purge.h. */
#include "change.h"
#include "core.h"
#include "listing.h"
#include "purge_internal.h"
#include "protocol/rules/size.h"

#define PURGE_WIDTH 8			/* objects deleted together, over all jobs */
#define PURGE_WIDTH_MAX 128		/* the same, while many jobs wait, which take memory */
#define JOBS_PER_WIDTH 64
#define LIST_FACTOR 4			/* so many deletions a group, and a file's objects are listed first */
#define PAUSE_MS 1000			/* before scaling, of a job that failed; doubles up to PAUSE_MS << PAUSES_MAX */
#define PAUSES_MAX 6

static void purge_task(struct io_task *task);

void mds_purge_init(struct mds *mds)
{
	mds->purger = mds_zalloc(sizeof(*mds->purger));
	mds->purge_task.run = purge_task;
	TAILQ_INIT(&mds->purger->inodes);
	TAILQ_INIT(&mds->purger->numbers);
}

static struct purge_jobs *list_of(struct mds_purger *purger, const struct purge_job *job)
{
	return job->image.count > 1 ? &purger->numbers : &purger->inodes;
}

void purge_free_job(struct mds_purger *purger, struct purge_job *job)
{
	if (!job->away)
		TAILQ_REMOVE(list_of(purger, job), job, link);
	HASH_DEL(purger->by_ino, job);
	purger->count--;
	mds_listing_free(job->listing);
	free(job);
}

void mds_purge_free(struct mds *mds)
{
	struct purge_job *job, *next;

	HASH_ITER(hh, mds->purger->by_ino, job, next)
		purge_free_job(mds->purger, job);
	free(mds->purger);
}

struct purge_job *purge_find(struct mds *mds, uint64_t ino)
{
	struct purge_job *job;

	HASH_FIND(hh, mds->purger->by_ino, &ino, sizeof(ino), job);
	return job;
}

uint64_t mds_purge_count(const struct mds *mds)
{
	return mds->purger->count + mds->purger->stored;
}

/* ---- jobs -------------------------------------------------------------------------------------------------- */

void mds_purge_known(struct mds *mds, const struct mds_purge_image *image, uint64_t seq)
{
	struct purge_job *job = purge_find(mds, image->ino);

	if (job)
		return;
	job = mds_zalloc(sizeof(*job));
	job->mds = mds;
	job->image = *image;
	job->seq = seq;
	HASH_ADD(hh, mds->purger->by_ino, image.ino, sizeof(job->image.ino), job);
	if (seq)
		TAILQ_INSERT_TAIL(list_of(mds->purger, job), job, link);
	else
		TAILQ_INSERT_HEAD(list_of(mds->purger, job), job, link);	/* from the table: safe */
	mds->purger->count++;
}

bool mds_purge_has(struct mds *mds, uint64_t ino)
{
	return purge_find(mds, ino);
}

bool mds_purge_covers(struct mds *mds, uint64_t ino)
{
	const struct purge_job *job;

	if (purge_find(mds, ino))
		return true;
	TAILQ_FOREACH(job, &mds->purger->numbers, link)
		if (ino - job->image.ino < job->image.count)
			return true;
	return false;
}

void mds_purge_forget(struct mds *mds, uint64_t ino)
{
	struct purge_job *job = purge_find(mds, ino);

	if (job)
		purge_free_job(mds->purger, job);
}

uint32_t mds_purge_encode(struct mds *mds, uint64_t ino, uint8_t *room)
{
	struct nacre_writer w = nacre_writer(room, sizeof(struct mds_purge_image_wire));
	struct purge_job *job = purge_find(mds, ino);

	assert(job);
	nacre_encode(mds_purge_image_desc(), &w, &job->image);
	return (uint32_t)nacre_writer_bytes(&w);
}

static void begin_job(struct mds *mds, struct mds_change *change,
		      const struct mds_purge_image *image)
{
	uint64_t seq;

	mds_change_purge(change, image);
	seq = mds_change_commit(change);
	mds_purge_known(mds, image, seq);
	mds_record_set(mds, MDS_RECORD_PURGE, image->ino, true, seq);
	mds_record_set(mds, MDS_RECORD_ORPHAN, image->ino, false, seq);
	mds_record_set(mds, MDS_RECORD_WRITERS, image->ino, false, seq);
	mds_purge_kick(mds);
}

static bool dir_is_being_written(const struct mds_dir *dir)
{
	return dir && (dir->writing || dir->busy || dir->split);
}

bool mds_purge_inode(struct mds *mds, struct mds_inode *inode)
{
	struct mds_purge_image image = {
		.ino = inode->ino,
		.count = 1,
		.pool = inode->pool,
		/* most files have lived in an entry all their life */
		.purge_flags = mds_inode_is_dir(inode) || inode->own_stored ? MDS_PURGE_META : 0,
		.objects = 1,
	};
	struct mds_change change;

	if (inode->own_dirty.writing || inode->trace_dirty.writing ||
	    dir_is_being_written(inode->dir))
		return false;
	if (mds_inode_is_dir(inode)) {
		/* and the one behind them, which a split or a merge may have left (split.h) */
		image.pool = NACRE_POOL_META;
		image.objects = inode->fragments ? inode->fragments + 1 : 0;
	} else if (S_ISREG(inode->mode) && inode->data_end) {
		image.objects = nacre_layout_objects(inode->object_bytes, inode->data_end);
	}
	mds_change_begin(&change, mds, NULL);
	begin_job(mds, &change, &image);
	mds_inode_free(mds, inode);
	return true;
}

void mds_purge_numbers(struct mds *mds, uint64_t first, uint64_t count)
{
	struct cluster_map *map = member_map(mds->member);
	struct mds_purge_image image = { .ino = first, .count = count, .pool = NACRE_POOL_DATA };
	struct nacre_map_pool pool;
	struct mds_change change;

	if (nacre_map_pool_at(&map->view, NACRE_POOL_DATA, &pool))
		return;
	/* INO-1: what the holder of an undeclared number may have written */
	image.objects = nacre_layout_objects(pool.object_bytes,
					     nacre_size_next_max(0, 0, 0, pool.object_bytes));
	mds_change_begin(&change, mds, NULL);
	begin_job(mds, &change, &image);
}

/* ---- the work ------------------------------------------------------------------------------------------------ */

static void deleted(struct osdc_request *request, uint32_t result)
{
	struct purge_job *job = osdc_request_owner(request);
	struct mds *mds = job->mds;

	osdc_request_free(request);
	if (mds->state == MDS_DEAD)
		return;
	job->in_flight--;
	mds->purger->in_flight--;
	if (job->away && !job->in_flight) {
		job->away = false;
		TAILQ_INSERT_HEAD(list_of(mds->purger, job), job, link);
	}
	if (result) {
		log_warn(mds->log, "purge", "an object of inode %#llx is not deleted yet: result %u",
			 (unsigned long long)job->image.ino, result);
		job->failed = true;
	} else {
		mds->counters.purged_objects++;
	}
	mds_purge_kick(mds);
}

static void delete_object(struct purge_job *job, uint32_t pool, uint64_t ino, uint64_t index)
{
	struct mds *mds = job->mds;
	struct osdc_request *request = mds_must(osdc_request_new(mds->osdc, pool, ino, index));

	osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
	job->in_flight++;
	mds->purger->in_flight++;
	osdc_submit(request, deleted, job);
}

static void listed(void *owner)
{
	struct purge_job *job = owner;

	mds_purge_kick(job->mds);
}

/*
 * Of a removed file most objects exist, unless it is sparse; of numbers that were never declared hardly any. Asking
 * costs one request a group, whatever there is.
 */
static void begin_work(struct purge_job *job)
{
	const struct mds_purge_image *image = &job->image;
	uint32_t factor = image->count == 1 ? LIST_FACTOR : 1;
	uint64_t asking = (uint64_t)factor * mds_listing_cost(job->mds, image->pool);

	job->begun = true;
	if (image->objects && image->objects > asking / image->count)
		job->listing = mds_listing_new(job->mds, image->pool, image->ino, image->count, listed, job);
}

/* The next object; false: there is none, or it is not known yet. */
static bool next_object(struct purge_job *job, uint64_t *ino, uint64_t *index)
{
	if (job->listing)
		return mds_listing_take(job->listing, ino, index);
	if (job->number >= job->image.count || !job->image.objects)
		return false;
	*ino = job->image.ino + job->number;
	*index = job->index;
	if (++job->index == job->image.objects) {
		job->index = 0;
		job->number++;
	}
	return true;
}

/* Have all deletions been started? */
static bool is_started(const struct purge_job *job)
{
	return job->listing ? mds_listing_ended(job->listing) :
			      job->number >= job->image.count || !job->image.objects;
}

/* Start one deletion; false when there is none to start. */
static bool delete_next(struct purge_job *job)
{
	uint64_t ino, index;

	if (!job->begun)
		begin_work(job);
	if (!job->meta_done && (job->image.purge_flags & MDS_PURGE_META)) {
		job->meta_done = true;
		delete_object(job, NACRE_POOL_META, job->image.ino, 0);
		return true;
	}
	if (!next_object(job, &ino, &index))
		return false;
	delete_object(job, job->image.pool, ino, index);
	return true;
}

static void end_job(struct mds *mds, struct purge_job *job)
{
	struct mds_change change;
	uint64_t ino = job->image.ino;
	uint64_t seq;

	mds_change_begin(&change, mds, NULL);
	mds_change_interval(&change, MDS_ITEM_PURGED, ino, 0);
	seq = mds_change_commit(&change);
	mds_record_set(mds, MDS_RECORD_PURGE, ino, false, seq);
	purge_free_job(mds->purger, job);
}

/* Nothing may stay: from the beginning, after a pause. What is gone already costs a request and no more. */
static void begin_again(struct mds *mds, struct purge_job *job)
{
	unsigned int doubled = job->failures < PAUSES_MAX ? job->failures : PAUSES_MAX;

	job->failures++;
	job->failed = job->begun = job->meta_done = false;
	job->number = job->index = 0;
	mds_listing_free(job->listing);
	job->listing = NULL;
	job->again_ns = mds_now(mds) + mds_scaled_ns(mds, (uint64_t)PAUSE_MS << doubled);
}

static unsigned int width(const struct mds_purger *purger)
{
	uint64_t more = (purger->count + purger->stored) / JOBS_PER_WIDTH;

	return more < PURGE_WIDTH_MAX - PURGE_WIDTH ? PURGE_WIDTH + (unsigned int)more : PURGE_WIDTH_MAX;
}

/* Goes through the jobs as they came; false: as many deletions are under way as may be. */
static bool run_jobs(struct mds *mds, struct purge_jobs *jobs)
{
	struct mds_purger *purger = mds->purger;
	struct purge_job *job, *next;

	for (job = TAILQ_FIRST(jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!mds_journal_is_safe(&mds->journal, job->seq))
			break;		/* nor are those behind it; the sweep comes by again */
		if (mds_now(mds) < job->again_ns)
			continue;
		while (purger->in_flight < width(purger))
			if (!delete_next(job))
				break;
		if ((purger->in_flight >= width(purger) || job->listing) && !is_started(job))
			return false;
		if (!job->begun || !is_started(job))
			continue;
		if (!job->in_flight) {
			if (job->failed)
				begin_again(mds, job);
			else
				end_job(mds, job);
		} else if (job->image.count == 1) {
			/* nothing to do for it until they are answered, and this runs after each that is */
			job->away = true;
			TAILQ_REMOVE(jobs, job, link);
		}
	}
	return true;
}

static void purge_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, purge_task);

	if (mds->state != MDS_ACTIVE)
		return;
	purge_refill(mds);
	if (run_jobs(mds, &mds->purger->inodes))
		run_jobs(mds, &mds->purger->numbers);
}

void mds_purge_kick(struct mds *mds)
{
	mds_defer(mds, &mds->purge_task);
}
