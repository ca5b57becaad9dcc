/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A server for the module to talk to, inside the same kernel: a socket on the loopback
 * interface and a thread that reads frames. What its `answer` function does not answer is
 * kept for the test, which looks at it and says what it likes, nonsense included.
 *
 * One connection at a time, as many one after the other as the module makes.
 */
#ifndef NACRE_TESTS_SERVER_H
#define NACRE_TESTS_SERVER_H

#include <kunit/test.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include "../nacre.h"
#include "protocol/codec.h"
#include "protocol/error.h"
#include "protocol/rules/validate.h"

#define TEST_PATIENCE_MS 20000		/* a test waits so long for what must come */
#define TEST_SILENCE_MS 150		/* … and so long for what must not */

struct test_server;

/* A frame that came. */
struct test_message {
	struct list_head link;
	u16 type;
	u32 conn_gen;
	u32 data_bytes;
	u8 *body;			/* tails of `host` point into it */
	u8 *data;
	u64 host[NACRE_BODY_HOST_MAX / sizeof(u64)];
};

/* What a test may do to a frame on its way out. */
enum test_spoil {
	TEST_SPOIL_NOTHING,
	TEST_SPOIL_MAGIC,
	TEST_SPOIL_VERSION,
	TEST_SPOIL_TYPE,		/* a number that no message has */
	TEST_SPOIL_HEADER_CRC,
	TEST_SPOIL_BODY_CRC,
	TEST_SPOIL_DATA_CRC,
	TEST_SPOIL_RESERVED,		/* a reserved field of the header that is not zero */
	TEST_SPOIL_GAP,			/* a sequence number is left out */
	TEST_SPOIL_REPEAT,		/* the number of the frame before */
	TEST_SPOIL_BODY_BYTES,		/* a body larger than any */
	TEST_SPOIL_DATA_BYTES,		/* data longer than any */
};

struct test_server {
	struct kunit *test;
	enum nacre_role role;
	u64 instance;
	u16 port;
	void *owner;
	/* Answers a message on the spot, in the server's thread: true. False: keep it for the test. */
	bool (*answer)(struct test_server *server, struct test_message *message);
	u32 hello_result;		/* said in every HELLO_REPLY */

	struct socket *listener;
	struct task_struct *thread;
	bool stopping;
	u32 connections;		/* made so far */

	struct mutex out;		/* whoever sends; guards the next two */
	struct socket *sock;		/* the present connection, NULL = none */
	u64 sent;			/* frames on it */

	spinlock_t lock;		/* guards the list */
	struct list_head heard;		/* test_message, oldest first */
	wait_queue_head_t wait;
};

/* Listens on a port of its own when it returns. 0 or -errno. */
int test_server_start(struct test_server *server);
void test_server_stop(struct test_server *server);
/* Break the connection; the module makes another. */
void test_server_hang_up(struct test_server *server);

/*
 * Say something, from a host struct; or raw bytes as the body of this type. 0, or -ENOTCONN when nobody is
 * connected.
 */
int test_server_say(struct test_server *server, u16 type, const void *host);
int test_server_say_data(struct test_server *server, u16 type, const void *host, const void *data,
			 u32 data_bytes);
int test_server_say_raw(struct test_server *server, u16 type, const void *body, u32 body_bytes,
			enum test_spoil spoil);

/*
 * The oldest message of this type that was kept, or of any type with 0, waiting for it; the test fails and ends
 * when none comes. It is the test's until its end.
 */
struct test_message *test_server_expect(struct test_server *server, u16 type);
/* The same without waiting: NULL if none is there. */
struct test_message *test_server_poll(struct test_server *server, u16 type);
/* True if no message of this type comes for a while. */
bool test_server_is_quiet(struct test_server *server, u16 type);
/* Drop what was kept. */
void test_server_forget(struct test_server *server);
/* Wait until so many connections were made. */
void test_server_wait_connections(struct test_server *server, u32 count);

#endif
