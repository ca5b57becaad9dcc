// SPDX-License-Identifier: GPL-2.0
/* See samples.h. */
#include <assert.h>
#include <string.h>
#include "samples.h"
#include "protocol/rules/record.h"

#define ARENA_BYTES 65536
static __u8 arena[ARENA_BYTES];
static size_t arena_used;

/* Encode a struct behind what is there; returns where it begins. */
static const __u8 *put(const struct nacre_struct *desc, const void *host)
{
	struct nacre_writer w = nacre_writer(arena + arena_used, ARENA_BYTES - arena_used);
	const __u8 *at = w.at;
	int err = nacre_encode(desc, &w, host);

	assert(!err);
	arena_used += nacre_writer_bytes(&w);
	return at;
}

static __u32 bytes_since(const __u8 *at)
{
	return (__u32)(arena + arena_used - at);
}

#define TEXT(string) .name = (const __u8 *)(string), .name_bytes = sizeof(string) - 1

/* ---- the map ------------------------------------------------------------------------------------ */

#define MAP_PGS 8

static void put_pools(struct nacre_map *map)
{
	struct nacre_map_pool pool = { .pg_count = MAP_PGS, .replicas = 2, .min_size = 1,
				       .object_bytes = 4u << 20 };

	map->pools = put(nacre_map_pool_desc(), &pool);
	pool.id = NACRE_POOL_DATA;
	pool.pg_first = MAP_PGS;
	put(nacre_map_pool_desc(), &pool);
	map->pools_bytes = bytes_since(map->pools);
}

static void put_osds(struct nacre_map *map)
{
	struct nacre_map_osd osd = { .flags = NACRE_OSD_UP | NACRE_OSD_IN, .weight = 0x10000,
				     .address_lo = 0xffff7f000001 };

	map->osds = arena + arena_used;
	for (osd.id = 0; osd.id < 3; osd.id++) {
		osd.instance = 2 + osd.id;
		osd.port = (__u16)(7300 + osd.id);
		osd.domain = osd.id;
		put(nacre_map_osd_desc(), &osd);
	}
	map->osds_bytes = bytes_since(map->osds);
}

static void put_groups(struct nacre_map *map)
{
	struct nacre_map_pg pg = { .interval = 3, .in_sync = 3, .osd2 = NACRE_OSD_NONE,
				   .osd3 = NACRE_OSD_NONE };
	int i;

	map->placement = arena + arena_used;
	for (i = 0; i < 2 * MAP_PGS; i++) {
		pg.osd0 = (__u16)(i % 3);
		pg.osd1 = (__u16)((i + 1) % 3);
		put(nacre_map_pg_desc(), &pg);
	}
	map->placement_bytes = bytes_since(map->placement);
}

void sample_map(struct nacre_map *map)
{
	struct nacre_map_rank rank = { .instance = 1, .address_lo = 0xffff7f000001, .port = 7270,
				       .state = NACRE_RANK_ACTIVE, .incarnation = 1 };
	struct nacre_map_subtree subtree = { .ino = NACRE_INO_ROOT };
	struct nacre_map_dead dead = { .first = 6, .count = 2 };

	arena_used = 0;
	memset(map, 0, sizeof(*map));
	map->epoch = 7;
	map->fsid_lo = 0x1122;
	map->fsid_hi = 0x3344;
	map->features = NACRE_FEATURE_BASE;
	map->next_instance = 20;
	map->fence_epoch = 6;
	put_pools(map);
	put_osds(map);
	put_groups(map);
	map->ranks = put(nacre_map_rank_desc(), &rank);
	map->ranks_bytes = bytes_since(map->ranks);
	map->subtrees = put(nacre_map_subtree_desc(), &subtree);
	map->subtrees_bytes = bytes_since(map->subtrees);
	map->dead = put(nacre_map_dead_desc(), &dead);
	dead.first = 11;
	dead.count = 1;
	put(nacre_map_dead_desc(), &dead);
	map->dead_bytes = bytes_since(map->dead);
}

/* ---- pieces ------------------------------------------------------------------------------------- */

static const __u8 *put_xattrs(__u32 *bytes)
{
	struct nacre_xattr x = { TEXT("user.a"), .value = (const __u8 *)"1", .value_bytes = 1 };
	const __u8 *at = put(nacre_xattr_desc(), &x);

	x.name = (const __u8 *)"user.b";
	put(nacre_xattr_desc(), &x);
	*bytes = bytes_since(at);
	return at;
}

