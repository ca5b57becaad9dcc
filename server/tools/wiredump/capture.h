/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where packets come from: a pcap or pcapng file, or an interface of this machine, through libpcap. Packets
 * are handed to the dump, or written to a file for later.
 */
#ifndef NACRE_WIREDUMP_CAPTURE_H
#define NACRE_WIREDUMP_CAPTURE_H

#include "wiredump.h"

/* "-" is standard input. 0, or TOOL_FAILED after a sentence on standard error. */
int capture_file(struct wiredump *dump, const char *path);
/* A file of raw bytes of one direction of one connection. */
int capture_raw(struct wiredump *dump, const char *path);
/* Until SIGINT or SIGTERM; everything that is TCP, on any interface for "any". */
int capture_live(struct wiredump *dump, const char *interface);
/* The same into a pcap file; "-" is standard output. */
int capture_write(const char *interface, const char *path);

#endif
