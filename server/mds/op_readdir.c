/* SPDX-License-Identifier: GPL-2.0 */
/*
 * READDIR: entries in the order of cookies, each with its inode's attributes as far as they are current here;
 * nothing is revoked for a listing. A directory that is not whole in memory is read page by page; the page stays
 * until the request has its answer.
 */
#include "core.h"
#include "ops.h"
#include "split.h"
#include "protocol/rules/names.h"

#define LISTING_MAX (512u << 10)	/* bytes of entries in one reply */
#define ENTRIES_MAX 8192
#define DATA_SHARE 2			/* inline data may take the listing's bytes divided by this */

struct listing {
	struct nacre_writer w;
	uint64_t group_cookie;		/* of the last entry put */
	uint8_t *group_start;		/* where the entries with that cookie begin */
	uint32_t count, group_count;
	uint32_t max_entries;
	uint32_t data_left;		/* bytes of inline data that may go along without a cap that needs them */
};

/* The inode of an entry, if it is in memory. */
static struct mds_inode *entry_inode(struct mds *mds, const struct mds_dentry *dentry)
{
	return dentry->inode ? dentry->inode : mds_inode_find(mds, dentry->ino);
}

/* SHARE-1 for all that is about to be shown, before any of it is. */
static int share_entries(struct mds *mds, struct mds_request *request, struct mds_inode *dir,
			 uint64_t after, uint64_t end, uint32_t max)
{
	struct mds_dentry *dentry = mds_dentry_after(dir->dir, after);
	int result = 0;

	for (; dentry && dentry->cookie <= end && max && !result; dentry = mds_dentry_next(dentry)) {
		struct mds_inode *inode = dentry->ino ? entry_inode(mds, dentry) : NULL;

		if (inode)
			result = req_share(mds, request, inode);
		max -= dentry->ino != 0;
	}
	return result;
}

/* A client that has caps on as many inodes as memory has room for gets attributes without: others have to be recalled first. */
static bool may_have_caps(const struct mds *mds, const struct mds_request *request)
{
	return !(request->head->flags & NACRE_REQUEST_NO_CAPS) &&
	       request->session->cap_count < mds->config.cache_inodes;
}

/*
 * Caps on a small file's data, with which the data goes along: for a client that asked, up to the first that the budget is
 * too small for, so that the client knows where to go on.
 */
static uint32_t data_caps(const struct mds_request *request, const struct mds_inode *inode,
			  struct listing *listing)
{
	if (!(request->head->flags & NACRE_REQUEST_WANT_DATA) || !inode->inline_gen)
		return 0;
	if (inode->data.length > listing->data_left) {
		listing->data_left = 0;
		return 0;
	}
	listing->data_left -= inode->data.length;
	return NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ;
}

static uint32_t encode_info(struct mds *mds, struct mds_request *request, struct mds_inode *inode,
			    struct listing *listing, uint8_t *room)
{
	struct nacre_writer w = nacre_writer(room, 262144);
	struct nacre_inode_info caps = { 0 }, info;

	if (may_have_caps(mds, request))
		mds_caps_offer(mds, request->session, inode, data_caps(request, inode, listing),
			       &caps);
	mds_info_fill(inode, request->session, NACRE_TRACE_ENTRY,
		      request->head->flags & NACRE_REQUEST_WANT_XATTRS, &info);
	info.cap_id = caps.cap_id;
	info.cap_gen = caps.cap_gen;
	info.cap_seq = caps.cap_seq;
	info.issued = caps.issued;
	mds_inline_fill(inode, false, &info);
	return nacre_encode(nacre_inode_info_desc(), &w, &info) ? 0 :
								  (uint32_t)nacre_writer_bytes(&w);
}

