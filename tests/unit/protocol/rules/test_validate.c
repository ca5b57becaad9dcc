// SPDX-License-Identifier: GPL-2.0
/* Validation: every message's sample is taken, and each of these changes to it is refused. */
#include "../cmocka_all.h"
#include "../samples.h"
#include "protocol/rules/names.h"

static __u64 body[NACRE_BODY_HOST_MAX / 8];
static int data_bytes;

static int refused(__u16 type)
{
	const char *reason = NULL;
	int err = nacre_validate(type, body, (__u32)data_bytes, &reason);

	assert_int_equal(!!err, reason != NULL);
	return err == -EBADMSG;
}

static void start(__u16 type)
{
	data_bytes = sample_body(type, body);
	assert_true(data_bytes >= 0);
	assert_false(refused(type));
}

/* m is the message's body in the change. */
#define REFUSED(TYPE, type, change)				\
	do {							\
		struct type *m = (struct type *)body;		\
		(void)m;					\
		start(NACRE_MSG_##TYPE);			\
		change;						\
		if (!refused(NACRE_MSG_##TYPE))			\
			fail_msg("%s is taken with %s", #TYPE, #change); \
	} while (0)
#define TAKEN(TYPE, type, change)				\
	do {							\
		struct type *m = (struct type *)body;		\
		(void)m;					\
		start(NACRE_MSG_##TYPE);			\
		change;						\
		if (refused(NACRE_MSG_##TYPE))			\
			fail_msg("%s is refused with %s", #TYPE, #change); \
	} while (0)

static void every_sample_is_taken(void **state)
{
	unsigned int i, count;
	const struct nacre_message *table = nacre_message_table(&count);
	const char *reason;

	for (i = 0; i < count; i++)
		start(table[i].type);
	assert_int_equal(nacre_validate(0, body, 0, &reason), -EBADMSG);
	assert_int_equal(nacre_validate(127, body, 0, &reason), -EBADMSG);
}

static void hello_and_sessions(void **state)
{
	REFUSED(HELLO, nacre_hello, m->role = 0);
	REFUSED(HELLO, nacre_hello, m->role = 5);
	REFUSED(HELLO, nacre_hello, m->id = 1);
	REFUSED(HELLO, nacre_hello, m->protocol = 0);
	REFUSED(HELLO, nacre_hello, m->required = ~0ull);
	REFUSED(HELLO, nacre_hello, m->name = (const __u8 *)"a\nb\nc\n");
	TAKEN(HELLO, nacre_hello, m->protocol = 99);		/* to be answered, not dropped */
	REFUSED(HELLO_REPLY, nacre_hello_reply, m->time_scale_percent = 0);
	REFUSED(HELLO_REPLY, nacre_hello_reply, m->role = NACRE_ROLE_CLIENT);
	TAKEN(HELLO_REPLY, nacre_hello_reply, (m->result = 5, m->time_scale_percent = 0));
	REFUSED(MAP_GET, nacre_map_get, m->flags = 2);
	REFUSED(MAP, nacre_map, m->epoch = 0);
	REFUSED(SESSION_OPEN, nacre_session_open, m->rank = NACRE_MAP_RANKS_MAX);
	REFUSED(SESSION_STATE, nacre_session_state, m->lease_ms = 0);
	REFUSED(SESSION_STATE, nacre_session_state, m->safe = m->applied + 1);
	REFUSED(SESSION_STATE, nacre_session_state, m->ino_first = 0);
	REFUSED(SESSION_STATE, nacre_session_state, m->ino_count = ~0ull);
	TAKEN(SESSION_STATE, nacre_session_state, (m->result = 1010, m->lease_ms = 0));
	REFUSED(SESSION_RENEW, nacre_session_renew, m->renew_seq = 0);
	REFUSED(SESSION_KILLED, nacre_session_killed, m->result = 0);
	REFUSED(SESSION_RECONNECT, nacre_session_reconnect, m->claims_bytes--);
	REFUSED(SESSION_RECONNECT, nacre_session_reconnect, ((__u8 *)m->claims)[0] = 0);
	REFUSED(SESSION_RECONNECT, nacre_session_reconnect, m->flags = 8);
}

static void filelocks(void **state)
{
	REFUSED(FILELOCK, nacre_filelock_req, m->ino = 0);
	REFUSED(FILELOCK, nacre_filelock_req, m->op = 0);
	REFUSED(FILELOCK, nacre_filelock_req, m->op = NACRE_FILELOCK_CANCEL + 1);
	REFUSED(FILELOCK, nacre_filelock_req, m->op = NACRE_FILELOCK_SET);	/* with a waiter */
	REFUSED(FILELOCK, nacre_filelock_req, m->waiter = 0);
	REFUSED(FILELOCK, nacre_filelock_req, m->lock_mode = NACRE_FILELOCK_UNLOCK);
	REFUSED(FILELOCK, nacre_filelock_req, m->kind = 4);
	REFUSED(FILELOCK, nacre_filelock_req, m->kind = NACRE_FILELOCK_FLOCK);	/* of a part */
	REFUSED(FILELOCK, nacre_filelock_req, m->last = m->start - 1);
	REFUSED(FILELOCK, nacre_filelock_req, m->last = NACRE_FILELOCK_END + 1);
	TAKEN(FILELOCK, nacre_filelock_req, (m->op = NACRE_FILELOCK_SET, m->waiter = 0,
					     m->lock_mode = NACRE_FILELOCK_UNLOCK));
	REFUSED(FILELOCK_GRANTED, nacre_filelock_granted, m->waiter = 0);
	REFUSED(SESSION_FILELOCKS, nacre_session_filelocks, m->instance = 13);
	REFUSED(SESSION_FILELOCKS, nacre_session_filelocks, m->locks_bytes--);
	REFUSED(SESSION_FILELOCKS, nacre_session_filelocks, m->locks_bytes = 0);
}

static void requests_and_replies(void **state)
{
	REFUSED(LOOKUP, nacre_lookup_req, m->parent = 0);
	REFUSED(LOOKUP, nacre_lookup_req, m->name = (const __u8 *)"a/b/c");
	REFUSED(LOOKUP, nacre_lookup_req, m->tid = 0);
	REFUSED(GETATTR, nacre_getattr_req, m->mask = 32);
	REFUSED(GETATTR, nacre_getattr_req, m->flags = 64);
	REFUSED(OPEN, nacre_open_req, m->flags = NACRE_REQUEST_REPORT);
	REFUSED(OPEN, nacre_open_req, m->flags = NACRE_REQUEST_OF_PARENT);
	REFUSED(OPEN, nacre_open_req, m->need = NACRE_CAP_FILE_WRITE);
	REFUSED(OPEN, nacre_open_req, m->open_flags = 4);
	REFUSED(READDIR, nacre_readdir_req, m->max_entries = 0);
	REFUSED(READDIR, nacre_readdir_req, m->after = NACRE_COOKIE_END + 1);
	REFUSED(SYNC, nacre_sync_req, m->wanted = 1u << 31);
	REFUSED(REPLY, nacre_reply, m->tid = 0);
	REFUSED(REPLY, nacre_reply, m->flags = 16);
	REFUSED(REPLY, nacre_reply, m->traces_bytes--);
	REFUSED(REPLY, nacre_reply, ((__u8 *)m->traces)[16] = NACRE_TRACE_GRANT);
	REFUSED(REPLY, nacre_reply, ((__u8 *)m->traces)[0 + 5] = 0);	/* ino 0 */
	REFUSED(SAFE, nacre_safe, m->safe = 0);
}

static void caps(void **state)
{
	REFUSED(CAP_GRANT, nacre_cap_grant, m->info_bytes = 0);
	REFUSED(CAP_GRANT, nacre_cap_grant, ((__u8 *)m->info)[16] = NACRE_TRACE_TARGET);
	REFUSED(CAP_REVOKE, nacre_cap_revoke, m->cap_seq = 0);
	REFUSED(CAP_REVOKE, nacre_cap_revoke, m->keep = 1u << 20);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->held = 1u << 20);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->dirty = 0);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->flush_id = 0);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->dirty = NACRE_GROUP_AUTH);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->update_flags |= NACRE_CAP_UPDATE_UNKNOWN);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->update_flags |= NACRE_CAP_UPDATE_WAITING);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->size = NACRE_FILE_MAX + 1);
	/* inline data: with its flag, its generation and a flush of FILE, and never behind the end */
	REFUSED(CAP_UPDATE, nacre_cap_update, m->update_flags = 0);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->update_flags |= NACRE_CAP_UPDATE_UNINLINED);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->update_flags = NACRE_CAP_UPDATE_UNINLINED);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->inline_gen = 0);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->dirty = NACRE_GROUP_XATTR);
	REFUSED(CAP_UPDATE, nacre_cap_update, m->size = m->data_bytes - 1);
	REFUSED(CAP_FLUSH_ACK, nacre_cap_flush_ack, m->flush_id = 0);
	REFUSED(SIZE_ASK, nacre_size_ask, m->ask_id = 0);
	REFUSED(SIZE_ASK, nacre_size_ask, m->cap_id = 0);
	REFUSED(SIZE_REPORT, nacre_size_report, m->ask_id = 0);
	REFUSED(SIZE_REPORT, nacre_size_report, m->report_flags = 4);
	REFUSED(SIZE_REPORT, nacre_size_report, m->report_flags = NACRE_SIZE_REPORT_CLEAN);	/* and values */
	REFUSED(SIZE_REPORT, nacre_size_report, m->report_flags = NACRE_SIZE_REPORT_NONE);	/* and values */
	REFUSED(SIZE_REPORT, nacre_size_report, m->size = NACRE_FILE_MAX + 1);
	REFUSED(CAP_UPDATES, nacre_cap_updates, m->updates_bytes = 0);
	REFUSED(CAP_UPDATES, nacre_cap_updates, m->updates_bytes /= 2);	/* one alone */
	REFUSED(CAP_UPDATES, nacre_cap_updates, m->updates_bytes--);
	REFUSED(CAP_UPDATES, nacre_cap_updates, memset((__u8 *)m->updates, 0, 8));	/* of inode 0 */
	REFUSED(CAP_REVOKES, nacre_cap_revokes, m->revokes_bytes = 0);
	REFUSED(CAP_REVOKES, nacre_cap_revokes, m->revokes_bytes /= 2);		/* one alone */
	REFUSED(CAP_REVOKES, nacre_cap_revokes, m->revokes_bytes--);
	REFUSED(CAP_REVOKES, nacre_cap_revokes, memset((__u8 *)m->revokes, 0, 8));	/* of inode 0 */
	REFUSED(CAP_RELEASE, nacre_cap_release, m->caps_bytes = 0);
	REFUSED(CAP_RELEASE, nacre_cap_release, m->caps_bytes--);
}

