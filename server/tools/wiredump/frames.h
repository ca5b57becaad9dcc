/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames out of the bytes of one direction of one connection (protocol/frame.h). A frame counts only
 * when its header's checksum is right, so its lengths are true, and where the next one begins is known
 * even if bytes of a body are missing or wrong. Where that is not known any more, reading stops and says
 * so; with `resync` it goes on at the next 64 bytes that have magic and a right checksum of their own.
 *
 * Every trouble is told once, with the offset in the stream at which it is.
 */
#ifndef NACRE_WIREDUMP_FRAMES_H
#define NACRE_WIREDUMP_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "protocol/messages.h"

/* One message as it was received; valid during the call. */
struct frame_message {
	uint64_t offset;		/* of its header in the stream */
	const struct nacre_frame *frame;
	const struct nacre_message *row;
	const uint8_t *body;		/* frame->body_bytes; NULL: the body is incomplete or damaged */
	uint64_t data_missing;		/* bytes of the data payload that were not captured */
};

struct frames_sink {
	void (*message)(void *owner, const struct frame_message *message);
	/* One line about what is wrong at `offset`. */
	void (*trouble)(void *owner, uint64_t offset, const char *text);
	void *owner;
};

enum frames_state {
	FRAMES_HEADER,
	FRAMES_BODY,
	FRAMES_DATA,
	FRAMES_LOST,			/* where a frame begins is not known */
};

struct frames {
	struct frames_sink sink;
	enum frames_state state;
	bool resync;			/* look for a header when lost */
	bool found;			/* where a frame begins was known once */
	uint64_t offset;		/* of the next byte */
	uint64_t frame_offset;		/* of the present frame */
	uint64_t lost_offset;		/* since when FRAMES_LOST */
	uint8_t header[NACRE_FRAME_BYTES];
	struct nacre_frame frame;
	const struct nacre_message *row;
	uint8_t *body;			/* NULL while nothing of it is to be kept */
	uint64_t want;			/* bytes of this part */
	uint64_t have;			/* of them, come or missing */
	uint64_t missing;		/* of them, missing */
	uint32_t crc;			/* of the data payload so far */
	uint64_t last_seq;		/* of the last frame, 0 = none */
	uint32_t last_gen;
	uint64_t count;			/* frames with a sound header */
};

/* `from_start`: the first byte is that of a frame; otherwise the first header is looked for. */
void frames_init(struct frames *frames, const struct frames_sink *sink, bool from_start, bool resync);
void frames_clear(struct frames *frames);

void frames_bytes(struct frames *frames, const uint8_t *bytes, size_t length);
/* So many bytes are missing here. */
void frames_gap(struct frames *frames, uint64_t length);
/* No more will come. */
void frames_end(struct frames *frames);

/*
 * Why bytes are no structure of this kind, in words, with the offset in them: what nacre_decode() refuses
 * without a reason. `text` stays as it is if nothing is wrong.
 */
void frames_explain(const struct nacre_struct *desc, const uint8_t *bytes, size_t length, char *text,
		    size_t text_bytes);

#endif
