/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Carrying a truncation out (SIZE-3). The change itself (new size, truncate_seq, trim_end = how far there was data)
 * is journaled first; then objects are shortened and deleted; then the end of it is journaled. The FILE lock is
 * pinned from the change to that end, so nobody reads or writes what is being cut. After a crash
 * it is done once more: until a new max_size is journaled nobody can have written behind the cut.
 *
 * The object in which the new end lies is always shortened. Of those behind it the ones that exist are deleted: a file
 * may be a hole of a TiB.
 */
#include "change.h"
#include "core.h"
#include "filework.h"

#define TRIM_WIDTH 16			/* objects cut together */

struct trim {
	struct mds_filework work;
	struct mds_commit commit;	/* of the change */
	uint64_t next;			/* object to be cut next */
	uint64_t end;			/* objects at or behind it do not exist */
	uint64_t instance;		/* who asked */
	bool again;			/* an object was not cut: so another listing follows */
};

static struct trim *trim_of(struct mds_filework *work)
{
	return container_of(work, struct trim, work);
}

static void finish(struct trim *trim)
{
	struct mds_inode *inode = trim->work.inode;
	struct mds *mds = trim->work.mds;
	struct mds_change change;

	inode->trimming = false;
	inode->trim_end = 0;
	mds_change_begin(&change, mds, mds_session_find(mds, trim->instance));
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
	mds->counters.trims++;
	mds_filework_end(&trim->work);
}

static bool object_is_cut(struct mds_filework *work, uint64_t index, struct osdc_request *request,
			  uint32_t result)
{
	struct trim *trim = trim_of(work);

	if (!result)
		return true;
	trim->again = true;
	if (trim->next > index)
		trim->next = index;
	return false;
}

static void cut_object(struct trim *trim, uint64_t index)
{
	struct mds_inode *inode = trim->work.inode;
	uint32_t keep = nacre_layout_object_size(inode->object_bytes, index, inode->size);
	struct osdc_request *request = mds_filework_request(&trim->work, index);

	osdc_request_truncation(request, inode->truncate_seq, inode->truncate_size);
	/* INLINE-3: object 0 stays, with its attributes */
	if (keep || !index)
		osdc_add(request, NACRE_OSD_OP_TRUNCATE, 0, NULL, 0, NULL, 0, keep, 0);
	else
		osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
	mds_filework_submit(&trim->work, request, index);
}

/* Those behind `next` that there are; the listing names all others of the file, too. */
static void cut_listed(struct trim *trim)
{
	struct mds_filework *work = &trim->work;
	uint64_t ino, index;

	while (work->in_flight < TRIM_WIDTH && mds_listing_take(work->listing, &ino, &index))
		if (index >= trim->next)
			cut_object(trim, index);
	if (work->in_flight || !mds_listing_ended(work->listing))
		return;
	if (!trim->again) {
		finish(trim);
		return;
	}
	trim->again = false;
	mds_filework_list(work);
	mds_listing_take(work->listing, &ino, &index);	/* asks */
}

static void cut_further(struct mds_filework *work)
{
	struct trim *trim = trim_of(work);

	if (work->listing) {
		cut_listed(trim);
	} else if (trim->next >= trim->end) {
		finish(trim);
	} else if (mds_filework_is_sparse(work, trim->end - trim->next)) {
		mds_filework_list(work);
		cut_object(trim, trim->next++);
	} else {
		while (work->in_flight < TRIM_WIDTH && trim->next < trim->end)
			cut_object(trim, trim->next++);
	}
}

static void change_is_safe(struct mds *mds, struct mds_commit *commit)
{
	cut_further(&container_of(commit, struct trim, commit)->work);
}

static const struct mds_filework_ops trim_ops = { cut_further, object_is_cut, "truncate" };

void mds_truncate_run(struct mds *mds, struct mds_inode *inode)
{
	struct trim *trim;

	if (inode->trimming || !mds_is_serving(mds) ||
	    !mds_file_lock_pin(mds, inode, NACRE_LOCKE_NEED_LOCK))
		return;
	inode->trimming = true;
	trim = mds_zalloc(sizeof(*trim));
	mds_filework_begin(mds, &trim->work, inode, &trim_ops);
	trim->instance = inode->unsafe_instance;
	trim->next = nacre_layout_index(inode->object_bytes, inode->size);
	trim->end = nacre_layout_objects(inode->object_bytes, inode->trim_end);
	if (mds_journal_is_safe(&mds->journal, inode->unsafe_seq)) {
		cut_further(&trim->work);
		return;
	}
	trim->commit.done = change_is_safe;
	mds_journal_on_safe(mds, inode->unsafe_seq, &trim->commit);
	mds_journal_flush(mds);
}
