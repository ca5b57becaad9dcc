/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The audit of one entry: does the store find the inode by its number? An inode that is stored in its entry has a
 * backtrace that names the entry; any other has an object of its own.
 *
 * The entry was read from the store and may be old, as may what it is compared with. So what does not fit is brought into
 * memory, which is the truth, and compared with that; what is about to be written is not judged. So keys that a split or
 * a merge left behind the end of a fragment (split.h) do no harm: memory knows of none that does not fit.
 */
#include "audit_internal.h"

static void find_truth(struct audit_entry *entry);

static bool same_name(const struct audit_entry *entry, const uint8_t *name, uint32_t name_bytes)
{
	return entry->name_bytes == name_bytes && !memcmp(entry->name, name, name_bytes);
}

static bool leads_here(const struct audit_entry *entry, const struct osdc_result *read)
{
	struct mds_backtrace trace;

	if (!entry->primary)
		return true;		/* its own object is there */
	return !nacre_decode_all(mds_backtrace_desc(), read->output, read->output_bytes, &trace) &&
	       trace.ino == entry->ino && trace.parent == entry->dir &&
	       same_name(entry, trace.name, trace.name_bytes);
}

/* What memory says of the entry as it is compared: is it still so, and written? */
static bool is_settled(struct audit_entry *entry)
{
	struct mds *mds = entry->audit->mds;
	struct mds_inode *dir = mds_inode_find(mds, entry->dir);
	struct mds_inode *inode = mds_inode_find(mds, entry->ino);
	const struct mds_dentry *dentry =
		dir && dir->dir ? mds_dentry_find(dir->dir, entry->name, entry->name_bytes) : NULL;

	if (!dentry || dentry->ino != entry->ino || !!dentry->inode != entry->primary ||
	    !mds_dirty_is_clean(&dentry->dirty))
		return false;
	if (entry->primary)
		return mds_dirty_is_clean(&dentry->inode->trace_dirty);
	return !inode || mds_dirty_is_clean(&inode->own_dirty);
}

static void finish(struct audit_entry *entry, bool wrong)
{
	if (wrong)
		audit_found(entry->audit, entry->primary ? MDS_AUDIT_UNTRACED : MDS_AUDIT_UNSTORED,
			    entry->ino, entry->pool, 0, 0);
	audit_entry_done(entry);
}

static void attribute_read(struct osdc_request *request, uint32_t result)
{
	struct audit_entry *entry = osdc_request_owner(request);
	struct mds_audit *audit = entry->audit;
	struct osdc_result read;
	bool right;

	if (audit->mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	read = osdc_request_result(request, 0);
	right = !result && leads_here(entry, &read);
	osdc_request_free(request);
	if (right || audit_is_over(audit)) {
		finish(entry, false);
	} else if (!entry->again) {
		find_truth(entry);
	} else if (!is_settled(entry)) {
		audit->changing++;
		finish(entry, false);
	} else {
		finish(entry, true);
	}
}

static void read_attribute(struct audit_entry *entry)
{
	const char *name = entry->primary ? MDS_ATTR_BACKTRACE : MDS_ATTR_INODE;
	struct osdc_request *request = mds_must(osdc_request_new(entry->audit->mds->osdc,
								 entry->pool, entry->ino, 0));

	osdc_add(request, NACRE_OSD_OP_GETXATTR, 0, name, strlen(name), NULL, 0, 0, 0);
	osdc_submit(request, attribute_read, entry);
}

/* ---- the second look ------------------------------------------------------------------------------------------ */

static void entry_is_there(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct audit_entry *entry = container_of(wait, struct audit_entry, wait);

	if (result && result != ESTALE && result != ENOENT)
		audit_found(entry->audit, MDS_AUDIT_DAMAGED, entry->dir, NACRE_POOL_META, 0, 0);
	if (result || audit_is_over(entry->audit)) {
		finish(entry, false);
	} else if (!is_settled(entry)) {
		entry->audit->changing++;
		finish(entry, false);
	} else {
		entry->again = true;
		read_attribute(entry);
	}
}

static void dir_is_there(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct audit_entry *entry = container_of(wait, struct audit_entry, wait);
	struct mds_inode *dir = mds_inode_find(mds, entry->dir);

	if (result || !dir || !dir->dir || audit_is_over(entry->audit)) {
		finish(entry, false);	/* it went with its entries */
		return;
	}
	if (dir->dir->complete || mds_dentry_find(dir->dir, entry->name, entry->name_bytes)) {
		entry_is_there(mds, wait, 0);
		return;
	}
	entry->wait.done = entry_is_there;
	mds_load_entry_for(mds, dir, entry->name, entry->name_bytes, wait);
}

static void find_truth(struct audit_entry *entry)
{
	struct mds *mds = entry->audit->mds;
	struct mds_inode *dir = mds_inode_find(mds, entry->dir);

	entry->wait.done = dir_is_there;
	if (dir && !dir->stub)
		dir_is_there(mds, &entry->wait, 0);
	else
		mds_load_inode_for(mds, entry->dir, &entry->wait);
}

void audit_entry_begin(struct audit_entry *entry)
{
	read_attribute(entry);
}