static const __u8 *put_info(__u8 role, __u32 *bytes)
{
	struct nacre_inode_info info = {
		.ino = 1ull << 40, .version = 3, .role = role, .pool = NACRE_POOL_DATA,
		.valid = NACRE_GROUPS_ALL, .mode = 0100644, .uid = 1000, .gid = 1000, .nlink = 1,
		.object_bytes = 4u << 20, .size = 5, .max_size = 64u << 20, .mtime = 12345,
		.cap_id = 9, .cap_gen = 1, .cap_seq = 1, .issued = NACRE_CAPS_ALL_SHARED,
		.inline_gen = 1, .data = (const __u8 *)"hello", .data_bytes = 5,
		.info_flags = NACRE_INFO_HAS_XATTRS | NACRE_INFO_HAS_DATA,
	};
	const __u8 *at;

	info.xattrs = put_xattrs(&info.xattrs_bytes);
	at = put(nacre_inode_info_desc(), &info);
	*bytes = bytes_since(at);
	return at;
}

static const __u8 *put_entry(__u64 number, __u32 *bytes)
{
	struct nacre_rep_entry entry = { .number = number, .interval = 3, .instance = 5, .tid = 4,
					 .ino = 1, .snap = NACRE_SNAP_HEAD, .op_count = 2 };
	const __u8 *at = put(nacre_rep_entry_desc(), &entry);

	*bytes = bytes_since(at);
	return at;
}

/* ---- messages ----------------------------------------------------------------------------------- */

#define HEAD .tid = 10, .oldest_tid = 9, .wanted = NACRE_CAPS_ALL_SHARED

static void record_request(__u16 type, struct nacre_record_req *m)
{
	const struct nacre_record_rule *rule = nacre_record_rule(nacre_record_kind_of(type));
	struct nacre_record_req r = { HEAD, .kind = rule->kind, .ctime = 77 };
	__u32 types = rule->file_types;

	if (rule->must & NACRE_PART_PARENT)
		r.parent = NACRE_INO_ROOT;
	if (rule->must & NACRE_PART_NAME) {
		r.name = (const __u8 *)"user.name";
		r.name_bytes = 9;
	}
	if ((rule->must | rule->may) & NACRE_PART_INO)
		r.ino = 1ull << 40;
	if (rule->must & NACRE_PART_SECOND) {
		r.parent2 = NACRE_INO_ROOT;
		r.name2 = (const __u8 *)"second";
		r.name2_bytes = 6;
	}
	if (rule->must & NACRE_PART_ATTRS) {
		r.set_mask = NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_MTIME;
		r.mode = 0644 | (types ? (__u32)__builtin_ctz(types) << 12 : 0);
		r.uid = 1000;
		r.mtime = 55;
	}
	if ((rule->must | rule->may) & NACRE_PART_VALUE) {
		r.value = (const __u8 *)"../target";
		r.value_bytes = 9;
	}
	if (rule->may & NACRE_PART_XATTRS)
		r.xattrs = put_xattrs(&r.xattrs_bytes);
	*m = r;
}

static void reply(struct nacre_reply *m)
{
	struct nacre_reply r = { .tid = 10, .applied = 5, .safe = 4, .flags = NACRE_REPLY_SAFE };

	r.traces = put_info(NACRE_TRACE_TARGET, &r.traces_bytes);
	*m = r;
}

