/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Carrying a truncation out (SIZE-3). The change itself (new size, truncate_seq, trim_end = how far there was data)
 * is journaled first; then objects are shortened and deleted; then the end of it is journaled. The FILE lock is
 * pinned from the change to that end, so nobody reads or writes what is being cut. After a crash
 * it is done once more: until a new max_size is journaled nobody can have written behind the cut.
 */
#include "change.h"
#include "core.h"

#define TRIM_WIDTH 16			/* objects cut together */
#define FILE_LOCK 3			/* place of NACRE_GROUP_FILE */

struct trim {
	struct mds_commit commit;	/* of the change */
	struct mds *mds;
	struct mds_inode *inode;	/* pinned */
	uint64_t next;			/* object to be cut next */
	uint64_t end;			/* objects at or behind it do not exist */
	uint64_t instance;		/* who asked */
	unsigned int in_flight;
};

/* One object's part of it. */
struct cut {
	struct trim *trim;
	uint64_t index;
};

static void cut_further(struct trim *trim);

static void finish(struct trim *trim)
{
	struct mds_inode *inode = trim->inode;
	struct mds *mds = trim->mds;
	struct mds_change change;

	inode->trimming = false;
	inode->trim_end = 0;
	mds_change_begin(&change, mds, mds_session_find(mds, trim->instance));
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
	mds->counters.trims++;
	nacre_lock_unpin_change(&inode->locks[FILE_LOCK]);
	mds_wake(mds, &inode->waiters);
	mds_caps_settle(mds, inode);
	mds_inode_unpin(mds, inode);
	free(trim);
}

static void object_is_cut(struct osdc_request *request, uint32_t result)
{
	struct cut *cut = osdc_request_owner(request);
	struct trim *trim = cut->trim;
	struct mds *mds = trim->mds;
	uint64_t index = cut->index;

	free(cut);
	trim->in_flight--;
	osdc_request_free(request);
	if (mds->state == MDS_DEAD) {
		if (!trim->in_flight)
			free(trim);
		return;
	}
	if (result) {
		log_error(mds->log, "truncate", "object %llu of inode %#llx: result %u, trying again",
			  (unsigned long long)index, (unsigned long long)trim->inode->ino, result);
		if (trim->next > index)
			trim->next = index;
	}
	if (!trim->in_flight)
		cut_further(trim);
}

static void cut_object(struct trim *trim, uint64_t index)
{
	struct mds_inode *inode = trim->inode;
	uint32_t keep = nacre_layout_object_size(inode->object_bytes, index, inode->size);
	struct cut *cut = mds_zalloc(sizeof(*cut));
	struct osdc_request *request;

	cut->trim = trim;
	cut->index = index;
	request = mds_must(osdc_request_new(trim->mds->osdc, inode->pool, inode->ino, index));
	osdc_request_truncation(request, inode->truncate_seq, inode->truncate_size);
	/* INLINE-3: object 0 stays, with its attributes */
	if (keep || !index)
		osdc_add(request, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, keep, 0);
	else
		osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
	trim->in_flight++;
	osdc_submit(request, object_is_cut, cut);
}

static void cut_further(struct trim *trim)
{
	unsigned int i;

	if (trim->next >= trim->end) {
		finish(trim);
		return;
	}
	for (i = 0; i < TRIM_WIDTH && trim->next < trim->end; i++)
		cut_object(trim, trim->next++);
}

static void change_is_safe(struct mds *mds, struct mds_commit *commit)
{
	cut_further(container_of(commit, struct trim, commit));
}

void mds_truncate_run(struct mds *mds, struct mds_inode *inode)
{
	struct trim *trim;

	if (inode->trimming || !mds_is_serving(mds) ||
	    !mds_file_lock_pin(mds, inode, NACRE_LOCKE_NEED_LOCK))
		return;
	inode->trimming = true;
	mds_inode_pin(inode);
	trim = mds_zalloc(sizeof(*trim));
	trim->mds = mds;
	trim->inode = inode;
	trim->instance = inode->unsafe_instance;
	trim->next = nacre_layout_index(inode->object_bytes, inode->size);
	trim->end = nacre_layout_objects(inode->object_bytes, inode->trim_end);
	if (mds_journal_is_safe(&mds->journal, inode->unsafe_seq)) {
		cut_further(trim);
		return;
	}
	trim->commit.done = change_is_safe;
	trim->commit.owned = true;
	mds_journal_on_safe(mds, inode->unsafe_seq, &trim->commit);
	mds_journal_flush(mds);
}
