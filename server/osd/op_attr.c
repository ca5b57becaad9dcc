// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on attributes, the comparisons, and the condition.
 */
#include <errno.h>
#include "op.h"

/* The attribute that an operation names, or NULL. */
static const struct osd_attr *find(const struct osd_exec *exec, const struct osd_op *op)
{
	int at;

	if (!exec->view.exists)
		return NULL;
	at = osd_attr_find(&exec->view.onode, op->name, op->wire->name_size, NULL);
	return at < 0 ? NULL : exec->view.onode.attrs[at];
}

uint32_t osd_op_cmpsize(struct osd_exec *exec, struct osd_op *op)
{
	uint64_t size = exec->view.exists ? exec->view.onode.size : 0;

	return size == op->wire->length ? 0 : NACRE_E_CMP_FAILED;
}

uint32_t osd_op_cmpxattr(struct osd_exec *exec, struct osd_op *op)
{
	const struct osd_attr *attr = find(exec, op);

	if (!attr || attr->value_bytes != op->wire->value_size ||
	    memcmp(attr->bytes + attr->name_bytes, op->value, attr->value_bytes))
		return NACRE_E_CMP_FAILED;
	return 0;
}

uint32_t osd_op_if_noxattr(struct osd_exec *exec, struct osd_op *op)
{
	if (find(exec, op))
		op->skip = (uint32_t)op->wire->length;
	else
		exec->condition_met = true;
	return 0;
}

uint32_t osd_op_getxattr(struct osd_exec *exec, struct osd_op *op)
{
	const struct osd_attr *attr = find(exec, op);

	if (!attr)
		return ENODATA;
	return osd_exec_output(exec, op, attr->bytes + attr->name_bytes, attr->value_bytes) ?
	       0 : E2BIG;
}

uint32_t osd_op_listxattr(struct osd_exec *exec, struct osd_op *op)
{
	bool names = op->wire->op_flags & NACRE_OSD_OPF_NAMES;
	struct nacre_key_value pair = { 0 };
	struct mem_bytes bytes = { 0 };
	const struct osd_attr *attr;
	uint32_t i;
	bool fits;

	for (i = 0; exec->view.exists && i < exec->view.onode.attr_count; i++) {
		attr = exec->view.onode.attrs[i];
		pair.key = attr->bytes;
		pair.key_bytes = attr->name_bytes;
		pair.value = attr->bytes + attr->name_bytes;
		pair.value_bytes = names ? 0 : attr->value_bytes;
		osd_disk_append(&bytes, nacre_key_value_desc(), &pair);
	}
	fits = osd_exec_output(exec, op, bytes.at, bytes.length);
	mem_bytes_free(&bytes);
	return fits ? 0 : E2BIG;
}

uint32_t osd_op_setxattr(struct osd_exec *exec, struct osd_op *op)
{
	const struct osd_attr *old;
	uint64_t bytes = sizeof(struct nacre_key_value_wire) + op->wire->name_size +
			 op->wire->value_size;

	osd_view_create(exec);
	old = find(exec, op);
	bytes += osd_attrs_bytes(&exec->view.onode);
	if (old)
		bytes -= sizeof(struct nacre_key_value_wire) + old->name_bytes + old->value_bytes;
	if (bytes > OSD_ATTRS_BYTES_MAX)
		return E2BIG;
	osd_attr_set(&exec->view.onode, op->name, op->wire->name_size, op->value,
		     op->wire->value_size);
	return 0;
}

uint32_t osd_op_rmxattr(struct osd_exec *exec, struct osd_op *op)
{
	int at = exec->view.exists ? osd_attr_find(&exec->view.onode, op->name,
						   op->wire->name_size, NULL) : -1;

	if (at < 0)
		return op->wire->op_flags & NACRE_OSD_OPF_QUIET ? 0 : ENODATA;
	osd_attr_remove(&exec->view.onode, (uint32_t)at);
	exec->view.changed = true;
	return 0;
}