/* A compound request with every shape of operation: names, values, data, conditions. */
static int osd_request(struct nacre_osd_request *m)
{
	static const struct nacre_osd_op ops[] = {
		{ .code = NACRE_OSD_OP_IF_NOXATTR, .name_size = 4, .length = 2 },
		{ .code = NACRE_OSD_OP_WRITE_FULL, .length = 100 },
		{ .code = NACRE_OSD_OP_SETXATTR, .name_size = 4, .value_size = 8 },
		{ .code = NACRE_OSD_OP_WRITE, .offset = 4096, .length = 512 },
		{ .code = NACRE_OSD_OP_KV_SET, .name_size = 3, .value_size = 2 },
		{ .code = NACRE_OSD_OP_READ, .offset = 0, .length = 4096 },
		{ .code = NACRE_OSD_OP_KV_LIST, .offset = 4096, .length = 10,
		  .op_flags = NACRE_OSD_OPF_NAMES },
	};
	struct nacre_osd_request r = { .tid = 3, .oldest_tid = 2, .instance = 12, .map_epoch = 7,
				       .conn_gen = 1, .pg = 5, .ino = 1ull << 40,
				       .snap = NACRE_SNAP_HEAD, .pool = NACRE_POOL_DATA };
	unsigned int i;

	r.ops = arena + arena_used;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		put(nacre_osd_op_desc(), &ops[i]);
	r.ops_bytes = bytes_since(r.ops);
	r.input = (const __u8 *)"markmark12345678keyva";
	r.input_bytes = 4 + 4 + 8 + 3 + 2;
	*m = r;
	return 612;
}

static int osd_reply(struct nacre_osd_reply *m)
{
	struct nacre_osd_result result = { .data_size = 30, .size = 4608 };
	struct nacre_osd_reply r = { .tid = 3, .version = 9, .map_epoch = 7 };

	r.results = put(nacre_osd_result_desc(), &result);
	result.data_size = 0;
	result.output_size = 3;
	put(nacre_osd_result_desc(), &result);
	r.results_bytes = bytes_since(r.results);
	r.output = (const __u8 *)"abc";
	r.output_bytes = 3;
	*m = r;
	return 30;
}

static int rep_apply(struct nacre_rep_apply *m)
{
	struct nacre_osd_request request;
	struct nacre_rep_apply r = { .pool = NACRE_POOL_DATA, .pg = 5, .interval = 3, .number = 8,
				     .committed = 7 };
	int data_bytes = osd_request(&request);

	r.transaction = put(nacre_osd_request_desc(), &request);
	r.transaction_bytes = bytes_since(r.transaction);
	r.entry = put_entry(8, &r.entry_bytes);
	*m = r;
	return data_bytes;
}

static void rep_listed(struct nacre_rep_listed *m)
{
	struct nacre_rep_listed_object o = { .ino = 1, .snap = NACRE_SNAP_HEAD, .version = 2 };
	struct nacre_rep_listed r = { .pg = 5, .interval = 3 };

	r.objects = put(nacre_rep_listed_object_desc(), &o);
	o.index = 1;
	put(nacre_rep_listed_object_desc(), &o);
	r.objects_bytes = bytes_since(r.objects);
	*m = r;
}

static void rep_unstable(struct nacre_rep_unstable *m)
{
	struct nacre_rep_range range = { .ino = 1, .snap = NACRE_SNAP_HEAD, .offset = 4096, .length = 8192 };
	struct nacre_rep_unstable r = { .pg = 5, .interval = 3 };

	r.ranges = put(nacre_rep_range_desc(), &range);
	r.ranges_bytes = bytes_since(r.ranges);
	*m = r;
}

static int rep_object(struct nacre_rep_object *m)
{
	struct nacre_key_value kv = { .key = (const __u8 *)"k", .key_bytes = 1,
				      .value = (const __u8 *)"v", .value_bytes = 1 };
	struct nacre_rep_object r = { .pg = 5, .interval = 3, .part = 1, .ino = 1, .index = 2,
				      .snap = NACRE_SNAP_HEAD, .size = 200, .offset = 100,
				      .flags = NACRE_REP_OBJECT_FIRST };

	r.attributes = put(nacre_key_value_desc(), &kv);
	r.attributes_bytes = bytes_since(r.attributes);
	r.keys = put(nacre_key_value_desc(), &kv);
	r.keys_bytes = bytes_since(r.keys);
	*m = r;
	return 100;
}

static int rep_scrubbed(struct nacre_rep_scrubbed *m)
{
	struct nacre_osd_extent bad = { .offset = 4096, .length = 8192 };
	struct nacre_rep_scrubbed r = { .pg = 5, .interval = 3, .tid = 6, .version = 8, .version_interval = 3,
					.size = 16384, .head = 1, .keys = 2, .data = 3, .bytes = 16384 };

	r.bad = put(nacre_osd_extent_desc(), &bad);
	r.bad_bytes = bytes_since(r.bad);
	*m = r;
	return 0;
}

