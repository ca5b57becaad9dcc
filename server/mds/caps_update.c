/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What clients say about their caps: answers to revokes, flushed values, wishes, releases. These messages are
 * never parked and never refused for want of room: others wait for them.
 */
#include "change.h"
#include "core.h"
#include "protocol/rules/size.h"
#include "protocol/rules/validate.h"

/* ---- acknowledging flushes ------------------------------------------------------------------------ */

struct flush_ack {
	struct mds_commit commit;
	uint64_t instance;
	uint64_t ino;
	uint64_t flush_id;
};

static void send_ack(struct mds *mds, struct mds_session *session, uint64_t ino, uint64_t flush_id,
		     uint32_t result)
{
	struct nacre_cap_flush_ack ack = {
		.ino = ino,
		.flush_id = flush_id,
		.result = result,
		.flags = NACRE_FLUSH_ACK_SAFE,
	};

	mds_session_send(mds, session, NACRE_MSG_CAP_FLUSH_ACK, &ack);
}

static void flush_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct flush_ack *ack = container_of(commit, struct flush_ack, commit);
	struct mds_session *session = mds_session_find(mds, ack->instance);

	if (session)
		send_ack(mds, session, ack->ino, ack->flush_id, 0);
	free(ack);
}

static void ack_when_safe(struct mds *mds, struct mds_session *session, uint64_t ino,
			  uint64_t flush_id, uint64_t seq)
{
	struct flush_ack *ack = mds_zalloc(sizeof(*ack));

	ack->commit.done = flush_is_safe;
	ack->commit.owned = true;
	ack->instance = session->instance;
	ack->ino = ino;
	ack->flush_id = flush_id;
	mds_journal_on_safe(mds, seq, &ack->commit);
}

/* ---- taking values in ------------------------------------------------------------------------------- */

/* May this client say the value of a group: by a bit that covers it, or by its claim? */
static bool is_covered(const struct mds_cap *cap, uint32_t group)
{
	return (cap->rank.held & nacre_group_cover(group)) || (cap->claimed_dirty & group);
}

/* Nobody else may say the times: they can then go back as well. */
static bool is_alone(const struct mds_cap *cap)
{
	const struct mds_cap *other;

	TAILQ_FOREACH(other, &cap->inode->caps, inode_link)
		if (other != cap && is_covered(other, NACRE_GROUP_FILE))
			return false;
	return cap->rank.held & NACRE_CAP_FILE_EXCL || cap->claimed_dirty & NACRE_GROUP_FILE;
}

static void take_size(struct mds_inode *inode, uint64_t said, uint32_t truncate_seq)
{
	struct nacre_size size = { inode->size, inode->truncate_size, inode->truncate_seq };

	nacre_size_flush(&size, said, truncate_seq);
	inode->size = size.size;
	inode->truncate_size = size.truncate_size;
	inode->truncate_seq = size.truncate_seq;
	if (S_ISREG(inode->mode) && !inode->inline_gen && inode->data_end < inode->size)
		inode->data_end = inode->size;
}

static void take_file(struct mds *mds, struct mds_inode *inode, const struct mds_cap *cap,
		      const struct nacre_cap_update *update)
{
	bool alone = is_alone(cap);

	take_size(inode, update->size, update->truncate_seq);
	inode->allocated = nacre_size_allocated(inode->allocated, update->written, inode->size);
	inode->mtime = alone ? update->mtime : nacre_time_later(inode->mtime, update->mtime);
	inode->atime = alone ? update->atime : nacre_time_later(inode->atime, update->atime);
	mds_inline_flush(mds, inode, update, alone);
}

/* ROOM-1: room behind the file's end is known here before there is any. */
static void keep_room(struct mds_inode *inode, uint64_t end)
{
	if (S_ISREG(inode->mode) && inode->data_end < end)
		inode->data_end = end;
}

/* Groups among the dirty ones whose values this holder may say. */
static uint32_t covered_groups(const struct mds_cap *cap, uint32_t dirty)
{
	uint32_t covered = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if ((dirty & nacre_group_at(i)) && is_covered(cap, nacre_group_at(i)))
			covered |= nacre_group_at(i);
	return covered;
}

