// SPDX-License-Identifier: GPL-2.0
/*
 * Drives the cap machine (protocol/rules/cap_client.h) for the inodes of a
 * client: counts what is used, does what a step asks for, sends answers and
 * wishes. Flushes are in flush.c. The machine decides; nothing here does.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/codec.h"
#include "state.h"

/* Bits that stand for work in progress; SHARED bits need no count. */
uint32_t caps_used(const struct inode *inode)
{
	uint32_t used = 0;
	int bit;

	for (bit = 0; bit < CLIENT_CAP_BITS; bit++)
		if (inode->refs[bit])
			used |= 1u << bit;
	if (inode->dirty_pages || inode->writing_pages)
		used |= NACRE_CAP_FILE_BUFFER;
	return used;
}

bool caps_can(const struct inode *inode, uint32_t caps)
{
	return caps && nacre_cap_client_can_use(&inode->cap, caps) && inode->cap.cap_id;
}

/* ---- what a step asks for --------------------------------------------------------------- */

static void release(struct inode *inode, const struct nacre_cap_step *step)
{
	struct nacre_cap_ref ref = {
		.ino = inode->ino, .cap_id = step->release_cap_id,
		.cap_gen = step->release_gen, .cap_seq = step->release_seq,
	};
	uint8_t bytes[sizeof(struct nacre_cap_ref_wire)];
	struct nacre_writer writer = nacre_writer(bytes, sizeof(bytes));
	struct nacre_cap_release message = { .caps_bytes = sizeof(bytes), .caps = bytes };

	nacre_encode(nacre_cap_ref_desc(), &writer, &ref);
	inode->client->counters.cap_releases++;
	rank_send(inode->client, NACRE_MSG_CAP_RELEASE, &message);
}

static void lose(struct inode *inode, uint32_t groups)
{
	if (inode->dirty_pages || inode->writing_pages || groups)
		inode->error = -EIO;
	pages_drop_all(inode);
	flushes_drop(inode);
	inline_lost(inode);
}

/* The numbers stand for the order in cap_client.h: what is dropped goes before what is said. */
static void act(struct inode *inode, const struct nacre_cap_step *step)
{
	const struct nacre_cap_event invalidated = { .kind = NACRE_CAPE_INVALIDATED };
	const uint32_t speak = NACRE_CAPA_ANSWER | NACRE_CAPA_FLUSH | NACRE_CAPA_WANT;

	if (step->actions & NACRE_CAPA_INVALIDATE_DIR)
		dentries_drop(inode);
	if (step->actions & NACRE_CAPA_LOST)
		lose(inode, step->flush);
	if (step->actions & NACRE_CAPA_REFLUSH)
		flushes_resend(inode);
	if (step->actions & NACRE_CAPA_WRITEBACK)
		pages_write_back(inode);
	if (step->actions & NACRE_CAPA_INVALIDATE)
		pages_drop_clean(inode);
	if (step->actions & speak)
		caps_update_send(inode, step->actions & NACRE_CAPA_ANSWER,
				 step->actions & NACRE_CAPA_FLUSH ? step->flush : 0, false);
	if (step->actions & NACRE_CAPA_RELEASE)
		release(inode, step);
	if (step->actions & NACRE_CAPA_WAKE)
		inode_wake(inode);
	if (step->actions & NACRE_CAPA_INVALIDATE)
		caps_event(inode, invalidated);
}

static void complain(struct inode *inode, const char *what)
{
	fprintf(stderr, "client: inode %llx: %s\n", (unsigned long long)inode->ino, what);
	client_dump(inode->client, stderr);
	abort();
}

void caps_event(struct inode *inode, struct nacre_cap_event event)
{
	struct nacre_cap_step step;
	const char *broken;

	event.used = caps_used(inode);
	if (nacre_cap_client_step(&inode->cap, &event, &step)) {
		if (event.kind != NACRE_CAPE_DROP)
			complain(inode, "illegal cap event");
		return;
	}
	act(inode, &step);
	inline_caps_changed(inode);
	if (!(inode->cap.issued & NACRE_CAP_FILE_WRITE) && inode->keeps)
		flushes_forget_room(inode);
	broken = inode->cap.cap_id ? nacre_cap_client_invariant(&inode->cap, caps_used(inode)) :
				     NULL;
	if (broken)
		complain(inode, broken);
}

