// SPDX-License-Identifier: GPL-2.0
/*
 * Meaning of object requests and replies: each operation by its row, and the
 * sums: names and values fill `input` exactly, written bytes the data payload. See validate.h.
 */
#include <linux/errno.h>
#include "validate.h"
#include "extents.h"

enum op_has {
	HAS_NAME = 1,			/* a name, at least one byte */
	MAY_NAME = 2,			/* a name or none */
	HAS_VALUE = 4,			/* a value; may be empty */
	HAS_RANGE = 8,			/* [offset, +length) inside an object */
	HAS_LENGTH = 16,
	HAS_OFFSET = 32,
	PUTS_DATA = 64,			/* length bytes of the data payload */
	GETS_DATA = 128,		/* length bytes of the reply's data payload */
	IS_LIST = 256,			/* offset and length bound the answer, not the object */
};

struct op_rule {
	__u16 code;
	__u16 has;			/* enum op_has */
	__u16 flags;			/* enum nacre_osd_op_flags, those allowed */
	__u16 name_max;			/* bytes */
	__u32 value_max;		/* bytes */
};

static const struct op_rule rules[] = {
	{ NACRE_OSD_OP_READ, HAS_RANGE | GETS_DATA, 0, 0, 0 },
	{ NACRE_OSD_OP_STAT, 0, 0, 0, 0 },
	{ NACRE_OSD_OP_CHECKSUM, HAS_RANGE, 0, 0, 0 },
	{ NACRE_OSD_OP_CMPSIZE, HAS_LENGTH, 0, 0, 0 },
	{ NACRE_OSD_OP_CMPXATTR, HAS_NAME | HAS_VALUE, 0, NACRE_ATTR_NAME_MAX, NACRE_VALUE_MAX },
	{ NACRE_OSD_OP_GETXATTR, HAS_NAME, 0, NACRE_ATTR_NAME_MAX, 0 },
	{ NACRE_OSD_OP_LISTXATTR, 0, NACRE_OSD_OPF_NAMES, 0, 0 },
	{ NACRE_OSD_OP_KV_GET, HAS_NAME, 0, NACRE_KEY_MAX, 0 },
	{ NACRE_OSD_OP_KV_LIST, MAY_NAME | HAS_OFFSET | HAS_LENGTH | IS_LIST, NACRE_OSD_OPF_NAMES,
	  NACRE_KEY_MAX, 0 },
	{ NACRE_OSD_OP_IF_NOXATTR, HAS_NAME | HAS_LENGTH | IS_LIST, 0, NACRE_ATTR_NAME_MAX, 0 },
	{ NACRE_OSD_OP_OBJECTS, HAS_VALUE | HAS_OFFSET | HAS_LENGTH | IS_LIST, 0, 0,
	  sizeof(struct nacre_oid_wire) },
	{ NACRE_OSD_OP_SEEK, HAS_RANGE, NACRE_OSD_OPF_HOLE, 0, 0 },
	{ NACRE_OSD_OP_MAP, HAS_RANGE, 0, 0, 0 },
	{ NACRE_OSD_OP_CREATE, 0, NACRE_OSD_OPF_EXCL, 0, 0 },
	{ NACRE_OSD_OP_WRITE, HAS_RANGE | PUTS_DATA, 0, 0, 0 },
	{ NACRE_OSD_OP_WRITE_FULL, HAS_LENGTH | PUTS_DATA, 0, 0, 0 },
	{ NACRE_OSD_OP_ZERO, HAS_RANGE, 0, 0, 0 },
	{ NACRE_OSD_OP_TRUNCATE, HAS_OFFSET, 0, 0, 0 },
	{ NACRE_OSD_OP_DELETE, 0, NACRE_OSD_OPF_QUIET, 0, 0 },
	{ NACRE_OSD_OP_CLONE, HAS_VALUE, 0, 0, sizeof(struct nacre_oid_wire) },
	{ NACRE_OSD_OP_SETXATTR, HAS_NAME | HAS_VALUE, 0, NACRE_ATTR_NAME_MAX, NACRE_VALUE_MAX },
	{ NACRE_OSD_OP_RMXATTR, HAS_NAME, NACRE_OSD_OPF_QUIET, NACRE_ATTR_NAME_MAX, 0 },
	{ NACRE_OSD_OP_KV_SET, HAS_NAME | HAS_VALUE, 0, NACRE_KEY_MAX, NACRE_VALUE_MAX },
	{ NACRE_OSD_OP_KV_RM, HAS_NAME, 0, NACRE_KEY_MAX, 0 },
	{ NACRE_OSD_OP_KV_CLEAR, 0, 0, 0, 0 },
	{ NACRE_OSD_OP_ALLOCATE, HAS_RANGE, NACRE_OSD_OPF_ZERO | NACRE_OSD_OPF_KEEP, 0, 0 },
};

