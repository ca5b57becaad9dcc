// SPDX-License-Identifier: GPL-2.0
/* The server that tests talk to the module through: sockets, frames, and what was heard. See server.h. */
#include <linux/in.h>
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include "../net/internal.h"
#include "server.h"

/* ---- receiving ----------------------------------------------------------------------------- */

static int receive(struct socket *sock, void *buffer, size_t length)
{
	struct msghdr msg = { .msg_flags = MSG_WAITALL | MSG_NOSIGNAL };
	struct kvec part = { .iov_base = buffer, .iov_len = length };
	int got;

	if (!length)
		return 0;
	got = kernel_recvmsg(sock, &msg, &part, 1, length, msg.msg_flags);
	return got == length ? 0 : -ECONNRESET;
}

static void message_free(struct test_message *message)
{
	kvfree(message->body);
	kvfree(message->data);
	kfree(message);
}

static void message_free_action(void *message)
{
	message_free(message);
}

/* The module must not send what does not decode, validate and carry its checksums. */
static struct test_message *receive_frame(struct test_server *server, struct socket *sock)
{
	struct test_message *message = kzalloc(sizeof(*message), GFP_KERNEL);
	const struct nacre_message *row;
	u8 header[NACRE_FRAME_BYTES];
	struct nacre_frame frame;
	const char *reason = NULL;

	if (!message)
		return NULL;
	if (receive(sock, header, sizeof(header)) ||
	    nacre_decode_all(nacre_frame_desc(), header, sizeof(header), &frame))
		goto fail;
	row = nacre_message_find(frame.type);
	message->type = frame.type;
	message->conn_gen = frame.conn_gen;
	message->data_bytes = frame.data_bytes;
	message->body = kvmalloc(frame.body_bytes + 1, GFP_KERNEL);
	message->data = kvmalloc(frame.data_bytes + 1, GFP_KERNEL);
	if (!row || !message->body || !message->data ||
	    receive(sock, message->body, frame.body_bytes) ||
	    receive(sock, message->data, frame.data_bytes))
		goto fail;
	KUNIT_EXPECT_EQ(server->test, frame.body_crc,
			nacre_crc32c(message->body, frame.body_bytes));
	if (frame.data_bytes)
		KUNIT_EXPECT_EQ(server->test, frame.data_crc,
				nacre_crc32c(message->data, frame.data_bytes));
	if (nacre_open_body(row, message->body, frame.body_bytes, frame.data_bytes, message->host,
			    &reason)) {
		KUNIT_FAIL(server->test, "the module sent a bad %s: %s", row->name, reason);
		goto fail;
	}
	return message;
fail:
	message_free(message);
	return NULL;
}

static void say_hello(struct test_server *server)
{
	struct nacre_hello_reply reply = {
		.result = server->hello_result,
		.protocol = NACRE_PROTOCOL_VERSION,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED,
		.instance = server->instance,
		.fsid_lo = 1,
		.fsid_hi = 1,
		.time_scale_percent = 100,
		.role = server->role,
	};

	test_server_say(server, NACRE_MSG_HELLO_REPLY, &reply);
}

static void take(struct test_server *server, struct test_message *message)
{
	if (message->type == NACRE_MSG_HELLO) {
		say_hello(server);
	} else if (!server->answer(server, message)) {
		spin_lock(&server->lock);
		list_add_tail(&message->link, &server->heard);
		spin_unlock(&server->lock);
		wake_up_all(&server->wait);
		return;
	}
	message_free(message);
}

static void converse(struct test_server *server, struct socket *sock)
{
	struct test_message *message;

	mutex_lock(&server->out);
	server->sock = sock;
	server->sent = 0;
	WRITE_ONCE(server->connections, server->connections + 1);
	mutex_unlock(&server->out);
	wake_up_all(&server->wait);

	while (!READ_ONCE(server->stopping) && (message = receive_frame(server, sock)))
		take(server, message);

	mutex_lock(&server->out);
	server->sock = NULL;
	mutex_unlock(&server->out);
	kernel_sock_shutdown(sock, SHUT_RDWR);
	sock_release(sock);
}