static void info_pieces(void **state)
{
	struct nacre_inode_info good = { .ino = 5, .role = NACRE_TRACE_TARGET, .mode = 0120777 }, i;
	const char *reason;
	__u32 roles = 1u << NACRE_TRACE_TARGET;

	assert_int_equal(nacre_validate_info(&good, roles, &reason), 0);
	assert_int_equal(nacre_validate_info(&good, roles << 1, &reason), -EBADMSG);
	i = good;
	i.issued = NACRE_CAP_PIN;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i.cap_id = i.cap_seq = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i = good;
	i.object_bytes = 5000;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i = good;
	i.data = (const __u8 *)"x";
	i.data_bytes = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i = good;
	i.symlink = (const __u8 *)"a\0";
	i.symlink_bytes = 2;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i.symlink_bytes = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i.info_flags = NACRE_INFO_HAS_XATTRS | NACRE_INFO_NO_XATTRS;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i = good;
	i.inline_gen = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i.mode = 0100600;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i.cap_id = i.cap_seq = 1;
	i.issued = NACRE_CAP_PIN | NACRE_CAP_FILE_SHARED;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i.issued |= NACRE_CAP_FILE_READ;	/* INLINE-5 */
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i.info_flags = NACRE_INFO_HAS_DATA;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i.data = (const __u8 *)"x";
	i.data_bytes = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), -EBADMSG);
	i.size = 1;
	assert_int_equal(nacre_validate_info(&i, roles, &reason), 0);
	i = good;
	i.role = 200;
	assert_int_equal(nacre_validate_info(&i, ~0u, &reason), -EBADMSG);
}

