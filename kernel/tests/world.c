// SPDX-License-Identifier: GPL-2.0
/* A mount with the test as its servers. See world.h. */
#include <linux/file.h>
#include <linux/fs_context.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "world.h"
#include "protocol/rules/validate.h"

/* ---- the map ------------------------------------------------------------------------------- */

static void encode_one(u8 **at, const struct nacre_struct *desc, const void *host)
{
	struct nacre_writer w = nacre_writer(*at, desc->wire_bytes);

	nacre_encode(desc, &w, host);
	*at += desc->wire_bytes;
}

static void say_map(struct test_world *world, struct test_server *server)
{
	const struct test_map *m = &world->map;
	u8 pools[2 * 24], osds[56], ranks[40], dead[16], placement[2 * 24];
	struct nacre_map_osd osd = {
		.instance = TEST_OSD_INSTANCE, .address_lo = 0xffff7f000001ULL,
		.port = world->osd.port, .flags = m->osd_flags, .weight = 0x10000,
	};
	struct nacre_map_rank rank = {
		.instance = world->rank.instance, .address_lo = 0xffff7f000001ULL,
		.port = world->rank.port, .state = NACRE_RANK_ACTIVE, .incarnation = 1,
	};
	struct nacre_map_dead run = { .first = m->dead_first, .count = m->dead_count };
	struct nacre_map_pg pg = {
		.interval = 1, .osd0 = 0, .osd1 = NACRE_OSD_NONE, .osd2 = NACRE_OSD_NONE,
		.osd3 = NACRE_OSD_NONE, .in_sync = m->in_sync,
	};
	struct nacre_map map = {
		.epoch = m->epoch, .fsid_lo = 1, .fsid_hi = 1, .next_instance = 1000,
		.pools = pools, .pools_bytes = sizeof(pools),
		.osds = osds, .osds_bytes = sizeof(osds),
		.ranks = ranks, .ranks_bytes = sizeof(ranks),
		.dead = dead, .dead_bytes = m->dead_count ? sizeof(dead) : 0,
		.placement = placement, .placement_bytes = sizeof(placement),
	};
	u8 *at = pools, *group = placement;

	for (u32 i = 0; i < 2; i++) {
		struct nacre_map_pool pool = {
			.id = i, .pg_count = 1, .replicas = 1, .min_size = 1,
			.object_bytes = 4 << 20, .pg_first = i,
		};

		encode_one(&at, nacre_map_pool_desc(), &pool);
		encode_one(&group, nacre_map_pg_desc(), &pg);
	}
	at = osds;
	encode_one(&at, nacre_map_osd_desc(), &osd);
	at = ranks;
	encode_one(&at, nacre_map_rank_desc(), &rank);
	at = dead;
	encode_one(&at, nacre_map_dead_desc(), &run);
	test_server_say(server, NACRE_MSG_MAP, &map);
}

void test_map_say(struct test_world *world)
{
	say_map(world, &world->rank);
	test_wait(world, nacre_map_epoch(world->fs) >= world->map.epoch);
}

/* ---- the rank by itself -------------------------------------------------------------------- */

static void say_state(struct test_world *world, u32 result, u64 renew_seq)
{
	struct nacre_session_state state = {
		.result = result,
		.lease_ms = TEST_LEASE_MS,
		.instance = world->next_instance - 1,
		.incarnation = 1,
		.renew_seq = renew_seq,
		.ino_first = renew_seq ? 0 : world->ino_first,
		.ino_count = renew_seq ? 0 : world->ino_count,
	};

	test_server_say(&world->rank, NACRE_MSG_SESSION_STATE, &state);
}

static void say_killed(struct test_world *world, u64 instance)
{
	struct nacre_session_killed killed = { .instance = instance, .result = NACRE_E_EVICTED };

	test_server_say(&world->rank, NACRE_MSG_SESSION_KILLED, &killed);
}

static void session_ends(struct test_world *world, const struct nacre_session_close *close)
{
	if (close->flags & NACRE_CLOSE_CUT) {
		world->cuts++;
		say_killed(world, close->instance);
		return;
	}
	world->closes++;
	say_state(world, NACRE_E_NO_SESSION, 0);
}

void test_say_state(struct test_world *world, u32 result)
{
	say_state(world, result, 0);
}

void test_kill_session(struct test_world *world)
{
	u64 instance = READ_ONCE(world->fs->instance);

	say_killed(world, instance);
	test_wait(world, READ_ONCE(world->fs->instance) > instance);
	test_wait(world, nacre_mds_may_io(world->fs));
}

