// SPDX-License-Identifier: GPL-2.0
/*
 * One object request on the wire: encoding, handing over, and what its reply
 * means: done, or "later", which sends it again under the same tid.
 */
#include "../fault.h"
#include "../trace.h"
#include "internal.h"
#include "protocol/codec.h"

#define RETRY_MS 20			/* first pause after "later", doubling … */
#define RETRY_MAX_MS 1000		/* … up to this */

static void trace_io(const struct nacre_osd_io *io, int step, int result)
{
	trace_nacre_osd_io(io->fs->id, step, io->tid, io->oid.ino, io->oid.index, io->code,
			   io->offset, io->length, io->link ? io->link->id : -1, result);
}

/* ---- sending ------------------------------------------------------------------------------- */

static void out_released(struct nacre_outgoing *out)
{
	struct nacre_osd_io *io = out->owner;

	/* From here on take_back() finds nothing to take. */
	smp_store_release(&io->out_busy, false);
	nacre_osd_io_put(io);
}

/* Operations and their input, in order. */
struct op_list {
	u8 ops[NACRE_OSD_IO_OPS * sizeof(struct nacre_osd_op_wire)];
	u8 input[NACRE_OSD_IO_INPUT_BYTES];
	struct nacre_writer to_ops;
	u32 input_bytes;
};

static void add_input(struct op_list *list, const void *bytes, u32 length)
{
	memcpy(list->input + list->input_bytes, bytes, length);
	list->input_bytes += length;
}

/* An operation on the mark, with `value` or without. */
static void add_mark_op(struct op_list *list, u16 code, u64 length, const __le64 *value)
{
	struct nacre_osd_op op = {
		.code = code,
		.length = length,
		.name_size = NACRE_INLINE_MARK_BYTES,
		.value_size = value ? sizeof(*value) : 0,
	};

	nacre_encode(nacre_osd_op_desc(), &list->to_ops, &op);
	add_input(list, NACRE_INLINE_MARK, NACRE_INLINE_MARK_BYTES);
	if (value)
		add_input(list, value, sizeof(*value));
}

static void add_plain_op(struct op_list *list, const struct nacre_osd_io *io, u16 code,
			 u64 offset, u64 length)
{
	struct nacre_osd_op op = {
		.code = code,
		.op_flags = io->op_flags,
		.offset = offset,
		.length = length,
	};

	nacre_encode(nacre_osd_op_desc(), &list->to_ops, &op);
}

/* INLINE-1: unless the mark is there, the bytes that were inline, and the mark. */
static void add_guard(struct op_list *list, const struct nacre_osd_io *io)
{
	const __le64 gen = cpu_to_le64(io->inline_gen);

	add_mark_op(list, NACRE_OSD_OP_IF_NOXATTR, 2, NULL);
	add_plain_op(list, io, NACRE_OSD_OP_WRITE_FULL, 0,
		     io->code == NACRE_OSD_OP_WRITE_FULL ? io->length : 0);
	add_mark_op(list, NACRE_OSD_OP_SETXATTR, 0, &gen);
}

static void list_ops(struct op_list *list, const struct nacre_osd_io *io)
{
	list->to_ops = nacre_writer(list->ops, sizeof(list->ops));
	list->input_bytes = 0;
	if (io->guard)
		add_guard(list, io);
	if (io->code == NACRE_OSD_OP_GETXATTR)
		add_mark_op(list, io->code, 0, NULL);
	else if (!io->guard || io->code != NACRE_OSD_OP_WRITE_FULL)
		add_plain_op(list, io, io->code, io->offset, io->length);
}

static bool has_data(const struct nacre_osd_io *io)
{
	return io->code == NACRE_OSD_OP_WRITE || io->code == NACRE_OSD_OP_WRITE_FULL;
}

