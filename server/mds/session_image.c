/* SPDX-License-Identifier: GPL-2.0 */
/* The stored form of a session, and what it remembers of finished requests (LOG-2). */
#include "core.h"

struct mds_done_request *mds_session_completed(struct mds_session *session, uint64_t tid)
{
	struct mds_done_request *done;

	HASH_FIND(hh, session->completed, &tid, sizeof(tid), done);
	return done;
}

void mds_session_complete(struct mds_session *session, const struct mds_done_request *from)
{
	struct mds_done_request *done;

	if (from->tid < session->oldest_tid || mds_session_completed(session, from->tid))
		return;
	done = mds_zalloc(sizeof(*done));
	*done = *from;
	HASH_ADD(hh, session->completed, tid, sizeof(done->tid), done);
	session->completed_count++;
}

void mds_session_finished(struct mds_session *session, uint64_t oldest_tid)
{
	struct mds_done_request *done;

	if (oldest_tid <= session->oldest_tid)
		return;
	session->oldest_tid = oldest_tid;
	/* kept in the order they came, which is nearly that of tids; a straggler goes when it is first */
	while ((done = session->completed) && done->tid < oldest_tid) {
		HASH_DEL(session->completed, done);
		session->completed_count--;
		free(done);
	}
}

static uint32_t put_intervals(const struct mds_intervals *set, uint8_t *room)
{
	struct nacre_writer w = nacre_writer(room, MDS_INTERVALS_MAX * 16);
	uint32_t i;

	for (i = 0; i < set->count && i < MDS_INTERVALS_MAX; i++) {
		struct mds_interval run = { set->runs[i].first, set->runs[i].count };

		nacre_encode(mds_interval_desc(), &w, &run);
	}
	return (uint32_t)nacre_writer_bytes(&w);
}

static uint32_t put_completed(const struct mds_session *session, uint8_t *room)
{
	struct nacre_writer w = nacre_writer(room, MDS_COMPLETED_MAX * 32);
	const struct mds_done_request *at;

	for (at = session->completed; at; at = at->hh.next) {
		struct mds_completed done = {
			.tid = at->tid, .applied = at->applied, .ino = at->ino,
			.kind = at->kind, .flags = at->flags,
		};

		if (nacre_encode(mds_completed_desc(), &w, &done))
			break;
	}
	return (uint32_t)nacre_writer_bytes(&w);
}

uint32_t mds_session_encode(const struct mds_session *session, uint8_t *room, uint32_t room_bytes)
{
	struct nacre_writer w = nacre_writer(room, room_bytes);
	uint8_t *inos = session->mds->scratch2;
	uint8_t *flushes = inos + MDS_INTERVALS_MAX * 16;
	uint8_t *completed = flushes + MDS_INTERVALS_MAX * 16;
	struct mds_session_image image = {
		.instance = session->instance,
		.applied = session->applied,
		.oldest_tid = session->oldest_tid,
		.name = (const uint8_t *)session->name,
		.name_bytes = (uint32_t)strlen(session->name),
		.inos = inos,
		.flushes = flushes,
		.completed = completed,
	};

	image.inos_bytes = put_intervals(&session->inos, inos);
	image.flushes_bytes = put_intervals(&session->flushes, flushes);
	image.completed_bytes = put_completed(session, completed);
	if (nacre_encode(mds_session_image_desc(), &w, &image))
		assert(!"a session that cannot be encoded");
	return (uint32_t)nacre_writer_bytes(&w);
}

static int take_intervals(struct mds_intervals *set, const uint8_t *bytes, uint32_t length)
{
	int i, count = nacre_array_count(mds_interval_desc(), length);

	for (i = 0; i < count; i++) {
		struct mds_interval run;

		if (nacre_array_at(mds_interval_desc(), bytes, (uint32_t)i, &run))
			return -EBADMSG;
		mds_intervals_add(set, run.first, run.count);
	}
	return count < 0 ? count : 0;
}

static int take_completed(struct mds_session *session, const uint8_t *bytes, uint32_t length)
{
	int i, count = nacre_array_count(mds_completed_desc(), length);

	for (i = 0; i < count; i++) {
		struct mds_done_request done = { 0 };
		struct mds_completed stored;

		if (nacre_array_at(mds_completed_desc(), bytes, (uint32_t)i, &stored))
			return -EBADMSG;
		done.tid = stored.tid;
		done.applied = stored.applied;
		done.ino = stored.ino;
		done.kind = stored.kind;
		done.flags = stored.flags;
		mds_session_complete(session, &done);
	}
	return count < 0 ? count : 0;
}

int mds_session_decode(struct mds *mds, const uint8_t *bytes, uint32_t length)
{
	struct mds_session_image image;
	struct mds_session *session;

	if (nacre_decode_all(mds_session_image_desc(), bytes, length, &image) || !image.instance)
		return -EBADMSG;
	session = mds_session_new(mds, image.instance);
	session->state = NACRE_RSES_AWAITED;
	session->applied = image.applied;
	session->safe = image.applied;
	session->oldest_tid = image.oldest_tid;
	snprintf(session->name, sizeof(session->name), "%.*s", (int)image.name_bytes, image.name);
	if (take_intervals(&session->inos, image.inos, image.inos_bytes) ||
	    take_intervals(&session->flushes, image.flushes, image.flushes_bytes) ||
	    take_completed(session, image.completed, image.completed_bytes))
		return -EBADMSG;
	return 0;
}
