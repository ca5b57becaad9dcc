/* SPDX-License-Identifier: GPL-2.0 */
/* Building replies: inodes as a session may see them, and the caps that go along. */
#include "core.h"
#include "server/base/mutate.h"

#define TRACES_MAX 8
#define XATTRS_UNASKED_MAX 4096		/* bytes of xattrs that are shown without being asked for */

/* Groups whose values here are the newest there are, as this session may take them. */
static uint32_t valid_groups(const struct mds_inode *inode, const struct mds_session *session)
{
	uint32_t valid = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if (nacre_lock_can_read(&inode->locks[i], session->instance) &&
		    !mds_caps_returning(inode, session->instance, nacre_group_at(i)))
			valid |= nacre_group_at(i);
	if (inode->probe)
		valid &= ~(uint32_t)NACRE_GROUP_FILE;	/* SIZE-2 */
	if (!mds_inode_is_dir(inode))
		valid &= ~(uint32_t)NACRE_GROUP_DIR;
	return valid;
}

static void fill_xattrs(const struct mds_inode *inode, bool wanted, struct nacre_inode_info *info)
{
	if (!(info->valid & NACRE_GROUP_XATTR))
		return;
	if (!inode->xattrs.length) {
		info->info_flags |= NACRE_INFO_NO_XATTRS;
	} else if (wanted || inode->xattrs.length <= XATTRS_UNASKED_MAX) {
		info->info_flags |= NACRE_INFO_HAS_XATTRS;
		info->xattrs = inode->xattrs.bytes;
		info->xattrs_bytes = inode->xattrs.length;
	}
}

/*
 * What an incarnation had changed and not journaled was seen by who had changed it (SHARE-1), and is done again by the next one,
 * in perhaps fewer changes. So versions do not go on where they stopped: any of a later incarnation is higher.
 */
static uint64_t version_shown(const struct mds *mds, const struct mds_inode *inode)
{
	return (mds->incarnation << 40) + inode->version;
}

static uint32_t kept_objects(const struct mds_inode *inode)
{
	uint64_t objects = nacre_layout_objects(inode->object_bytes, inode->data_end);

	return objects < UINT32_MAX ? (uint32_t)objects : UINT32_MAX;
}

void mds_info_fill(const struct mds_inode *inode, const struct mds_session *session, uint8_t role,
		   bool want_xattrs, struct nacre_inode_info *info)
{
	*info = (struct nacre_inode_info){
		.ino = inode->ino, .version = version_shown(session->mds, inode), .role = role, .pool = inode->pool,
		.valid = valid_groups(inode, session), .mode = inode->mode, .uid = inode->uid,
		.gid = inode->gid, .nlink = inode->nlink, .rdev = inode->rdev,
		.object_bytes = inode->object_bytes, .size = inode->size, .allocated = inode->allocated,
		.max_size = mds_caps_max_size(inode, session->instance),
		.truncate_size = inode->truncate_size, .inline_gen = inode->inline_gen,
		.atime = inode->atime, .mtime = inode->mtime, .ctime = inode->ctime,
		.btime = inode->btime, .xattr_version = inode->xattr_version,
		.truncate_seq = inode->truncate_seq, .nsubdirs = inode->nsubdirs,
		.symlink = inode->symlink.bytes, .symlink_bytes = inode->symlink.length,
	};
	if (session->conn && (conn_peer_features(session->conn) & NACRE_FEATURE_INODE_FLAGS))
		info->inode_flags = inode->flags;
	fill_xattrs(inode, want_xattrs, info);
	if (S_ISREG(inode->mode) && inode->data_end > inode->size && session->conn &&
	    (conn_peer_features(session->conn) & NACRE_FEATURE_UNWRITTEN)) {
		info->info_flags |= NACRE_INFO_KEPT;
		info->nsubdirs = kept_objects(inode);
	}
}

/* What was removed gets no new cap: that would keep it. */
static bool issues(const struct mds_request *request, const struct mds_trace *trace)
{
	if (request->head->flags & NACRE_REQUEST_NO_CAPS)
		return false;
	return trace->inode->nlink || mds_cap_find(trace->inode, request->session);
}

/*
 * Issue the caps first: that may settle a lock, and with it change what is valid. What the request had made
 * current (`valid`) is right at this moment all the same: nobody has been told yet that he may change it.
 */
static int put_trace(struct mds *mds, struct mds_request *request, const struct mds_trace *trace,
		     uint32_t valid, struct nacre_writer *w)
{
	bool want_xattrs = request->head->flags & NACRE_REQUEST_WANT_XATTRS;
	struct nacre_inode_info caps = { 0 }, info;

	if (issues(request, trace))
		mds_caps_issue(mds, request->session, trace->inode, trace->wanted, &caps);
	mds_info_fill(trace->inode, request->session, trace->role, want_xattrs, &info);
	info.valid |= valid;
	fill_xattrs(trace->inode, want_xattrs, &info);
	info.cap_id = caps.cap_id;
	info.cap_gen = caps.cap_gen;
	info.cap_seq = caps.cap_seq;
	info.issued = caps.issued;
	mds_inline_fill(trace->inode, false, &info);
	if (trace->role == NACRE_TRACE_TARGET)
		mds_report_fill(request, &info);
	return nacre_encode(nacre_inode_info_desc(), w, &info);
}

int mds_reply_extra(struct mds *mds, struct mds_request *request, const struct mds_trace *traces,
		    unsigned int count, const uint8_t *extra, uint32_t extra_bytes, uint32_t flags)
{
	struct nacre_writer w = nacre_writer(mds->scratch, 1u << 20);
	struct mds_session *session = request->session;
	struct nacre_reply reply = {
		.tid = request->head->tid,
		.applied = request->applied,
		.safe = session->safe,
		.barrier_epoch = mds->barrier_epoch,
		.result = request->result,
		.flags = flags | request->reply_flags,
		.traces = mds->scratch,
		.extra = extra,
		.extra_bytes = extra_bytes,
	};
	uint32_t valid[TRACES_MAX];
	unsigned int i;

	assert(count <= TRACES_MAX);
	for (i = 0; i < count; i++)
		valid[i] = traces[i].inode ? valid_groups(traces[i].inode, session) : 0;
	mds_request_unclaim(mds, request);
	for (i = 0; i < count; i++)
		if (traces[i].inode && put_trace(mds, request, &traces[i], valid[i], &w)) {
			mds_request_fail(mds, request, EMSGSIZE);
			return 0;
		}
	reply.traces_bytes = (uint32_t)nacre_writer_bytes(&w);
	if (mutate(MUTATE_MDS_ACK_BEFORE_DURABLE))
		reply.safe = session->safe = session->applied;
	if (request->applied <= session->safe)
		reply.flags |= NACRE_REPLY_SAFE;
	session->told_safe = session->safe;
	mds_session_send(mds, session, NACRE_MSG_REPLY, &reply);
	mds_request_end(mds, request);
	return 0;
}

int mds_reply(struct mds *mds, struct mds_request *request, const struct mds_trace *traces,
	      unsigned int count)
{
	return mds_reply_extra(mds, request, traces, count, NULL, 0, 0);
}