static uint64_t take_values(struct mds *mds, struct mds_cap *cap,
			    const struct nacre_cap_update *update, uint32_t groups)
{
	struct mds_inode *inode = cap->inode;
	struct mds_change change;

	if (groups & NACRE_GROUP_AUTH) {
		inode->mode = (inode->mode & S_IFMT) | (update->mode & ~(uint32_t)S_IFMT);
		inode->uid = update->uid;
		inode->gid = update->gid;
	}
	if (groups & NACRE_GROUP_XATTR) {
		mds_blob_set(&inode->xattrs, update->xattrs, update->xattrs_bytes);
		inode->xattr_version++;
	}
	if (groups & NACRE_GROUP_FILE)
		take_file(mds, inode, cap, update);
	if ((groups & NACRE_GROUP_FILE) && (update->update_flags & NACRE_CAP_UPDATE_KEEPS))
		keep_room(inode, update->max_size_wanted);
	inode->ctime = nacre_time_later(inode->ctime, update->ctime);
	mds_change_begin(&change, mds, cap->session);
	change.flush_id = update->flush_id;
	change.ino = inode->ino;
	mds_change_inode(&change, inode);
	return mds_change_commit(&change);
}

void mds_cap_take_report(struct mds *mds, struct mds_cap *cap, const struct nacre_size_report *report)
{
	struct mds_inode *inode = cap->inode;
	bool alone = is_alone(cap);
	uint64_t mtime = alone ? report->mtime : nacre_time_later(inode->mtime, report->mtime);
	uint64_t atime = alone ? report->atime : nacre_time_later(inode->atime, report->atime);
	uint64_t ctime = nacre_time_later(inode->ctime, report->ctime);
	struct mds_change change;

	if (report->size <= inode->size && mtime == inode->mtime && atime == inode->atime &&
	    ctime == inode->ctime)
		return;
	take_size(inode, report->size, report->truncate_seq);
	inode->mtime = mtime;
	inode->atime = atime;
	inode->ctime = ctime;
	/* SHARE-1: the request that asked waits for it, as for any change of another session */
	mds_change_begin(&change, mds, cap->session);
	mds_change_inode(&change, inode);
	mds_change_commit(&change);
}

/* Flushed values: taken in once, acknowledged when journaled; again for a repeat. */
static void take_flush(struct mds *mds, struct mds_session *session, struct mds_cap *cap,
		       const struct nacre_cap_update *update)
{
	uint32_t groups;
	uint64_t seq;

	mds_intervals_remove_below(&session->flushes, update->oldest_flush);
	if (!update->flush_id)
		return;
	if (update->flush_id < update->oldest_flush ||
	    mds_intervals_has(&session->flushes, update->flush_id)) {
		ack_when_safe(mds, session, update->ino, update->flush_id,
			      mds_journal_open_seq(mds));
		mds_journal_flush(mds);
		return;
	}
	groups = cap ? covered_groups(cap, update->dirty) : 0;
	if (groups != update->dirty) {
		log_warn(mds->log, "caps", "client %llu flushes %#x on inode %#llx without a cap for it",
			 (unsigned long long)session->instance, update->dirty,
			 (unsigned long long)update->ino);
		send_ack(mds, session, update->ino, update->flush_id, ESTALE);
		return;
	}
	seq = take_values(mds, cap, update, groups);
	/* until the rank is active more values may follow under the same claim, and the cap itself may be given back already */
	if (!mds->reconnect)
		cap->claimed_dirty &= ~groups;
	ack_when_safe(mds, session, update->ino, update->flush_id, seq);
	if (update->update_flags & (NACRE_CAP_UPDATE_SYNC | NACRE_CAP_UPDATE_ANSWER))
		mds_journal_flush(mds);
}

/* ---- writers ------------------------------------------------------------------------------------------- */

uint64_t mds_caps_max_size(const struct mds_inode *inode, uint64_t instance)
{
	uint32_t i;

	for (i = 0; i < inode->writer_count; i++)
		if (inode->writers[i].instance == instance)
			return inode->writers[i].safe_max;
	return 0;
}

struct extension {
	struct mds_commit commit;
	uint64_t ino;
	uint64_t instance;
	uint64_t max_size;
};

/* SIZE-1: only now may the writer know. */
static void extension_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct extension *extension = container_of(commit, struct extension, commit);
	struct mds_session *session = mds_session_find(mds, extension->instance);
	struct mds_inode *inode = mds_inode_find(mds, extension->ino);
	struct mds_writer_slot *slot = inode ? mds_writer_find(inode, extension->instance) : NULL;
	struct mds_cap *cap = inode && session ? mds_cap_find(inode, session) : NULL;

	if (slot && slot->safe_max < extension->max_size && slot->max_size >= extension->max_size)
		slot->safe_max = extension->max_size;
	if (slot && cap) {
		cap->regrant = true;
		mds_caps_settle(mds, inode);
	}
	if (slot)
		mds_wake(mds, &inode->waiters);
	free(extension);
}

