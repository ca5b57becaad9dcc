// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: a segment finds its own, passes through the stream and the frames of its direction, and
 * what comes out is printed. Connections that are not nacre's are noticed by their first bytes and
 * not looked at further.
 */
#include <stdlib.h>
#include <string.h>
#include "conns.h"

struct wiredump *wiredump_create(const struct wiredump_options *options)
{
	struct wiredump *dump = calloc(1, sizeof(*dump));

	if (!dump)
		abort();
	dump->options = *options;
	dump->book = address_book_create();
	return dump;
}

/* ---- one direction ------------------------------------------------------------------------------------ */

/* Is this how a frame begins? */
static bool is_magic(const uint8_t *bytes, size_t length)
{
	static const uint8_t magic[] = { NACRE_FRAME_MAGIC & 255, NACRE_FRAME_MAGIC >> 8 & 255,
					 NACRE_FRAME_MAGIC >> 16 & 255, NACRE_FRAME_MAGIC >> 24 };

	return !memcmp(bytes, magic, length < sizeof(magic) ? length : sizeof(magic));
}

static void is_ours(struct conn *conn)
{
	if (!conn->is_nacre)
		conn->dump->nacre_conns++;
	conn->is_nacre = true;
}

static void on_message(void *owner, const struct frame_message *message)
{
	struct side *side = owner;

	is_ours(side->conn);
	tell_message(side, message);
}

static void on_trouble(void *owner, uint64_t offset, const char *text)
{
	struct side *side = owner;

	if (!side->frames.found)
		return;
	is_ours(side->conn);
	tell_trouble(side, offset, text);
}

static void begin(struct side *side, bool from_start)
{
	const struct frames_sink sink = { .message = on_message, .trouble = on_trouble, .owner = side };

	side->begun = true;
	frames_init(&side->frames, &sink, from_start, side->conn->dump->options.resync);
}

static void on_bytes(void *owner, const uint8_t *bytes, size_t length)
{
	struct side *side = owner;

	if (side->foreign)
		return;
	if (!side->begun) {
		begin(side, side->stream.from_start);
		if (side->stream.from_start && !is_magic(bytes, length)) {
			side->foreign = true;
			return;
		}
	}
	frames_bytes(&side->frames, bytes, length);
}

static void on_gap(void *owner, uint64_t length)
{
	struct side *side = owner;

	if (side->foreign)
		return;
	if (!side->begun)
		begin(side, false);	/* where the first frame begins is not known any more */
	frames_gap(&side->frames, length);
}

static void side_init(struct side *side, struct conn *conn, unsigned int index,
		      const struct endpoint *endpoint)
{
	const struct stream_sink sink = { .bytes = on_bytes, .gap = on_gap, .owner = side };

	*side = (struct side){ .conn = conn, .index = index, .endpoint = *endpoint };
	side->peer = address_book_find(conn->dump->book, endpoint);
	stream_init(&side->stream, &sink);
}

static void side_end(struct side *side)
{
	if (!side->foreign)
		stream_end(&side->stream);
	if (side->begun && !side->foreign)
		frames_end(&side->frames);
	else if (side->foreign && side->conn->is_nacre)
		tell_trouble(side, 0, "no frame at its beginning; this direction was not read");
	if (side->conn->is_nacre)
		side->conn->dump->lost += side->stream.lost;
}

/* ---- connections -------------------------------------------------------------------------------------- */

static void conn_init(struct conn *conn, struct wiredump *dump, const struct conn_key *key)
{
	conn->dump = dump;
	conn->key = *key;
	side_init(&conn->sides[0], conn, 0, &key->ends[0]);
	side_init(&conn->sides[1], conn, 1, &key->ends[1]);
}

static void conn_end(struct conn *conn)
{
	side_end(&conn->sides[0]);
	side_end(&conn->sides[1]);
	if (conn->is_nacre)
		tell_unanswered(conn);
	else
		conn->dump->other_conns++;
}