static const struct op_rule *find_rule(__u16 code)
{
	unsigned int i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].code == code)
			return &rules[i];
	return NULL;
}

static const char *check_numbers(const struct op_rule *rule, const struct nacre_osd_op *op)
{
	if (rule->has & IS_LIST)
		return NULL;
	if (!(rule->has & (HAS_RANGE | HAS_OFFSET)) && op->offset)
		return "object request: an offset nobody reads";
	if (!(rule->has & (HAS_RANGE | HAS_LENGTH)) && op->length)
		return "object request: a length nobody reads";
	if (op->offset > NACRE_OBJECT_MAX || op->length > NACRE_OBJECT_MAX)
		return "object request: beyond the largest object";
	if ((rule->has & HAS_RANGE) &&
	    (!op->length || !nacre_range_within(op->offset, op->length, NACRE_OBJECT_MAX)))
		return "object request: range";
	return NULL;
}

static const char *check_op(const struct op_rule *rule, const struct nacre_osd_op *op)
{
	if (op->op_flags & ~rule->flags)
		return "object request: operation flags";
	if (op->name_size > rule->name_max)
		return "object request: name too long";
	if ((rule->has & HAS_NAME) && !op->name_size)
		return "object request: name missing";
	if (op->value_size > rule->value_max)
		return "object request: value too long";
	return check_numbers(rule, op);
}

/* What the operations need, summed while walking them. */
struct sums {
	__u64 input;
	__u64 put;			/* bytes of the data payload */
	__u64 get;			/* bytes of the reply's */
};

static const char *walk_ops(const struct nacre_osd_request *m, int count, struct sums *sums)
{
	const struct op_rule *rule;
	struct nacre_osd_op op;
	const char *reason;
	int i;

	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_osd_op_desc(), m->ops, (__u32)i, &op))
			return "object request: an operation's reserved fields";
		rule = find_rule(op.code);
		if (!rule)
			return "object request: unknown operation";
		reason = check_op(rule, &op);
		if (reason)
			return reason;
		if (op.code == NACRE_OSD_OP_IF_NOXATTR &&
		    (!op.length || op.offset || op.length > (__u64)(count - 1 - i)))
			return "object request: skips over the end";
		if (op.code == NACRE_OSD_OP_KV_LIST && (!op.length || !op.offset))
			return "object request: list of nothing";
		if (op.code == NACRE_OSD_OP_OBJECTS &&
		    (!op.length || op.length > ~op.offset ||
		     (op.value_size && op.value_size != sizeof(struct nacre_oid_wire))))
			return "object request: objects of nothing";
		if (op.code == NACRE_OSD_OP_CLONE &&
		    op.value_size != sizeof(struct nacre_oid_wire))
			return "object request: clone of no object";
		sums->input += (__u64)op.name_size + op.value_size;
		sums->put += rule->has & PUTS_DATA ? op.length : 0;
		sums->get += rule->has & GETS_DATA ? op.length : 0;
	}
	return NULL;
}

static const char *check_request(const struct nacre_osd_request *m, __u32 data_bytes, int ops_min)
{
	int count = nacre_array_count(nacre_osd_op_desc(), m->ops_bytes);
	struct sums sums = { 0, 0, 0 };
	const char *reason;

	if (!m->tid || m->oldest_tid > m->tid)
		return "object request: tid";
	if (!m->instance || !m->map_epoch)
		return "object request: no instance or map epoch";
	if (m->flags & ~(__u32)NACRE_OSD_REQUEST_RESEND)
		return "object request: flags";
	if (m->pool >= NACRE_MAP_POOLS_MAX || m->pg >= NACRE_MAP_PGS_MAX)
		return "object request: pool or group";
	if (!m->ino || !m->snap)
		return "object request: object";
	if (count < ops_min || count > NACRE_OSD_OPS_MAX)
		return "object request: number of operations";
	reason = walk_ops(m, count, &sums);
	if (reason)
		return reason;
	if (sums.input != m->input_bytes)
		return "object request: names and values do not fill the input";
	if (sums.put != data_bytes)
		return "object request: written bytes do not fill the data";
	if (sums.get > NACRE_DATA_MAX)
		return "object request: asks for more than a reply carries";
	return NULL;
}

