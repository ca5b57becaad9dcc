// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty attributes on their way to the rank's journal, and the CAP_UPDATE that
 * carries them together with answers and wishes. A flush keeps its id until it
 * is acknowledged as safe; after a lost connection the present values go out
 * again under it.
 */
#include <stdlib.h>
#include <string.h>
#include "server/base/mutate.h"
#include "state.h"

uint64_t flushes_oldest(const struct client *client)
{
	const struct flush *first = TAILQ_FIRST(&client->flushes);

	return first ? first->id : client->next_flush + 1;
}

/* `again`: sent before, under the id it has. */
static void fill_values(struct inode *inode, struct nacre_cap_update *update, uint32_t groups,
			bool again)
{
	update->dirty = groups;
	update->mode = inode->mode;
	update->uid = inode->uid;
	update->gid = inode->gid;
	update->size = inode->size.size;
	update->truncate_seq = inode->size.truncate_seq;
	update->atime = inode->atime;
	update->mtime = inode->mtime;
	update->ctime = inode->ctime;
	if (groups & NACRE_GROUP_FILE) {
		update->written = inode->written + (again ? inode->written_sent : 0);
		inode->written_sent += inode->written;
		inode->written = 0;
	}
	if (groups & NACRE_GROUP_XATTR) {
		update->xattrs = inode->xattrs;
		update->xattrs_bytes = inode->xattrs_bytes;
	}
}

/* ---- many at once --------------------------------------------------------------------- */

void updates_send(struct client *client)
{
	union nacre_cap_batch_body body;
	uint16_t type = nacre_cap_batch_take(&client->batch, &body);

	if (type)
		rank_send(client, type, &body);
}

void updates_batch(struct client *client)
{
	nacre_cap_batch_init(&client->batch, client->batch_buffer, sizeof(client->batch_buffer));
	client->batching = true;
}

void updates_end(struct client *client)
{
	client->batching = false;
	updates_send(client);
}

/* False: too large to share a message. */
static bool batched(struct client *client, const struct nacre_cap_update *update)
{
	if (!nacre_cap_batch_add(&client->batch, update))
		return true;
	updates_send(client);
	return !nacre_cap_batch_add(&client->batch, update);
}

/* ---- one ------------------------------------------------------------------------------- */

static void send(struct inode *inode, struct nacre_cap_update *update)
{
	struct client *client = inode->client;

	update->oldest_flush = flushes_oldest(client);
	if (inode->max_size_asked > inode->max_size && inode->max_size_asked > update->max_size_wanted)
		update->max_size_wanted = inode->max_size_asked;
	client->counters.cap_updates++;
	if (!client->batching || !batched(client, update))
		rank_send(client, NACRE_MSG_CAP_UPDATE, update);
}

/* ROOM-1 */
static void put_room(const struct flush *flush, struct nacre_cap_update *update)
{
	if (!flush->keeps || !(update->dirty & NACRE_GROUP_FILE) || mutate(MUTATE_ROOM_UNTOLD))
		return;
	update->update_flags |= NACRE_CAP_UPDATE_KEEPS;
	update->max_size_wanted = flush->keeps;
}

void flushes_forget_room(struct inode *inode)
{
	struct flush *flush;

	inode->keeps = inode->keeps_known = 0;
	TAILQ_FOREACH(flush, &inode->client->flushes, entry)
		if (flush->inode == inode)
			flush->keeps = 0;
}

/* The rank has journaled what it carried, or has refused it. */
static void room_told(struct inode *inode, const struct flush *flush, bool known)
{
	if (!flush->keeps)
		return;
	if (!known)
		inode->keeps = inode->keeps_known;
	else if (inode->keeps_known < flush->keeps)
		inode->keeps_known = flush->keeps;
}

static struct flush *flush_begin(struct inode *inode, uint32_t groups)
{
	struct client *client = inode->client;
	struct flush *flush = client_alloc(sizeof(*flush));

	flush->id = ++client->next_flush;
	flush->inode = inode;
	flush->groups = groups;
	flush->keeps = groups & NACRE_GROUP_FILE ? inode->keeps : 0;
	inode->busy++;
	TAILQ_INSERT_TAIL(&client->flushes, flush, entry);
	inline_flush(inode, flush);
	return flush;
}

