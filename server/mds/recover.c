/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size of a file whose writer was lost (SIZE-2). What the writer may have written lies below
 * data_end (its max_size was taken into it); the objects are looked at from there
 * downward, a few at a time, and the highest that has bytes tells the size.
 * Nobody sees the file's size or writes meanwhile: the FILE lock is pinned.
 */
#include "change.h"
#include "core.h"
#include "protocol/rules/size.h"

#define PROBE_WIDTH 8			/* objects looked at together */
#define PROBES_MAX 32			/* files at a time: requests of clients go between (TIME-1) */
#define FILE_LOCK 3			/* place of NACRE_GROUP_FILE */

struct probe {
	struct mds *mds;
	struct mds_inode *inode;	/* pinned */
	uint64_t below;			/* objects at or above are known to have no bytes, or being looked at */
	uint64_t again;			/* `below` before the ones being looked at */
	uint64_t size;			/* found, bytes */
	uint64_t mtime;
	unsigned int in_flight;
	bool failed;
	TAILQ_ENTRY(probe) link;	/* waiting for others to end */
};

struct mds_prober {
	TAILQ_HEAD(, probe) waiting;
	unsigned int running;
};

/* One object's part of it. */
struct look {
	struct probe *probe;
	uint64_t index;
};

static void look_further(struct probe *probe);

void mds_recover_init(struct mds *mds)
{
	mds->prober = mds_zalloc(sizeof(*mds->prober));
	TAILQ_INIT(&mds->prober->waiting);
}

void mds_recover_free(struct mds *mds)
{
	struct probe *probe;

	while ((probe = TAILQ_FIRST(&mds->prober->waiting))) {
		TAILQ_REMOVE(&mds->prober->waiting, probe, link);
		free(probe);
	}
	free(mds->prober);
}

static void start_probes(struct mds *mds)
{
	struct mds_prober *prober = mds->prober;
	struct probe *probe;

	while (prober->running < PROBES_MAX && (probe = TAILQ_FIRST(&prober->waiting))) {
		TAILQ_REMOVE(&prober->waiting, probe, link);
		prober->running++;
		look_further(probe);
	}
}

static void finish(struct probe *probe)
{
	struct mds_inode *inode = probe->inode;
	struct mds *mds = probe->mds;
	struct mds_change change;

	inode->probing = false;
	inode->probe = false;
	if (inode->size < probe->size)
		inode->size = probe->size;
	/* what it wrote nobody has counted */
	inode->allocated = nacre_size_allocated(UINT64_MAX, 0, inode->size);
	inode->data_end = inode->size < probe->size ? probe->size : inode->size;
	inode->mtime = nacre_time_later(inode->mtime, probe->mtime);
	mds_change_begin(&change, mds, NULL);
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
	mds_journal_flush(mds);
	mds->counters.probes++;
	nacre_lock_unpin_change(&inode->locks[FILE_LOCK]);
	mds_wake(mds, &inode->waiters);
	mds_caps_settle(mds, inode);
	mds_inode_unpin(mds, inode);
	free(probe);
	mds->prober->running--;
}

static void answered(struct osdc_request *request, uint32_t result)
{
	struct look *look = osdc_request_owner(request);
	struct probe *probe = look->probe;
	uint64_t index = look->index, end;
	struct mds *mds = probe->mds;
	struct osdc_result stat;

	free(look);
	probe->in_flight--;
	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		if (!probe->in_flight)
			free(probe);
		return;
	}
	stat = osdc_request_result(request, 0);
	osdc_request_free(request);
	if (!result && stat.size) {
		end = index * probe->inode->object_bytes + stat.size;
		if (probe->size < end)
			probe->size = end;
		probe->mtime = nacre_time_later(probe->mtime, stat.mtime);
	} else if (result && result != ENOENT) {
		probe->failed = true;
	}
	if (probe->in_flight)
		return;
	look_further(probe);
	start_probes(mds);
}

static void look_further(struct probe *probe)
{
	struct mds *mds = probe->mds;
	struct osdc_request *request;
	struct look *look;
	unsigned int i;

	if (probe->failed) {
		/* better no answer than a wrong size */
		log_error(mds->log, "recover", "size of inode %#llx cannot be probed, trying again",
			  (unsigned long long)probe->inode->ino);
		probe->failed = false;
		probe->below = probe->again;
		probe->size = 0;
	}
	if (probe->size || !probe->below) {
		finish(probe);
		return;
	}
	probe->again = probe->below;
	for (i = 0; i < PROBE_WIDTH && probe->below; i++) {
		probe->below--;
		probe->in_flight++;
		look = mds_zalloc(sizeof(*look));
		*look = (struct look){ probe, probe->below };
		request = mds_must(osdc_request_new(mds->osdc, probe->inode->pool,
						    probe->inode->ino, probe->below));
		osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
		osdc_submit(request, answered, look);
	}
}

/* Bring the FILE lock where nobody else is, and hold it there. */
bool mds_file_lock_pin(struct mds *mds, struct mds_inode *inode, uint8_t event)
{
	struct nacre_lock *lock = &inode->locks[FILE_LOCK];

	if (lock->state != NACRE_LOCK_TO_LOCK && !nacre_lock_can_change(lock, 0))
		mds_lock_step(mds, inode, FILE_LOCK, event, 0);
	return nacre_lock_pin_change(lock, 0) == 0;
}

void mds_recover_size(struct mds *mds, struct mds_inode *inode)
{
	struct probe *probe;

	if (!mds_is_serving(mds) || inode->trim_end ||
	    !mds_file_lock_pin(mds, inode, NACRE_LOCKE_LOST))
		return;
	inode->probing = true;
	mds_inode_pin(inode);
	probe = mds_zalloc(sizeof(*probe));
	probe->mds = mds;
	probe->inode = inode;
	probe->below = nacre_layout_objects(inode->object_bytes, inode->data_end);
	TAILQ_INSERT_TAIL(&mds->prober->waiting, probe, link);
	start_probes(mds);
}
