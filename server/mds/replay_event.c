/* SPDX-License-Identifier: GPL-2.0 */
/* What one event of the journal means in memory: the twin of change.c. */
#include "core.h"
#include "replay.h"

/* A directory that events speak of; when nothing else is known of it, it is loaded after replay. */
static struct mds_inode *get_dir(struct mds *mds, uint64_t ino)
{
	struct mds_inode *inode = mds_inode_find(mds, ino);

	if (!inode) {
		inode = mds_inode_new(mds, ino);
		inode->stub = true;
		mds_inode_set_mode(mds, inode, S_IFDIR);
	}
	return inode->dir ? inode : NULL;
}

static int apply_link(struct mds *mds, const uint8_t *bytes, uint32_t length, uint64_t seq)
{
	struct mds_dentry *dentry;
	struct mds_inode *dir;
	struct mds_link link;

	if (nacre_decode_all(mds_link_desc(), bytes, length, &link) || !link.name_bytes)
		return -EBADMSG;
	dir = get_dir(mds, link.dir);
	if (!dir)
		return -EBADMSG;
	dentry = mds_dentry_get(dir->dir, link.name, link.name_bytes);
	if (link.ino)
		mds_dentry_set_remote(dentry, link.ino, link.mode);
	else
		mds_dentry_clear(dentry);
	mds_dentry_mark_dirty(mds, dentry, seq);
	return 0;
}

/* Put an inode where its image says it lives; true if that is news. */
static bool place(struct mds *mds, struct mds_inode *inode, const struct mds_image *image)
{
	struct mds_dentry *dentry;
	struct mds_inode *dir;

	if (!image->parent) {
		if (inode->home)
			mds_dentry_clear(inode->home);
		inode->own = inode->own_stored = true;
		return false;
	}
	dir = get_dir(mds, image->parent);
	if (!dir)
		return false;
	dentry = mds_dentry_get(dir->dir, image->name, image->name_bytes);
	if (inode->home == dentry)
		return false;
	mds_dentry_set_primary(dentry, inode);
	return true;
}

static int apply_inode(struct mds *mds, const struct mds_event *event, const uint8_t *bytes,
		       uint32_t length, uint64_t seq)
{
	struct mds_image image;
	struct mds_inode *inode;
	bool known, moved;

	if (nacre_decode_all(mds_image_desc(), bytes, length, &image) || !image.ino)
		return -EBADMSG;
	inode = mds_inode_find(mds, image.ino);
	known = inode && !inode->stub;
	if (!inode)
		inode = mds_inode_new(mds, image.ino);
	if (mds_inode_from_image(mds, inode, &image))
		return -EBADMSG;
	moved = place(mds, inode, &image);
	if (!image.parent == !!inode->home)
		return -EBADMSG;
	/* made within the journal: so is everything in it */
	if (!known && inode->dir && event->kind == NACRE_RECORD_MKDIR && event->ino == inode->ino)
		inode->dir->complete = true;
	mds_inode_mark_dirty(mds, inode, moved, seq);
	return 0;
}

static int apply_purge(struct mds *mds, const uint8_t *bytes, uint32_t length, uint64_t seq)
{
	struct mds_purge_image purge;
	struct mds_inode *inode;

	if (nacre_decode_all(mds_purge_image_desc(), bytes, length, &purge))
		return -EBADMSG;
	inode = mds_inode_find(mds, purge.ino);
	if (inode && purge.count == 1)
		mds_inode_free(mds, inode);
	mds_purge_known(mds, &purge, seq);
	mds_record_set(mds, MDS_RECORD_PURGE, purge.ino, true, seq);
	mds_record_set(mds, MDS_RECORD_ORPHAN, purge.ino, false, seq);
	mds_record_set(mds, MDS_RECORD_WRITERS, purge.ino, false, seq);
	return 0;
}

