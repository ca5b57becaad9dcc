// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving: header, body, data, each as far as TCP has it. A header is judged
 * before anything behind it is read, a body is decoded and validated before its
 * owner sees it, and data goes straight to where the owner wants it, with its
 * checksum taken on the way.
 *
 * Memory: small messages come from a reserve, so that answers to write-back can
 * always be taken in (MEM-1); large ones (listings, maps) may have to wait.
 */
#include <linux/crc32c.h>
#include <linux/mempool.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/tcp.h>
#include "../fault.h"
#include "../trace.h"
#include "internal.h"

#define SMALL_BODY_BYTES 1024
#define INCOMING_RESERVE 64
#define MEMORY_WAIT_MS 20

/* A received message with room for its host struct and for a small body. */
struct incoming {
	struct nacre_incoming in;
	void *large;			/* body, when it does not fit below */
	u64 host[NACRE_BODY_HOST_MAX / sizeof(u64)];
	u8 small[SMALL_BODY_BYTES];
};

static struct kmem_cache *incoming_cache;
static mempool_t *incoming_pool;

int nacre_incoming_init(void)
{
	incoming_cache = KMEM_CACHE(incoming, SLAB_HWCACHE_ALIGN);
	if (!incoming_cache)
		return -ENOMEM;
	incoming_pool = mempool_create_slab_pool(INCOMING_RESERVE, incoming_cache);
	if (!incoming_pool) {
		kmem_cache_destroy(incoming_cache);
		return -ENOMEM;
	}
	return 0;
}

void nacre_incoming_exit(void)
{
	mempool_destroy(incoming_pool);
	kmem_cache_destroy(incoming_cache);
}

static struct nacre_incoming *incoming_new(const struct nacre_frame *frame)
{
	struct incoming *new;

	if (nacre_fault(NACRE_FAULT_incoming_memory))
		return NULL;
	new = mempool_alloc(incoming_pool, GFP_NOWAIT | __GFP_NOWARN);
	if (!new)
		return NULL;
	new->large = NULL;
	if (frame->body_bytes > SMALL_BODY_BYTES) {
		new->large = kvmalloc(frame->body_bytes, GFP_NOFS | __GFP_NOWARN);
		if (!new->large) {
			mempool_free(new, incoming_pool);
			return NULL;
		}
	}
	kref_init(&new->in.ref);
	new->in.type = frame->type;
	new->in.body_bytes = frame->body_bytes;
	new->in.data_bytes = 0;
	new->in.body = new->large ?: new->small;
	new->in.host = new->host;
	return &new->in;
}

struct nacre_incoming *nacre_incoming_get(struct nacre_incoming *in)
{
	kref_get(&in->ref);
	return in;
}

static void incoming_free(struct kref *ref)
{
	struct incoming *old = container_of(ref, struct incoming, in.ref);

	kvfree(old->large);
	mempool_free(old, incoming_pool);
}

void nacre_incoming_put(struct nacre_incoming *in)
{
	if (in)
		kref_put(&in->ref, incoming_free);
}

/* ---- one frame ----------------------------------------------------------------------------- */

void nacre_recv_reset(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;

	nacre_incoming_put(recv->in);
	memset(recv, 0, sizeof(*recv));
}

/* Wrong bytes: one line, one count, a reset. */
static int bad(struct nacre_conn *conn, const char *reason)
{
	const struct nacre_message *row = conn->recv.row;

	nacre_count(conn->fs, frames_bad);
	pr_warn_ratelimited("nacre: %s.%u %pISpc: bad frame (%s): %s; connection reset\n",
			    nacre_role_text(conn->role), conn->id, &conn->address,
			    row ? row->name : "?", reason);
	conn->fail_event = NACRE_CONNE_BAD;
	return -EBADMSG;
}

/* Receive into a buffer until it holds `total` bytes. 1 complete, 0 no more there, -errno. */
static int fill(struct nacre_conn *conn, void *buffer, u32 total)
{
	struct nacre_recv *recv = &conn->recv;
	struct kvec part;
	int got;

	while (recv->done < total) {
		struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };

		part.iov_base = (u8 *)buffer + recv->done;
		part.iov_len = total - recv->done;
		iov_iter_kvec(&msg.msg_iter, ITER_DEST, &part, 1, part.iov_len);
		got = sock_recvmsg(conn->sock, &msg, msg.msg_flags);
		if (got == -EAGAIN)
			return 0;
		if (got <= 0)
			return got ?: -ECONNRESET;
		nacre_count_add(conn->fs, bytes_received, got);
		recv->done += got;
	}
	recv->done = 0;
	return 1;
}

static int header_done(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;
	const char *reason = NULL;

	recv->row = NULL;
	if (nacre_decode_all(nacre_frame_desc(), recv->header, sizeof(recv->header), &recv->frame))
		return bad(conn, "header cannot be decoded");
	if (recv->frame.header_crc != nacre_crc32c(recv->header, NACRE_FRAME_CRC_BYTES))
		return bad(conn, "checksum of the header");
	switch (nacre_frame_judge(&recv->frame, &conn->peer, &recv->row, &reason)) {
	case NACRE_FRAME_TAKE:
		recv->drop = false;
		break;
	case NACRE_FRAME_DROP:
		recv->drop = true;
		break;
	default:
		return bad(conn, reason);
	}
	recv->phase = NACRE_RECV_MEMORY;
	return 1;
}