void test_reconnect(struct test_world *world, bool anew)
{
	u32 before = READ_ONCE(world->rank.connections);

	if (anew)
		world->rank.instance += 100;
	test_server_hang_up(&world->rank);
	test_server_wait_connections(&world->rank, before + 1);
}

static void say_root(struct test_world *world, const struct test_message *message)
{
	struct nacre_inode_info info = test_info_cap(NACRE_INO_ROOT, S_IFDIR | 0755,
						     NACRE_CAPS_ALL_SHARED, 1);

	test_reply(world, message, NULL, &info, 1);
}

/* A case may look at a flush and leave it at that; an unmount waits until it is acknowledged. */
static void note_flush(struct test_world *world, const struct nacre_cap_update *update)
{
	struct nacre_cap_flush_ack ack = {
		.ino = update->ino,
		.flush_id = update->flush_id,
		.flags = NACRE_FLUSH_ACK_SAFE,
	};

	if (!update->flush_id)
		return;
	world->flushes[world->flush_count++ % TEST_FLUSHES] = ack;
	if (world->obliging)
		test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &ack);
}

static void note_flushes(struct test_world *world, const struct nacre_cap_updates *updates)
{
	struct nacre_reader r = nacre_reader(updates->updates, updates->updates_bytes);
	struct nacre_cap_update update;

	while (nacre_cap_update_next(&r, &update))
		note_flush(world, &update);
}

static void acknowledge_flushes(struct test_world *world)
{
	for (u32 i = 0; i < min(world->flush_count, TEST_FLUSHES); i++)
		test_server_say(&world->rank, NACRE_MSG_CAP_FLUSH_ACK, &world->flushes[i]);
}

/* The end of a case: whatever it left open is answered in a way that ends it. */
static bool oblige(struct test_world *world, const struct test_message *message)
{
	struct nacre_reply gone = { .result = ENOENT };

	if (!world->obliging)
		return false;
	if (message->type == NACRE_MSG_SESSION_RECONNECT_DONE)
		test_say_state(world, 0);
	else if (message->type == NACRE_MSG_SYNC)
		test_reply(world, message, NULL, NULL, 0);
	else if (mds_op_find(message->type))
		test_reply(world, message, &gone, NULL, 0);
	return true;
}

static bool rank_answer(struct test_server *server, struct test_message *message)
{
	struct test_world *world = server->owner;
	const struct nacre_getattr_req *getattr = (const void *)message->host;
	const struct nacre_session_renew *renew = (const void *)message->host;

	switch (message->type) {
	case NACRE_MSG_MAP_GET:
		say_map(world, server);
		return true;
	case NACRE_MSG_SESSION_OPEN:
		world->opens++;
		world->next_instance++;
		say_state(world, 0, 0);
		return true;
	case NACRE_MSG_SESSION_RENEW:
		say_state(world, 0, renew->renew_seq);
		return true;
	case NACRE_MSG_SESSION_CLOSE:
		session_ends(world, (const void *)message->host);
		return true;
	case NACRE_MSG_CAP_UPDATE:
		note_flush(world, (const void *)message->host);
		return oblige(world, message);
	case NACRE_MSG_CAP_UPDATES:
		note_flushes(world, (const void *)message->host);
		return oblige(world, message);
	case NACRE_MSG_GETATTR:
		if (getattr->ino != NACRE_INO_ROOT || world->keeps_silent)
			return oblige(world, message);
		say_root(world, message);
		return true;
	default:
		return oblige(world, message);
	}
}

static bool osd_answer(struct test_server *server, struct test_message *message)
{
	struct test_world *world = server->owner;
	const struct nacre_osd_request *request = (const void *)message->host;
	struct nacre_osd_reply reply = { .result = EIO };

	if (!world->obliging || world->osd_is_gone)
		return false;
	reply.tid = request->tid;
	test_server_say(server, NACRE_MSG_OSD_REPLY, &reply);
	return true;
}

/* ---- replies ------------------------------------------------------------------------------- */

/* Every request begins with the same fields. */
u64 test_tid(const struct test_message *message)
{
	return ((const struct nacre_statfs_req *)message->host)->tid;
}

u32 test_request_flags(const struct test_message *message)
{
	return ((const struct nacre_statfs_req *)message->host)->flags;
}

void test_reply(struct test_world *world, const struct test_message *message,
		const struct nacre_reply *like, const struct nacre_inode_info *infos, u32 count)
{
	struct nacre_reply reply = { };
	size_t room = 4096;
	u8 *traces = kmalloc(room, GFP_KERNEL | __GFP_NOFAIL);
	struct nacre_writer w = nacre_writer(traces, room);

	if (like)
		reply = *like;
	reply.tid = test_tid(message);
	for (u32 i = 0; i < count; i++)
		nacre_encode(nacre_inode_info_desc(), &w, &infos[i]);
	reply.traces = traces;
	reply.traces_bytes = nacre_writer_bytes(&w);
	test_server_say(&world->rank, NACRE_MSG_REPLY, &reply);
	kfree(traces);
}

