/* SPDX-License-Identifier: GPL-2.0 */
/* From what a handler did in memory to the journal event; see change.h. */
#include "change.h"
#include "core.h"
#include "split.h"
#include "server/base/mutate.h"

void mds_change_begin(struct mds_change *change, struct mds *mds, struct mds_session *session)
{
	memset(change, 0, sizeof(*change));
	change->mds = mds;
	change->session = session;
}

void mds_change_begin_request(struct mds_change *change, struct mds_request *request)
{
	mds_change_begin(change, request->session->mds, request->session);
	change->tid = request->head->tid;
	change->kind = request->op->kind;
}

void mds_change_inode(struct mds_change *change, struct mds_inode *inode)
{
	unsigned int i;

	for (i = 0; i < change->inode_count; i++)
		if (change->inodes[i] == inode)
			return;
	assert(change->inode_count < MDS_CHANGE_INODES);
	change->inodes[change->inode_count++] = inode;
}

void mds_change_home(struct mds_change *change, struct mds_inode *inode)
{
	unsigned int i;

	mds_change_inode(change, inode);
	for (i = 0; i < change->inode_count; i++)
		if (change->inodes[i] == inode)
			change->renamed[i] = true;
}

void mds_change_entry(struct mds_change *change, struct mds_dentry *dentry)
{
	assert(change->entry_count < MDS_CHANGE_ENTRIES);
	change->entries[change->entry_count++] = dentry;
}

void mds_change_session(struct mds_change *change, uint16_t type, uint64_t instance,
			uint64_t first, uint64_t count)
{
	assert(change->item_count < MDS_CHANGE_ITEMS);
	change->items[change->item_count].type = type;
	change->items[change->item_count++].session = (struct mds_session_item){
		.instance = instance, .first = first, .count = count,
	};
}

void mds_change_interval(struct mds_change *change, uint16_t type, uint64_t first, uint64_t count)
{
	assert(change->item_count < MDS_CHANGE_ITEMS);
	change->items[change->item_count].type = type;
	change->items[change->item_count++].interval = (struct mds_interval){ first, count };
}

void mds_change_next_ino(struct mds_change *change)
{
	const struct mds *mds = change->mds;

	mds_change_interval(change, MDS_ITEM_NEXT_INO, mds->next_ino,
			    mds->reconnect ? mds->next_ino - mds->lost_inos : 0);
}

void mds_change_purge(struct mds_change *change, const struct mds_purge_image *purge)
{
	assert(change->item_count < MDS_CHANGE_ITEMS);
	change->items[change->item_count].type = MDS_ITEM_PURGE;
	change->items[change->item_count++].purge = *purge;
}

/* ---- encoding ------------------------------------------------------------------------------------ */

static void put_item(struct mds *mds, struct nacre_writer *w, uint16_t type,
		     const struct nacre_struct *desc, const void *payload)
{
	struct nacre_writer inner = nacre_writer(mds->scratch2, MDS_SCRATCH_BYTES);
	struct mds_item item = { .type = type, .payload = mds->scratch2 };

	if (nacre_encode(desc, &inner, payload))
		assert(!"an item that cannot be encoded");
	item.payload_bytes = (uint32_t)nacre_writer_bytes(&inner);
	if (nacre_encode(mds_item_desc(), w, &item))
		assert(!"an event over its limit");
}

static void put_inode(struct mds *mds, struct nacre_writer *w, struct mds_inode *inode)
{
	struct mds_writer_wire room[MDS_WRITERS_MAX];
	struct mds_image image;

	mds_inode_to_image(inode, &image, room);
	if (inode->home) {
		image.parent = inode->home->dir->inode->ino;
		image.name = inode->home->name;
		image.name_bytes = inode->home->name_bytes;
	}
	put_item(mds, w, MDS_ITEM_INODE, mds_image_desc(), &image);
}

static void put_entry(struct mds *mds, struct nacre_writer *w, const struct mds_dentry *dentry)
{
	struct mds_link link = {
		.dir = dentry->dir->inode->ino,
		.ino = dentry->ino,
		.mode = dentry->mode,
		.name = dentry->name,
		.name_bytes = dentry->name_bytes,
	};

	put_item(mds, w, MDS_ITEM_LINK, mds_link_desc(), &link);
}

static void put_other(struct mds_change *change, struct nacre_writer *w, unsigned int i)
{
	struct mds *mds = change->mds;

	switch (change->items[i].type) {
	case MDS_ITEM_SESSION_BEGIN:
	case MDS_ITEM_SESSION_END:
	case MDS_ITEM_SESSION_INOS:
		if (change->items[i].type == MDS_ITEM_SESSION_BEGIN && change->session) {
			change->items[i].session.name = (const uint8_t *)change->session->name;
			change->items[i].session.name_bytes =
				(uint32_t)strlen(change->session->name);
		}
		put_item(mds, w, change->items[i].type, mds_session_item_desc(),
			 &change->items[i].session);
		break;
	case MDS_ITEM_PURGE:
		put_item(mds, w, MDS_ITEM_PURGE, mds_purge_image_desc(), &change->items[i].purge);
		break;
	default:
		put_item(mds, w, change->items[i].type, mds_interval_desc(),
			 &change->items[i].interval);
		break;
	}
}

