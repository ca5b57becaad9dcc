// SPDX-License-Identifier: GPL-2.0
/*
 * The messenger on loopback, two ends of it: hello, messages, payloads, windows,
 * reconnects, refusals, and handlers that close and destroy. What wrong bytes do is in
 * test_msgr_wrong.c.
 */
#include "parties.h"

static void hello_tells_who_is_who(void **state)
{
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	assert_non_null(msgr_dial(client.msgr, &address, &client));
	wait_for(io, &client.opened, 1);
	wait_for(io, &server.opened, 1);
	assert_int_equal(conn_peer_instance(server.conn), 17);
	assert_int_equal(conn_peer_role(server.conn), NACRE_ROLE_CLIENT);
	assert_int_equal(conn_peer_map_epoch(server.conn), 5);
	assert_int_equal(conn_peer_instance(client.conn), 7);
	assert_int_equal(conn_peer_role(client.conn), NACRE_ROLE_OSD);
	assert_int_equal(conn_peer_id(client.conn), 3);
	assert_int_equal(conn_generation(server.conn), 1);
	assert_ptr_equal(conn_owner(client.conn), &client);
	assert_true(!strncmp(conn_peer_text(server.conn), "client.17 (party) 127.0.0.1:", 28));
	assert_true(!strncmp(conn_peer_text(client.conn), "osd3.7 127.0.0.1:", 17));
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

static void data_arrives_page_aligned_and_padded(void **state)
{
	static const uint32_t sizes[] = { 1, 4095, 4096, 4097, 100000, 4 << 20 };
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;

	parties_released = 0;
	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	server.keep = true;
	address = party_listen(&server, 0);
	msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &client.opened, 1);
	for (unsigned int i = 0; i < 6; i++) {
		uint8_t *bytes = pattern(sizes[i], i);

		assert_int_equal(send_write(client.conn, i + 1, bytes, sizes[i], i % 2), 0);
		if (i % 2 == 0)
			free(bytes);		/* was copied */
	}
	wait_for(io, &server.messages, 6);
	for (unsigned int i = 0; i < 6; i++) {
		struct message *m = server.kept[i];
		uint8_t *bytes = pattern(sizes[i], i);

		assert_int_equal(m->host.osd_request.tid, i + 1);
		assert_int_equal(m->data_bytes, sizes[i]);
		assert_int_equal((uintptr_t)m->data % 4096, 0);
		assert_memory_equal(m->data, bytes, sizes[i]);
		for (uint32_t at = sizes[i]; at % 4096; at++)
			assert_int_equal(m->data[at], 0);
		free(bytes);
	}
	wait_for(io, &parties_released, 3);
	assert_int_equal(conn_queued_bytes(client.conn), 0);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

/* A receiver that holds what it gets stops the sender; the sender's queue is bounded. */
static void a_full_window_holds_the_sender_back(void **state)
{
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;
	unsigned int sent = 0, before;
	uint8_t *bytes = pattern(1 << 20, 1);
	int err = 0;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 2 << 20);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	server.keep = true;
	address = party_listen(&server, 0);
	msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &client.opened, 1);
	while (sent < 60) {
		err = send_write(client.conn, sent + 1, bytes, 1 << 20, false);
		if (err == -ENOBUFS) {
			before = server.messages;
			run_ms(io, 30);
			if (server.messages == before)
				break;
			continue;
		}
		assert_int_equal(err, 0);
		sent++;
	}
	assert_int_equal(err, -ENOBUFS);
	assert_true(server.messages >= 2 && server.messages < 6);
	assert_true(counter(&server, "held_back") >= 1);
	assert_true(counter(&client, "overflowed") >= 1);
	/* handled, though kept: as much comes again */
	before = server.messages;
	for (unsigned int i = 0; i < before; i++)
		message_release(server.kept[i]);
	wait_for(io, &server.messages, before + 2);
	/* let go: everything flows again */
	server.keep = false;
	while (server.kept_count)
		message_put(server.kept[--server.kept_count]);
	wait_for(io, &server.messages, sent);
	assert_int_equal(server.bytes, (uint64_t)sent << 20);
	free(bytes);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

static void a_peer_reconnects_under_a_new_generation(void **state)
{
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;
	struct conn *first;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	first = msgr_dial(client.msgr, &address, NULL);
	wait_for(io, &server.opened, 1);
	wait_for(io, &client.opened, 1);
	conn_reset(server.conn, -EIO);
	assert_int_equal(server.closed, 0);		/* never from inside the call */
	assert_false(conn_is_open(server.conn));
	assert_int_equal(send_write(server.conn, 1, NULL, 0, false), -ENOTCONN);
	wait_for(io, &client.closed, 1);
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.reason, -EIO);
	wait_for(io, &client.opened, 2);
	wait_for(io, &server.opened, 2);
	assert_ptr_equal(client.conn, first);
	assert_int_equal(conn_generation(client.conn), 2);
	assert_int_equal(conn_generation(server.conn), 2);
	/* the listener is gone, then comes back on the same port */
	party_free(&server);
	wait_for(io, &client.closed, 2);
	run_ms(io, 200);
	party_create(&server, io, NACRE_ROLE_OSD, 8, 0);
	party_listen(&server, address.port);
	wait_for(io, &client.opened, 3);
	assert_int_equal(conn_peer_instance(client.conn), 8);
	assert_true(conn_generation(client.conn) >= 4);
	conn_close(client.conn);
	wait_for(io, &server.closed, 1);
	assert_int_equal(client.closed, 2);		/* conn_close is not told back */
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