static void rep_info(struct nacre_rep_info *m)
{
	struct nacre_rep_info r = { .pg = 5, .interval = 3, .first = 4, .last = 9, .committed = 8 };
	__u32 one;

	r.entries = put_entry(5, &one);
	put_entry(6, &one);
	r.entries_bytes = bytes_since(r.entries);
	*m = r;
}

static void rep_log(struct nacre_rep_log *m)
{
	struct nacre_rep_log r = { .pg = 5, .interval = 3, .last = 9, .committed = 8,
				   .flags = NACRE_REP_LOG_FIRST };

	r.entries = put_entry(8, &r.entries_bytes);
	*m = r;
}

static void cap_update(struct nacre_cap_update *m)
{
	struct nacre_cap_update r = {
		.ino = 1ull << 40, .cap_id = 9, .cap_gen = 1, .cap_seq = 2,
		.held = NACRE_CAPS_ALL_SHARED, .wanted = NACRE_WANT_READ,
		.dirty = NACRE_GROUP_AUTH | NACRE_GROUP_XATTR | NACRE_GROUP_FILE, .flush_id = 4,
		.oldest_flush = 3, .mode = 0100600, .size = 5, .inline_gen = 1,
		.update_flags = NACRE_CAP_UPDATE_ANSWER | NACRE_CAP_UPDATE_HAS_DATA,
		.data = (const __u8 *)"hello", .data_bytes = 5,
	};

	r.xattrs = put_xattrs(&r.xattrs_bytes);
	*m = r;
}

static void cap_updates(struct nacre_cap_updates *m)
{
	struct nacre_cap_update update = { .ino = 5, .cap_id = 9, .cap_gen = 1, .cap_seq = 2,
					   .held = NACRE_CAPS_ALL_SHARED, .dirty = NACRE_GROUP_AUTH,
					   .flush_id = 4, .oldest_flush = 3, .mode = 0100600 };

	memset(m, 0, sizeof(*m));
	m->updates = put(nacre_cap_update_desc(), &update);
	update.ino++;
	update.cap_id++;
	update.flush_id++;
	put(nacre_cap_update_desc(), &update);
	m->updates_bytes = bytes_since(m->updates);
}

static void cap_revokes(struct nacre_cap_revokes *m)
{
	struct nacre_cap_revoke revoke = { .ino = 5, .cap_id = 9, .cap_gen = 1, .cap_seq = 3 };

	memset(m, 0, sizeof(*m));
	m->revokes = put(nacre_cap_revoke_desc(), &revoke);
	revoke.ino++;
	revoke.cap_id++;
	revoke.keep = NACRE_CAP_PIN;
	put(nacre_cap_revoke_desc(), &revoke);
	m->revokes_bytes = bytes_since(m->revokes);
}

static void session_reconnect(struct nacre_session_reconnect *m)
{
	struct nacre_cap_claim claim = { .ino = 1, .cap_id = 2, .held = NACRE_CAPS_ALL_SHARED };
	struct nacre_session_reconnect r = { .instance = 12, .flags = NACRE_RECONNECT_MORE };

	r.claims = put(nacre_cap_claim_desc(), &claim);
	put(nacre_cap_claim_desc(), &claim);
	r.claims_bytes = bytes_since(r.claims);
	*m = r;
}

static void session_filelocks(struct nacre_session_filelocks *m)
{
	struct nacre_filelock lock = { .ino = 1ull << 40, .owner = 77, .instance = 12, .start = 10,
				       .last = 19, .pid = 4711, .kind = NACRE_FILELOCK_POSIX,
				       .lock_mode = NACRE_FILELOCK_WRITE };
	struct nacre_session_filelocks r = { .instance = 12 };

	r.locks = put(nacre_filelock_desc(), &lock);
	lock.kind = NACRE_FILELOCK_FLOCK;
	lock.start = 0;
	lock.last = NACRE_FILELOCK_END;
	put(nacre_filelock_desc(), &lock);
	r.locks_bytes = bytes_since(r.locks);
	*m = r;
}

static void cap_release(struct nacre_cap_release *m)
{
	struct nacre_cap_ref ref = { .ino = 1, .cap_id = 2, .cap_gen = 1, .cap_seq = 3 };

	memset(m, 0, sizeof(*m));
	m->caps = put(nacre_cap_ref_desc(), &ref);
	m->caps_bytes = bytes_since(m->caps);
}