static void conn_clear(struct conn *conn)
{
	for (int i = 0; i < 2; i++) {
		stream_clear(&conn->sides[i].stream);
		frames_clear(&conn->sides[i].frames);
	}
	pairs_clear(&conn->pairs);
}

static struct conn *find_conn(struct wiredump *dump, const struct segment *segment)
{
	bool swap = memcmp(&segment->from, &segment->to, sizeof(segment->from)) > 0;
	struct conn_key key;
	struct conn *conn;

	memset(&key, 0, sizeof(key));
	key.ends[swap] = segment->from;
	key.ends[!swap] = segment->to;
	HASH_FIND(hh, dump->conns, &key, sizeof(key), conn);
	if (!conn) {
		conn = calloc(1, sizeof(*conn));
		if (!conn)
			abort();
		conn_init(conn, dump, &key);
		HASH_ADD(hh, dump->conns, key, sizeof(conn->key), conn);
	}
	return conn;
}

/* The same two ports are used for another connection. */
static void begin_anew(struct conn *conn)
{
	struct wiredump *dump = conn->dump;
	struct conn_key key = conn->key;
	UT_hash_handle hh = conn->hh;

	conn_end(conn);
	conn_clear(conn);
	memset(conn, 0, sizeof(*conn));
	conn->hh = hh;
	conn_init(conn, dump, &key);
}

static void take_segment(struct wiredump *dump, const struct segment *s)
{
	struct conn *conn = find_conn(dump, s);
	unsigned int index = memcmp(&conn->key.ends[0], &s->from, sizeof(s->from)) ? 1 : 0;
	struct side *side = &conn->sides[index];

	if (s->flags & SEGMENT_SYN) {
		if (stream_is_other(&side->stream, s->seq))
			begin_anew(conn);
		stream_syn(&side->stream, s->seq);
		return;
	}
	if (s->flags & SEGMENT_RST)
		return;
	dump->cut += s->missing ? 1 : 0;
	if (s->flags & SEGMENT_ACK)
		stream_ack(&conn->sides[!index].stream, s->ack);
	if (!side->foreign)
		stream_segment(&side->stream, s->seq, s->bytes, s->length);
}

void wiredump_link(struct wiredump *dump, int link)
{
	dump->link = link;
}

void wiredump_packet(struct wiredump *dump, const uint8_t *bytes, size_t length, size_t wire_bytes,
		     uint64_t ns)
{
	struct segment segment;

	if (!dump->timed) {
		dump->timed = true;
		dump->first_ns = ns;
	}
	dump->now_ns = ns;
	switch (packet_parse(dump->link, bytes, length, wire_bytes, &segment)) {
	case PACKET_TCP:
		take_segment(dump, &segment);
		break;
	case PACKET_FRAGMENT:
		dump->fragments++;
		break;
	case PACKET_BROKEN:
		dump->broken++;
		break;
	case PACKET_OTHER:
		break;
	}
}

void wiredump_raw(struct wiredump *dump, const uint8_t *bytes, size_t length)
{
	struct conn_key key = { 0 };
	struct side *side;

	if (!dump->raw) {
		dump->raw = calloc(1, sizeof(*dump->raw));
		if (!dump->raw)
			abort();
		conn_init(dump->raw, dump, &key);
		is_ours(dump->raw);
		side = &dump->raw->sides[0];
		begin(side, true);
	}
	frames_bytes(&dump->raw->sides[0].frames, bytes, length);
}

uint64_t wiredump_finish(struct wiredump *dump)
{
	struct conn *conn, *next;

	HASH_ITER(hh, dump->conns, conn, next)
		conn_end(conn);
	if (dump->raw)
		conn_end(dump->raw);
	tell_summary(dump);
	return dump->troubles;
}

void wiredump_destroy(struct wiredump *dump)
{
	struct conn *conn, *next;

	HASH_ITER(hh, dump->conns, conn, next) {
		HASH_DEL(dump->conns, conn);
		conn_clear(conn);
		free(conn);
	}
	if (dump->raw)
		conn_clear(dump->raw);
	free(dump->raw);
	address_book_destroy(dump->book);
	free(dump->text);
	free(dump);
}
