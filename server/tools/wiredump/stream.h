/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bytes of one direction of a TCP connection, put in order: segments come as the capture has them,
 * out of order, repeated, overlapping, or not at all; bytes leave in order, each once, and what is
 * missing is told by its length at its place.
 *
 * Bytes are given up as missing when nothing is to be hoped for: the other side has acknowledged
 * them and many segments have passed since, too much waits behind them, or the capture ends. Positions
 * are counted from 0 at the first byte of the stream (or of the capture, if it begins later).
 */
#ifndef NACRE_WIREDUMP_STREAM_H
#define NACRE_WIREDUMP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_sink {
	void (*bytes)(void *owner, const uint8_t *bytes, size_t length);
	void (*gap)(void *owner, uint64_t length);
	void *owner;
};

/* Bytes that wait behind missing ones. */
struct stream_piece;

struct stream {
	struct stream_sink sink;
	bool started;			/* the sequence number of position 0 is known */
	bool from_start;		/* it is that of the stream: its SYN was captured */
	uint32_t base;			/* sequence number of position 0 */
	uint64_t next;			/* position of the next byte to leave */
	uint64_t acked;			/* position up to which the other side has acknowledged */
	struct stream_piece *waiting;	/* in order of position, none empty */
	size_t waiting_bytes;
	unsigned int waiting_count;
	unsigned int patience;		/* segments since the missing bytes were acknowledged */
	uint64_t repeated;		/* bytes that came again */
	uint64_t lost;			/* bytes that never came */
};

void stream_init(struct stream *stream, const struct stream_sink *sink);
/* Forget what waits. */
void stream_clear(struct stream *stream);

/* A SYN: position 0 is behind it. */
void stream_syn(struct stream *stream, uint32_t seq);
/* Is the SYN that of another stream than this one? */
bool stream_is_other(const struct stream *stream, uint32_t seq);
/* A segment's payload; without a SYN the first one defines position 0. */
void stream_segment(struct stream *stream, uint32_t seq, const uint8_t *bytes, size_t length);
/* The other side has received everything before this number. */
void stream_ack(struct stream *stream, uint32_t ack);
/* No more will come: what waits leaves, with the gaps before it. */
void stream_end(struct stream *stream);

#endif
