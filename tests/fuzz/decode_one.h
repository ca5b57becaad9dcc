/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every decoder must do with any bytes: refuse them, or understand them so well that encoding the
 * result gives the same bytes again. Shared by the fuzz target (decode.c) and the smoke test that
 * needs no fuzzer (tests/unit/protocol/test_decode_smoke.c).
 */
#ifndef NACRE_FUZZ_DECODE_ONE_H
#define NACRE_FUZZ_DECODE_ONE_H

#include <stdlib.h>
#include <string.h>
#include "protocol/rules/record.h"
#include "protocol/rules/validate.h"

enum decode_outcome {
	DECODE_REFUSED,		/* not decodable */
	DECODE_MEANINGLESS,	/* decodable, refused by validation */
	DECODE_TAKEN,
};

/* Handlers walk what passed validation without further checks: so must this, without harm. */
static inline void walk_message(__u16 type, const void *body)
{
	const struct nacre_reply *reply = body;
	struct nacre_inode_info info;
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	struct nacre_record record;
	struct nacre_reader r;
	struct nacre_xattr x;

	if (type == NACRE_MSG_REPLY) {
		r = nacre_reader(reply->traces, reply->traces_bytes);
		while (nacre_trace_next(&r, &info))
			;
	} else if (type == NACRE_MSG_OSD_REQUEST) {
		nacre_osd_cursor(&cursor, body);
		while (nacre_osd_next(&cursor, &step))
			;
	} else if (nacre_record_kind_of(type)) {
		nacre_record_from_req(&record, body);
		r = nacre_reader(record.xattrs, record.xattrs_bytes);
		while (nacre_xattr_next(&r, &x))
			;
	}
}

static inline enum decode_outcome decode_one(const struct nacre_message *row, const __u8 *bytes,
					     size_t length, __u32 data_bytes)
{
	static __u8 again[NACRE_BODY_MAX * 2];
	__u64 body[NACRE_BODY_HOST_MAX / 8];
	struct nacre_writer w = nacre_writer(again, sizeof(again));
	const char *reason = NULL;

	if (nacre_decode_all(row->body(), bytes, length, body))
		return DECODE_REFUSED;
	if (nacre_encode(row->body(), &w, body) || nacre_writer_bytes(&w) != length ||
	    memcmp(again, bytes, length))
		abort();
	if (nacre_validate(row->type, body, data_bytes, &reason)) {
		if (!reason)
			abort();
		return DECODE_MEANINGLESS;
	}
	walk_message(row->type, body);
	return DECODE_TAKEN;
}

#endif