static uint32_t put_quotas(struct mds *mds, struct nacre_writer *w)
{
	const struct mds_quota *quota;
	struct mds_quota_image image;
	uint32_t count = 0;

	TAILQ_FOREACH(quota, &mds->quotas.touched, touch) {
		if (quota->seq && mutate(MUTATE_QUOTA_UNSAVED))
			continue;
		mds_quota_image(quota, &image);
		put_item(mds, w, MDS_ITEM_QUOTA, mds_quota_image_desc(), &image);
		count++;
	}
	return count;
}

/* Entries first (an inode leaves its place), then inodes (it takes another), then what is gone. */
static uint64_t append_event(struct mds_change *change, uint64_t applied)
{
	struct mds *mds = change->mds;
	struct nacre_writer w = nacre_writer(mds->scratch, MDS_SCRATCH_BYTES);
	struct mds_event event = {
		.kind = change->kind,
		.flags = change->flags,
		.instance = change->session ? change->session->instance : 0,
		.tid = change->tid,
		.applied = applied,
		.flush_id = change->flush_id,
		.ino = change->ino,
		.item_count = change->entry_count + change->inode_count + change->item_count,
		.items = mds->scratch,
	};
	unsigned int i;

	for (i = 0; i < change->entry_count; i++)
		if (change->entries[i]->inode)
			event.item_count--;	/* the inode's image says it */
		else
			put_entry(mds, &w, change->entries[i]);
	for (i = 0; i < change->inode_count; i++)
		put_inode(mds, &w, change->inodes[i]);
	for (i = 0; i < change->item_count; i++)
		put_other(change, &w, i);
	event.item_count += put_quotas(mds, &w);
	event.items_bytes = (uint32_t)nacre_writer_bytes(&w);
	return mds_journal_append(mds, &event, change->session);
}

/* ---- committing ----------------------------------------------------------------------------------- */

static void mark_inode(struct mds_change *change, struct mds_inode *inode, bool renamed,
		       uint64_t seq)
{
	uint64_t instance = change->session ? change->session->instance : 0;

	mds_inode_mark_dirty(change->mds, inode, renamed, seq);
	if (change->unseen)
		return;
	/* SHARE-1: with unsafe changes of two parties in it, both have to wait */
	if (inode->unsafe_instance != instance &&
	    !mds_journal_is_safe(&change->mds->journal, inode->unsafe_seq))
		instance = 0;
	inode->unsafe_seq = seq;
	inode->unsafe_instance = instance;
}

static void remember_request(struct mds_change *change, uint64_t applied)
{
	struct mds_done_request done = {
		.tid = change->tid,
		.applied = applied,
		.ino = change->ino,
		.kind = change->kind,
		.flags = change->flags,
	};

	if (change->tid)
		mds_session_complete(change->session, &done);
	if (change->flush_id)
		mds_intervals_add(&change->session->flushes, change->flush_id, 1);
}

void mds_request_commit(struct mds_request *request, struct mds_change *change)
{
	request->commit_seq = mds_change_commit(change);
	request->applied = request->session->applied;
	request->reply_flags = change->flags;
	request->ino = change->ino;
	request->changed = true;
}

uint64_t mds_change_commit(struct mds_change *change)
{
	struct mds_session *session = change->session;
	struct mds *mds = change->mds;
	uint64_t applied = 0, seq;
	unsigned int i;

	if (session && change->tid)
		applied = ++session->applied;
	for (i = 0; i < change->inode_count; i++)
		change->inodes[i]->version += !change->unseen;
	for (i = 0; i < change->inode_count; i++)
		mds_quota_charge(mds, change->inodes[i]);
	seq = append_event(change, applied);
	mds_quotas_commit(mds, seq);
	for (i = 0; i < change->inode_count; i++)
		mark_inode(change, change->inodes[i], change->renamed[i], seq);
	for (i = 0; i < change->entry_count; i++)
		mds_dentry_mark_dirty(mds, change->entries[i], seq);
	if (session) {
		remember_request(change, applied);
		if (session->state != NACRE_RSES_NONE)
			mds_record_set(mds, MDS_RECORD_SESSION, session->instance, true, seq);
	}
	for (i = 0; i < change->inode_count; i++)
		if (change->inodes[i]->dir)
			mds_split_look(mds, change->inodes[i]);
	return seq;
}
