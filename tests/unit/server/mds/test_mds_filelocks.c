// SPDX-License-Identifier: GPL-2.0
/*
 * File locks at the rank: between sessions, through lost connections (FLOCK-3), restarts (FLOCK-2) and evictions
 * (FLOCK-1). What excludes what is tested with the rules.
 */
#include "mdst.h"

#define INO 4711
#define WAITER 9

static struct nacre_filelock_req ask(struct mdst_client *c, uint8_t op, uint8_t mode, uint64_t ino)
{
	return (struct nacre_filelock_req){
		.tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino, .owner = 1, .start = 10,
		.last = 19, .waiter = op >= NACRE_FILELOCK_WAIT ? WAITER : 0, .pid = 77,
		.kind = NACRE_FILELOCK_POSIX, .lock_mode = mode, .op = op,
	};
}

static struct mdst_reply lock_ino(struct mdst_client *c, uint8_t op, uint8_t mode, uint64_t ino)
{
	struct nacre_filelock_req body = ask(c, op, mode, ino);

	return mdst_call(c, NACRE_MSG_FILELOCK, &body);
}

static uint32_t set(struct mdst_client *c, uint8_t mode)
{
	return lock_ino(c, NACRE_FILELOCK_SET, mode, INO).result;
}

static struct mdst_reply wait(struct mdst_client *c, uint8_t mode)
{
	return lock_ino(c, NACRE_FILELOCK_WAIT, mode, INO);
}

static void expect_granted(struct mdst_client *c, uint64_t ino, uint32_t result)
{
	struct message *message = mdst_take(c, NACRE_MSG_FILELOCK_GRANTED);

	assert_int_equal(message->host.filelock_granted.ino, ino);
	assert_int_equal(message->host.filelock_granted.waiter, WAITER);
	assert_int_equal(message->host.filelock_granted.result, result);
	message_put(message);
}