void mds_caps_tell_max(struct mds *mds, struct mds_cap *cap, uint64_t seq)
{
	struct mds_writer_slot *slot = mds_writer_find(cap->inode, cap->session->instance);
	struct extension *extension = mds_zalloc(sizeof(*extension));

	extension->commit.done = extension_is_safe;
	extension->commit.owned = true;
	extension->ino = cap->inode->ino;
	extension->instance = cap->session->instance;
	extension->max_size = slot->max_size;
	mds_journal_on_safe(mds, seq, &extension->commit);
	mds_journal_flush(mds);
}

void mds_caps_extend(struct mds *mds, struct mds_cap *cap, uint64_t wanted)
{
	struct mds_inode *inode = cap->inode;
	struct mds_writer_slot *slot = mds_writer_get(inode, cap->session->instance);
	struct mds_change change;
	uint64_t max_size;

	if (!slot || (slot->max_size && !wanted))
		return;
	if (slot->max_size && slot->max_size >= wanted) {
		/* it asks for what it was told, or will be: say it again */
		cap->regrant |= slot->safe_max >= wanted;
		return;
	}
	max_size = nacre_size_next_max(inode->size, slot->max_size, wanted, inode->object_bytes);
	if (inode->quota && !mds_quota_grant(mds, cap, wanted, &max_size))
		return;
	slot->max_size = max_size;
	mds_change_begin(&change, mds, cap->session);
	mds_change_inode(&change, inode);
	mds_caps_tell_max(mds, cap, mds_change_commit(&change));
}

void mds_caps_end_writer(struct mds *mds, struct mds_inode *inode, uint64_t instance)
{
	if (!mds_writer_find(inode, instance))
		return;
	mds_writer_drop(inode, instance);
	mds_quota_reserve(mds, inode);
	mds_wake(mds, &inode->waiters);		/* perhaps for its range, which is of no consequence now */
	/* no event of its own: a replay that still finds the range only probes once too often */
	mds_inode_mark_dirty(mds, inode, false, mds->journal.safe_seq);
}

/* ---- messages ------------------------------------------------------------------------------------------ */

#define WRITING (NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER | NACRE_CAP_FILE_EXCL)

/* The client holds a cap that is not known here: it is to forget it (catalogue B1, B2). */
static void refuse_cap(struct mds *mds, struct mds_session *session,
		       const struct nacre_cap_update *update)
{
	struct nacre_cap_revoke revoke = {
		.ino = update->ino,
		.cap_id = update->cap_id,
		.cap_gen = update->cap_gen,
		.cap_seq = update->cap_seq + 1,	/* or it would be a repeat of what it knows */
		.barrier_epoch = mds->barrier_epoch,
	};

	if (update->held)
		mds_session_send(mds, session, NACRE_MSG_CAP_REVOKE, &revoke);
}

/* A recalled cap: given back whole, or still needed there (an open file). */
static bool recall_is_done(struct mds *mds, struct mds_cap *cap)
{
	if (!cap->recalled || nacre_cap_rank_revoking(&cap->rank))
		return false;
	cap->recalled = false;
	if (!cap->rank.held && !cap->asked && !cap->claimed_dirty &&
	    !(cap->rank.wanted & ~(uint32_t)NACRE_CAP_PIN))
		return true;
	mds_inode_stays(mds, cap->inode);
	return false;
}

static void update_cap(struct mds *mds, struct mds_cap *cap, const struct nacre_cap_update *update)
{
	struct mds_inode *inode = cap->inode;
	uint64_t instance = cap->session->instance;
	bool same_connection = cap->granted_ns >= cap->session->connected_ns;
	uint32_t news = nacre_cap_rank_update(&cap->rank, update, same_connection);

	if (news & NACRE_CAPR_IGNORED)
		return;
	if (update->update_flags & NACRE_CAP_UPDATE_WAITING) {
		cap->waiting_pg = update->waiting_pg;
		cap->waiting_since_ns = mds_now(mds);
	}
	/* a range for an OPEN that waits, or for a writer who has to step back for a moment, is kept */
	if (!((cap->rank.held | cap->rank.wanted | cap->asked) & WRITING) && !cap->claimed_dirty)
		mds_caps_end_writer(mds, inode, instance);
	else if (inode->quota && !(cap->rank.held & WRITING) && !cap->claimed_dirty)
		mds_quota_cut_range(mds, cap);
	mds_cap_revoke_answered(mds, cap);
	if (news & NACRE_CAPR_SHRUNK)
		mds_wake(mds, &inode->waiters);		/* perhaps for what was on its way back */
	if (recall_is_done(mds, cap))
		news |= NACRE_CAPR_GONE;
	if (news & NACRE_CAPR_GONE) {
		mds_reconnect_take_values(mds, cap->session, inode->ino);
		mds_cap_drop(mds, cap);
		return;
	}
	if (news & NACRE_CAPR_BEHIND)
		cap->regrant = true;
	if (update->max_size_wanted && (cap->rank.held & NACRE_CAP_FILE_WRITE))
		mds_caps_extend(mds, cap, update->max_size_wanted);
	if (news & NACRE_CAPR_SHRUNK)
		mds_locks_gather(mds, inode);
	mds_caps_settle(mds, inode);
}

