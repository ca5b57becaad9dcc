// SPDX-License-Identifier: GPL-2.0
/* TCP bytes in order. See stream.h. */
#include <stdlib.h>
#include <string.h>
#include "stream.h"

#define WAITING_BYTES_MAX (16u << 20)
#define WAITING_PIECES_MAX 8192
#define PATIENCE_SEGMENTS 64

struct stream_piece {
	struct stream_piece *next;
	uint64_t at;			/* position */
	size_t length;
	uint8_t bytes[];
};

void stream_init(struct stream *stream, const struct stream_sink *sink)
{
	*stream = (struct stream){ .sink = *sink };
}

void stream_clear(struct stream *stream)
{
	struct stream_piece *piece;

	while (stream->waiting) {
		piece = stream->waiting;
		stream->waiting = piece->next;
		free(piece);
	}
	stream->waiting_bytes = 0;
	stream->waiting_count = 0;
}

/* The position of a sequence number, nearest to where the stream stands; negative: before its beginning. */
static int64_t position(const struct stream *stream, uint32_t seq)
{
	return (int64_t)stream->next + (int32_t)(seq - (stream->base + (uint32_t)stream->next));
}

/* Hand out bytes that begin at or before `next`. */
static void give(struct stream *stream, uint64_t at, const uint8_t *bytes, size_t length)
{
	uint64_t old = stream->next - at;

	if (old >= length) {
		stream->repeated += length;
		return;
	}
	stream->repeated += old;
	stream->next = at + length;
	stream->sink.bytes(stream->sink.owner, bytes + old, length - (size_t)old);
}

/* All that waits and has nothing missing before it. */
static void drain(struct stream *stream)
{
	struct stream_piece *piece;

	while (stream->waiting && stream->waiting->at <= stream->next) {
		piece = stream->waiting;
		stream->waiting = piece->next;
		stream->waiting_bytes -= piece->length;
		stream->waiting_count--;
		stream->patience = 0;
		give(stream, piece->at, piece->bytes, piece->length);
		free(piece);
	}
}

/* The bytes before the first piece that waits will not come. */
static void give_up(struct stream *stream)
{
	uint64_t missing = stream->waiting->at - stream->next;

	stream->lost += missing;
	stream->next += missing;
	stream->sink.gap(stream->sink.owner, missing);
	drain(stream);
}

static void keep(struct stream *stream, uint64_t at, const uint8_t *bytes, size_t length)
{
	struct stream_piece *piece = malloc(sizeof(*piece) + length), **link = &stream->waiting;

	if (!piece)
		abort();
	piece->at = at;
	piece->length = length;
	memcpy(piece->bytes, bytes, length);
	while (*link && (*link)->at <= at)
		link = &(*link)->next;
	piece->next = *link;
	*link = piece;
	stream->waiting_bytes += length;
	stream->waiting_count++;
}

/* Nothing is to be hoped for any more. */
static bool is_hopeless(struct stream *stream)
{
	if (!stream->waiting)
		return false;
	if (stream->waiting_bytes > WAITING_BYTES_MAX || stream->waiting_count > WAITING_PIECES_MAX)
		return true;
	return stream->acked >= stream->waiting->at && ++stream->patience > PATIENCE_SEGMENTS;
}

void stream_syn(struct stream *stream, uint32_t seq)
{
	if (stream->started)
		return;
	stream->started = true;
	stream->from_start = true;
	stream->base = seq + 1;
}

bool stream_is_other(const struct stream *stream, uint32_t seq)
{
	return stream->started && (!stream->from_start || stream->base != seq + 1);
}

void stream_segment(struct stream *stream, uint32_t seq, const uint8_t *bytes, size_t length)
{
	int64_t at;

	if (!length)
		return;
	if (!stream->started) {
		stream->started = true;
		stream->base = seq;
	}
	at = position(stream, seq);
	if (at < 0) {			/* from before the capture began */
		if ((uint64_t)-at >= length) {
			stream->repeated += length;
			return;
		}
		bytes -= at;
		length -= (size_t)-at;
		at = 0;
	}
	if ((uint64_t)at > stream->next) {
		keep(stream, (uint64_t)at, bytes, length);
	} else {
		give(stream, (uint64_t)at, bytes, length);
		drain(stream);
	}
	while (is_hopeless(stream))
		give_up(stream);
}

void stream_ack(struct stream *stream, uint32_t ack)
{
	int64_t at;

	if (!stream->started)
		return;
	at = position(stream, ack);
	if (at > (int64_t)stream->acked)
		stream->acked = (uint64_t)at;
}

void stream_end(struct stream *stream)
{
	while (stream->waiting)
		give_up(stream);
	/*
	 * The last bytes may be missing, too, although the other side has had them. One number more than
	 * there are bytes is that of a FIN.
	 */
	if (stream->started && stream->acked > stream->next + 1) {
		stream->lost += stream->acked - stream->next;
		stream->sink.gap(stream->sink.owner, stream->acked - stream->next);
		stream->next = stream->acked;
	}
}