static int serve(void *data)
{
	struct test_server *server = data;
	struct socket *sock;

	while (!READ_ONCE(server->stopping)) {
		if (kernel_accept(server->listener, &sock, 0))
			break;
		tcp_sock_set_nodelay(sock->sk);
		converse(server, sock);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 100);
	return 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

int test_server_start(struct test_server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int err;

	mutex_init(&server->out);
	spin_lock_init(&server->lock);
	INIT_LIST_HEAD(&server->heard);
	init_waitqueue_head(&server->wait);
	err = sock_create_kern(&init_net, AF_INET, SOCK_STREAM, IPPROTO_TCP, &server->listener);
	if (err)
		return err;
	err = kernel_bind(server->listener, (struct sockaddr *)&address, sizeof(address));
	if (!err)
		err = kernel_listen(server->listener, 4);
	if (!err)
		err = kernel_getsockname(server->listener, (struct sockaddr *)&address);
	if (err < 0)
		goto fail;
	server->port = ntohs(address.sin_port);
	server->thread = kthread_run(serve, server, "nacre-test-%u", server->port);
	if (!IS_ERR(server->thread))
		return 0;
	err = PTR_ERR(server->thread);
	server->thread = NULL;
fail:
	sock_release(server->listener);
	server->listener = NULL;
	return err;
}

void test_server_hang_up(struct test_server *server)
{
	mutex_lock(&server->out);
	if (server->sock)
		kernel_sock_shutdown(server->sock, SHUT_RDWR);
	mutex_unlock(&server->out);
}

void test_server_forget(struct test_server *server)
{
	struct test_message *message, *next;
	LIST_HEAD(all);

	spin_lock(&server->lock);
	list_splice_init(&server->heard, &all);
	spin_unlock(&server->lock);
	list_for_each_entry_safe(message, next, &all, link)
		message_free(message);
}

void test_server_stop(struct test_server *server)
{
	if (!server->listener)
		return;
	WRITE_ONCE(server->stopping, true);
	kernel_sock_shutdown(server->listener, SHUT_RDWR);
	test_server_hang_up(server);
	if (server->thread)
		kthread_stop(server->thread);
	sock_release(server->listener);
	server->listener = NULL;
	test_server_forget(server);
}

/* ---- sending ------------------------------------------------------------------------------- */

static void spoil_frame(struct nacre_frame *frame, enum test_spoil spoil)
{
	switch (spoil) {
	case TEST_SPOIL_MAGIC:
		frame->magic++;
		break;
	case TEST_SPOIL_VERSION:
		frame->version++;
		break;
	case TEST_SPOIL_TYPE:
		frame->type = NACRE_MSG_LIMIT - 1;
		break;
	case TEST_SPOIL_BODY_CRC:
		frame->body_crc++;
		break;
	case TEST_SPOIL_DATA_CRC:
		frame->data_crc++;
		break;
	case TEST_SPOIL_GAP:
		frame->seq++;
		break;
	case TEST_SPOIL_REPEAT:
		frame->seq--;
		break;
	case TEST_SPOIL_BODY_BYTES:
		frame->body_bytes = U32_MAX;
		break;
	case TEST_SPOIL_DATA_BYTES:
		frame->data_bytes = U32_MAX;
		break;
	default:
		break;
	}
}

static void seal(u8 header[NACRE_FRAME_BYTES], struct nacre_frame *frame, enum test_spoil spoil)
{
	struct nacre_writer w = nacre_writer(header, NACRE_FRAME_BYTES);

	nacre_encode(nacre_frame_desc(), &w, frame);
	if (spoil == TEST_SPOIL_RESERVED)
		((struct nacre_frame_wire *)header)->reserved1 = nacre_to_le32(1);
	frame->header_crc = nacre_crc32c(header, NACRE_FRAME_CRC_BYTES);
	if (spoil == TEST_SPOIL_HEADER_CRC)
		frame->header_crc++;
	((struct nacre_frame_wire *)header)->header_crc = nacre_to_le32(frame->header_crc);
}

static int send_frame(struct test_server *server, struct nacre_frame *frame, const void *body,
		      u32 body_bytes, const void *data, u32 data_bytes, enum test_spoil spoil)
{
	u8 header[NACRE_FRAME_BYTES];
	struct kvec parts[] = {
		{ .iov_base = header, .iov_len = sizeof(header) },
		{ .iov_base = (void *)body, .iov_len = body_bytes },
		{ .iov_base = (void *)data, .iov_len = data_bytes },
	};
	size_t total = sizeof(header) + body_bytes + data_bytes;
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	int err = -ENOTCONN;

	frame->body_crc = nacre_crc32c(body, body_bytes);
	frame->data_crc = data_bytes ? nacre_crc32c(data, data_bytes) : 0;
	mutex_lock(&server->out);
	if (server->sock) {
		frame->seq = server->sent + 1;
		spoil_frame(frame, spoil);
		seal(header, frame, spoil);
		err = kernel_sendmsg(server->sock, &msg, parts, ARRAY_SIZE(parts), total);
		if (spoil != TEST_SPOIL_REPEAT)
			server->sent++;
	}
	mutex_unlock(&server->out);
	return err < 0 ? err : 0;
}

int test_server_say_raw(struct test_server *server, u16 type, const void *body, u32 body_bytes,
			enum test_spoil spoil)
{
	struct nacre_frame frame = {
		.magic = NACRE_FRAME_MAGIC,
		.version = NACRE_FRAME_VERSION,
		.type = type,
		.body_bytes = body_bytes,
	};

	return send_frame(server, &frame, body, body_bytes, NULL, 0, spoil);
}

int test_server_say_data(struct test_server *server, u16 type, const void *host, const void *data,
			 u32 data_bytes)
{
	const struct nacre_struct *desc = nacre_message_find(type)->body();
	size_t body_bytes = nacre_encoded_bytes(desc, host);
	u8 *body = kvmalloc(body_bytes, GFP_KERNEL);
	struct nacre_writer w = nacre_writer(body, body_bytes);
	struct nacre_frame frame = {
		.magic = NACRE_FRAME_MAGIC,
		.version = NACRE_FRAME_VERSION,
		.type = type,
		.body_bytes = body_bytes,
		.data_bytes = data_bytes,
	};
	int err = -ENOMEM;

	if (body)
		err = nacre_encode(desc, &w, host) ?:
		      send_frame(server, &frame, body, body_bytes, data, data_bytes,
				 TEST_SPOIL_NOTHING);
	kvfree(body);
	return err;
}

int test_server_say(struct test_server *server, u16 type, const void *host)
{
	return test_server_say_data(server, type, host, NULL, 0);
}

/* ---- what was heard ------------------------------------------------------------------------ */

static struct test_message *pick(struct test_server *server, u16 type)
{
	struct test_message *message, *found = NULL;

	spin_lock(&server->lock);
	list_for_each_entry(message, &server->heard, link) {
		if (type && message->type != type)
			continue;
		found = message;
		list_del_init(&message->link);
		break;
	}
	spin_unlock(&server->lock);
	return found;
}

struct test_message *test_server_expect(struct test_server *server, u16 type)
{
	struct test_message *message = NULL;

	wait_event_timeout(server->wait, (message = pick(server, type)) != NULL,
			   msecs_to_jiffies(TEST_PATIENCE_MS));
	KUNIT_ASSERT_NOT_NULL_MSG(server->test, message, "no %s has come",
				  type ? nacre_message_find(type)->name : "message");
	kunit_add_action(server->test, message_free_action, message);
	return message;
}

struct test_message *test_server_poll(struct test_server *server, u16 type)
{
	struct test_message *message = pick(server, type);

	if (message)
		kunit_add_action(server->test, message_free_action, message);
	return message;
}

bool test_server_is_quiet(struct test_server *server, u16 type)
{
	struct test_message *message = NULL;

	wait_event_timeout(server->wait, (message = pick(server, type)) != NULL,
			   msecs_to_jiffies(TEST_SILENCE_MS));
	if (message)
		message_free(message);
	return !message;
}

void test_server_wait_connections(struct test_server *server, u32 count)
{
	KUNIT_ASSERT_TRUE_MSG(server->test,
			      wait_event_timeout(server->wait,
						 READ_ONCE(server->connections) >= count,
						 msecs_to_jiffies(TEST_PATIENCE_MS)),
			      "no connection number %u", count);
}
