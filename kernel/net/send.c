// SPDX-License-Identifier: GPL-2.0
/*
 * Sending: frames from the queue, one after the other, as far as TCP takes them
 * without blocking. Header and body are copied by TCP; data pages are lent to it
 * (MSG_SPLICE_PAGES) where they may be.
 *
 * The data checksum is computed right before the frame begins, so a frame that
 * is sent again carries the checksum of what its pages hold then. Pages under
 * write-back do not change meanwhile: mappings demand stable writes.
 */
#include <linux/sched/mm.h>
#include "../fault.h"
#include "../trace.h"
#include "internal.h"

struct nacre_outgoing *nacre_outgoing_new(u16 type, const void *host, gfp_t gfp)
{
	const struct nacre_message *row = nacre_message_find(type);
	struct nacre_outgoing *out;
	struct nacre_writer w;
	size_t bytes;
	int err;

	if (!row)
		return ERR_PTR(-EINVAL);
	bytes = nacre_encoded_bytes(row->body(), host);
	if (bytes > NACRE_BODY_MAX)
		return ERR_PTR(-EMSGSIZE);
	out = kvmalloc(sizeof(*out) + bytes, gfp);
	if (!out)
		return ERR_PTR(-ENOMEM);
	memset(out, 0, sizeof(*out));
	INIT_LIST_HEAD(&out->link);
	out->type = type;
	out->body = out + 1;
	out->body_bytes = bytes;
	w = nacre_writer(out->body, bytes);
	err = nacre_encode(row->body(), &w, host);
	if (err) {
		kvfree(out);
		return ERR_PTR(err);
	}
	return out;
}

void nacre_outgoing_free(struct nacre_outgoing *out)
{
	kvfree(out);
}

void nacre_outgoing_released(struct nacre_outgoing *out)
{
	if (out->released)
		out->released(out);
	else
		nacre_outgoing_free(out);
}

static void count_sent(struct nacre_conn *conn, const struct nacre_outgoing *out)
{
	struct nacre_fs *fs = conn->fs;

	this_cpu_inc(fs->stats->sent[out->type]);
	if (conn->role == NACRE_ROLE_MDS && out->type != NACRE_MSG_SESSION_RENEW)
		nacre_count(fs, mds_messages);
}

/* Take the next frame from the queue and write its header. 1, or 0 when there is none. */
static int begin_frame(struct nacre_conn *conn)
{
	struct nacre_send *send = &conn->send;
	struct nacre_outgoing *out;
	struct nacre_frame frame = {
		.magic = NACRE_FRAME_MAGIC,
		.version = NACRE_FRAME_VERSION,
		.conn_gen = conn->generation,
		.ack = conn->peer.received,
	};
	struct nacre_writer w = nacre_writer(send->header, sizeof(send->header));

	spin_lock(&conn->lock);
	out = list_first_entry_or_null(&conn->queue, struct nacre_outgoing, link);
	if (out) {
		list_del_init(&out->link);
		conn->queued--;
	}
	spin_unlock(&conn->lock);
	if (!out)
		return 0;

	send->out = out;
	send->done = 0;
	send->data = out->data;
	send->splice = iov_iter_is_bvec(&out->data) || iov_iter_is_folioq(&out->data);
	frame.type = out->type;
	frame.body_bytes = out->body_bytes;
	frame.data_bytes = out->data_bytes;
	frame.seq = ++conn->sent_seq;
	frame.body_crc = nacre_crc32c(out->body, out->body_bytes);
	if (nacre_fault(NACRE_FAULT_body_crc))
		frame.body_crc ^= 1;
	if (out->data_bytes)
		frame.data_crc = ~nacre_crc32c_iter(~0, &out->data, out->data_bytes, &send->splice);
	nacre_encode(nacre_frame_desc(), &w, &frame);
	frame.header_crc = nacre_crc32c(send->header, NACRE_FRAME_CRC_BYTES);
	w = nacre_writer(send->header, sizeof(send->header));
	nacre_encode(nacre_frame_desc(), &w, &frame);
	trace_nacre_frame(conn->fs->id, conn->role, conn->id, true,
			  nacre_message_find(out->type)->name, frame.seq, out->body_bytes,
			  out->data_bytes);
	return 1;
}

static int send_some(struct nacre_conn *conn, struct msghdr *msg, bool more)
{
	int sent;

	msg->msg_flags |= MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	sent = sock_sendmsg(conn->sock, msg);
	if (sent > 0)
		nacre_count_add(conn->fs, bytes_sent, sent);
	return sent == 0 ? -EAGAIN : sent;
}

/* Header and body. 0 when both are with TCP, -EAGAIN, or an error. */
static int send_head(struct nacre_conn *conn, bool more)
{
	struct nacre_send *send = &conn->send;
	struct nacre_outgoing *out = send->out;
	u32 total = NACRE_FRAME_BYTES + out->body_bytes;
	struct kvec parts[2];
	int count, sent;

	while (send->done < total) {
		struct msghdr msg = {};

		count = 0;
		if (send->done < NACRE_FRAME_BYTES) {
			parts[count].iov_base = send->header + send->done;
			parts[count++].iov_len = NACRE_FRAME_BYTES - send->done;
			parts[count].iov_base = out->body;
			parts[count++].iov_len = out->body_bytes;
		} else {
			parts[count].iov_base = (u8 *)out->body + send->done - NACRE_FRAME_BYTES;
			parts[count++].iov_len = total - send->done;
		}
		iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, parts, count, total - send->done);
		sent = send_some(conn, &msg, more || out->data_bytes);
		if (sent < 0)
			return sent;
		send->done += sent;
	}
	return 0;
}

static int send_data(struct nacre_conn *conn, bool more)
{
	struct nacre_send *send = &conn->send;
	size_t before;
	int sent;

	while (iov_iter_count(&send->data)) {
		struct msghdr msg = {
			.msg_flags = send->splice ? MSG_SPLICE_PAGES : 0,
			.msg_iter = send->data,
		};

		before = iov_iter_count(&send->data);
		sent = send_some(conn, &msg, more);
		if (sent < 0)
			return sent;
		iov_iter_advance(&send->data, min_t(size_t, sent, before));
	}
	return 0;
}

static int finish_frame(struct nacre_conn *conn)
{
	struct nacre_outgoing *out = conn->send.out;

	count_sent(conn, out);
	conn->send.out = NULL;
	nacre_outgoing_released(out);
	return 1;
}

int nacre_conn_try_send(struct nacre_conn *conn)
{
	unsigned int flags;
	bool more;
	int err;

	if (!conn->send.out && !begin_frame(conn))
		return 0;
	if (nacre_fault(NACRE_FAULT_conn_reset))
		return -ECONNRESET;
	spin_lock(&conn->lock);
	more = !list_empty(&conn->queue);
	spin_unlock(&conn->lock);
	/* Write-back depends on this: let TCP dip into the reserves (MEM-1). */
	flags = memalloc_noreclaim_save();
	err = send_head(conn, more);
	if (!err)
		err = send_data(conn, more);
	memalloc_noreclaim_restore(flags);
	if (err == -EAGAIN)
		return 0;
	return err ?: finish_frame(conn);
}