static int apply_session(struct mds *mds, uint16_t type, const uint8_t *bytes, uint32_t length,
			 uint64_t seq)
{
	struct mds_session_item item;
	struct mds_session *session;

	if (nacre_decode_all(mds_session_item_desc(), bytes, length, &item) || !item.instance)
		return -EBADMSG;
	session = mds_session_find(mds, item.instance);
	if (type == MDS_ITEM_SESSION_END) {
		if (session)
			mds_session_free(mds, session);
		mds_record_set(mds, MDS_RECORD_SESSION, item.instance, false, seq);
		if (item.first)
			mds_intervals_add(&mds->closed, item.instance, 1);
		return 0;
	}
	/* The table is newer than this event: the session has ended since, and its end comes further on. */
	if (!session && type != MDS_ITEM_SESSION_BEGIN)
		return 0;
	if (!session) {
		session = mds_session_new(mds, item.instance);
		session->state = NACRE_RSES_AWAITED;
		snprintf(session->name, sizeof(session->name), "%.*s", (int)item.name_bytes,
			 item.name);
	}
	mds_intervals_add(&session->inos, item.first, item.count);
	return 0;
}

static int apply_interval(struct mds *mds, uint16_t type, const uint8_t *bytes, uint32_t length,
			  uint64_t seq)
{
	struct mds_interval interval;

	if (nacre_decode_all(mds_interval_desc(), bytes, length, &interval))
		return -EBADMSG;
	switch (type) {
	case MDS_ITEM_NEXT_INO:
		if (interval.count > interval.first)
			return -EBADMSG;
		if (mds->next_ino > interval.first)
			return 0;
		mds->next_ino = interval.first;
		mds->lost_inos = interval.first - interval.count;
		return 0;
	case MDS_ITEM_BLOCK:
		mds_ids_set_block(mds, interval.first, interval.count);
		return 0;
	case MDS_ITEM_PURGED:
		mds_purge_forget(mds, interval.first);
		mds_record_set(mds, MDS_RECORD_PURGE, interval.first, false, seq);
		return 0;
	}
	return -EBADMSG;
}

static int apply_item(struct mds *mds, const struct mds_event *event, const struct mds_item *item,
		      uint64_t seq)
{
	switch (item->type) {
	case MDS_ITEM_INODE:
		return apply_inode(mds, event, item->payload, item->payload_bytes, seq);
	case MDS_ITEM_LINK:
		return apply_link(mds, item->payload, item->payload_bytes, seq);
	case MDS_ITEM_SESSION_BEGIN:
	case MDS_ITEM_SESSION_END:
	case MDS_ITEM_SESSION_INOS:
		return apply_session(mds, item->type, item->payload, item->payload_bytes, seq);
	case MDS_ITEM_PURGE:
		return apply_purge(mds, item->payload, item->payload_bytes, seq);
	case MDS_ITEM_QUOTA:
		return mds_quota_known(mds, item->payload, item->payload_bytes, seq);
	default:
		return apply_interval(mds, item->type, item->payload, item->payload_bytes, seq);
	}
}

/* The request that caused it is done (LOG-2), and so is the flush. */
static void apply_session_state(struct mds *mds, const struct mds_event *event, uint64_t seq)
{
	struct mds_session *session = mds_session_find(mds, event->instance);
	struct mds_done_request done = {
		.tid = event->tid,
		.applied = event->applied,
		.ino = event->ino,
		.kind = event->kind,
		.flags = event->flags,
	};

	if (!session)
		return;
	if (event->tid)
		mds_session_complete(session, &done);
	if (session->applied < event->applied)
		session->applied = event->applied;
	session->safe = session->applied;
	if (event->flush_id)
		mds_intervals_add(&session->flushes, event->flush_id, 1);
	if ((event->kind >= NACRE_RECORD_CREATE && event->kind <= NACRE_RECORD_SYMLINK) ||
	    event->kind == NACRE_RECORD_TMPFILE)
		mds_intervals_remove(&session->inos, event->ino, 1);
	mds_record_set(mds, MDS_RECORD_SESSION, session->instance, true, seq);
}

int mds_replay_event(struct mds *mds, const struct mds_event *event, uint64_t seq)
{
	struct nacre_reader r = nacre_reader(event->items, event->items_bytes);
	uint32_t i;

	for (i = 0; i < event->item_count; i++) {
		struct mds_item item;

		if (nacre_decode(mds_item_desc(), &r, &item))
			return -EBADMSG;
		if (apply_item(mds, event, &item, seq)) {
			log_error(mds->log, "replay", "item %u of kind %u, event of kind %u on inode %#llx, batch %llu",
				  i, item.type, event->kind, (unsigned long long)event->ino,
				  (unsigned long long)seq);
			return -EBADMSG;
		}
	}
	apply_session_state(mds, event, seq);
	return nacre_reader_left(&r) ? -EBADMSG : 0;
}