/* ---- counting ---------------------------------------------------------------------------- */

void caps_take(struct inode *inode, uint32_t caps)
{
	int bit;

	for (bit = 0; bit < CLIENT_CAP_BITS; bit++)
		if (caps >> bit & 1)
			inode->refs[bit]++;
}

void caps_give(struct inode *inode, uint32_t caps)
{
	int bit;

	for (bit = 0; bit < CLIENT_CAP_BITS; bit++)
		if (caps >> bit & 1) {
			assert(inode->refs[bit]);
			inode->refs[bit]--;
		}
	caps_used_changed(inode);
}

void caps_used_changed(struct inode *inode)
{
	if (inode->cap.owes_answer)
		caps_event(inode, (struct nacre_cap_event){ .kind = NACRE_CAPE_USE });
}

void caps_dirty(struct inode *inode, uint32_t groups)
{
	caps_event(inode, (struct nacre_cap_event){ .kind = NACRE_CAPE_DIRTY, .groups = groups });
	if (!inode->dirty_since_ns)
		inode->dirty_since_ns = io_now(inode->client->io);
}

void caps_want(struct inode *inode, uint32_t extra)
{
	uint32_t wanted = NACRE_CAP_PIN | extra;

	if (inode->open_read)
		wanted |= NACRE_WANT_READ;
	if (inode->open_write)
		wanted |= NACRE_WANT_WRITE;
	if (wanted == inode->cap.wanted)
		return;
	caps_event(inode, (struct nacre_cap_event){ .kind = NACRE_CAPE_WANT, .caps = wanted });
}

/* SIZE-1: ask for room before writing there; once for each offset. */
void caps_want_size(struct inode *inode, uint64_t end)
{
	if (inode->max_size_asked >= end)
		return;
	inode->max_size_asked = end;
	caps_update_send(inode, false, 0, false);
}

void caps_wait_size(struct client_call *call, struct inode *inode, uint64_t end)
{
	if (call->asked_size && call->refusals != inode->max_size_refusals &&
	    end >= inode->max_size_refused) {
		call_end(call, -EDQUOT);
		return;
	}
	call->asked_size = true;
	call->refusals = inode->max_size_refusals;
	caps_want_size(inode, end);
	call_wait(&inode->waiters, call);
}

void caps_event_all(struct client *client, uint8_t kind)
{
	const struct nacre_cap_event event = { .kind = kind };
	struct inode *inode, *next;

	HASH_ITER(hh, client->inodes, inode, next) {
		if (kind == NACRE_CAPE_RECONNECTED)
			inode->max_size_asked = 0;
		caps_event(inode, event);
		inode_wake(inode);
	}
}

bool caps_try_drop(struct inode *inode)
{
	const struct nacre_cap_event drop = { .kind = NACRE_CAPE_DROP };

	if (inode->open_read || inode->open_write || inode->busy || inode->waiters.first ||
	    inode->dirty_pages || inode->writing_pages || caps_used(inode) || inode->error)
		return false;
	caps_event(inode, drop);
	return !inode->cap.cap_id;
}

/* ---- messages ------------------------------------------------------------------------------ */

static void answer_unknown(struct client *client, uint64_t ino, uint64_t cap_id, uint32_t gen,
			   uint32_t seq)
{
	struct nacre_cap_update update;

	nacre_cap_answer_unknown(ino, cap_id, gen, seq, &update);
	update.oldest_flush = flushes_oldest(client);
	client->counters.cap_updates++;
	rank_send(client, NACRE_MSG_CAP_UPDATE, &update);
}