int nacre_validate_osd_request(const struct nacre_osd_request *request, __u32 data_bytes,
			       const char **reason)
{
	*reason = check_request(request, data_bytes, 1);
	return *reason ? -EBADMSG : 0;
}

int nacre_validate_osd_transaction(const struct nacre_osd_request *request, __u32 data_bytes,
				   const char **reason)
{
	*reason = check_request(request, data_bytes, 0);
	return *reason ? -EBADMSG : 0;
}

static const char *check_reply(const struct nacre_osd_reply *m, __u32 data_bytes)
{
	int i, count = nacre_array_count(nacre_osd_result_desc(), m->results_bytes);
	struct nacre_osd_result result;
	__u64 output = 0, data = 0;

	if (!m->tid)
		return "object reply: tid 0";
	if (count < 0 || count > NACRE_OSD_OPS_MAX)
		return "object reply: number of results";
	if (m->failed_op >= NACRE_OSD_OPS_MAX || (!m->result && m->failed_op))
		return "object reply: failed operation";
	for (i = 0; i < count; i++) {
		if (nacre_array_at(nacre_osd_result_desc(), m->results, (__u32)i, &result))
			return "object reply: a result's reserved fields";
		if (result.result_flags & ~(__u32)(NACRE_OSD_RESULT_MORE |
						   NACRE_OSD_RESULT_SKIPPED))
			return "object reply: result flags";
		if (result.size > NACRE_OBJECT_MAX)
			return "object reply: size";
		output += result.output_size;
		data += result.data_size;
	}
	if (output != m->output_bytes)
		return "object reply: results do not fill the output";
	return data == data_bytes ? NULL : "object reply: results do not fill the data";
}

int nacre_validate_osd_reply(const struct nacre_osd_reply *reply, __u32 data_bytes,
			     const char **reason)
{
	*reason = check_reply(reply, data_bytes);
	return *reason ? -EBADMSG : 0;
}

/* ---- walking ------------------------------------------------------------------------------------ */

void nacre_osd_cursor(struct nacre_osd_cursor *cursor, const struct nacre_osd_request *request)
{
	cursor->request = request;
	cursor->index = 0;
	cursor->input_at = 0;
	cursor->data_at = 0;
}

int nacre_osd_next(struct nacre_osd_cursor *cursor, struct nacre_osd_step *step)
{
	const struct nacre_osd_request *m = cursor->request;
	const struct op_rule *rule;

	if (cursor->index >= m->ops_bytes / sizeof(struct nacre_osd_op_wire))
		return 0;
	if (nacre_array_at(nacre_osd_op_desc(), m->ops, cursor->index, &step->op))
		return 0;
	rule = find_rule(step->op.code);
	step->name = m->input + cursor->input_at;
	step->value = step->name + step->op.name_size;
	step->data_offset = cursor->data_at;
	cursor->input_at += step->op.name_size + step->op.value_size;
	if (rule && (rule->has & PUTS_DATA))
		cursor->data_at += (__u32)step->op.length;
	cursor->index++;
	return 1;
}

#define WRITES_CASE(number, name, writes, doc)						\
	case NACRE_OSD_OP_##name:							\
		return writes;

int nacre_osd_op_writes(__u16 code)
{
	switch (code) {
	NACRE_OSD_OPS(WRITES_CASE)
	}
	return 0;
}

int nacre_osd_request_writes(const struct nacre_osd_request *request)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;

	nacre_osd_cursor(&cursor, request);
	while (nacre_osd_next(&cursor, &step))
		if (nacre_osd_op_writes(step.op.code))
			return 1;
	return 0;
}
