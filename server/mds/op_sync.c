/* SPDX-License-Identifier: GPL-2.0 */
/* SYNC: answered when what the session has done is in the journal. And answers to resends (LOG-2). */
#include "core.h"
#include "ops.h"

int mds_op_sync(struct mds *mds, struct mds_request *request)
{
	const struct nacre_sync_req *body = &request->message->host.sync;
	struct mds_session *session = request->session;
	int result;

	if (!request->commit_seq)
		request->commit_seq = session->touch_seq;
	if (!body->upto || body->upto > session->safe) {
		result = req_safe(mds, request, request->commit_seq, MDS_WAIT_COMMIT);
		if (result)
			return result;
	}
	return mds_reply(mds, request, NULL, 0);
}

/* What of it still exists is shown; what does not is left out. */
static int show(struct mds *mds, struct mds_request *request, uint64_t ino,
		struct mds_inode **ret_inode)
{
	int result;

	*ret_inode = NULL;
	if (!ino)
		return 0;
	result = req_inode(mds, request, ino, ret_inode);
	if (result > 0)
		*ret_inode = NULL;
	return result == MDS_PARKED ? result : 0;
}

int mds_op_resend(struct mds *mds, struct mds_request *request)
{
	const struct nacre_record_req *record = &request->message->host.record;
	struct mds_inode *target, *parent, *parent2;
	int result = show(mds, request, request->ino, &target);

	if (!result)
		result = show(mds, request, record->parent, &parent);
	if (!result)
		result = show(mds, request, record->parent2, &parent2);
	if (result)
		return result;
	if (target && !target->nlink && !mds_cap_find(target, request->session))
		target = NULL;
	return mds_reply(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, target, request->head->wanted },
			{ NACRE_TRACE_PARENT, parent, 0 },
			{ NACRE_TRACE_PARENT2, parent2 == parent ? NULL : parent2, 0 },
		}, 3);
}
