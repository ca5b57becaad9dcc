// SPDX-License-Identifier: GPL-2.0
/* Connection machines, and the judgement of frames and hellos. See conn.h. */
#include "conn.h"
#include "../error.h"

#define ROW(from_, event_, to_, actions_)						\
	{ NACRE_CONN_##from_, NACRE_CONNE_##event_, NACRE_CONN_##to_, actions_ },

static const struct nacre_machine_word states[] = { NACRE_CONN_STATES(NACRE_WORD_ROW) };
static const struct nacre_machine_word events[] = { NACRE_CONN_EVENTS(NACRE_WORD_ROW) };
static const struct nacre_machine_word actions[] = { NACRE_CONN_ACTIONS(NACRE_WORD_ROW) };
static const struct nacre_transition dialler_rows[] = { NACRE_CONN_ROWS_DIALLER(ROW) };
static const struct nacre_transition listener_rows[] = { NACRE_CONN_ROWS_LISTENER(ROW) };

const struct nacre_machine nacre_conn_dialler_machine =
	NACRE_MACHINE_OF("dialler", states, events, actions, dialler_rows);
const struct nacre_machine nacre_conn_listener_machine =
	NACRE_MACHINE_OF("listener", states, events, actions, listener_rows);

/* ---- frames ------------------------------------------------------------------------------------- */

__u8 nacre_role_sender(__u8 role)
{
	switch (role) {
	case NACRE_ROLE_CLIENT:
		return NACRE_FROM_CLIENT;
	case NACRE_ROLE_MDS:
		return NACRE_FROM_MDS;
	case NACRE_ROLE_OSD:
		return NACRE_FROM_OSD;
	case NACRE_ROLE_TOOL:
		return NACRE_FROM_TOOL;
	default:
		return 0;
	}
}

__u32 nacre_message_body_max(const struct nacre_message *row)
{
	const struct nacre_struct *body = row->body();
	__u64 total = body->wire_bytes;
	int i;

	for (i = 0; i < body->field_count; i++)
		total += body->fields[i].max;
	return total < NACRE_BODY_MAX ? (__u32)total : NACRE_BODY_MAX;
}

/* May this peer send this message now: hello first and once, then what its role allows. */
static const char *check_sender(const struct nacre_message *row, const struct nacre_conn_peer *peer)
{
	__u16 greeting = peer->is_listener ? NACRE_MSG_HELLO_REPLY : NACRE_MSG_HELLO;
	int greets = row->type == NACRE_MSG_HELLO || row->type == NACRE_MSG_HELLO_REPLY;

	if (!peer->received)
		return row->type == greeting ? NULL : "frame: something else than a hello first";
	if (greets)
		return "frame: a second hello";
	if (!(row->sender & nacre_role_sender(peer->role)))
		return "frame: a message this peer must not send";
	if (!peer->instance && row->type != NACRE_MSG_MAP_GET && row->type != NACRE_MSG_SESSION_OPEN)
		return "frame: a peer without an instance";
	return NULL;
}

static const char *check_lengths(const struct nacre_message *row, const struct nacre_frame *frame)
{
	if (frame->body_bytes < row->body()->wire_bytes)
		return "frame: body too short";
	if (frame->body_bytes > nacre_message_body_max(row))
		return "frame: body too long";
	if (frame->data_bytes > row->data_max)
		return "frame: data too long";
	if (!frame->data_bytes && frame->data_crc)
		return "frame: a checksum of no data";
	return NULL;
}

static const char *check_frame(const struct nacre_frame *frame, const struct nacre_conn_peer *peer,
			       const struct nacre_message **row)
{
	const char *reason;

	if (frame->magic != NACRE_FRAME_MAGIC)
		return "frame: magic";
	if (frame->version != NACRE_FRAME_VERSION)
		return "frame: version";
	*row = nacre_message_find(frame->type);
	if (!*row)
		return "frame: unknown message";
	reason = check_sender(*row, peer);
	return reason ? reason : check_lengths(*row, frame);
}

enum nacre_frame_verdict nacre_frame_judge(const struct nacre_frame *frame,
					   struct nacre_conn_peer *peer,
					   const struct nacre_message **row,
					   const char **reason)
{
	*row = NULL;
	*reason = check_frame(frame, peer, row);
	if (*reason)
		return NACRE_FRAME_RESET;
	if (frame->seq && frame->seq <= peer->received)
		return NACRE_FRAME_DROP;
	if (frame->seq != peer->received + 1) {
		*reason = "frame: a gap in the sequence";
		return NACRE_FRAME_RESET;
	}
	peer->received = frame->seq;
	return NACRE_FRAME_TAKE;
}

/* ---- hello -------------------------------------------------------------------------------------- */

static __u32 judge_version(__u32 protocol, __u64 features, __u64 required)
{
	if (protocol != NACRE_PROTOCOL_VERSION)
		return NACRE_E_BAD_VERSION;
	if (required & ~NACRE_FEATURES_SUPPORTED)
		return NACRE_E_BAD_VERSION;
	if (NACRE_FEATURES_REQUIRED & ~features)
		return NACRE_E_BAD_VERSION;
	return NACRE_OK;
}

static int other_fsid(__u64 lo, __u64 hi, __u64 fsid_lo, __u64 fsid_hi)
{
	if ((!lo && !hi) || (!fsid_lo && !fsid_hi))
		return 0;
	return lo != fsid_lo || hi != fsid_hi;
}

__u32 nacre_hello_judge(const struct nacre_hello *hello, __u64 fsid_lo, __u64 fsid_hi)
{
	__u32 result = judge_version(hello->protocol, hello->features, hello->required);

	if (!result && other_fsid(hello->fsid_lo, hello->fsid_hi, fsid_lo, fsid_hi))
		result = NACRE_E_BAD_FSID;
	return result;
}

__u32 nacre_hello_reply_judge(const struct nacre_hello_reply *reply, __u64 fsid_lo, __u64 fsid_hi)
{
	__u32 result = reply->result;

	if (!result)
		result = judge_version(reply->protocol, reply->features, reply->required);
	if (!result && other_fsid(reply->fsid_lo, reply->fsid_hi, fsid_lo, fsid_hi))
		result = NACRE_E_BAD_FSID;
	return result;
}

__u32 nacre_conn_backoff_ms(__u32 attempt)
{
	return attempt < 7 ? 50u << attempt : 5000;
}