static void encode(struct nacre_osd_client *client, struct nacre_osd_io *io,
		   struct nacre_osd_link *link, const struct nacre_map_view *map, u32 pg)
{
	const struct nacre_osd_io *oldest = nacre_osd_after(client, 0);
	struct nacre_osd_request request = {
		.tid = io->tid,
		.oldest_tid = oldest->tid,
		.instance = READ_ONCE(io->fs->instance),
		.map_epoch = map->epoch,
		.barrier_epoch = client->barrier,
		.conn_gen = nacre_conn_generation(link->conn),
		.pg = pg,
		.ino = io->oid.ino,
		.index = io->oid.index,
		.snap = io->oid.snap,
		.pool = io->oid.pool,
		.flags = io->counted ? NACRE_OSD_REQUEST_RESEND : 0,
		.truncate_size = io->truncate_size,
		.truncate_seq = io->truncate_seq,
		.inline_gen = io->inline_gen,
		.mtime = io->mtime_ns,
	};
	struct nacre_outgoing *out = &io->out;
	struct op_list list;
	struct nacre_writer w;

	list_ops(&list, io);
	request.ops = list.ops;
	request.ops_bytes = nacre_writer_bytes(&list.to_ops);
	request.input = list.input;
	request.input_bytes = list.input_bytes;
	w = nacre_writer(io->body, sizeof(io->body));
	nacre_encode(nacre_osd_request_desc(), &w, &request);
	memset(out, 0, sizeof(*out));
	INIT_LIST_HEAD(&out->link);
	out->type = NACRE_MSG_OSD_REQUEST;
	out->body = io->body;
	out->body_bytes = nacre_writer_bytes(&w);
	if (has_data(io)) {
		out->data = io->iter;
		out->data_bytes = io->length;
	}
	out->released = out_released;
	out->owner = io;
}

bool nacre_osd_send_locked(struct nacre_osd_client *client, struct nacre_osd_io *io,
			   struct nacre_osd_link *link, const struct nacre_map_view *map)
{
	u32 pg;

	lockdep_assert_held(&client->lock);
	if (!nacre_conn_is_open(link->conn) || nacre_osd_target(io, map, &pg) != link->id)
		return false;
	encode(client, io, link, map, pg);
	io->out_busy = true;
	kref_get(&io->ref);
	if (nacre_conn_send(link->conn, &io->out))
		return false;
	io->state = NACRE_OSD_IO_SENT;
	io->link = link;
	io->receiving = false;
	io->sent_epoch = map->epoch;
	trace_io(io, io->counted ? NACRE_OSD_STEP_RESEND : NACRE_OSD_STEP_SEND, 0);
	if (io->counted)
		nacre_count(io->fs, osd_resends);
	else
		nacre_count(io->fs, osd_requests);
	io->counted = true;
	return true;
}

/* ---- the reply ----------------------------------------------------------------------------- */

int nacre_osd_data_to(struct nacre_osd_link *link, const struct nacre_osd_reply *reply,
		      u32 data_bytes, struct nacre_sink *sink)
{
	struct nacre_osd_client *client = link->client;
	struct nacre_osd_io *io;
	int err = -ENOENT;

	spin_lock(&client->lock);
	io = nacre_osd_find(client, reply->tid);
	if (io && io->state == NACRE_OSD_IO_SENT && io->link == link &&
	    io->code == NACRE_OSD_OP_READ && data_bytes <= io->length) {
		sink->iter = io->iter;
		iov_iter_truncate(&sink->iter, data_bytes);
		sink->cookie = io->tid;
		io->receiving = true;
		err = 0;
	}
	spin_unlock(&client->lock);
	return err;
}

/* Does this result mean "send it again", and when? Sets retry_at or retry_epoch. */
static bool is_later(struct nacre_osd_client *client, struct nacre_osd_io *io,
		     const struct nacre_osd_reply *reply, u32 result)
{
	unsigned int pause_ms = min(RETRY_MS << min(io->attempts, 10u), RETRY_MAX_MS);

	io->retry_epoch = 0;
	switch (result) {
	case NACRE_E_STALE_EPOCH:
	case NACRE_E_NOT_PRIMARY:
		/* The OSD has a newer map: wait for it. Else ours may be ahead of its. */
		if (reply->map_epoch > io->sent_epoch)
			io->retry_epoch = reply->map_epoch;
		break;
	case NACRE_E_NEWER_EPOCH:
	case NACRE_E_PG_INACTIVE:
	case NACRE_E_LEASE_LOST:
	case NACRE_E_BUSY:
	case NACRE_E_WRONG_INTERVAL:
	case NACRE_E_STALE_GENERATION:
		break;
	default:
		return false;
	}
	io->attempts++;
	io->retry_at = io->retry_epoch ? 0
				       : (jiffies + nacre_scaled_jiffies(io->fs, pause_ms)) | 1;
	nacre_osd_set_waiting_locked(client, io);
	return true;
}

