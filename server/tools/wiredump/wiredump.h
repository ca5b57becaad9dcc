/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A capture as text: TCP segments in, lines out. Connections and their two directions are conns.c's,
 * what is printed of a message and what is left out tell.c's. Entry points for a capture file
 * (capture.h), a raw stream, and tests.
 */
#ifndef NACRE_WIREDUMP_H
#define NACRE_WIREDUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "packet.h"
#include "protocol/messages.h"

#define WIREDUMP_FILTERS_MAX 32

struct wiredump_options {
	FILE *out;
	bool full;			/* every field, a line each */
	bool resync;			/* look for a header where frames are lost */
	uint16_t types[WIREDUMP_FILTERS_MAX];	/* only these, and what answers them; 0 ends */
	const char *peer;		/* only with this peer; NULL: all */
	uint64_t ino;			/* only what mentions it; 0: all */
	uint64_t tid;			/* only this request and its reply; 0: all */
};

struct wiredump;

struct wiredump *wiredump_create(const struct wiredump_options *options);
void wiredump_destroy(struct wiredump *dump);

/* The link type (DLT_... of libpcap) of the packets to come, one that packet_knows_link(). */
void wiredump_link(struct wiredump *dump, int link);
/* One packet, with the time at which it was captured. */
void wiredump_packet(struct wiredump *dump, const uint8_t *bytes, size_t length, size_t wire_bytes,
		     uint64_t ns);
/* More bytes of one direction of one connection; the first is that of a frame. */
void wiredump_raw(struct wiredump *dump, const uint8_t *bytes, size_t length);

/*
 * No more will come: what is still under way, and a summary. Returns how many lines named a trouble:
 * bytes that are lost, or not as they should be.
 */
uint64_t wiredump_finish(struct wiredump *dump);

#endif