static size_t put_dirent(__u8 *at, __u64 cookie, const char *name)
{
	struct nacre_dirent d = { .ino = 9, .cookie = cookie, .mode = 0100000,
				  .name = (const __u8 *)name, .name_bytes = (__u32)strlen(name) };
	struct nacre_writer w = nacre_writer(at, 200);

	assert_int_equal(nacre_encode(nacre_dirent_desc(), &w, &d), 0);
	return nacre_writer_bytes(&w);
}

static int listing(__u64 cookie1, const char *name1, __u64 cookie2, const char *name2)
{
	__u8 bytes[400];
	size_t n = put_dirent(bytes, cookie1, name1);
	const char *reason;

	n += put_dirent(bytes + n, cookie2, name2);
	return nacre_validate_dirents(bytes, (__u32)n, &reason);
}

static void listings(void **state)
{
	assert_int_equal(listing(5, "a", 6, "b"), 0);
	assert_int_equal(listing(5, "a", 5, "b"), 0);
	assert_int_equal(listing(5, "b", 5, "a"), -EBADMSG);
	assert_int_equal(listing(6, "a", 5, "b"), -EBADMSG);
	assert_int_equal(listing(5, "a", 5, "a"), -EBADMSG);
	assert_int_equal(listing(2, "a", 5, "a"), -EBADMSG);
	assert_int_equal(listing(5, "a", 6, ".."), -EBADMSG);
}