/* ---- inodes -------------------------------------------------------------------------------- */

struct nacre_inode_info test_info(u64 ino, umode_t mode)
{
	struct nacre_inode_info info = {
		.ino = ino,
		.version = 1,
		.role = NACRE_TRACE_TARGET,
		.pool = NACRE_POOL_DATA,
		.valid = NACRE_GROUPS_ALL,
		.mode = mode,
		.nlink = 1,
		.object_bytes = 4 << 20,
		.atime = TEST_NOW_NS,
		.mtime = TEST_NOW_NS,
		.ctime = TEST_NOW_NS,
		.btime = TEST_NOW_NS,
		.info_flags = NACRE_INFO_NO_XATTRS,
	};

	return info;
}

struct nacre_inode_info test_info_cap(u64 ino, umode_t mode, u32 issued, u32 seq)
{
	struct nacre_inode_info info = test_info(ino, mode);

	info.cap_id = ino + 1;
	info.cap_gen = 1;
	info.cap_seq = seq;
	info.issued = issued;
	info.version = seq;
	if (issued & NACRE_CAP_FILE_WRITE)
		info.max_size = 1 << 30;
	return info;
}

struct inode *test_learn(struct test_world *world, const struct nacre_inode_info *info)
{
	unsigned int nofs = memalloc_nofs_save();
	struct inode *inode;
	u32 got;

	inode = world->fs->upcalls->learn(world->fs, info, true, 0, &got);
	memalloc_nofs_restore(nofs);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, inode);
	KUNIT_ASSERT_LT(world->test, world->inode_count, TEST_INODES);
	world->inodes[world->inode_count++] = inode;
	return inode;
}

struct inode *test_inode(struct test_world *world, u64 ino, umode_t mode, u32 issued)
{
	struct nacre_inode_info info = test_info_cap(ino, mode, issued, 1);

	return test_learn(world, &info);
}

void test_wait_held(struct test_world *world, struct inode *inode, u32 caps)
{
	test_wait(world, nacre_caps_held(inode, caps));
}

void test_grant(struct test_world *world, const struct nacre_inode_info *info)
{
	struct nacre_inode_info shown = *info;
	struct nacre_cap_grant grant = { };
	u8 bytes[512];
	struct nacre_writer w = nacre_writer(bytes, sizeof(bytes));

	shown.role = NACRE_TRACE_GRANT;
	KUNIT_ASSERT_EQ(world->test, nacre_encode(nacre_inode_info_desc(), &w, &shown), 0);
	grant.info = bytes;
	grant.info_bytes = nacre_writer_bytes(&w);
	test_server_say(&world->rank, NACRE_MSG_CAP_GRANT, &grant);
}

void test_revoke(struct test_world *world, u64 ino, u32 keep, u32 seq, u32 repeats)
{
	struct nacre_cap_revoke revoke = {
		.ino = ino,
		.cap_id = ino + 1,
		.cap_gen = 1,
		.cap_seq = seq,
		.keep = keep,
		.repeats = repeats,
	};

	test_server_say(&world->rank, NACRE_MSG_CAP_REVOKE, &revoke);
}

/* A request and its answer pass through the same inbox behind everything before them. */
void test_settle(struct test_world *world)
{
	struct nacre_mds_request *req;

	req = nacre_mds_getattr(world->fs, NACRE_INO_ROOT, NULL, NACRE_GROUP_LINK, 0, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, req);
	nacre_mds_request_put(req);
	nacre_mds_drain(world->fs);
	nacre_caps_drain(world->fs);
}

/* ---- calls that wait ----------------------------------------------------------------------- */

static int run_call(void *data)
{
	struct test_call *call = data;

	allow_signal(SIGKILL);
	call->result = call->function(call);
	complete(&call->done);
	while (!kthread_should_stop()) {
		flush_signals(current);
		schedule_timeout_interruptible(HZ / 100);
	}
	return 0;
}

struct test_call *test_call(struct test_world *world, const struct test_call *operands)
{
	struct test_call *call = kmemdup(operands, sizeof(*operands), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(world->test, call);
	KUNIT_ASSERT_LT(world->test, world->call_count, TEST_CALLS);
	call->world = world;
	init_completion(&call->done);
	call->task = kthread_run(run_call, call, "nacre-call-%u", world->call_count);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(world->test, call->task);
	world->calls[world->call_count++] = call;
	return call;
}

static int call_request(struct test_call *call)
{
	return nacre_mds_call(call->req);
}

struct test_call *test_call_request(struct test_world *world, struct nacre_mds_request *req)
{
	struct test_call call = { .function = call_request, .req = req };

