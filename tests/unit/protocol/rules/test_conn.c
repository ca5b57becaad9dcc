// SPDX-License-Identifier: GPL-2.0
/* Frames and hellos: what a connection takes, drops, and is reset by. */
#include "../cmocka_all.h"
#include "protocol/error.h"
#include "protocol/rules/conn.h"

/* A frame that is taken by a listener from a client that has said hello. */
static struct nacre_frame good_frame(__u16 type)
{
	struct nacre_frame f = { .magic = NACRE_FRAME_MAGIC, .version = NACRE_FRAME_VERSION,
				 .type = type, .seq = 2 };

	f.body_bytes = nacre_message_find(type)->body()->wire_bytes;
	return f;
}

static struct nacre_conn_peer client_peer(void)
{
	return (struct nacre_conn_peer){ .instance = 12, .received = 1, .role = NACRE_ROLE_CLIENT };
}

static enum nacre_frame_verdict judge(struct nacre_frame f, struct nacre_conn_peer peer)
{
	const struct nacre_message *row;
	const char *reason;
	enum nacre_frame_verdict v = nacre_frame_judge(&f, &peer, &row, &reason);

	assert_int_equal(v == NACRE_FRAME_RESET, reason != NULL);
	return v;
}

static void frame_order(void **state)
{
	struct nacre_conn_peer peer = client_peer();
	struct nacre_frame f = good_frame(NACRE_MSG_LOOKUP);
	const struct nacre_message *row;
	const char *reason;

	assert_int_equal(nacre_frame_judge(&f, &peer, &row, &reason), NACRE_FRAME_TAKE);
	assert_int_equal(row->type, NACRE_MSG_LOOKUP);
	assert_int_equal(peer.received, 2);
	assert_int_equal(nacre_frame_judge(&f, &peer, &row, &reason), NACRE_FRAME_DROP);
	f.seq = 4;
	assert_int_equal(nacre_frame_judge(&f, &peer, &row, &reason), NACRE_FRAME_RESET);
	assert_int_equal(peer.received, 2);
	f.seq = 0;
	assert_int_equal(nacre_frame_judge(&f, &peer, &row, &reason), NACRE_FRAME_RESET);
	f.seq = 3;
	assert_int_equal(nacre_frame_judge(&f, &peer, &row, &reason), NACRE_FRAME_TAKE);
}

static void frame_header(void **state)
{
	struct nacre_frame f = good_frame(NACRE_MSG_LOOKUP);

	f.magic++;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_LOOKUP);
	f.version++;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_LOOKUP);
	f.type = 127;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_LOOKUP);
	f.body_bytes--;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f.body_bytes = nacre_message_body_max(nacre_message_find(NACRE_MSG_LOOKUP)) + 1;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_LOOKUP);
	f.data_bytes = 1;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_LOOKUP);
	f.data_crc = 1;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_OSD_REQUEST);
	f.data_bytes = NACRE_DATA_MAX;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_TAKE);
	f.data_bytes++;
	assert_int_equal(judge(f, client_peer()), NACRE_FRAME_RESET);
}

static void frame_sender(void **state)
{
	struct nacre_conn_peer peer = client_peer();

	assert_int_equal(judge(good_frame(NACRE_MSG_REPLY), peer), NACRE_FRAME_RESET);
	peer.role = NACRE_ROLE_MDS;
	assert_int_equal(judge(good_frame(NACRE_MSG_REPLY), peer), NACRE_FRAME_TAKE);
	assert_int_equal(judge(good_frame(NACRE_MSG_LOOKUP), peer), NACRE_FRAME_RESET);
	assert_int_equal(judge(good_frame(NACRE_MSG_REP_APPLY), peer), NACRE_FRAME_RESET);
	peer.role = NACRE_ROLE_OSD;
	assert_int_equal(judge(good_frame(NACRE_MSG_REP_APPLY), peer), NACRE_FRAME_TAKE);
	peer.role = 0;
	assert_int_equal(judge(good_frame(NACRE_MSG_LOOKUP), peer), NACRE_FRAME_RESET);
	peer.role = 9;
	assert_int_equal(judge(good_frame(NACRE_MSG_MAP_GET), peer), NACRE_FRAME_RESET);
}