/* One operation on one object, with its sums right. */
static struct nacre_osd_request one_op(struct nacre_osd_op op)
{
	static __u8 ops[32], input[NACRE_KEY_MAX + 200];
	struct nacre_osd_request r = { .tid = 1, .instance = 5, .map_epoch = 1, .ino = 1,
				       .snap = NACRE_SNAP_HEAD, .ops = ops, .ops_bytes = 32,
				       .input = input };
	struct nacre_writer w = nacre_writer(ops, sizeof(ops));

	assert_int_equal(nacre_encode(nacre_osd_op_desc(), &w, &op), 0);
	r.input_bytes = op.name_size + op.value_size;
	return r;
}

static int osd_op(struct nacre_osd_op op, __u32 payload)
{
	struct nacre_osd_request r = one_op(op);
	const char *reason = NULL;

	return nacre_validate_osd_request(&r, payload, &reason);
}
#define OP(op_code, ...) ((struct nacre_osd_op){ .code = NACRE_OSD_OP_##op_code, ##__VA_ARGS__ })

static void osd_operations(void **state)
{
	assert_int_equal(osd_op(OP(READ, .length = 4096), 0), 0);
	assert_int_equal(osd_op(OP(READ), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(READ, .length = NACRE_DATA_MAX + 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(READ, .offset = ~0ull, .length = 2), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(WRITE, .offset = 5, .length = 10), 10), 0);
	assert_int_equal(osd_op(OP(WRITE, .offset = 5, .length = 10), 9), -EBADMSG);
	assert_int_equal(osd_op(OP(WRITE, .offset = NACRE_OBJECT_MAX, .length = 1), 1), -EBADMSG);
	assert_int_equal(osd_op(OP(WRITE, .offset = ~0ull - 4, .length = 10), 10), -EBADMSG);
	assert_int_equal(osd_op(OP(WRITE_FULL), 0), 0);
	assert_int_equal(osd_op(OP(STAT), 0), 0);
	assert_int_equal(osd_op(OP(STAT, .length = 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(STAT, .name_size = 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(STAT, .op_flags = 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(CREATE, .op_flags = NACRE_OSD_OPF_EXCL), 0), 0);
	assert_int_equal(osd_op(OP(CREATE, .op_flags = NACRE_OSD_OPF_QUIET), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(SETXATTR, .name_size = 3), 0), 0);
	assert_int_equal(osd_op(OP(SETXATTR, .value_size = 3), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(SETXATTR, .name_size = 256), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(KV_SET, .name_size = 256, .value_size = 3), 0), 0);
	assert_int_equal(osd_op(OP(KV_SET, .name_size = NACRE_KEY_MAX + 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(KV_LIST, .length = 5, .offset = 100), 0), 0);
	assert_int_equal(osd_op(OP(KV_LIST, .length = 5), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(OBJECTS, .offset = ~0ull - 5, .length = 5), 0), 0);
	assert_int_equal(osd_op(OP(OBJECTS, .offset = ~0ull - 5, .length = 6), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(OBJECTS, .length = 5, .value_size = 32), 0), 0);
	assert_int_equal(osd_op(OP(OBJECTS, .length = 5, .value_size = 31), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(OBJECTS), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(CLONE, .value_size = 32), 0), 0);
	assert_int_equal(osd_op(OP(CLONE, .value_size = 31), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(IF_NOXATTR, .name_size = 4, .length = 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(TRUNCATE, .offset = NACRE_OBJECT_MAX), 0), 0);
	assert_int_equal(osd_op(OP(TRUNCATE, .offset = NACRE_OBJECT_MAX + 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(SEEK, .op_flags = NACRE_OSD_OPF_HOLE, .length = NACRE_OBJECT_MAX), 0), 0);
	assert_int_equal(osd_op(OP(SEEK, .op_flags = NACRE_OSD_OPF_ZERO, .length = 1), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(SEEK), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(ALLOCATE, .op_flags = NACRE_OSD_OPF_ZERO, .length = NACRE_OBJECT_MAX), 0), 0);
	assert_int_equal(osd_op(OP(ALLOCATE, .offset = 1, .length = NACRE_OBJECT_MAX), 0), -EBADMSG);
	assert_int_equal(osd_op(OP(ALLOCATE, .op_flags = NACRE_OSD_OPF_HOLE, .length = 1), 0), -EBADMSG);
	assert_int_equal(osd_op((struct nacre_osd_op){ .code = 13 }, 0), -EBADMSG);
	assert_int_equal(osd_op((struct nacre_osd_op){ .code = 0 }, 0), -EBADMSG);
}

static void osd_requests(void **state)
{
	REFUSED(OSD_REQUEST, nacre_osd_request, m->tid = 0);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->instance = 0);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->map_epoch = 0);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->ops_bytes -= 96);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->ops_bytes = 0);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->ops_bytes--);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->input_bytes--);
	REFUSED(OSD_REQUEST, nacre_osd_request, data_bytes++);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->snap = 0);
	TAKEN(OSD_REQUEST, nacre_osd_request, m->snap = 5);	/* what may not be done with it is answered: EROFS */
	REFUSED(OSD_REQUEST, nacre_osd_request, m->pool = NACRE_MAP_POOLS_MAX);
	REFUSED(OSD_REQUEST, nacre_osd_request, m->flags = 2);
	REFUSED(OSD_REPLY, nacre_osd_reply, m->output_bytes++);
	REFUSED(OSD_REPLY, nacre_osd_reply, data_bytes--);
	REFUSED(OSD_REPLY, nacre_osd_reply, m->failed_op = 1);
	TAKEN(OSD_REPLY, nacre_osd_reply, (m->failed_op = 1, m->result = 1007));
	REFUSED(OSD_STATFS_REPLY, nacre_osd_statfs, m->bytes_free = 1000);
}