/* The cap it speaks of, or NULL. A generation before ours is that of a claimed cap whose grant it has not seen. */
static struct mds_cap *find_cap(struct mds *mds, struct mds_session *session,
				const struct nacre_cap_update *update)
{
	struct mds_inode *inode = mds_inode_peek(mds, update->ino);
	struct mds_cap *cap = inode ? mds_cap_find(inode, session) : NULL;

	return cap && cap->rank.cap_id == update->cap_id ? cap : NULL;
}

static void answer_cap(struct mds *mds, struct mds_session *session, struct mds_cap *cap,
		       const struct nacre_cap_update *update)
{
	if (cap)
		update_cap(mds, cap, update);
	else
		refuse_cap(mds, session, update);
}

static void take_update(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_cap_update *update = &message->host.cap_update;
	struct mds_cap *cap = find_cap(mds, session, update);

	take_flush(mds, session, cap, update);
	answer_cap(mds, session, cap, update);
	message_put(message);
}

static void take_release(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_cap_release *release = &message->host.cap_release;
	int count = nacre_array_count(nacre_cap_ref_desc(), release->caps_bytes);
	int i;

	for (i = 0; i < count; i++) {
		struct nacre_cap_ref ref;
		struct mds_inode *inode;
		struct mds_cap *cap;

		if (nacre_array_at(nacre_cap_ref_desc(), release->caps, (uint32_t)i, &ref))
			continue;
		inode = mds_inode_peek(mds, ref.ino);
		cap = inode ? mds_cap_find(inode, session) : NULL;
		if (!cap || !(nacre_cap_rank_release(&cap->rank, &ref) & NACRE_CAPR_GONE))
			continue;
		mds_caps_end_writer(mds, inode, session->instance);
		mds_cap_drop(mds, cap);
	}
	message_put(message);
}

/* Speaks of an inode that an unsafe request has yet to make again. */
static bool is_early(struct mds *mds, const struct message *message)
{
	if (mds->state == MDS_ACTIVE || !mds->reconnect)
		return false;
	return !mds_is_serving(mds) || message->type == NACRE_MSG_CAP_RELEASE ||
	       !mds_inode_find(mds, message->host.cap_update.ino);
}

void mds_cap_take(struct mds *mds, struct mds_session *session, struct message *message)
{
	if (message->type == NACRE_MSG_CAP_UPDATE)
		take_update(mds, session, message);
	else
		take_release(mds, session, message);
}

void mds_cap_take_values(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_cap_update *update = &message->host.cap_update;

	take_flush(mds, session, find_cap(mds, session, update), update);
	message_put(message);
}

/*
 * While unsafe requests are repeated: what it says of caps counts at once, a request may wait for it.
 * Its values are newer than those requests and come after them.
 */
static void take_caps_first(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_cap_update *update = &message->host.cap_update;
	struct mds_cap *cap = find_cap(mds, session, update);

	/* what came while the claims were taken up is kept, too, and this may give back what it was changed under */
	if (cap)
		cap->claimed_dirty |= covered_groups(cap, update->dirty |
						     mds_reconnect_dirty(mds, session, update->ino));
	if (update->flush_id)
		mds_reconnect_keep(mds, session, message_get(message), true);
	answer_cap(mds, session, cap, update);
	message_put(message);
}

static void take_parts(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_cap_updates *updates = &message->host.cap_updates;
	struct nacre_reader r = nacre_reader(updates->updates, updates->updates_bytes);
	struct nacre_cap_update update;

	/* a part may find that the rank is no more: nothing is taken in then, as nothing that comes alone is */
	while (mds->state != MDS_DEAD && nacre_cap_update_next(&r, &update))
		mds_cap_message(mds, session, message_part(message, NACRE_MSG_CAP_UPDATE, &update,
							   sizeof(update)));
	message_put(message);
}

void mds_cap_message(struct mds *mds, struct mds_session *session, struct message *message)
{
	if (message->type == NACRE_MSG_CAP_UPDATES)
		take_parts(mds, session, message);
	else if (is_early(mds, message))
		mds_reconnect_keep(mds, session, message, false);
	else if (mds->reconnect && message->type == NACRE_MSG_CAP_UPDATE)
		take_caps_first(mds, session, message);
	else
		mds_cap_take(mds, session, message);
}