static void frame_without_instance(void **state)
{
	struct nacre_conn_peer peer = client_peer();

	peer.instance = 0;
	assert_int_equal(judge(good_frame(NACRE_MSG_LOOKUP), peer), NACRE_FRAME_RESET);
	assert_int_equal(judge(good_frame(NACRE_MSG_SESSION_OPEN), peer), NACRE_FRAME_TAKE);
	assert_int_equal(judge(good_frame(NACRE_MSG_MAP_GET), peer), NACRE_FRAME_TAKE);
}

static void frame_hello_first_and_once(void **state)
{
	struct nacre_conn_peer peer = { 0 };
	struct nacre_frame f = good_frame(NACRE_MSG_HELLO);

	f.seq = 1;
	assert_int_equal(judge(f, peer), NACRE_FRAME_TAKE);
	f = good_frame(NACRE_MSG_MAP_GET);
	f.seq = 1;
	assert_int_equal(judge(f, peer), NACRE_FRAME_RESET);
	f = good_frame(NACRE_MSG_HELLO_REPLY);
	f.seq = 1;
	assert_int_equal(judge(f, peer), NACRE_FRAME_RESET);
	peer.is_listener = 1;
	assert_int_equal(judge(f, peer), NACRE_FRAME_TAKE);
	assert_int_equal(judge(good_frame(NACRE_MSG_HELLO), client_peer()), NACRE_FRAME_RESET);
}

static void body_limits(void **state)
{
	unsigned int i, count;
	const struct nacre_message *table = nacre_message_table(&count);

	for (i = 0; i < count; i++) {
		assert_true(nacre_message_body_max(&table[i]) >= table[i].body()->wire_bytes);
		assert_true(nacre_message_body_max(&table[i]) <= NACRE_BODY_MAX);
	}
	assert_int_equal(nacre_message_body_max(nacre_message_find(NACRE_MSG_LOOKUP)), 48 + 255);
}

static void hello_judged(void **state)
{
	struct nacre_hello h = { .protocol = 1, .features = NACRE_FEATURE_BASE,
				 .required = NACRE_FEATURE_BASE, .fsid_lo = 1, .fsid_hi = 2 };

	assert_int_equal(nacre_hello_judge(&h, 1, 2), 0);
	assert_int_equal(nacre_hello_judge(&h, 0, 0), 0);
	assert_int_equal(nacre_hello_judge(&h, 1, 3), NACRE_E_BAD_FSID);
	h.fsid_lo = h.fsid_hi = 0;
	assert_int_equal(nacre_hello_judge(&h, 1, 3), 0);
	h.protocol = 2;
	assert_int_equal(nacre_hello_judge(&h, 1, 3), NACRE_E_BAD_VERSION);
	h.protocol = 1;
	h.features = 0;
	assert_int_equal(nacre_hello_judge(&h, 1, 3), NACRE_E_BAD_VERSION);
	h.features = ~0ull;
	h.required = 1ull << 40;
	assert_int_equal(nacre_hello_judge(&h, 1, 3), NACRE_E_BAD_VERSION);
}

static void hello_reply_judged(void **state)
{
	struct nacre_hello_reply r = { .protocol = 1, .features = NACRE_FEATURE_BASE, .fsid_lo = 1 };

	assert_int_equal(nacre_hello_reply_judge(&r, 1, 0), 0);
	assert_int_equal(nacre_hello_reply_judge(&r, 2, 0), NACRE_E_BAD_FSID);
	r.result = NACRE_E_DEAD_INSTANCE;
	assert_int_equal(nacre_hello_reply_judge(&r, 2, 0), NACRE_E_DEAD_INSTANCE);
}

static void backoff_grows_to_a_limit(void **state)
{
	__u32 i;

	for (i = 1; i < 40; i++)
		assert_true(nacre_conn_backoff_ms(i) >= nacre_conn_backoff_ms(i - 1));
	assert_int_equal(nacre_conn_backoff_ms(0), 50);
	assert_int_equal(nacre_conn_backoff_ms(~0u), 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_order), cmocka_unit_test(frame_header),
		cmocka_unit_test(frame_sender), cmocka_unit_test(frame_without_instance),
		cmocka_unit_test(frame_hello_first_and_once), cmocka_unit_test(body_limits),
		cmocka_unit_test(hello_judged), cmocka_unit_test(hello_reply_judged),
		cmocka_unit_test(backoff_grows_to_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