static void test_excludes(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(set(a, NACRE_FILELOCK_READ), 0);
	assert_int_equal(set(b, NACRE_FILELOCK_READ), 0);
	assert_int_equal(set(b, NACRE_FILELOCK_WRITE), EAGAIN);
	assert_int_equal(mdst_counter(t, "filelocks"), 2);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(set(b, NACRE_FILELOCK_WRITE), 0);
	assert_int_equal(set(a, NACRE_FILELOCK_READ), EAGAIN);
	assert_int_equal(lock_ino(a, NACRE_FILELOCK_SET, NACRE_FILELOCK_WRITE, INO + 1).result, 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_tells_who_is_in_the_way(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_filelock_req body;
	struct nacre_filelock holder;
	struct message *message;

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	body = ask(b, NACRE_FILELOCK_TEST, NACRE_FILELOCK_READ, INO);
	mdst_send(b, NACRE_MSG_FILELOCK, &body);
	message = mdst_take(b, NACRE_MSG_REPLY);
	assert_int_equal(nacre_decode_all(nacre_filelock_desc(), message->host.reply.extra,
					  message->host.reply.extra_bytes, &holder), 0);
	assert_int_equal(holder.instance, a->instance);
	assert_int_equal(holder.pid, 77);
	assert_int_equal(holder.start, 10);
	message_put(message);
	body = ask(a, NACRE_FILELOCK_TEST, NACRE_FILELOCK_WRITE, INO);
	mdst_send(a, NACRE_MSG_FILELOCK, &body);
	message = mdst_take(a, NACRE_MSG_REPLY);
	assert_int_equal(message->host.reply.extra_bytes, 0);
	message_put(message);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_waits(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct mdst_reply r = wait(a, NACRE_FILELOCK_WRITE);

	assert_int_equal(r.flags & NACRE_REPLY_QUEUED, 0);
	r = wait(b, NACRE_FILELOCK_WRITE);
	assert_int_equal(r.result, 0);
	assert_true(r.flags & NACRE_REPLY_QUEUED);
	mdst_run_ms(t, 1000);
	assert_null(mdst_poll(b, NACRE_MSG_FILELOCK_GRANTED));
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	expect_granted(b, INO, 0);
	assert_int_equal(set(a, NACRE_FILELOCK_READ), EAGAIN);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_cancel(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	wait(b, NACRE_FILELOCK_READ);
	assert_int_equal(lock_ino(b, NACRE_FILELOCK_CANCEL, NACRE_FILELOCK_READ, INO).result, 0);
	assert_int_equal(mdst_counter(t, "filelock_waits"), 0);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	/* the lock is given before the cancel comes: the answer says so */
	wait(b, NACRE_FILELOCK_READ);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(lock_ino(b, NACRE_FILELOCK_CANCEL, NACRE_FILELOCK_READ, INO).result, EALREADY);
	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), EAGAIN);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_deadlock_between_clients(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(lock_ino(a, NACRE_FILELOCK_SET, NACRE_FILELOCK_WRITE, 1).result, 0);
	assert_int_equal(lock_ino(b, NACRE_FILELOCK_SET, NACRE_FILELOCK_WRITE, 2).result, 0);
	assert_true(lock_ino(a, NACRE_FILELOCK_WAIT, NACRE_FILELOCK_READ, 2).flags & NACRE_REPLY_QUEUED);
	assert_int_equal(lock_ino(b, NACRE_FILELOCK_WAIT, NACRE_FILELOCK_READ, 1).result, EDEADLK);
	assert_int_equal(lock_ino(b, NACRE_FILELOCK_SET, NACRE_FILELOCK_UNLOCK, 2).result, 0);
	expect_granted(a, 2, 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* Whoever may have missed the message asks again, as the same waiter, and hears of it. */
static void test_flock_3_granted_while_away(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	wait(b, NACRE_FILELOCK_WRITE);
	assert_true(wait(b, NACRE_FILELOCK_WRITE).flags & NACRE_REPLY_QUEUED);
	assert_int_equal(mdst_counter(t, "filelock_waits"), 1);
	mdst_client_reset(b);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(wait(b, NACRE_FILELOCK_WRITE).flags & NACRE_REPLY_QUEUED, 0);
	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), EAGAIN);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* FLOCK-1: a silent client whose lock is waited for is put out, and the lock goes on behind its fence. */
static void test_flock_1_silent(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	uint64_t began;

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	a->silent = true;
	began = t->world->now_ns;
	wait(b, NACRE_FILELOCK_WRITE);
	expect_granted(b, INO, 0);
	assert_true(t->world->now_ns - began >= (uint64_t)MDST_LEASE_MS / 2 * SIM_NS_PER_MS);
	assert_int_equal(mdst_counter(t, "evictions"), 1);
	assert_int_equal(mdst_counter(t, "filelocks"), 1);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static bool is_killed(void *owner)
{
	return ((struct mdst_client *)owner)->killed;
}

/* FLOCK-1: one that is put out though it has renewed its lease keeps its locks until that has run out, with margin. */
static void test_flock_1_behind_the_lease(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_inode_info cap = mdst_create(a, NACRE_INO_ROOT, "f").target;
	struct nacre_lookup_req lookup = { .parent = NACRE_INO_ROOT, .name = (const uint8_t *)"f",
					   .name_bytes = 1 };
	uint64_t killed_at;

	assert_true(cap.cap_id);
	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	wait(b, NACRE_FILELOCK_WRITE);
	a->stubborn = true;
	lookup.tid = ++b->tid;
	lookup.oldest_tid = b->oldest_tid;
	mdst_send(b, NACRE_MSG_LOOKUP, &lookup);
	mdst_until(t, is_killed, a);
	killed_at = t->world->now_ns;
	expect_granted(b, INO, 0);
	/* its last renewal was up to a third of a lease ago, the margin is a quarter */
	assert_true(t->world->now_ns - killed_at >= (uint64_t)MDST_LEASE_MS * 9 / 10 * SIM_NS_PER_MS);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

/* A lost waiter is nobody's obstacle, and its wait is gone. */
static void test_flock_1_silent_waiter(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	wait(b, NACRE_FILELOCK_WRITE);
	b->silent = true;
	mdst_run_ms(t, 8 * MDST_LEASE_MS);
	assert_int_equal(mdst_counter(t, "sessions"), 1);
	assert_int_equal(mdst_counter(t, "filelock_waits"), 0);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(mdst_counter(t, "filelocks"), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void declare(struct mdst_client *c)
{
	struct nacre_filelock lock = { .ino = INO, .owner = 1, .instance = c->instance, .start = 10,
				       .last = 19, .pid = 77, .kind = NACRE_FILELOCK_POSIX,
				       .lock_mode = NACRE_FILELOCK_WRITE };
	uint8_t room[sizeof(struct nacre_filelock_wire)];
	struct nacre_writer w = nacre_writer(room, sizeof(room));
	struct nacre_session_filelocks body = { .instance = c->instance, .locks = room };

	nacre_encode(nacre_filelock_desc(), &w, &lock);
	body.locks_bytes = (uint32_t)nacre_writer_bytes(&w);
	conn_send(c->conn, NACRE_MSG_SESSION_FILELOCKS, &body, NULL);
}

/* FLOCK-2: nobody takes a lock before its holder has had the time to declare it. */
static void test_flock_2_restart(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_filelock_req body;

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	mdst_crash(t);
	mdst_start_only(t);
	b->coming_back = true;
	mdst_client_reconnect(a, NULL, 0, declare);
	mdst_client_reconnect(b, NULL, 0, NULL);
	body = ask(b, NACRE_FILELOCK_SET, NACRE_FILELOCK_WRITE, INO);
	assert_int_equal(mdst_call(b, NACRE_MSG_FILELOCK, &body).result, EAGAIN);
	assert_int_equal(mdst_counter(t, "filelocks"), 1);
	assert_int_equal(set(a, NACRE_FILELOCK_UNLOCK), 0);
	assert_int_equal(set(b, NACRE_FILELOCK_WRITE), 0);
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

static void test_flock_2_a_holder_that_does_not_come_back(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	mdst_client_destroy(a);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(b, NULL, 0, NULL);
	assert_int_equal(set(b, NACRE_FILELOCK_WRITE), 0);
	mdst_client_destroy(b);
}

/* LOG-2: the same request twice does what it does once. */
static void test_log_2_resends(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a");
	struct nacre_filelock_req body = ask(a, NACRE_FILELOCK_SET, NACRE_FILELOCK_WRITE, INO);

	assert_int_equal(mdst_call(a, NACRE_MSG_FILELOCK, &body).result, 0);
	body.flags |= NACRE_REQUEST_RESEND;
	assert_int_equal(mdst_call(a, NACRE_MSG_FILELOCK, &body).result, 0);
	assert_int_equal(mdst_counter(t, "filelocks"), 1);
	mdst_client_destroy(a);
}

static void test_too_many_waits(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *a = mdst_client_begin(t, "a"), *b = mdst_client_begin(t, "b");
	struct nacre_filelock_req body;
	unsigned int i;

	assert_int_equal(set(a, NACRE_FILELOCK_WRITE), 0);
	for (i = 0; i <= NACRE_FILELOCK_WAITERS_MAX; i++) {
		body = ask(b, NACRE_FILELOCK_WAIT, NACRE_FILELOCK_WRITE, INO);
		body.waiter = body.owner = i + 1;
		assert_int_equal(mdst_call(b, NACRE_MSG_FILELOCK, &body).result,
				 i < NACRE_FILELOCK_WAITERS_MAX ? 0 : ENOLCK);
	}
	mdst_client_destroy(a);
	mdst_client_destroy(b);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_excludes), CASE(test_tells_who_is_in_the_way), CASE(test_waits),
		CASE(test_cancel), CASE(test_deadlock_between_clients),
		CASE(test_flock_3_granted_while_away), CASE(test_flock_1_silent),
		CASE(test_flock_1_behind_the_lease), CASE(test_flock_1_silent_waiter), CASE(test_flock_2_restart),
		CASE(test_flock_2_a_holder_that_does_not_come_back), CASE(test_log_2_resends),
		CASE(test_too_many_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