void caps_grant(struct client *client, const struct nacre_cap_grant *grant)
{
	struct nacre_inode_info info;

	if (nacre_decode_all(nacre_inode_info_desc(), grant->info, grant->info_bytes, &info))
		return;
	if (grant->barrier_epoch)
		osdc_set_barrier(client->osdc, grant->barrier_epoch);
	inode_learn(client, &info, TOLD);
	requests_safe(client, grant->safe);
}

void caps_revoke(struct client *client, const struct nacre_cap_revoke *revoke)
{
	struct nacre_cap_event event = {
		.kind = NACRE_CAPE_REVOKE, .cap_id = revoke->cap_id, .gen = revoke->cap_gen,
		.seq = revoke->cap_seq, .caps = revoke->keep,
	};
	struct inode *inode = inode_find(client, revoke->ino);

	client->counters.revokes++;
	if (revoke->barrier_epoch)
		osdc_set_barrier(client->osdc, revoke->barrier_epoch);
	if (!inode || !inode->cap.cap_id || inode->cap.cap_id > revoke->cap_id) {
		answer_unknown(client, revoke->ino, revoke->cap_id, revoke->cap_gen,
			       revoke->cap_seq);
		return;
	}
	caps_event(inode, event);
}

void caps_revokes(struct client *client, const struct nacre_cap_revokes *several)
{
	int i, count = nacre_array_count(nacre_cap_revoke_desc(), several->revokes_bytes);
	struct nacre_cap_revoke revoke;

	for (i = 0; i < count; i++)
		if (!nacre_array_at(nacre_cap_revoke_desc(), several->revokes, (uint32_t)i, &revoke))
			caps_revoke(client, &revoke);
}

/* Somebody stats a file that we write: say how it stands, and give nothing back. */
void caps_size_ask(struct client *client, const struct nacre_size_ask *ask)
{
	const struct inode *inode = inode_find(client, ask->ino);
	struct nacre_size_report report;

	nacre_size_report_make(inode ? &inode->cap : NULL, inode ? &inode->size : NULL, ask, &report);
	if (!report.report_flags) {
		report.atime = inode->atime;
		report.mtime = inode->mtime;
		report.ctime = inode->ctime;
		client->counters.size_reports++;
	}
	rank_send(client, NACRE_MSG_SIZE_REPORT, &report);
}

/* All caps, as claims, in parts of one message each. */
#define CLAIMS_PER_MESSAGE 4096u

static void claim_put(const struct inode *inode, struct nacre_writer *writer)
{
	struct nacre_cap_claim claim;

	nacre_cap_client_claim(&inode->cap, inode->ino, &claim);
	claim.size = inode->size.size;
	claim.max_size = inode->max_size;
	if (inode->open_read || inode->open_write)
		claim.flags |= NACRE_CLAIM_OPEN;
	nacre_encode(nacre_cap_claim_desc(), writer, &claim);
}

static void claims_part_send(struct client *client, struct nacre_writer *writer, bool more)
{
	struct nacre_session_reconnect message = {
		.instance = client->instance, .oldest_tid = requests_oldest_tid(client),
		.safe = client->safe, .flags = more ? NACRE_RECONNECT_MORE : 0,
		.claims_bytes = (uint32_t)nacre_writer_bytes(writer), .claims = writer->start,
	};

	rank_send(client, NACRE_MSG_SESSION_RECONNECT, &message);
	writer->at = writer->start;
}

void caps_claims_send(struct client *client)
{
	size_t room = CLAIMS_PER_MESSAGE * sizeof(struct nacre_cap_claim_wire);
	uint8_t *bytes = client_alloc(room);
	struct nacre_writer writer = nacre_writer(bytes, room);
	struct inode *inode, *next;

	HASH_ITER(hh, client->inodes, inode, next) {
		if (!nacre_cap_client_has_claim(&inode->cap))
			continue;
		if (writer.at == writer.end)
			claims_part_send(client, &writer, true);
		claim_put(inode, &writer);
	}
	claims_part_send(client, &writer, false);
	free(bytes);
}