static void osd_steps_find_their_inputs(void **state)
{
	struct nacre_osd_request *m = (struct nacre_osd_request *)body;
	struct nacre_osd_cursor cursor;
	struct nacre_osd_step step;
	int ops = 0;

	start(NACRE_MSG_OSD_REQUEST);
	nacre_osd_cursor(&cursor, m);
	while (nacre_osd_next(&cursor, &step)) {
		if (step.op.code == NACRE_OSD_OP_SETXATTR) {
			assert_memory_equal(step.name, "mark", 4);
			assert_memory_equal(step.value, "12345678", 8);
		}
		if (step.op.code == NACRE_OSD_OP_WRITE)
			assert_int_equal(step.data_offset, 100);
		if (step.op.code == NACRE_OSD_OP_KV_SET)
			assert_memory_equal(step.name, "keyva", 5);
		ops++;
	}
	assert_int_equal(ops, 7);
	assert_true(nacre_osd_request_writes(m));
	assert_false(nacre_osd_op_writes(NACRE_OSD_OP_KV_LIST));
	assert_true(nacre_osd_op_writes(NACRE_OSD_OP_KV_CLEAR));
}

static void replicas(void **state)
{
	REFUSED(REP_APPLY, nacre_rep_apply, m->interval = 0);
	REFUSED(REP_APPLY, nacre_rep_apply, m->number = 9);
	REFUSED(REP_APPLY, nacre_rep_apply, m->committed = 9);
	REFUSED(REP_APPLY, nacre_rep_apply, m->pg = 6);
	REFUSED(REP_APPLY, nacre_rep_apply, m->transaction_bytes--);
	REFUSED(REP_APPLY, nacre_rep_apply, m->entry_bytes--);
	REFUSED(REP_APPLY, nacre_rep_apply, data_bytes--);
	REFUSED(REP_QUERY, nacre_rep_query, m->flags = 2);
	REFUSED(REP_INFO, nacre_rep_info, m->last = 5);
	REFUSED(REP_INFO, nacre_rep_info, m->first = 6);
	REFUSED(REP_INFO, nacre_rep_info, m->entries_bytes--);
	REFUSED(REP_FETCH, nacre_rep_fetch, m->first = 3);
	REFUSED(REP_LIST, nacre_rep_list, m->count = 0);
	REFUSED(REP_LISTED, nacre_rep_listed, ((__u8 *)m->objects)[40 + 8] = 0);
	REFUSED(REP_OBJECT, nacre_rep_object, m->size = 199);
	REFUSED(REP_OBJECT, nacre_rep_object, m->flags |= NACRE_REP_OBJECT_ABSENT);
	REFUSED(REP_OBJECT, nacre_rep_object, m->part = 0);
	REFUSED(REP_LOG, nacre_rep_log, m->last = 7);
	REFUSED(REP_UNSTABLE, nacre_rep_unstable, m->ranges_bytes = 0);
	REFUSED(REP_UNSTABLE, nacre_rep_unstable, ((__u8 *)m->ranges)[31] = 0x80);
}

