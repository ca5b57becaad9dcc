// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on an object's key-value pairs. What earlier operations of the same
 * request changed lies above what the store says.
 */
#include <errno.h>
#include "op.h"

uint32_t osd_op_kv_get(struct osd_exec *exec, struct osd_op *op)
{
	struct osd_view *view = &exec->view;
	const struct osd_change *own;
	const uint8_t *value = NULL;
	uint32_t bytes = 0;
	struct osd_key key;

	if (!view->exists || !view->onode.kv_id)
		return ENODATA;
	osd_key_pair(&key, view->onode.kv_id, op->name, op->wire->name_size);
	own = osd_changes_find(&view->keys, key.bytes, key.length);
	if (own) {
		value = own->kind == OSD_CHANGE_PUT ? osd_change_value(own) : NULL;
		bytes = own->value_bytes;
	} else if (osd_exec_need_value(exec, &key, &value, &bytes)) {
		return OSD_MISS;
	}
	if (!value)
		return ENODATA;
	return osd_exec_output(exec, op, value, bytes) ? 0 : E2BIG;
}

/* Where a list stands. */
struct listing {
	struct osd_exec *exec;
	struct osd_op *op;
	uint64_t count;
	bool names;
	bool full;
};

/* Add one pair to the output, unless that would break a limit. */
static void list_add(struct listing *l, const uint8_t *key, uint32_t key_bytes,
		     const uint8_t *value, uint32_t value_bytes)
{
	struct nacre_key_value pair = {
		.key = key + OSD_KEY_PAIR_BYTES,
		.key_bytes = key_bytes - OSD_KEY_PAIR_BYTES,
		.value = value,
		.value_bytes = l->names ? 0 : value_bytes,
	};
	uint64_t bytes = nacre_encoded_bytes(nacre_key_value_desc(), &pair);
	const struct nacre_osd_op *wire = l->op->wire;
	uint8_t *at;
	struct nacre_writer w;

	if (l->full || l->count >= wire->length ||
	    (l->count && l->op->result->output_size + bytes > wire->offset) ||
	    l->exec->output.length + bytes > OSD_OUTPUT_MAX) {
		l->full = true;
		return;
	}
	at = mem_append(&l->exec->output, bytes);
	w = nacre_writer(at, bytes);
	nacre_encode(nacre_key_value_desc(), &w, &pair);
	l->op->result->output_size += (uint32_t)bytes;
	l->count++;
}

/* Merge the view's own changes in [first, end) over what the store listed. */
static void list_merge(struct listing *l, const struct kv_pairs *pairs, const struct osd_key *first,
		       const struct osd_key *end)
{
	struct osd_change *own = osd_changes_from(&l->exec->view.keys, first->bytes, first->length);
	struct kv_pair pair;
	size_t at = 0;
	bool has = kv_pairs_next(pairs, &at, &pair);
	int order;

	while (!l->full && (own || has)) {
		if (own && kv_compare(own->bytes, own->key_bytes, end->bytes, end->length) >= 0) {
			own = NULL;
			continue;
		}
		if (!has && pairs->more)
			break;		/* what comes between here and `own` is not known */
		order = !own ? 1 : !has ? -1 :
			kv_compare(own->bytes, own->key_bytes, pair.key, pair.key_bytes);
		if (order > 0)
			list_add(l, pair.key, pair.key_bytes, pair.value, pair.value_bytes);
		else if (own->kind == OSD_CHANGE_PUT)
			list_add(l, own->bytes, own->key_bytes, osd_change_value(own),
				 own->value_bytes);
		if (order >= 0)
			has = kv_pairs_next(pairs, &at, &pair);
		if (order <= 0)
			own = osd_changes_next(own);
	}
	if (l->full || pairs->more)
		l->op->result->result_flags |= NACRE_OSD_RESULT_MORE;
}

uint32_t osd_op_kv_list(struct osd_exec *exec, struct osd_op *op)
{
	struct listing l = {
		.exec = exec,
		.op = op,
		.names = op->wire->op_flags & NACRE_OSD_OPF_NAMES,
	};
	struct osd_view *view = &exec->view;
	const struct kv_pairs *pairs;
	struct osd_key first, end;
	struct osd_change *own;
	uint64_t want = op->wire->length;

	if (!view->exists || !view->onode.kv_id)
		return 0;
	/* Behind `name`: from the name with a zero byte after it. */
	osd_key_pair(&first, view->onode.kv_id, op->name, op->wire->name_size);
	if (op->wire->name_size)
		first.bytes[first.length++] = 0;
	osd_key_pair(&end, view->onode.kv_id + 1, NULL, 0);
	if (want > OSD_OUTPUT_MAX / sizeof(struct nacre_key_value_wire))
		want = OSD_OUTPUT_MAX / sizeof(struct nacre_key_value_wire);
	/* One more tells whether there is more; each own change may hide one. */
	want++;
	for (own = osd_changes_from(&view->keys, first.bytes, first.length); own;
	     own = osd_changes_next(own))
		want++;
	if (osd_exec_need_list(exec, &first, &end, (uint32_t)want,
			       op->wire->offset < OSD_OUTPUT_MAX ? (uint32_t)op->wire->offset +
			       NACRE_VALUE_MAX : OSD_OUTPUT_MAX + NACRE_VALUE_MAX, &pairs))
		return OSD_MISS;
	list_merge(&l, pairs, &first, &end);
	return 0;
}

uint32_t osd_op_kv_set(struct osd_exec *exec, struct osd_op *op)
{
	osd_view_key_set(exec, op->name, op->wire->name_size, op->value, op->wire->value_size);
	return 0;
}

uint32_t osd_op_kv_rm(struct osd_exec *exec, struct osd_op *op)
{
	osd_view_key_remove(exec, op->name, op->wire->name_size);
	return 0;
}

uint32_t osd_op_kv_clear(struct osd_exec *exec, struct osd_op *op)
{
	osd_view_keys_clear(exec);
	return 0;
}