	return test_call(world, &call);
}

static int call_io(struct test_call *call)
{
	return nacre_osd_call(call->io);
}

struct test_call *test_call_io(struct test_world *world, struct nacre_osd_io *io)
{
	struct test_call call = { .function = call_io, .io = io };

	return test_call(world, &call);
}

bool test_call_is_over(struct test_call *call)
{
	return completion_done(&call->done);
}

int test_call_result(struct test_call *call)
{
	test_wait(call->world, test_call_is_over(call));
	return call->result;
}

void test_call_kill(struct test_call *call)
{
	send_sig(SIGKILL, call->task, 1);
}

/* ---- life ---------------------------------------------------------------------------------- */

static int mount_it(struct test_world *world)
{
	struct file_system_type *type = get_fs_type("nacre");
	struct fs_context *fc;
	char source[32];
	int err;

	if (!type)
		return -ENODEV;
	/* SB_KERNMOUNT: the last mntput unmounts at once, not later by a worker. */
	fc = fs_context_for_mount(type, SB_KERNMOUNT);
	module_put(type->owner);
	if (IS_ERR(fc))
		return PTR_ERR(fc);
	snprintf(source, sizeof(source), "127.0.0.1:%u:/", world->rank.port);
	err = vfs_parse_fs_string(fc, "source", source, strlen(source));
	if (!err) {
		world->mnt = fc_mount(fc);
		err = PTR_ERR_OR_ZERO(world->mnt);
	}
	put_fs_context(fc);
	if (err)
		world->mnt = NULL;
	else
		world->fs = nacre_fs(world->mnt->mnt_sb);
	return err;
}

int test_world_init(struct kunit *test)
{
	struct test_world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	int err;

	if (!world)
		return -ENOMEM;
	test->priv = world;
	world->test = test;
	world->next_instance = TEST_CLIENT_INSTANCE;
	world->map = (struct test_map){ .epoch = 1, .osd_flags = NACRE_OSD_UP | NACRE_OSD_IN,
					.in_sync = 1 };
	world->rank = (struct test_server){ .test = test, .role = NACRE_ROLE_MDS, .owner = world,
					    .instance = TEST_RANK_INSTANCE, .answer = rank_answer };
	world->osd = (struct test_server){ .test = test, .role = NACRE_ROLE_OSD, .owner = world,
					   .instance = TEST_OSD_INSTANCE, .answer = osd_answer };
	err = test_server_start(&world->rank);
	if (!err)
		err = test_server_start(&world->osd);
	if (!err)
		err = mount_it(world);
	if (err)
		test_world_exit(test);
	return err;
}

static void end_calls(struct test_world *world)
{
	for (u32 i = 0; i < world->call_count; i++) {
		struct test_call *call = world->calls[i];

		if (!test_call_is_over(call))
			test_call_kill(call);
		wait_for_completion(&call->done);
		kthread_stop(call->task);
		kfree(call);
	}
}

/* What was heard and never answered, is now. */
static void answer_heard(struct test_server *server)
{
	struct test_message *message;
	LIST_HEAD(all);

	spin_lock(&server->lock);
	list_splice_init(&server->heard, &all);
	spin_unlock(&server->lock);
	list_for_each_entry(message, &all, link)
		server->answer(server, message);
	spin_lock(&server->lock);
	list_splice(&all, &server->heard);
	spin_unlock(&server->lock);
}

void test_oblige(struct test_world *world)
{
	world->obliging = true;
	acknowledge_flushes(world);
	answer_heard(&world->rank);
	answer_heard(&world->osd);
}

void test_unmount(struct test_world *world)
{
	for (u32 i = 0; i < world->inode_count; i++)
		iput(world->inodes[i]);
	world->inode_count = 0;
	if (world->mnt)
		mntput(world->mnt);
	world->mnt = NULL;
}

void test_world_exit(struct kunit *test)
{
	struct test_world *world = test->priv;

	if (!world)
		return;
	world->rank.hello_result = 0;
	world->map.epoch += 100;
	world->map.in_sync = 1;
	world->map.osd_flags = NACRE_OSD_UP | NACRE_OSD_IN;
	if (world->mnt) {
		say_map(world, &world->rank);
		test_oblige(world);
	}
	end_calls(world);
	for (u32 i = 0; i < TEST_CALLS; i++)
		if (world->files[i])
			__fput_sync(world->files[i]);
	test_unmount(world);
	test_server_stop(&world->rank);
	test_server_stop(&world->osd);
	test->priv = NULL;
}