static void cap_grant(struct nacre_cap_grant *m)
{
	memset(m, 0, sizeof(*m));
	m->info = put_info(NACRE_TRACE_GRANT, &m->info_bytes);
}

#define SET(type, ...) (*(struct type *)body = (struct type){ __VA_ARGS__ }, 0)
#define PG .pool = NACRE_POOL_DATA, .pg = 5, .interval = 3

static int session_body(__u16 type, void *body)
{
	switch (type) {
	case NACRE_MSG_HELLO:
		return SET(nacre_hello, .protocol = 1, .role = NACRE_ROLE_CLIENT,
			   .features = NACRE_FEATURES_SUPPORTED,
			   .required = NACRE_FEATURES_REQUIRED, .instance = 12, TEXT("host a"));
	case NACRE_MSG_HELLO_REPLY:
		return SET(nacre_hello_reply, .protocol = 1, .features = NACRE_FEATURES_SUPPORTED,
			   .instance = 1, .time_scale_percent = 100, .role = NACRE_ROLE_MDS);
	case NACRE_MSG_MAP_GET:
		return SET(nacre_map_get, .have_epoch = 3, .flags = NACRE_MAP_SUBSCRIBE);
	case NACRE_MSG_MAP:
		sample_map(body);
		return 0;
	case NACRE_MSG_SESSION_OPEN:
		return SET(nacre_session_open, .instance = 12);
	case NACRE_MSG_SESSION_STATE:
		return SET(nacre_session_state, .lease_ms = 30000, .instance = 12, .incarnation = 1,
			   .applied = 5, .safe = 5, .ino_first = 1ull << 40, .ino_count = 1000);
	case NACRE_MSG_SESSION_RENEW:
		return SET(nacre_session_renew, .renew_seq = 1, .inos_left = 10);
	case NACRE_MSG_SESSION_CLOSE:
		return SET(nacre_session_close, .instance = 12);
	case NACRE_MSG_SESSION_KILLED:
		return SET(nacre_session_killed, .instance = 12, .result = 1018,
			   .text = (const __u8 *)"gone", .text_bytes = 4);
	case NACRE_MSG_SESSION_RECONNECT:
		session_reconnect(body);
		return 0;
	case NACRE_MSG_SESSION_RECONNECT_DONE:
		return SET(nacre_session_reconnect_done, .instance = 12);
	case NACRE_MSG_SESSION_FILELOCKS:
		session_filelocks(body);
		return 0;
	default:
		return -1;
	}
}

static int mds_body(__u16 type, void *body)
{
	switch (type) {
	case NACRE_MSG_LOOKUP:
		return SET(nacre_lookup_req, HEAD, .parent = 1, TEXT("entry"));
	case NACRE_MSG_GETATTR:
		return SET(nacre_getattr_req, HEAD, .ino = 1, .mask = NACRE_GROUPS_ALL);
	case NACRE_MSG_OPEN:
		return SET(nacre_open_req, HEAD, .ino = 1, .need = NACRE_CAP_PIN,
			   .open_flags = NACRE_OPEN_READ);
	case NACRE_MSG_READDIR:
		return SET(nacre_readdir_req, HEAD, .ino = 1, .max_entries = 100,
			   .max_bytes = 65536);
	case NACRE_MSG_STATFS:
		return SET(nacre_statfs_req, HEAD);
	case NACRE_MSG_QUOTA:
		return SET(nacre_quota_req, HEAD, .ino = 1);
	case NACRE_MSG_SYNC:
		return SET(nacre_sync_req, HEAD, .upto = 7);
	case NACRE_MSG_FILELOCK:
		return SET(nacre_filelock_req, HEAD, .ino = 1, .owner = 77, .start = 10, .last = 19,
			   .waiter = 5, .pid = 4711, .kind = NACRE_FILELOCK_POSIX,
			   .lock_mode = NACRE_FILELOCK_WRITE, .op = NACRE_FILELOCK_WAIT);
	case NACRE_MSG_FILELOCK_GRANTED:
		return SET(nacre_filelock_granted, .ino = 1, .waiter = 5);
	case NACRE_MSG_REPLY:
		reply(body);
		return 0;
	case NACRE_MSG_SAFE:
		return SET(nacre_safe, .safe = 3);
	case NACRE_MSG_CAP_GRANT:
		cap_grant(body);
		return 0;
	case NACRE_MSG_CAP_REVOKE:
		return SET(nacre_cap_revoke, .ino = 1, .cap_id = 2, .cap_gen = 1, .cap_seq = 3,
			   .keep = NACRE_CAP_PIN);
	case NACRE_MSG_CAP_UPDATE:
		cap_update(body);
		return 0;
	case NACRE_MSG_CAP_FLUSH_ACK:
		return SET(nacre_cap_flush_ack, .ino = 1, .flush_id = 4,
			   .flags = NACRE_FLUSH_ACK_SAFE);
	case NACRE_MSG_CAP_UPDATES:
		cap_updates(body);
		return 0;
	case NACRE_MSG_CAP_REVOKES:
		cap_revokes(body);
		return 0;
	case NACRE_MSG_CAP_RELEASE:
		cap_release(body);
		return 0;
	case NACRE_MSG_SIZE_ASK:
		return SET(nacre_size_ask, .ino = 1, .cap_id = 2, .ask_id = 9, .cap_gen = 1);
	case NACRE_MSG_SIZE_REPORT:
		return SET(nacre_size_report, .ino = 1, .cap_id = 2, .ask_id = 9, .cap_gen = 1, .truncate_seq = 3,
			   .size = 4097, .written = 8192, .atime = 5, .mtime = 7, .ctime = 8);
	default:
		return -1;
	}
}

