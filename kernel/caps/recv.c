// SPDX-License-Identifier: GPL-2.0
/*
 * Messages of the rank about caps: CAP_GRANT, CAP_REVOKE, CAP_REVOKES, CAP_FLUSH_ACK, SIZE_ASK. They come one after the
 * other from the inbox worker; only cap_lock is taken here, the rest is the inode's worker's.
 *
 * Every message about an inode or cap that is not known gets an answer (catalogue B1, B2). An
 * inode on its way out is answered by its release.
 */
#include <linux/pagemap.h>
#include "internal.h"
#include "../osd/client.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/size_report.h"

static void answer_unknown(struct nacre_fs *fs, u64 ino, u64 cap_id, u32 gen, u32 seq)
{
	struct nacre_cap_update update;

	nacre_cap_answer_unknown(ino, cap_id, gen, seq, &update);
	nacre_mds_send_begin(fs);
	if (!nacre_mds_send(fs, NACRE_MSG_CAP_UPDATE, &update))
		nacre_count(fs, mds_cap_updates);
	nacre_mds_send_end(fs);
}

static void take_grant(struct nacre_fs *fs, const struct nacre_cap_grant *grant)
{
	struct nacre_inode_info info;
	struct inode *inode;
	bool freeing;
	u32 got;

	if (grant->barrier_epoch)
		nacre_osd_set_barrier(fs, grant->barrier_epoch);	/* FENCE-2 */
	if (nacre_decode_all(nacre_inode_info_desc(), grant->info, grant->info_bytes, &info))
		return;		/* validated when it was received */
	nacre_count(fs, caps_granted);
	inode = fs->upcalls->learn(fs, &info, false, 0, &got);
	if (!IS_ERR_OR_NULL(inode)) {
		nacre_mds_iput(fs, inode);
		return;
	}
	inode = fs->upcalls->find(fs, info.ino, &freeing);
	if (inode)
		nacre_mds_iput(fs, inode);
	else if (!freeing)
		answer_unknown(fs, info.ino, info.cap_id, info.cap_gen, info.cap_seq);
}

/*
 * The rank asks again for what cannot be given back yet. If it is an OSD that keeps us, say so: an OSD
 * outage evicts nobody.
 */
static void excuse(struct nacre_fs *fs, struct nacre_inode *ni)
{
	struct nacre_cap_update update;
	u32 group;
	bool owes;

	if (!nacre_osd_waits_for_group(fs, nacre_ino(&ni->netfs.inode), &group))
		return;
	nacre_mds_send_begin(fs);
	spin_lock(&ni->cap_lock);
	owes = ni->cap.owes_answer && ni->cap.cap_id;
	if (owes)
		nacre_cap_client_update(&ni->cap, nacre_ino(&ni->netfs.inode), 0, &update);
	spin_unlock(&ni->cap_lock);
	if (owes) {
		update.update_flags = NACRE_CAP_UPDATE_WAITING;
		update.waiting_pg = group;
		if (!nacre_mds_send(fs, NACRE_MSG_CAP_UPDATE, &update))
			nacre_count(fs, mds_cap_updates);
	}
	nacre_mds_send_end(fs);
}

/* The inode that has to do something about it, with a reference; or NULL. */
static struct inode *step_revoke(struct nacre_fs *fs, const struct nacre_cap_revoke *revoke)
{
	struct nacre_cap_event event = {
		.kind = NACRE_CAPE_REVOKE,
		.cap_id = revoke->cap_id,
		.gen = revoke->cap_gen,
		.seq = revoke->cap_seq,
		.caps = revoke->keep,
	};
	struct nacre_inode *ni;
	struct inode *inode;
	bool freeing, unknown;

	if (revoke->barrier_epoch)
		nacre_osd_set_barrier(fs, revoke->barrier_epoch);
	nacre_count(fs, caps_revoked);
	inode = fs->upcalls->find(fs, revoke->ino, &freeing);
	if (!inode) {
		if (!freeing)
			answer_unknown(fs, revoke->ino, revoke->cap_id, revoke->cap_gen,
				       revoke->cap_seq);
		return NULL;
	}
	ni = nacre_inode(inode);
	spin_lock(&ni->cap_lock);
	unknown = !ni->cap.cap_id || ni->cap.gen > revoke->cap_gen ||
		  (ni->cap.gen == revoke->cap_gen && ni->cap.cap_id > revoke->cap_id);
	if (!unknown) {
		if (!(revoke->keep & NACRE_CAP_FILE_EXCL))
			caps_dirty_accessed_locked(ni);
		caps_step_locked(ni, &event);
	}
	spin_unlock(&ni->cap_lock);
	if (unknown)
		answer_unknown(fs, revoke->ino, revoke->cap_id, revoke->cap_gen, revoke->cap_seq);
	else if (revoke->repeats)
		excuse(fs, ni);
	return inode;
}

static void kick_and_put(struct nacre_fs *fs, struct inode *inode)
{
	caps_kick(inode);
	nacre_mds_iput(fs, inode);
}

static void take_revoke(struct nacre_fs *fs, const struct nacre_cap_revoke *revoke)
{
	struct inode *inode = step_revoke(fs, revoke);

	if (inode)
		kick_and_put(fs, inode);
}