/* Add one entry; false: no room, and the entries with its cookie are taken out again. */
static bool put_entry(struct mds *mds, struct mds_request *request, struct listing *listing,
		      const struct mds_dentry *dentry)
{
	struct mds_inode *inode = entry_inode(mds, dentry);
	uint8_t *room = mds->scratch;
	struct nacre_dirent dirent = {
		.ino = dentry->ino, .cookie = dentry->cookie, .mode = dentry->mode,
		.name = dentry->name, .name_bytes = dentry->name_bytes, .info = room,
	};

	if (listing->group_cookie != dentry->cookie) {
		listing->group_cookie = dentry->cookie;
		listing->group_start = listing->w.at;
		listing->group_count = listing->count;
	}
	if (listing->count < listing->max_entries) {
		if (inode)
			dirent.info_bytes = encode_info(mds, request, inode, listing, room);
		if (!nacre_encode(nacre_dirent_desc(), &listing->w, &dirent)) {
			listing->count++;
			return true;
		}
	}
	/* a group that does not fit alone goes out all the same, if it is one entry too large: never */
	listing->w.at = listing->group_start;
	listing->count = listing->group_count;
	return false;
}

/*
 * What is known up to `end`, from where the client asked for: pages without an entry were passed over, and somebody may have
 * made one there since. They are still in memory, like all that is held.
 */
static int list(struct mds *mds, struct mds_request *request, struct mds_inode *dir, uint64_t end)
{
	const struct nacre_readdir_req *body = &request->message->host.readdir;
	uint32_t bytes = body->max_bytes < LISTING_MAX ? body->max_bytes : LISTING_MAX;
	struct listing listing = {
		.w = nacre_writer(mds->scratch2, bytes),
		.max_entries = body->max_entries < ENTRIES_MAX ? body->max_entries : ENTRIES_MAX,
		.data_left = bytes / DATA_SHARE,
	};
	struct mds_dentry *dentry = mds_dentry_after(dir->dir, body->after);
	bool whole = end == NACRE_COOKIE_END;
	int result = share_entries(mds, request, dir, body->after, end, listing.max_entries + 1);

	if (result)
		return result;
	mds_request_unclaim(mds, request);
	for (; dentry && dentry->cookie <= end; dentry = mds_dentry_next(dentry))
		if (dentry->ino && !put_entry(mds, request, &listing, dentry)) {
			if (!listing.count)
				return EINVAL;	/* not even one entry fits what the client allows */
			whole = false;
			break;
		}
	if (!listing.count && !whole) {
		request->list_after = end;
		return mds_op_readdir(mds, request);
	}
	return mds_reply_extra(mds, request, (struct mds_trace[]){
			{ NACRE_TRACE_TARGET, dir, request->head->wanted },
		}, 1, mds->scratch2, (uint32_t)nacre_writer_bytes(&listing.w),
		whole ? NACRE_REPLY_END : 0);
}

int mds_op_readdir(struct mds *mds, struct mds_request *request)
{
	const struct nacre_readdir_req *body = &request->message->host.readdir;
	uint64_t after = request->list_after ? request->list_after : body->after;
	struct mds_inode *dir;
	int result = req_inode(mds, request, body->ino, &dir);

	if (!result && !mds_inode_is_dir(dir))
		result = ENOTDIR;
	if (!result)
		result = req_read(mds, request, dir, NACRE_GROUP_DIR);
	if (result)
		return result;
	if (dir->dir->complete || !dir->nlink)
		return list(mds, request, dir, NACRE_COOKIE_END);
	if (request->page_loaded && request->page_after == after)
		return list(mds, request, dir, request->page_end);
	if (request->load_result) {
		result = (int)request->load_result;
		request->load_result = 0;
		return result;
	}
	/* from where the client asked for: see list() */
	mds_request_hold(request, dir, body->after ? body->after + 1 : 0,
			 mds_dir_fragment(dir, after + 1).last);
	return mds_request_park(mds, request, mds_load_page(mds, dir, after), MDS_WAIT_LOAD,
				dir->ino);
}
