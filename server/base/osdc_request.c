// SPDX-License-Identifier: GPL-2.0
/*
 * A request in the making, and the results of one that was answered.
 *
 * Operations are kept encoded, names and values in one buffer behind each other,
 * written data in the pieces in which it came, so that sending gathers them
 * without a copy. A request's memory stays until the last payload that was sent
 * from it is released.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "osdc_core.h"
#include "protocol/codec.h"
#include "protocol/rules/validate.h"

#define INPUT_MAX (1u << 19)		/* tail `input` of nacre_osd_request */

/* ---- life ----------------------------------------------------------------------------------- */

struct osdc_request *osdc_request_new(struct osdc *osdc, uint32_t pool, uint64_t ino, uint64_t index)
{
	struct osdc_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->osdc = osdc;
	request->references = 1;
	request->state = OSDC_MAKING;
	request->sent_osd = -1;
	request->body.pool = pool;
	request->body.ino = ino;
	request->body.index = index;
	request->body.snap = NACRE_SNAP_HEAD;
	return request;
}

void osdc_request_get(struct osdc_request *request)
{
	request->references++;
}

void osdc_request_put(struct osdc_request *request)
{
	if (--request->references)
		return;
	for (unsigned int i = 0; i < request->data_count; i++)
		free(request->data[i].iov_base);
	free(request->input);
	free(request);
}

void osdc_request_free(struct osdc_request *request)
{
	if (!request)
		return;
	assert(request->state == OSDC_MAKING || request->state == OSDC_DONE);
	message_put(request->reply);	/* its bytes count against the connection's window */
	request->reply = NULL;
	osdc_request_put(request);
}

/* ---- making --------------------------------------------------------------------------------- */

/* The first error stays; submitting gives it to the owner. */
static int fail(struct osdc_request *request, int err)
{
	if (!request->error)
		request->error = err;
	return err;
}

static bool input_room(struct osdc_request *request, size_t more)
{
	size_t room = request->input_room ? request->input_room : 256;
	uint8_t *input;

	if (request->input_bytes + more <= request->input_room)
		return true;
	while (room < request->input_bytes + more)
		room *= 2;
	input = realloc(request->input, room);
	if (!input)
		return false;
	request->input = input;
	request->input_room = room;
	return true;
}

static void put_input(struct osdc_request *request, const void *bytes, size_t length)
{
	if (!length)
		return;
	memcpy(request->input + request->input_bytes, bytes, length);
	request->input_bytes += length;
}

static int put_op(struct osdc_request *request, const struct nacre_osd_op *op)
{
	size_t at = request->op_count * sizeof(struct nacre_osd_op_wire);
	struct nacre_writer w = nacre_writer(request->ops + at, sizeof(request->ops) - at);

	if (request->op_count == NACRE_OSD_OPS_MAX)
		return fail(request, -E2BIG);
	if (nacre_encode(nacre_osd_op_desc(), &w, op))
		return fail(request, -EINVAL);
	request->writes |= nacre_osd_op_writes(op->code);
	return (int)request->op_count++;
}

int osdc_add(struct osdc_request *request, enum nacre_osd_op_code code, uint16_t op_flags,
	     const void *name, size_t name_bytes, const void *value, size_t value_bytes,
	     uint64_t offset, uint64_t length)
{
	struct nacre_osd_op op = {
		.code = (uint16_t)code, .op_flags = op_flags, .name_size = (uint32_t)name_bytes,
		.value_size = (uint32_t)value_bytes, .offset = offset, .length = length,
	};
	int index;

	if (name_bytes > NACRE_KEY_MAX || value_bytes > NACRE_VALUE_MAX)
		return fail(request, -EINVAL);
	if (name_bytes + value_bytes > INPUT_MAX - request->input_bytes)
		return fail(request, -E2BIG);
	if (!input_room(request, name_bytes + value_bytes))
		return fail(request, -ENOMEM);
	index = put_op(request, &op);
	if (index < 0)
		return index;
	put_input(request, name, name_bytes);
	put_input(request, value, value_bytes);
	return index;
}

