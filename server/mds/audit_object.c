/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The audit of one object: whose is it? Memory is asked first, then the store by the inode's number. What does not belong
 * to a living inode is sized, and then looked at once more: by then it may have been deleted, or its inode made.
 */
#include "audit_internal.h"
#include "split.h"

#define KNOWN (-1)			/* it belongs where it is */
#define UNKNOWN (-2)			/* memory does not know its inode */

static void judge(struct audit_object *object);

/* INO-1: a client has it, and may write before the rank hears of the file. */
static bool is_delegated(struct mds *mds, uint64_t ino)
{
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		if (mds_intervals_has(&session->inos, ino) || mds_intervals_has(&session->offered, ino))
			return true;
	return false;
}

/* Could a file's object be there? Up to what is written, is being cut, or may be written. */
static bool is_within(const struct mds_inode *inode, uint64_t index)
{
	uint64_t end = inode->data_end > inode->trim_end ? inode->data_end : inode->trim_end;
	uint32_t i;

	if (!index || inode->probe)
		return true;
	for (i = 0; i < inode->writer_count; i++)
		if (end < inode->writers[i].max_size)
			end = inode->writers[i].max_size;
	return S_ISREG(inode->mode) && index < nacre_layout_objects(inode->object_bytes, end);
}

/* A fragment, or the one behind the last, which a split or a merge may have left; or an own object. */
static bool is_metadata(const struct mds_inode *inode, uint64_t index)
{
	return mds_inode_is_dir(inode) ? index <= mds_dir_fragments(inode) : inode->own && !index;
}

static int kind_of_inode(struct mds *mds, const struct audit_object *object,
			 const struct mds_inode *inode)
{
	struct mds_record *record;

	if (!inode->nlink) {
		record = mds_record_find(mds, MDS_RECORD_ORPHAN, inode->ino);
		return record && record->live ? MDS_AUDIT_ORPHAN : MDS_AUDIT_LEAKED;
	}
	if (object->pool == NACRE_POOL_META)
		return is_metadata(inode, object->index) ? KNOWN : MDS_AUDIT_LEAKED;
	if (mds_inode_is_dir(inode) || object->pool != inode->pool)
		return MDS_AUDIT_LEAKED;
	return is_within(inode, object->index) ? KNOWN : MDS_AUDIT_BEHIND;
}

/* The rank's own: of the journal only what is not trimmed. */
static int kind_of_reserved(struct mds *mds, const struct audit_object *object)
{
	if (object->ino == NACRE_INO_JOURNAL(mds->config.rank) &&
	    object->index < mds->checkpoint.trim_index)
		return MDS_AUDIT_LEAKED;
	return KNOWN;
}

/* enum mds_audit_kind, KNOWN or UNKNOWN */
static int kind_of(struct mds *mds, const struct audit_object *object)
{
	struct mds_inode *inode;

	if (object->ino < NACRE_INO_FIRST(0))
		return kind_of_reserved(mds, object);
	if (mds_purge_covers(mds, object->ino))
		return MDS_AUDIT_PURGING;
	inode = mds_inode_find(mds, object->ino);
	if (inode && !inode->stub)
		return kind_of_inode(mds, object, inode);
	return is_delegated(mds, object->ino) ? MDS_AUDIT_UNDECLARED : UNKNOWN;
}

/* ---- asking the store --------------------------------------------------------------------------------------- */

static void inode_is_loaded(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct audit_object *object = container_of(wait, struct audit_object, wait);

	object->loaded = true;
	object->load_result = result;
	judge(object);
}

static void load(struct audit_object *object)
{
	object->wait.done = inode_is_loaded;
	mds_load_inode_for(object->audit->mds, object->ino, &object->wait);
}

static void sized(struct osdc_request *request, uint32_t result)
{
	struct audit_object *object = osdc_request_owner(request);
	struct mds_audit *audit = object->audit;
	struct osdc_result stat;

	if (audit->mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	stat = osdc_request_result(request, 0);
	osdc_request_free(request);
	if (result == ENOENT) {
		audit_object_done(object);
		return;
	}
	object->sized = true;
	object->loaded = false;
	object->bytes = stat.size;
	if (result) {
		audit_found(audit, MDS_AUDIT_DAMAGED, object->ino, object->pool, 1, 0);
		audit_object_done(object);
		return;
	}
	judge(object);
}

static void size(struct audit_object *object)
{
	struct osdc_request *request = mds_must(osdc_request_new(
		object->audit->mds->osdc, object->pool, object->ino, object->index));

	osdc_add(request, NACRE_OSD_OP_STAT, 0, NULL, 0, NULL, 0, 0, 0);
	osdc_submit(request, sized, object);
}

/* ---- the verdict ---------------------------------------------------------------------------------------------- */

static bool is_dir(struct mds *mds, const struct audit_object *object)
{
	struct mds_inode *inode = mds_inode_find(mds, object->ino);

	return object->pool == NACRE_POOL_META && inode && mds_inode_is_dir(inode);
}

static void judge(struct audit_object *object)
{
	struct mds_audit *audit = object->audit;
	int kind = kind_of(audit->mds, object);

	if (audit_is_over(audit)) {
		audit_object_done(object);
		return;
	}
	if (kind == UNKNOWN && !object->loaded) {
		load(object);
		return;
	}
	if (kind == UNKNOWN && object->load_result == EIDRM)
		kind = MDS_AUDIT_PURGING;
	else if (kind == UNKNOWN)
		kind = object->load_result && object->load_result != ESTALE ? MDS_AUDIT_DAMAGED :
									    MDS_AUDIT_LEAKED;
	if (kind == KNOWN && is_dir(audit->mds, object)) {
		audit_dir_found(object);
		return;
	}
	if (kind != KNOWN && !object->sized) {
		size(object);
		return;
	}
	if (kind != KNOWN)
		audit_found(audit, kind, object->ino, object->pool, 1, object->bytes);
	audit_object_done(object);
}

void audit_object_begin(struct audit_object *object)
{
	judge(object);
}
