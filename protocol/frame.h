/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frame: what every message on every connection is wrapped in.
 *
 *	+--------------+---------------------+---------------------------+
 *	| header, 64 B | body (a structure)  | data payload (file bytes) |
 *	+--------------+---------------------+---------------------------+
 *
 * The header has its own checksum, so that its lengths can be trusted before
 * anything behind them is read. All three checksums are CRC32C (Castagnoli) as
 * iSCSI computes it: start with all ones, invert at the end; "123456789" gives
 * 0xe3069283. That of an empty part is sent as 0. The data payload stands apart from the body so
 * that a receiver can put it into page-aligned memory without a copy.
 *
 * `seq` counts the frames one side has sent in this connection generation,
 * from 1. A receiver drops a frame it has seen and resets the connection at a
 * gap: what TCP promised is checked, not believed. `ack` is the last seq
 * received. `conn_gen` is the sender's connection generation: a client counts
 * it up at every reconnect to the same peer, and the peer discards what an
 * older generation had not yet executed.
 */
#ifndef NACRE_FRAME_H
#define NACRE_FRAME_H

#include "wire.h"

#define NACRE_FRAME_MAGIC 0x4352434eu	/* "NCRC" read as little-endian bytes */
#define NACRE_FRAME_VERSION 1
#define NACRE_FRAME_BYTES 64
#define NACRE_FRAME_CRC_BYTES 60	/* what header_crc covers */

#define NACRE_BODY_MAX (1u << 20)	/* bytes, any message */
#define NACRE_DATA_MAX (4u << 20)	/* bytes, any message */

#define NACRE_FRAME_FIELDS(F, R, T)						\
	F(32, magic, "NACRE_FRAME_MAGIC")					\
	F(16, type, "a row of NACRE_MESSAGES")					\
	F(8, version, "of the frame, NACRE_FRAME_VERSION")			\
	R(8, reserved0)								\
	F(32, body_bytes, "bytes of body behind the header")			\
	F(32, data_bytes, "bytes of data payload behind the body")		\
	F(64, seq, "number of this frame in its connection generation, from 1")	\
	F(64, ack, "last seq received from the peer, 0 = none")			\
	F(32, conn_gen, "sender's connection generation")			\
	R(32, reserved1)							\
	R(64, reserved2)							\
	F(32, body_crc, "CRC32C of the body")					\
	F(32, data_crc, "CRC32C of the data payload, 0 when empty")		\
	R(32, reserved3)							\
	F(32, header_crc, "CRC32C of the bytes before this field")
NACRE_STRUCT(nacre_frame, NACRE_FRAME_FIELDS, NACRE_FRAME_BYTES);

#define NACRE_FRAME_STRUCTS(S) S(nacre_frame, NACRE_FRAME_FIELDS)

#endif