/* Without memory the bytes stay with TCP and the timer asks again. */
static int take_memory(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;

	recv->in = incoming_new(&recv->frame);
	if (!recv->in) {
		mod_timer(&conn->timer, jiffies + msecs_to_jiffies(MEMORY_WAIT_MS));
		return 0;
	}
	recv->phase = NACRE_RECV_BODY;
	return 1;
}

static int body_done(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;
	struct nacre_incoming *in = recv->in;
	const char *reason = NULL;
	int err = -ENOENT;

	if (recv->frame.body_crc != nacre_crc32c(in->body, in->body_bytes))
		return bad(conn, "checksum of the body");
	if (!recv->drop && nacre_open_body(recv->row, in->body, in->body_bytes,
					   recv->frame.data_bytes, in->host, &reason))
		return bad(conn, reason);
	if (recv->frame.data_bytes) {
		if (!recv->drop && conn->ops->data_to)
			err = conn->ops->data_to(conn, in->type, in->host, recv->frame.data_bytes,
						 &recv->sink);
		recv->discard = err < 0;
		recv->crc = ~0;
	}
	recv->phase = NACRE_RECV_DATA;
	return 1;
}

/* Hand the message over. */
static int frame_done(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;
	struct nacre_incoming *in = recv->in;
	bool drop = recv->drop;
	int err = 1;

	trace_nacre_frame(conn->fs->id, conn->role, conn->id, false, recv->row->name,
			  recv->frame.seq, in->body_bytes, recv->frame.data_bytes);
	this_cpu_inc(conn->fs->stats->received[in->type]);
	in->data_bytes = recv->discard ? 0 : recv->frame.data_bytes;
	recv->in = NULL;
	memset(recv, 0, sizeof(*recv));
	if (in->type == NACRE_MSG_HELLO_REPLY) {
		err = nacre_conn_welcome(conn, in->host);
	} else if (!drop) {
		conn->attempt = 0;
		conn->ops->message(conn, in);
	}
	nacre_incoming_put(in);
	return err;
}

/*
 * Data in a socket buffer: checksum and copy. The checksum is taken from what came, not from where it
 * went: a caller may have named one page twice in its iterator.
 */
static int take_skb(read_descriptor_t *desc, struct sk_buff *skb, unsigned int offset, size_t length)
{
	struct nacre_conn *conn = desc->arg.data;
	struct nacre_recv *recv = &conn->recv;
	unsigned int bytes = min_t(size_t, length, recv->frame.data_bytes - recv->done);
	struct skb_seq_state walk;
	unsigned int seen = 0, part;
	const u8 *at;

	if (!recv->discard) {
		skb_prepare_seq_read(skb, offset, offset + bytes, &walk);
		while ((part = skb_seq_read(seen, &at, &walk))) {
			part = min(part, bytes - seen);		/* it shows whole fragments */
			recv->crc = crc32c(recv->crc, at, part);
			seen += part;
		}
		if (skb_copy_datagram_iter(skb, offset, &recv->sink.iter, bytes))
			return -EFAULT;
	}
	recv->done += bytes;
	desc->count = recv->frame.data_bytes - recv->done;
	return bytes;
}

/* Take data from the socket until the payload is complete. 1, 0 no more there, -errno. */
static int fill_data(struct nacre_conn *conn)
{
	struct sock *sk = conn->sock->sk;
	struct nacre_recv *recv = &conn->recv;
	read_descriptor_t desc = {
		.arg.data = conn,
		.count = recv->frame.data_bytes - recv->done,
	};
	int got, err;

	if (!desc.count)
		return 1;
	lock_sock(sk);
	got = conn->sock->ops->read_sock(sk, &desc, take_skb);
	err = sock_error(sk);
	if (!err && !got && (sk->sk_shutdown & RCV_SHUTDOWN || sk->sk_state == TCP_CLOSE))
		err = -ECONNRESET;
	release_sock(sk);
	if (got < 0 || err)
		return err ?: got;
	nacre_count_add(conn->fs, bytes_received, got);
	return recv->done == recv->frame.data_bytes;
}

static int data_some(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;
	int got = fill_data(conn);

	if (got <= 0)
		return got;
	if (!recv->discard && recv->frame.data_bytes &&
	    (~recv->crc != recv->frame.data_crc || nacre_fault(NACRE_FAULT_data_crc)))
		return bad(conn, "checksum of the data");
	return frame_done(conn);
}

int nacre_conn_try_recv(struct nacre_conn *conn)
{
	struct nacre_recv *recv = &conn->recv;
	int got;

	switch (recv->phase) {
	case NACRE_RECV_HEADER:
		got = fill(conn, recv->header, sizeof(recv->header));
		return got > 0 ? header_done(conn) : got;
	case NACRE_RECV_MEMORY:
		return take_memory(conn);
	case NACRE_RECV_BODY:
		got = fill(conn, recv->in->body, recv->in->body_bytes);
		return got > 0 ? body_done(conn) : got;
	default:
		return data_some(conn);
	}
}