void caps_update_send(struct inode *inode, bool answer, uint32_t groups, bool sync)
{
	struct nacre_cap_event sent = { .kind = NACRE_CAPE_FLUSH_SENT, .groups = groups };
	struct nacre_cap_update update;
	struct flush *flush;

	nacre_cap_client_update(&inode->cap, inode->ino, answer, &update);
	if (sync || inode->flush_sync)
		update.update_flags |= NACRE_CAP_UPDATE_SYNC;
	if (groups) {
		flush = flush_begin(inode, groups);
		update.flush_id = flush->id;
		fill_values(inode, &update, groups, false);
		inline_put_flush(flush, &update);
		put_room(flush, &update);
	}
	send(inode, &update);
	sent.flush_id = update.flush_id;
	if (groups)
		caps_event(inode, sent);
}

/* Groups of this flush that no later one has taken over. */
static uint32_t flush_groups(const struct inode *inode, const struct flush *flush)
{
	uint32_t groups = 0;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++)
		if ((inode->cap.flushing & nacre_group_at(i)) &&
		    inode->cap.flush_id[i] == flush->id)
			groups |= nacre_group_at(i);
	return groups;
}

static void flush_end(struct flush *flush)
{
	flush->inode->busy--;
	TAILQ_REMOVE(&flush->inode->client->flushes, flush, entry);
	free(flush->data);
	free(flush);
}

void flushes_resend(struct inode *inode)
{
	struct nacre_cap_update update;
	struct flush *flush, *next;
	uint32_t groups;

	for (flush = TAILQ_FIRST(&inode->client->flushes); flush; flush = next) {
		next = TAILQ_NEXT(flush, entry);
		if (flush->inode != inode)
			continue;
		groups = flush_groups(inode, flush);
		if (!groups) {
			flush_end(flush);
			continue;
		}
		nacre_cap_client_update(&inode->cap, inode->ino, false, &update);
		update.flush_id = flush->id;
		fill_values(inode, &update, groups, true);
		inline_put_flush(flush, &update);
		put_room(flush, &update);
		send(inode, &update);
	}
}

void flushes_resend_all(struct client *client)
{
	struct inode *inode, *next;

	HASH_ITER(hh, client->inodes, inode, next)
		flushes_resend(inode);
}

void flushes_drop(struct inode *inode)
{
	struct flush *flush, *next;

	for (flush = TAILQ_FIRST(&inode->client->flushes); flush; flush = next) {
		next = TAILQ_NEXT(flush, entry);
		if (flush->inode == inode)
			flush_end(flush);
	}
}

/* Flush what is dirty; `sync`: somebody waits, the rank should journal at once. */
void caps_flush(struct inode *inode, bool sync)
{
	struct nacre_cap_event flush = { .kind = NACRE_CAPE_FLUSH };

	if (!inode->cap.dirty && !(sync && inode->cap.flushing))
		return;
	inode->flush_sync = sync;
	if (inode->cap.dirty)
		caps_event(inode, flush);
	else
		caps_update_send(inode, false, 0, true);
	inode->flush_sync = false;
}

void caps_flush_ack(struct client *client, const struct nacre_cap_flush_ack *ack)
{
	struct nacre_cap_event acked = { .kind = NACRE_CAPE_FLUSH_ACKED,
					 .flush_id = ack->flush_id };
	struct flush *flush;
	struct inode *inode;

	if (!(ack->flags & NACRE_FLUSH_ACK_SAFE))
		return;
	TAILQ_FOREACH(flush, &client->flushes, entry)
		if (flush->id == ack->flush_id)
			break;
	if (!flush)
		return;
	inode = flush->inode;
	if (ack->result)
		inode->error = -(int)ack->result;
	if (!ack->result && (flush->groups & NACRE_GROUP_FILE))
		inline_flushed(inode, flush->id);
	room_told(inode, flush, !ack->result);
	flush_end(flush);
	caps_event(inode, acked);
	if (!(inode->cap.flushing & NACRE_GROUP_FILE))
		inode->written_sent = 0;
	if (caps_are_clean(inode))
		inode->dirty_since_ns = 0;
	inode_wake(inode);
}

bool caps_are_clean(const struct inode *inode)
{
	return !inode->cap.dirty && !inode->cap.flushing && !inode->dirty_pages &&
	       !inode->writing_pages;
}