/* What has nothing to do but answer does so here, in as few messages as it was asked in; the others when they are ready. */
static void take_revokes(struct nacre_fs *fs, const struct nacre_cap_revokes *several)
{
	int i, ready = 0, count = nacre_array_count(nacre_cap_revoke_desc(), several->revokes_bytes);
	struct inode **inodes = kvmalloc_array(count, sizeof(*inodes), GFP_NOFS | __GFP_NOWARN);
	void *buffer = inodes ? caps_batch_buffer() : NULL;
	struct nacre_cap_revoke revoke;
	struct inode *inode;

	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_cap_revoke_desc(), several->revokes, i, &revoke))
			break;		/* validated when it was received */
		inode = step_revoke(fs, &revoke);
		if (inode && buffer && READ_ONCE(nacre_inode(inode)->cap_todo) == NACRE_CAPA_ANSWER)
			inodes[ready++] = inode;
		else if (inode)
			kick_and_put(fs, inode);
		cond_resched();		/* TIME-1 */
	}
	nacre_mds_send_begin(fs);
	caps_batch_begin(fs, buffer);
	for (i = 0; i < ready; i++)
		caps_send_todo(inodes[i]);
	caps_batch_end(fs);
	nacre_mds_send_end(fs);
	for (i = 0; i < ready; i++)
		kick_and_put(fs, inodes[i]);
	kvfree(buffer);
	kvfree(inodes);
}

static void take_flush_ack(struct nacre_fs *fs, const struct nacre_cap_flush_ack *ack)
{
	struct nacre_cap_event event = { .kind = NACRE_CAPE_FLUSH_ACKED, .flush_id = ack->flush_id };
	struct nacre_inode *ni;
	struct inode *inode;
	bool freeing;

	if (!(ack->flags & NACRE_FLUSH_ACK_SAFE) && !ack->result)
		return;		/* taken in; what counts is that it is journaled */
	inode = fs->upcalls->find(fs, ack->ino, &freeing);
	if (!inode)
		return;
	if (ack->result)
		mapping_set_error(inode->i_mapping, -nacre_error_errno(ack->result));
	ni = nacre_inode(inode);
	spin_lock(&ni->cap_lock);
	ni->flush_acked = max(ni->flush_acked, ack->flush_id);
	if (!ack->result)
		caps_small_flushed_locked(ni, ack->flush_id);
	caps_step_locked(ni, &event);
	if (!(ni->cap.flushing & NACRE_GROUP_FILE))
		ni->written_sent = 0;
	spin_unlock(&ni->cap_lock);
	caps_kick(inode);
	caps_clean(inode);
	nacre_mds_iput(fs, inode);
}

/* Values as they are at this moment. What is in a flush that is not acknowledged may be told twice: an upper bound. */
static void fill_report_locked(struct nacre_inode *ni, const struct nacre_size_ask *ask,
			       struct nacre_size_report *report)
{
	struct inode *inode = &ni->netfs.inode;
	const struct nacre_size size = {
		.size = i_size_read(inode),
		.truncate_seq = ni->truncate_seq,
	};

	nacre_size_report_make(&ni->cap, ni->size_pending ? NULL : &size, ask, report);
	if (report->report_flags)
		return;
	report->written = ni->written + ni->written_sent;
	report->atime = nacre_time_ns(inode_get_atime(inode));
	report->mtime = nacre_time_ns(inode_get_mtime(inode));
	report->ctime = nacre_time_ns(inode_get_ctime(inode));
}

/* Another client stats a file that is written here: say how it stands, and give nothing back. */
static void take_size_ask(struct nacre_fs *fs, const struct nacre_size_ask *ask)
{
	struct nacre_size_report report;
	struct inode *inode;
	bool freeing;

	inode = fs->upcalls->find(fs, ask->ino, &freeing);
	nacre_mds_send_begin(fs);
	if (inode) {
		struct nacre_inode *ni = nacre_inode(inode);

		spin_lock(&ni->cap_lock);
		fill_report_locked(ni, ask, &report);
		spin_unlock(&ni->cap_lock);
	} else {
		nacre_size_report_make(NULL, NULL, ask, &report);
	}
	if (!nacre_mds_send(fs, NACRE_MSG_SIZE_REPORT, &report) && !report.report_flags)
		nacre_count(fs, size_reports);
	nacre_mds_send_end(fs);
	if (inode)
		nacre_mds_iput(fs, inode);
}

/* nacre_upcalls.cap_message */
void nacre_caps_message(struct nacre_fs *fs, u16 type, const void *host)
{
	switch (type) {
	case NACRE_MSG_CAP_GRANT:
		take_grant(fs, host);
		break;
	case NACRE_MSG_CAP_REVOKE:
		take_revoke(fs, host);
		break;
	case NACRE_MSG_CAP_REVOKES:
		take_revokes(fs, host);
		break;
	case NACRE_MSG_SIZE_ASK:
		take_size_ask(fs, host);
		break;
	case NACRE_MSG_CAP_FLUSH_ACK:
		take_flush_ack(fs, host);
		break;
	}
}
