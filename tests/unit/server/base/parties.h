/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A party with a messenger of its own on the test's ring: it counts what its handler
 * is told, keeps messages if asked to, and the last line of its log.
 */
#ifndef NACRE_TEST_PARTIES_H
#define NACRE_TEST_PARTIES_H

#include <errno.h>
#include "run.h"
#include "server/base/log.h"
#include "server/base/msgr.h"
#include "protocol/codec.h"

#define KEEP 64

struct party {
	struct io *io;
	struct msgr *msgr;
	struct log *log;
	unsigned int opened, closed, messages, warnings;
	int reason;
	struct conn *conn;		/* the last that opened */
	struct message *kept[KEEP];
	unsigned int kept_count;
	bool keep, echo, close_on_message, destroy_on_message;
	uint64_t bytes;
	char last_line[512];
};

static inline void on_opened(void *owner, struct conn *conn)
{
	struct party *party = owner;

	party->opened++;
	party->conn = conn;
}

static inline void on_message(void *owner, struct conn *conn, struct message *message)
{
	struct party *party = owner;

	party->messages++;
	party->bytes += message->data_bytes;
	if (party->echo) {
		struct nacre_osd_statfs_req body = { .tid = message->host.osd_statfs_req.tid + 1 };

		conn_send(conn, NACRE_MSG_OSD_STATFS, &body, NULL);
	}
	if (party->keep && party->kept_count < KEEP)
		party->kept[party->kept_count++] = message;
	else
		message_put(message);
	if (party->close_on_message)
		conn_close(conn);
	if (party->destroy_on_message) {
		msgr_destroy(party->msgr);
		party->msgr = NULL;
	}
}

static inline void on_closed(void *owner, struct conn *conn, int reason)
{
	struct party *party = owner;

	party->closed++;
	party->reason = reason;
	if (party->conn == conn && !conn_is_open(conn))
		party->conn = NULL;
}

static const struct msgr_handler handler = { on_opened, on_message, on_closed };

static inline void on_line(void *owner, enum log_level level, const char *line)
{
	struct party *party = owner;

	if (level > LOG_WARN)
		return;
	party->warnings++;
	snprintf(party->last_line, sizeof(party->last_line), "%s", line);
}

static inline void party_create(struct party *party, struct io *io, enum nacre_role role, uint64_t instance,
			 uint64_t window)
{
	struct msgr_config config = {
		.io = io, .name = "party", .role = role, .id = role == NACRE_ROLE_CLIENT ? 0 : 3, .handler = &handler,
		.owner = party, .window_bytes = window, .queue_bytes = 8 << 20,
	};

	memset(party, 0, sizeof(*party));
	party->io = io;
	party->log = log_create(NULL, "test", LOG_INFO);
	log_set_sink(party->log, on_line, party);
	config.log = party->log;
	assert_int_equal(msgr_create(&config, &party->msgr), 0);
	msgr_set_instance(party->msgr, instance);
	msgr_set_fsid(party->msgr, 11, 22);
	msgr_set_map_epoch(party->msgr, 5);
}

static inline struct io_address party_listen(struct party *party, uint16_t port)
{
	struct io_address address;

	assert_int_equal(io_address_parse("127.0.0.1", port, &address), 0);
	assert_int_equal(msgr_listen(party->msgr, &address), 0);
	address.port = msgr_port(party->msgr);
	return address;
}

static inline void party_free(struct party *party)
{
	for (unsigned int i = 0; i < party->kept_count; i++)
		message_put(party->kept[i]);
	msgr_destroy(party->msgr);
	log_destroy(party->log);
}

static inline uint64_t counter(const struct party *party, const char *name)
{
	const struct stats_set *set = msgr_stats(party->msgr);

	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->rows[i].name, name))
			return set->values[i];
	fail();
	return 0;
}

struct wait {
	unsigned int *count, at_least;
};

static inline bool counted(void *arg)
{
	struct wait *wait = arg;

	return *wait->count >= wait->at_least;
}

static inline void wait_for(struct io *io, unsigned int *count, unsigned int at_least)
{
	struct wait wait = { count, at_least };

	run_until(io, counted, &wait);
}

/* ---- something to send ---------------------------------------------------------------------- */

static unsigned int parties_released;

static inline uint8_t *pattern(size_t bytes, unsigned int seed)
{
	uint8_t *p = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 131 + seed + i / 4096);
	return p;
}

static inline void on_release(void *owner)
{
	parties_released++;
	free(owner);
}

static inline int send_write(struct conn *conn, uint64_t tid, uint8_t *bytes, uint32_t length, bool release)
{
	struct iovec iov[2] = { { bytes, length / 2 }, { bytes + length / 2, length - length / 2 } };
	struct payload payload = { .iov = iov, .iov_count = 2, .bytes = length,
				   .release = release ? on_release : NULL, .owner = bytes };
	uint8_t op[32] = { 0 };
	struct nacre_osd_request request = {
		.tid = tid, .oldest_tid = 1, .instance = 17, .map_epoch = 5, .conn_gen = 1,
		.pool = 1, .ino = 0x100000, .snap = NACRE_SNAP_HEAD, .ops = op, .ops_bytes = 32,
	};
	struct nacre_osd_op host = { .code = NACRE_OSD_OP_WRITE, .length = length };
	struct nacre_writer w = nacre_writer(op, sizeof(op));

	assert_int_equal(nacre_encode(nacre_osd_op_desc(), &w, &host), 0);
	return conn_send(conn, NACRE_MSG_OSD_REQUEST, &request, length ? &payload : NULL);
}

#endif
