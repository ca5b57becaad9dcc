/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size of a file whose writer was lost (SIZE-2). What the writer may have written lies below
 * data_end (its max_size was taken into it); the objects are looked at from there
 * downward, a few at a time, and the highest that has bytes tells the size; one without has room only (ROOM-1). Of a file that is large enough
 * the groups are asked first which objects there are, and only the highest of them is looked at.
 * Nobody sees the file's size or writes meanwhile: the FILE lock is pinned.
 */
#include "change.h"
#include "core.h"
#include "filework.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/size.h"
#include "server/base/mutate.h"

#define PROBE_WIDTH 8			/* objects looked at together */
#define PROBES_MAX 32			/* files at a time: requests of clients go between (TIME-1) */

struct probe {
	struct mds_filework work;
	uint64_t below;			/* objects at or above are known to have no bytes, or being looked at */
	uint64_t again;			/* `below` before the ones being looked at */
	uint64_t listed;		/* objects at or above do not exist, as far as the listing has come */
	uint64_t size;			/* found, bytes */
	uint64_t end;			/* of the highest object that there is: room behind the size may reach up to it */
	uint64_t mtime;
	bool unsure;			/* an object of this round did not answer: nothing found counts */
	unsigned int width;		/* objects looked at together, now */
	bool was_listed;
	bool marking;			/* the file had inline data: object 0 is being asked for the mark */
	TAILQ_ENTRY(probe) link;	/* waiting for others to end */
};

struct mds_prober {
	TAILQ_HEAD(, probe) waiting;
	unsigned int running;
	bool starting;
};

static struct probe *probe_of(struct mds_filework *work)
{
	return container_of(work, struct probe, work);
}

static void look_further(struct mds_filework *work);

void mds_recover_init(struct mds *mds)
{
	mds->prober = mds_zalloc(sizeof(*mds->prober));
	TAILQ_INIT(&mds->prober->waiting);
}

/* The probes themselves go with all file works. */
void mds_recover_free(struct mds *mds)
{
	free(mds->prober);
}

static void start_probes(struct mds *mds)
{
	struct mds_prober *prober = mds->prober;
	struct probe *probe;

	if (prober->starting)
		return;		/* from a probe that ended at once: the loop below goes on */
	prober->starting = true;
	while (prober->running < PROBES_MAX && (probe = TAILQ_FIRST(&prober->waiting))) {
		TAILQ_REMOVE(&prober->waiting, probe, link);
		prober->running++;
		look_further(&probe->work);
	}
	prober->starting = false;
}

static void finish(struct probe *probe)
{
	struct mds_inode *inode = probe->work.inode;
	struct mds *mds = probe->work.mds;
	struct mds_change change;

	inode->probing = false;
	inode->probe = false;
	if (inode->size < probe->size)
		inode->size = probe->size;
	/* what it wrote nobody has counted */
	inode->allocated = nacre_size_allocated(UINT64_MAX, 0, inode->size);
	/* ROOM-1: what it has allocated behind the end stays known */
	inode->data_end = inode->inline_gen ? 0 : probe->end > inode->size ? probe->end : inode->size;
	inode->mtime = nacre_time_later(inode->mtime, probe->mtime);
	mds_change_begin(&change, mds, NULL);
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
	mds_journal_flush(mds);
	mds->counters.probes++;
	mds_filework_end(&probe->work);
	mds->prober->running--;
	start_probes(mds);
}

/* INLINE-4: with the mark all is as if there had never been inline data; without it no object has any. */
static bool found_mark(struct probe *probe, uint32_t result)
{
	struct mds_inode *inode = probe->work.inode;

	if (result && result != ENODATA && result != ENOENT)
		return false;
	probe->marking = false;
	if (!inode->inline_gen)
		return true;		/* somebody has told meanwhile */
	mds_inline_step(probe->work.mds, inode,
			result ? NACRE_INLINERE_UNMARKED : NACRE_INLINERE_MARKED);
	if (result)
		probe->below = 0;
	return true;
}

static void look_for_mark(struct probe *probe)
{
	struct osdc_request *request = mds_filework_request(&probe->work, 0);

	osdc_add(request, NACRE_OSD_OP_GETXATTR, 0, NACRE_INLINE_MARK, NACRE_INLINE_MARK_BYTES, NULL,
		 0, 0, 0);
	mds_filework_submit(&probe->work, request, 0);
}

static bool answered(struct mds_filework *work, uint64_t index, struct osdc_request *request,
		     uint32_t result)
{
	struct osdc_result stat = osdc_request_result(request, 0);
	struct probe *probe = probe_of(work);
	uint64_t end;

	if (probe->marking)
		return found_mark(probe, result);
	if (result && result != ENOENT) {
		probe->unsure = true;	/* better no answer than a wrong size */
		return false;
	}
	end = (index + 1) * work->inode->object_bytes;
	if (!result && probe->end < end)
		probe->end = end;
	if (!result && stat.size) {
		end = index * work->inode->object_bytes + stat.size;
		if (probe->size < end)
			probe->size = end;
		probe->mtime = nacre_time_later(probe->mtime, stat.mtime);
	}
	return true;
}

static void look_at(struct probe *probe, uint64_t index)
{
	struct osdc_request *request = mds_filework_request(&probe->work, index);

	osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	mds_filework_submit(&probe->work, request, index);
}

/* Those that exist are below `listed`: lower `below` to that, once the listing is complete. False: it is not. */
static bool take_listing(struct probe *probe)
{
	struct mds_filework *work = &probe->work;
	uint64_t ino, index;

	while (mds_listing_take(work->listing, &ino, &index))
		if (index < probe->below && index >= probe->listed)
			probe->listed = index + 1;
	if (!mds_listing_ended(work->listing))
		return false;
	probe->below = probe->listed;
	probe->listed = 0;
	mds_listing_free(work->listing);
	work->listing = NULL;
	return true;
}

static void look_further(struct mds_filework *work)
{
	struct probe *probe = probe_of(work);
	if (probe->marking) {
		look_for_mark(probe);
		return;
	}
	if (probe->unsure) {
		probe->unsure = false;
		probe->below = probe->again;
		probe->size = 0;
	} else {
		probe->width = PROBE_WIDTH;
	}
	if (probe->size || !probe->below) {
		finish(probe);
		return;
	}
	if (!work->listing && !probe->was_listed && mds_filework_is_sparse(work, probe->below))
		mds_filework_list(work);
	if (work->listing) {
		if (!take_listing(probe))
			return;
		probe->was_listed = true;
		probe->width = 1;	/* the highest one most often tells */
	}
	probe->again = probe->below;
	while (work->in_flight < probe->width && probe->below)
		look_at(probe, --probe->below);
	if (!work->in_flight)
		finish(probe);
}

static const struct mds_filework_ops probe_ops = { look_further, answered, "recover" };

void mds_recover_size(struct mds *mds, struct mds_inode *inode)
{
	struct probe *probe;

	if (!mds_is_serving(mds) || inode->trim_end ||
	    !mds_file_lock_pin(mds, inode, NACRE_LOCKE_LOST))
		return;
	inode->probing = true;
	probe = mds_zalloc(sizeof(*probe));
	mds_filework_begin(mds, &probe->work, inode, &probe_ops);
	probe->below = nacre_layout_objects(inode->object_bytes, inode->data_end);
	probe->marking = inode->inline_gen && !mutate(MUTATE_INLINE_UNCHECKED);
	TAILQ_INSERT_TAIL(&mds->prober->waiting, probe, link);
	start_probes(mds);
}