static void open_body_is_decode_and_validate(void **state)
{
	static __u8 bytes[4096];
	__u64 out[NACRE_BODY_HOST_MAX / 8];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));
	const struct nacre_message *row = nacre_message_find(NACRE_MSG_LOOKUP);
	const char *reason;

	start(NACRE_MSG_LOOKUP);
	assert_int_equal(nacre_encode(row->body(), &w, body), 0);
	assert_int_equal(nacre_open_body(row, bytes, nacre_writer_bytes(&w), 0, out, &reason), 0);
	assert_int_equal(nacre_open_body(row, bytes, nacre_writer_bytes(&w) - 1, 0, out, &reason),
			 -EBADMSG);
	bytes[0] = 0;
	assert_int_equal(nacre_open_body(row, bytes, nacre_writer_bytes(&w), 0, out, &reason),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_is_taken), cmocka_unit_test(hello_and_sessions),
		cmocka_unit_test(requests_and_replies), cmocka_unit_test(filelocks), cmocka_unit_test(caps),
		cmocka_unit_test(info_pieces), cmocka_unit_test(listings),
		cmocka_unit_test(osd_operations), cmocka_unit_test(osd_requests),
		cmocka_unit_test(osd_steps_find_their_inputs), cmocka_unit_test(replicas),
		cmocka_unit_test(open_body_is_decode_and_validate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