static int osd_body(__u16 type, void *body)
{
	switch (type) {
	case NACRE_MSG_OSD_REQUEST:
		return osd_request(body);
	case NACRE_MSG_OSD_REPLY:
		return osd_reply(body);
	case NACRE_MSG_OSD_STATFS:
		return SET(nacre_osd_statfs_req, .tid = 1);
	case NACRE_MSG_OSD_STATFS_REPLY:
		return SET(nacre_osd_statfs, .tid = 1, .bytes_total = 100, .bytes_free = 50);
	case NACRE_MSG_REP_APPLY:
	case NACRE_MSG_REP_TRANSACTION:
		return rep_apply(body);
	case NACRE_MSG_REP_DONE:
		return SET(nacre_rep_done, PG, .number = 8);
	case NACRE_MSG_REP_COMMITTED:
		return SET(nacre_rep_committed, PG, .committed = 8);
	case NACRE_MSG_REP_QUERY:
		return SET(nacre_rep_query, PG, .flags = NACRE_REP_QUERY_LOG);
	case NACRE_MSG_REP_INFO:
		rep_info(body);
		return 0;
	case NACRE_MSG_REP_FETCH:
		return SET(nacre_rep_fetch, PG, .first = 1, .last = 2);
	case NACRE_MSG_REP_LIST:
		return SET(nacre_rep_list, PG, .flags = NACRE_REP_LIST_FIRST, .count = 100);
	case NACRE_MSG_REP_LISTED:
		rep_listed(body);
		return 0;
	case NACRE_MSG_REP_OBJECT:
		return rep_object(body);
	case NACRE_MSG_REP_OBJECT_DONE:
		return SET(nacre_rep_object_done, PG, .part = 1);
	case NACRE_MSG_REP_SCRUB:
		return 4096 + SET(nacre_rep_scrub, PG, .tid = 6, .ino = 1, .index = 2, .snap = NACRE_SNAP_HEAD,
				  .version = 8, .version_interval = 3, .offset = 4096, .length = 4096,
				  .what = NACRE_REP_SCRUB_REPAIR);
	case NACRE_MSG_REP_SCRUBBED:
		return rep_scrubbed(body);
	case NACRE_MSG_REP_LOG:
		rep_log(body);
		return 0;
	case NACRE_MSG_REP_UNSTABLE:
		rep_unstable(body);
		return 0;
	default:
		return -1;
	}
}

int sample_body(__u16 type, void *body)
{
	arena_used = 0;
	memset(body, 0, NACRE_BODY_HOST_MAX);
	if (nacre_record_kind_of(type)) {
		record_request(type, body);
		return 0;
	}
	if (type < NACRE_MSG_LOOKUP)
		return session_body(type, body);
	return type < NACRE_MSG_OSD_REQUEST ? mds_body(type, body) : osd_body(type, body);
}
