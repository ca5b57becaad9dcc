/* SPDX-License-Identifier: GPL-2.0 */
/* Setting quotas, as extended attributes of directories, and asking for them; see quota.h. */
#include <inttypes.h>
#include "core.h"
#include "ops.h"
#include "protocol/rules/quota.h"

/* ---- setting --------------------------------------------------------------------------------------------- */

/* The limit that the name stands for. */
static uint64_t *limit_of(struct mds_quota *quota, enum nacre_quota_xattr xattr)
{
	return xattr == NACRE_QUOTA_MAX_BYTES ? &quota->max_bytes : &quota->max_files;
}

/* What is to become of it: 0 lifts the limit. */
static int parse(const struct mds_request *request, enum nacre_quota_xattr *xattr, __u64 *value)
{
	const struct nacre_record_req *record = &request->message->host.record;

	*value = 0;
	*xattr = nacre_quota_xattr(record->name, record->name_bytes);
	if (*xattr == NACRE_QUOTA_NONE)
		return EOPNOTSUPP;
	if (!nacre_quota_is_settable(*xattr))
		return EPERM;
	if (request->op->kind == NACRE_RECORD_RMXATTR)
		return 0;
	return -nacre_quota_parse(record->value, record->value_bytes, value);
}

static int check_flags(const struct mds_request *request, uint64_t now)
{
	uint16_t flags = request->message->host.record.xattr_flags;

	if (now && (flags & NACRE_XATTR_CREATE))
		return EEXIST;
	if (!now && ((flags & NACRE_XATTR_REPLACE) || request->op->kind == NACRE_RECORD_RMXATTR))
		return ENODATA;
	return 0;
}

static int find(struct mds *mds, struct mds_request *request, struct mds_inode **ret_dir)
{
	int result = req_dir(mds, request, request->message->host.record.ino, ret_dir);

	if (!result)
		result = req_room(mds, request);
	if (!result)
		result = req_change(mds, request, *ret_dir, NACRE_GROUP_XATTR);
	return result;
}

static int commit(struct mds *mds, struct mds_request *request, struct mds_inode *dir)
{
	struct mds_change change;

	mds_change_begin_request(&change, request);
	change.ino = dir->ino;
	/* whoever makes something in it waits for this to be journaled (SHARE-1), or a replay might find it not empty */
	mds_change_inode(&change, dir);
	mds_request_commit(request, &change);
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, dir, request->head->wanted },
		}, 1);
}

int mds_op_quota_set(struct mds *mds, struct mds_request *request)
{
	enum nacre_quota_xattr xattr;
	struct mds_quota *quota;
	struct mds_inode *dir;
	__u64 value;
	int result = parse(request, &xattr, &value);

	if (!result)
		result = find(mds, request, &dir);
	if (result)
		return result;
	quota = mds_quota_of_dir(mds, dir->ino);
	result = check_flags(request, quota ? *limit_of(quota, xattr) : 0);
	/* what is in it is not counted: nobody has charged it */
	if (!result && !quota && value && dir->size)
		result = ENOTEMPTY;
	if (!result && !quota && value) {
		quota = mds_quota_new(mds, dir);
		result = quota ? 0 : ENOSPC;
	}
	if (result)
		return result;
	if (quota) {
		*limit_of(quota, xattr) = value;
		mds_quota_touch(mds, quota);
		if (!quota->max_bytes && !quota->max_files)
			mds_quota_lift(mds, quota);
	}
	return commit(mds, request, dir);
}

/* ---- asking ------------------------------------------------------------------------------------------------ */

/* What a limit means to whoever asks for space, if it is the tightest. */
static void tighten(uint64_t limit, uint64_t used, __u64 *total, __u64 *left)
{
	uint64_t here = limit > used ? limit - used : 0;

	if (!limit || (*total && *left <= here))
		return;
	*total = limit;
	*left = here;
}

int mds_op_quota(struct mds *mds, struct mds_request *request)
{
	struct nacre_writer w = nacre_writer(mds->scratch2, sizeof(struct nacre_quota_wire));
	const struct mds_quota *quota;
	struct nacre_quota answer = { 0 };
	struct mds_inode *inode;
	uint64_t seq = 0;
	int result = req_inode(mds, request, request->message->host.quota.ino, &inode);

	if (result)
		return result;
	quota = mds_quota_find(mds, mds_quota_inside(mds, inode));
	if (quota)
		answer = (struct nacre_quota){
			.dir = quota->dir, .max_bytes = quota->max_bytes, .max_files = quota->max_files,
			.used_bytes = quota->used_bytes, .used_files = quota->used_files,
		};
	for (; quota; quota = mds_quota_find(mds, quota->parent)) {
		tighten(quota->max_bytes, quota->used_bytes, &answer.bytes_total, &answer.bytes_free);
		tighten(quota->max_files, quota->used_files, &answer.files_total, &answer.files_free);
		if (seq < quota->seq)
			seq = quota->seq;
	}
	result = req_safe(mds, request, seq, MDS_WAIT_SAFE);	/* SHARE-1 */
	if (result)
		return result;
	nacre_encode(nacre_quota_desc(), &w, &answer);
	return mds_reply_extra(mds, request, NULL, 0, mds->scratch2, (uint32_t)nacre_writer_bytes(&w), 0);
}

/* ---- for an administrator ------------------------------------------------------------------------------------- */

bool mds_quotas_show(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	const struct mds_quota *quota, *next;
	struct mds *mds = owner;

	HASH_ITER(hh, mds->quotas.by_id, quota, next)
		admin_print(answer,
			    "quota %u dir %#" PRIx64 " in %u bytes %" PRIu64 " of %" PRIu64 " reserved %" PRIu64
			    " files %" PRIu64 " of %" PRIu64 "%s\n",
			    quota->id, quota->dir, quota->parent, quota->used_bytes, quota->max_bytes,
			    quota->reserved, quota->used_files, quota->max_files,
			    quota->dir ? "" : " lifted");
	return true;
}