int osdc_add_data(struct osdc_request *request, enum nacre_osd_op_code code, uint64_t offset,
		  const void *data, size_t length)
{
	struct nacre_osd_op op = { .code = (uint16_t)code, .offset = offset, .length = length };
	void *copy = NULL;
	int index;

	if (length > NACRE_DATA_MAX - request->data_bytes)
		return fail(request, -E2BIG);
	if (length) {
		copy = malloc(length);
		if (!copy)
			return fail(request, -ENOMEM);
		memcpy(copy, data, length);
	}
	index = put_op(request, &op);
	if (index < 0 || !length) {
		free(copy);
		return index;
	}
	request->data[request->data_count++] = (struct iovec){ copy, length };
	request->data_bytes += (uint32_t)length;
	return index;
}

void osdc_request_truncation(struct osdc_request *request, uint32_t truncate_seq,
			     uint64_t truncate_size)
{
	request->body.truncate_seq = truncate_seq;
	request->body.truncate_size = truncate_size;
}

void osdc_request_inline_gen(struct osdc_request *request, uint64_t inline_gen)
{
	request->body.inline_gen = inline_gen;
}

void osdc_request_mtime(struct osdc_request *request, uint64_t mtime)
{
	request->body.mtime = mtime;
}

void osdc_request_snap(struct osdc_request *request, uint64_t snap)
{
	request->body.snap = snap;
}

void osdc_request_group(struct osdc_request *request, uint32_t pg)
{
	request->by_group = true;
	request->group = pg;
}

void osdc_request_overtakes(struct osdc_request *request)
{
	request->overtakes = true;
}

/*
 * What an OSD would refuse must not be sent: it would reset the connection, and the
 * request would come again.
 */
int osdc_request_check(struct osdc_request *request)
{
	struct nacre_osd_request body;
	const char *reason;

	if (request->error)
		return request->error;
	request->body.ops = request->ops;
	request->body.ops_bytes = request->op_count * sizeof(struct nacre_osd_op_wire);
	request->body.input = request->input;
	request->body.input_bytes = (uint32_t)request->input_bytes;
	body = request->body;
	body.tid = body.oldest_tid = body.instance = body.map_epoch = 1;	/* known at sending */
	return nacre_validate_osd_request(&body, request->data_bytes, &reason) ? -EINVAL : 0;
}

/* ---- results -------------------------------------------------------------------------------- */

void *osdc_request_owner(const struct osdc_request *request)
{
	return request->owner;
}

uint32_t osdc_request_failed_op(const struct osdc_request *request)
{
	return request->reply ? request->reply->host.osd_reply.failed_op : 0;
}

uint64_t osdc_request_version(const struct osdc_request *request)
{
	return request->reply ? request->reply->host.osd_reply.version : 0;
}

/* An operation without a result of its own: the one that failed, or one never reached. */
static struct osdc_result no_result(const struct osdc_request *request, unsigned int op)
{
	bool reached = request->result && op == osdc_request_failed_op(request);

	return (struct osdc_result){ .result = reached ? request->result : ECANCELED };
}

/* The reply was validated: the sizes of all results add up to output and data exactly. */
struct osdc_result osdc_request_result(const struct osdc_request *request, int op)
{
	const struct nacre_osd_reply *reply;
	struct nacre_osd_result row;
	uint32_t output = 0, data = 0;
	int count;

	if (!request->reply || op < 0)
		return no_result(request, (unsigned int)op);
	reply = &request->reply->host.osd_reply;
	count = nacre_array_count(nacre_osd_result_desc(), reply->results_bytes);
	if (op >= count)
		return no_result(request, (unsigned int)op);
	for (int i = 0; i < op; i++) {
		nacre_array_at(nacre_osd_result_desc(), reply->results, (uint32_t)i, &row);
		output += row.output_size;
		data += row.data_size;
	}
	nacre_array_at(nacre_osd_result_desc(), reply->results, (uint32_t)op, &row);
	return (struct osdc_result){
		.result = row.result,
		.output = row.output_size ? reply->output + output : NULL,
		.output_bytes = row.output_size,
		.data = row.data_size ? request->reply->data + data : NULL,
		.data_bytes = row.data_size,
		.size = row.size,
		.mtime = row.mtime,
		.flags = row.result_flags,
	};
}

uint64_t osdc_request_took_ns(const struct osdc_request *request, uint64_t *ret_behind_ns)
{
	uint64_t now = io_now(request->osdc->io);
	uint64_t sent = request->first_sent_ns ? request->first_sent_ns : now;

	*ret_behind_ns = sent - request->submitted_ns;
	return now - request->submitted_ns;
}