/* The result of the operation, behind those of the guard, taken over into the request. -EBADMSG: the reply makes no sense. */
static int take_result(struct nacre_osd_io *io, const struct nacre_osd_reply *reply, u32 data_bytes)
{
	u32 ops = !io->guard ? 1 : io->code == NACRE_OSD_OP_WRITE_FULL ? 3 : 4;
	struct nacre_osd_result last;

	/* An absent object reads like a hole. */
	if (reply->result == ENOENT && io->code == NACRE_OSD_OP_READ)
		return data_bytes ? -EBADMSG : 0;
	if (reply->result)
		return -nacre_error_errno(reply->result);
	if (nacre_array_count(nacre_osd_result_desc(), reply->results_bytes) != ops ||
	    nacre_array_at(nacre_osd_result_desc(), reply->results, ops - 1, &last))
		return -EBADMSG;
	if (io->code == NACRE_OSD_OP_READ) {
		if (last.data_size != data_bytes || data_bytes > io->length)
			return -EBADMSG;
		io->transferred = data_bytes;
		nacre_count_add(io->fs, osd_bytes_read, data_bytes);
	} else if (has_data(io)) {
		nacre_count_add(io->fs, osd_bytes_written, io->length);
	}
	if (io->output && (last.output_size > io->output_room || last.output_size != reply->output_bytes))
		return -EBADMSG;
	if (io->output) {
		memcpy(io->output, reply->output, last.output_size);
		io->output_bytes = last.output_size;
	}
	io->object_size = last.size;
	return 0;
}

static u32 result_of(const struct nacre_osd_reply *reply)
{
	if (nacre_fault(NACRE_FAULT_osd_busy))
		return NACRE_E_BUSY;
	if (nacre_fault(NACRE_FAULT_osd_error))
		return EIO;
	return reply->result;
}

void nacre_osd_reply(struct nacre_osd_link *link, struct nacre_incoming *in)
{
	struct nacre_osd_client *client = link->client;
	struct nacre_osd_reply reply = *(struct nacre_osd_reply *)in->host;
	struct nacre_osd_io *io;
	bool later;
	int result;

	reply.result = result_of(&reply);
	spin_lock(&client->lock);
	io = nacre_osd_find(client, reply.tid);
	if (!io || io->state != NACRE_OSD_IO_SENT || io->link != link) {
		spin_unlock(&client->lock);
		return;			/* cancelled, or answered through another connection */
	}
	if (smp_load_acquire(&io->out_busy)) {
		/* An answer to what has not been said. */
		spin_unlock(&client->lock);
		nacre_conn_reset(link->conn, -EBADMSG);
		return;
	}
	later = is_later(client, io, &reply, reply.result);
	if (later) {
		trace_io(io, NACRE_OSD_STEP_RETRY, -(int)reply.result);
		spin_unlock(&client->lock);
		nacre_osd_kick(client, 0);
		return;
	}
	result = take_result(io, &reply, in->data_bytes);
	if (result == -EBADMSG) {
		spin_unlock(&client->lock);
		nacre_count(client->fs, frames_bad);
		pr_warn_ratelimited("nacre: osd.%u: reply to request %llu makes no sense; connection reset\n",
				    link->id, reply.tid);
		nacre_conn_reset(link->conn, -EBADMSG);
		return;
	}
	nacre_osd_remove_locked(client, io);
	io->answered = true;
	spin_unlock(&client->lock);
	if (reply.result == NACRE_E_DEAD_INSTANCE || reply.result == NACRE_E_UNKNOWN_INSTANCE) {
		result = -EIO;
		if (client->dead)
			client->dead(client->fs, reply.result);
	}
	nacre_osd_complete(io, result);
}
