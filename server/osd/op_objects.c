// SPDX-License-Identifier: GPL-2.0
/*
 * OBJECTS: which objects of a range of inodes the group has. It says nothing about
 * the request's own object, and sees nothing of what the same request changes. Whoever asks behind a
 * fence finds all that the fenced one ever made: a request of his that was not executed before is refused
 * (FENCE-1), one that was executed is in the store's changes.
 */
#include <errno.h>
#include "op.h"

#define PAGE 2048u			/* objects in one answer */
#define PAGE_BYTES (1u << 20)		/* and of their metadata, read for it */

/* Where the listing begins and ends, as keys. 0 or EINVAL. */
static uint32_t find_range(const struct osd_exec *exec, const struct osd_op *op,
			   struct osd_key *first, struct osd_key *end)
{
	struct nacre_oid from = { .ino = op->wire->offset, .pool = exec->request->pool };
	struct nacre_oid to = { .ino = from.ino + op->wire->length, .pool = from.pool };

	if (op->wire->value_size &&
	    (nacre_decode_all(nacre_oid_desc(), op->value, op->wire->value_size, &from) ||
	     from.pool != to.pool || from.ino < op->wire->offset))
		return EINVAL;
	osd_key_object(first, exec->pg, &from);
	if (op->wire->value_size)
		first->bytes[first->length++] = 0;	/* the next key, at the earliest */
	osd_key_object(end, exec->pg, &to);
	return 0;
}

uint32_t osd_op_objects(struct osd_exec *exec, struct osd_op *op)
{
	uint8_t wire[sizeof(struct nacre_oid_wire)];
	const struct kv_pairs *pairs;
	struct osd_key first, end;
	struct nacre_writer w;
	struct nacre_oid oid;
	struct kv_pair pair;
	size_t at = 0;
	uint32_t pg;

	if (find_range(exec, op, &first, &end))
		return EINVAL;
	if (osd_exec_need_list(exec, &first, &end, PAGE, PAGE_BYTES, &pairs))
		return OSD_MISS;
	while (kv_pairs_next(pairs, &at, &pair)) {
		oid = (struct nacre_oid){ 0 };
		if (osd_key_object_parse(pair.key, pair.key_bytes, &pg, &oid))
			return NACRE_E_DAMAGED;
		w = nacre_writer(wire, sizeof(wire));
		if (nacre_encode(nacre_oid_desc(), &w, &oid))
			return NACRE_E_DAMAGED;
		if (!osd_exec_output(exec, op, wire, sizeof(wire))) {
			op->result->result_flags |= NACRE_OSD_RESULT_MORE;
			return op->result->output_size ? 0 : E2BIG;
		}
	}
	if (pairs->more)
		op->result->result_flags |= NACRE_OSD_RESULT_MORE;
	return 0;
}