static void other_file_systems_are_refused_for_good(void **state)
{
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	msgr_set_fsid(server.msgr, 99, 98);
	address = party_listen(&server, 0);
	client.conn = msgr_dial(client.msgr, &address, NULL);
	struct conn *conn = conn_get(client.conn);

	wait_for(io, &client.closed, 1);
	assert_true(conn_is_refused(conn));
	assert_int_equal(client.reason, -ENODEV);
	assert_int_equal(server.opened + client.opened, 0);
	assert_int_equal(client.warnings, 1);
	assert_non_null(strstr(client.last_line,
			       "party belongs to file system 00000000000000620000000000000063"));
	assert_int_equal(server.warnings, 1);
	run_ms(io, 200);
	assert_int_equal(counter(&client, "dialled"), 1);
	conn_put(conn);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

static void a_daemon_that_has_not_joined_asks_to_come_later(void **state)
{
	struct io *io = run_loop();
	struct party server, client;
	struct io_address address;

	party_create(&server, io, NACRE_ROLE_MDS, 0, 0);
	party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	client.conn = msgr_dial(client.msgr, &address, NULL);
	run_ms(io, 150);
	assert_int_equal(client.opened, 0);
	assert_true(counter(&client, "dialled") >= 2);
	msgr_set_instance(server.msgr, 9);
	wait_for(io, &client.opened, 1);
	assert_int_equal(client.warnings + server.warnings, 0);
	party_free(&client);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

static void an_older_connection_of_an_instance_is_replaced(void **state)
{
	struct io *io = run_loop();
	struct party server, a, b;
	struct io_address address;
	struct conn *conn;

	party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
	party_create(&a, io, NACRE_ROLE_CLIENT, 17, 0);
	party_create(&b, io, NACRE_ROLE_CLIENT, 17, 0);
	address = party_listen(&server, 0);
	msgr_dial(a.msgr, &address, NULL);
	wait_for(io, &server.opened, 1);
	conn = msgr_dial(b.msgr, &address, NULL);
	wait_for(io, &b.opened, 1);
	assert_int_equal(server.closed, 0);		/* the same generation: both stay */
	conn_reset(conn, -EIO);
	wait_for(io, &b.opened, 2);			/* generation 2 */
	wait_for(io, &a.closed, 1);
	party_free(&a);
	party_free(&b);
	party_free(&server);
	run_ms(io, 5);
	loop_destroy(io);
}

/* Closing, and destroying the whole messenger, from inside a handler. */
static void handlers_may_close_and_destroy(void **state)
{
	struct io *io = run_loop();

	for (int destroy = 0; destroy < 2; destroy++) {
		struct party server, client;
		struct io_address address;

		party_create(&server, io, NACRE_ROLE_OSD, 7, 0);
		party_create(&client, io, NACRE_ROLE_CLIENT, 17, 0);
		server.close_on_message = !destroy;
		server.destroy_on_message = destroy;
		server.keep = true;
		address = party_listen(&server, 0);
		msgr_dial(client.msgr, &address, NULL);
		wait_for(io, &client.opened, 1);
		for (unsigned int i = 0; i < 20; i++)
			assert_int_equal(send_write(client.conn, i + 1, (uint8_t *)"x", 1, false), 0);
		wait_for(io, &client.closed, 1);
		assert_int_equal(server.messages, 1);	/* nothing behind the close was delivered */
		assert_int_equal(server.kept[0]->host.osd_request.tid, 1);
		party_free(&client);
		party_free(&server);
	}
	run_ms(io, 5);
	loop_destroy(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_tells_who_is_who),
		cmocka_unit_test(data_arrives_page_aligned_and_padded),
		cmocka_unit_test(a_full_window_holds_the_sender_back),
		cmocka_unit_test(a_peer_reconnects_under_a_new_generation),
		cmocka_unit_test(other_file_systems_are_refused_for_good),
		cmocka_unit_test(a_daemon_that_has_not_joined_asks_to_come_later),
		cmocka_unit_test(an_older_connection_of_an_instance_is_replaced),
		cmocka_unit_test(handlers_may_close_and_destroy),
	};

	return run_on_each_loop(tests);
}
