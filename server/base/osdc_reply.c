// SPDX-License-Identifier: GPL-2.0
/*
 * What an OSD's answer means: the end of a request, or that it is to be sent
 * again: with a newer map, or after a pause. A request never gives up by itself.
 */
#include <errno.h>
#include "osdc_core.h"
#include "protocol/codec.h"
#include "protocol/error.h"

enum meaning { THE_END, NEWER_MAP, A_PAUSE };

static enum meaning meaning_of(uint32_t result)
{
	switch (result) {
	case NACRE_E_STALE_EPOCH:
	case NACRE_E_NOT_PRIMARY:
		return NEWER_MAP;
	case NACRE_E_NEWER_EPOCH:
	case NACRE_E_PG_INACTIVE:
	case NACRE_E_LEASE_LOST:
	case NACRE_E_BUSY:
	case NACRE_E_WRONG_INTERVAL:
	case NACRE_E_STALE_GENERATION:
		return A_PAUSE;
	default:
		return THE_END;
	}
}

/*
 * Ours is not the newest map: wait for the one that the OSD has. If that is no
 * newer than what we sent by, it is the OSD that has to catch up.
 */
static void wait_for_map(struct osdc_request *request, uint64_t epoch)
{
	if (epoch <= request->body.map_epoch) {
		osdc_make_later(request);
		return;
	}
	request->need_epoch = epoch;
	if (request->osdc->map->view.epoch >= epoch)
		osdc_make_ready(request);
	else
		osdc_park(request, epoch);
}

/* One row a operation if all went well, at most that many if not; no more data than was asked for. */
static bool makes_sense(const struct osdc_request *request, const struct nacre_osd_reply *reply)
{
	int count = nacre_array_count(nacre_osd_result_desc(), reply->results_bytes);
	struct nacre_osd_result row;
	struct nacre_osd_op op;

	if (count < 0 || (unsigned int)count > request->op_count)
		return false;
	if (!reply->result && (unsigned int)count != request->op_count)
		return false;
	for (int i = 0; i < count; i++) {
		if (nacre_array_at(nacre_osd_result_desc(), reply->results, (uint32_t)i, &row) ||
		    nacre_array_at(nacre_osd_op_desc(), request->ops, (uint32_t)i, &op))
			return false;
		if (row.data_size && (op.code != NACRE_OSD_OP_READ || row.data_size > op.length))
			return false;
		if (op.code == NACRE_OSD_OP_CHECKSUM && row.output_size && row.output_size != 4)
			return false;
	}
	return true;
}

void osdc_reply(struct osdc_target *target, struct message *message)
{
	const struct nacre_osd_reply *reply = &message->host.osd_reply;
	struct osdc_request *request = osdc_tid_find(target->osdc, reply->tid);

	/* answered before, or on its way to another OSD by now */
	if (!request || request->state != OSDC_SENT || request->target != target) {
		message_put(message);
		return;
	}
	switch (meaning_of(reply->result)) {
	case NEWER_MAP:
		wait_for_map(request, reply->map_epoch);
		message_put(message);
		return;
	case A_PAUSE:
		osdc_make_later(request);
		message_put(message);
		return;
	case THE_END:
		break;
	}
	if (!makes_sense(request, reply)) {
		conn_reset(target->conn, -EBADMSG);
		message_put(message);
		return;
	}
	request->reply = message;
	osdc_finish(request, reply->result);
}
