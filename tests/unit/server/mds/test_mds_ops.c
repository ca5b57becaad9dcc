/* SPDX-License-Identifier: GPL-2.0 */
/* The operations of the namespace, one client: what they do, what they refuse, and that it is still there after a restart. */
#include "mdst.h"

static struct mdst_client *client(struct mdst *t)
{
	struct mdst_client *c = mdst_client_new(t, "c1");

	mdst_client_open(c);
	return c;
}

static void test_session(void **state)
{
	struct mdst_client *c = client(*state);

	assert_true(c->instance > MDST_OSD_INSTANCE);
	assert_true(c->ino_left > 0);
	mdst_client_destroy(c);
}

static void test_create_lookup(void **state)
{
	struct mdst_client *c = client(*state);
	struct mdst_reply r = mdst_mkdir(c, NACRE_INO_ROOT, "dir");
	uint64_t dir, file;

	assert_int_equal(r.result, 0);
	assert_true(r.has_target && r.has_parent);
	assert_int_equal(r.parent.size, 1);
	assert_int_equal(r.parent.nlink, 3);
	assert_true(r.target.issued & NACRE_CAP_DIR_SHARED);
	dir = r.target.ino;
	r = mdst_create(c, dir, "file");
	assert_int_equal(r.result, 0);
	assert_true(r.flags & NACRE_REPLY_CREATED);
	assert_int_equal(r.target.issued & (NACRE_CAP_AUTH_EXCL | NACRE_CAP_LINK_EXCL |
					    NACRE_CAP_XATTR_EXCL | NACRE_CAP_FILE_EXCL |
					    NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER),
			 NACRE_CAP_AUTH_EXCL | NACRE_CAP_LINK_EXCL | NACRE_CAP_XATTR_EXCL |
				 NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE |
				 NACRE_CAP_FILE_BUFFER);
	assert_true(r.target.max_size > 0);
	file = r.target.ino;
	r = mdst_lookup(c, dir, "file");
	assert_int_equal(r.target.ino, file);
	r = mdst_lookup(c, dir, "nothing");
	assert_int_equal(r.result, ENOENT);
	assert_true(r.has_parent && !r.has_target);
	assert_int_equal(mdst_lookup(c, file, "x").result, ENOTDIR);
	assert_int_equal(mdst_getattr(c, 0x99999).result, ESTALE);
	mdst_client_destroy(c);
}

static void test_create_existing(void **state)
{
	struct mdst_client *c = client(*state);
	struct nacre_record_req body;
	uint64_t ino = mdst_create(c, NACRE_INO_ROOT, "f").target.ino;
	struct mdst_reply r = mdst_create(c, NACRE_INO_ROOT, "f");

	assert_int_equal(r.result, 0);
	assert_false(r.flags & NACRE_REPLY_CREATED);
	assert_int_equal(r.target.ino, ino);
	assert_int_equal(r.applied, 0);
	body = mdst_record(c, NACRE_INO_ROOT, "f");
	body.kind = NACRE_RECORD_CREATE;
	body.mode = S_IFREG | 0600;
	body.set_mask = NACRE_SET_MODE;
	body.record_flags = NACRE_RECORD_EXCL;
	assert_int_equal(mdst_call(c, NACRE_MSG_CREATE, &body).result, EEXIST);
	assert_int_equal(mdst_mkdir(c, NACRE_INO_ROOT, "f").result, EEXIST);
	mdst_client_destroy(c);
}

static void test_unlink_rmdir(void **state)
{
	struct mdst_client *c = client(*state);
	uint64_t dir = mdst_mkdir(c, NACRE_INO_ROOT, "d").target.ino;
	struct mdst_reply r;

	mdst_create(c, dir, "f");
	assert_int_equal(mdst_rmdir(c, NACRE_INO_ROOT, "d").result, ENOTEMPTY);
	assert_int_equal(mdst_rmdir(c, dir, "f").result, ENOTDIR);
	assert_int_equal(mdst_unlink(c, NACRE_INO_ROOT, "d").result, EISDIR);
	assert_int_equal(mdst_unlink(c, dir, "g").result, ENOENT);
	r = mdst_unlink(c, dir, "f");
	assert_int_equal(r.result, 0);
	assert_int_equal(r.parent.size, 0);
	assert_int_equal(r.victim.nlink, 0);
	r = mdst_rmdir(c, NACRE_INO_ROOT, "d");
	assert_int_equal(r.result, 0);
	assert_int_equal(r.parent.nlink, 2);
	assert_int_equal(mdst_lookup(c, NACRE_INO_ROOT, "d").result, ENOENT);
	assert_int_equal(mdst_create(c, dir, "late").result, ENOENT);
	mdst_client_destroy(c);
}

/* Open and removed: its objects stay until the cap is given back. */
static void test_orphan(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	struct mdst_reply r = mdst_create(c, NACRE_INO_ROOT, "f");
	struct nacre_inode_info cap = r.target;

	assert_int_equal(mdst_flush_size(c, &cap, 1, 100000), 0);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 34464);
	cap = mdst_unlink(c, NACRE_INO_ROOT, "f").victim;
	assert_int_equal(mdst_getattr(c, cap.ino).target.nlink, 0);
	mdst_writeback(t);
	assert_true(mdst_osd_has_attr(t->osd, NACRE_POOL_META, cap.ino, "inode"));
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	cap = mdst_getattr(c, cap.ino).target;
	mdst_release(c, &cap);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_META, cap.ino), 0);
	assert_int_equal(mdst_getattr(c, cap.ino).result, ESTALE);
	mdst_client_destroy(c);
}

static struct mdst_reply parent_of(struct mdst_client *c, uint64_t ino)
{
	struct nacre_getattr_req body = { .tid = ++c->tid, .oldest_tid = c->oldest_tid, .ino = ino,
					  .mask = NACRE_GROUP_AUTH, .flags = NACRE_REQUEST_OF_PARENT };

	return mdst_call(c, NACRE_MSG_GETATTR, &body);
}

/* As file handles need it: by number alone, also when nothing is in memory. */
static void test_parent_of(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	uint64_t dir = mdst_mkdir(c, NACRE_INO_ROOT, "d").target.ino;
	uint64_t sub = mdst_mkdir(c, dir, "sub").target.ino;
	uint64_t file = mdst_create(c, sub, "f").target.ino;

	mdst_writeback(t);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	assert_int_equal(parent_of(c, sub).target.ino, dir);
	assert_int_equal(parent_of(c, dir).target.ino, NACRE_INO_ROOT);
	assert_int_equal(parent_of(c, NACRE_INO_ROOT).result, ENOENT);
	assert_int_equal(parent_of(c, file).target.ino, sub);
	mdst_rename(c, dir, "sub", NACRE_INO_ROOT, "moved", 0);
	assert_int_equal(parent_of(c, sub).target.ino, NACRE_INO_ROOT);
	mdst_link(c, file, dir, "g");
	assert_int_equal(parent_of(c, file).result, ENOENT);
	mdst_client_destroy(c);
}

static struct nacre_inode_info make_tmpfile(struct mdst_client *c)
{
	struct nacre_record_req body = mdst_record(c, NACRE_INO_ROOT, "");
	struct mdst_reply r;

	body.kind = NACRE_RECORD_TMPFILE;
	body.mode = S_IFREG | 0600;
	body.set_mask = NACRE_SET_MODE;
	r = mdst_call(c, NACRE_MSG_TMPFILE, &body);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.nlink, 0);
	assert_true(r.target.issued & NACRE_CAP_FILE_EXCL);
	return r.target;
}

static struct mdst_reply link_nameless(struct mdst_client *c, uint64_t ino, const char *name)
{
	struct nacre_record_req body = mdst_record(c, NACRE_INO_ROOT, name);

	body.kind = NACRE_RECORD_LINK;
	body.ino = ino;
	body.record_flags = NACRE_RECORD_NAMELESS;
	return mdst_call(c, NACRE_MSG_LINK, &body);
}

/* Only a link that says so gives it a name, so one that comes too late for another file finds none. */
static void test_tmpfile_gets_a_name(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	struct nacre_inode_info file = make_tmpfile(c);

	assert_int_equal(mdst_getattr(c, NACRE_INO_ROOT).target.size, 0);
	assert_int_equal(mdst_link(c, file.ino, NACRE_INO_ROOT, "a").result, ENOENT);
	assert_int_equal(link_nameless(c, file.ino, "a").target.nlink, 1);
	mdst_writeback(t);
	assert_int_equal(mdst_lookup(c, NACRE_INO_ROOT, "a").target.ino, file.ino);
	assert_int_equal(mdst_link(c, file.ino, NACRE_INO_ROOT, "b").target.nlink, 2);
	mdst_unlink(c, NACRE_INO_ROOT, "a");
	assert_int_equal(mdst_unlink(c, NACRE_INO_ROOT, "b").victim.nlink, 0);
	assert_int_equal(mdst_link(c, file.ino, NACRE_INO_ROOT, "c").result, ENOENT);
	mdst_client_destroy(c);
}

/* Without a name it goes with its last holder, also when that was lost in a crash of the rank. */
static void test_tmpfile_goes_with_its_holder(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	struct nacre_inode_info kept = make_tmpfile(c), lost;

	mdst_osd_put(t->osd, NACRE_POOL_DATA, kept.ino, 0, 100);
	mdst_writeback(t);
	kept = mdst_getattr(c, kept.ino).target;
	mdst_release(c, &kept);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, kept.ino), 0);
	lost = make_tmpfile(c);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, lost.ino, 0, 100);
	mdst_sync(c);
	mdst_crash(t);
	mdst_start_only(t);
	mdst_client_reconnect(c, NULL, 0, NULL);
	mdst_run_ms(t, 1000);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, lost.ino), 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_META, lost.ino), 0);
	assert_int_equal(mdst_getattr(c, lost.ino).result, ESTALE);
	mdst_client_destroy(c);
}

static void test_hard_links(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	uint64_t dir = mdst_mkdir(c, NACRE_INO_ROOT, "d").target.ino;
	uint64_t ino = mdst_create(c, NACRE_INO_ROOT, "a").target.ino;
	struct mdst_reply r = mdst_link(c, ino, dir, "b");

	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.nlink, 2);
	assert_int_equal(mdst_link(c, ino, dir, "b").result, EEXIST);
	assert_int_equal(mdst_link(c, dir, NACRE_INO_ROOT, "x").result, EPERM);
	assert_int_equal(mdst_unlink(c, NACRE_INO_ROOT, "a").victim.nlink, 1);
	assert_int_equal(mdst_lookup(c, dir, "b").target.ino, ino);
	mdst_link(c, ino, NACRE_INO_ROOT, "c");
	/* two names of one inode: nothing happens */
	r = mdst_rename(c, dir, "b", NACRE_INO_ROOT, "c", 0);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.applied, 0);
	assert_int_equal(mdst_lookup(c, dir, "b").target.nlink, 2);
	mdst_client_destroy(c);
}

static void test_rename(void **state)
{
	struct mdst_client *c = client(*state);
	uint64_t root = NACRE_INO_ROOT;
	uint64_t d1 = mdst_mkdir(c, root, "d1").target.ino, d2 = mdst_mkdir(c, root, "d2").target.ino;
	uint64_t f1 = mdst_create(c, d1, "f1").target.ino, f2 = mdst_create(c, d2, "f2").target.ino;
	struct mdst_reply r;

	assert_int_equal(mdst_rename(c, d1, "no", d2, "x", 0).result, ENOENT);
	assert_int_equal(mdst_rename(c, d1, "f1", d2, "f2", NACRE_RENAME_NOREPLACE).result, EEXIST);
	assert_int_equal(mdst_rename(c, d1, "f1", d2, "x", NACRE_RENAME_EXCHANGE).result, ENOENT);
	assert_int_equal(mdst_rename(c, d1, "f1", root, "d2", 0).result, EISDIR);
	assert_int_equal(mdst_rename(c, root, "d1", d2, "f2", 0).result, ENOTDIR);
	assert_int_equal(mdst_rename(c, root, "d1", root, "d2", 0).result, ENOTEMPTY);
	assert_int_equal(mdst_rename(c, root, "d1", d1, "x", 0).result, EINVAL);
	r = mdst_rename(c, d1, "f1", d2, "f2", 0);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.victim.ino, f2);
	assert_int_equal(r.victim.nlink, 0);
	assert_int_equal(mdst_lookup(c, d2, "f2").target.ino, f1);
	assert_int_equal(mdst_lookup(c, d1, "f1").result, ENOENT);
	/* a directory into another: link counts follow */
	assert_int_equal(mdst_rename(c, root, "d1", d2, "sub", 0).result, 0);
	assert_int_equal(mdst_getattr(c, root).target.nlink, 3);
	assert_int_equal(mdst_getattr(c, d2).target.nlink, 3);
	assert_int_equal(mdst_rename(c, root, "d2", d1, "deep", 0).result, EINVAL);
	mdst_client_destroy(c);
}

static void test_rename_exchange(void **state)
{
	struct mdst_client *c = client(*state);
	uint64_t root = NACRE_INO_ROOT;
	uint64_t d1 = mdst_mkdir(c, root, "d1").target.ino;
	uint64_t sub = mdst_mkdir(c, d1, "sub").target.ino;
	uint64_t file = mdst_create(c, root, "file").target.ino;

	assert_int_equal(mdst_rename(c, root, "file", d1, "sub", NACRE_RENAME_EXCHANGE).result, 0);
	assert_int_equal(mdst_lookup(c, root, "file").target.ino, sub);
	assert_int_equal(mdst_lookup(c, d1, "sub").target.ino, file);
	assert_int_equal(mdst_getattr(c, root).target.nlink, 4);
	assert_int_equal(mdst_getattr(c, d1).target.nlink, 2);
	assert_int_equal(mdst_rename(c, root, "d1", d1, "sub", NACRE_RENAME_EXCHANGE).result,
			 EINVAL);
	mdst_client_destroy(c);
}

static void test_rename_whiteout(void **state)
{
	struct mdst_client *c = client(*state);
	struct mdst_reply r;

	mdst_create(c, NACRE_INO_ROOT, "f");
	assert_int_equal(mdst_rename(c, NACRE_INO_ROOT, "f", NACRE_INO_ROOT, "g",
				     NACRE_RENAME_WHITEOUT).result, 0);
	r = mdst_lookup(c, NACRE_INO_ROOT, "f");
	assert_int_equal(r.target.mode, S_IFCHR);
	assert_int_equal(r.target.rdev, 0);
	assert_int_equal(r.parent.size, 2);
	mdst_client_destroy(c);
}

static void test_setattr(void **state)
{
	struct mdst_client *c = client(*state);
	uint64_t ino = mdst_create(c, NACRE_INO_ROOT, "f").target.ino;
	struct nacre_record_req body = mdst_record(c, 0, NULL);
	struct mdst_reply r;

	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.set_mask = NACRE_SET_MODE | NACRE_SET_UID | NACRE_SET_MTIME;
	body.mode = S_IFREG | 06755;
	body.uid = 42;
	body.mtime = 77;
	r = mdst_call(c, NACRE_MSG_SETATTR, &body);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.mode, S_IFREG | 06755);
	assert_int_equal(r.target.uid, 42);
	assert_int_equal(r.target.mtime, 77);
	assert_int_equal(r.target.ctime, body.ctime);
	body = mdst_record(c, 0, NULL);
	body.kind = NACRE_RECORD_SETATTR;
	body.ino = ino;
	body.set_mask = NACRE_SET_KILL_PRIV;
	r = mdst_call(c, NACRE_MSG_SETATTR, &body);
	assert_int_equal(r.target.mode, S_IFREG | 0755);
	mdst_client_destroy(c);
}

/* SIZE-3: objects behind the new end go before the reply comes; object 0 stays. */
static void test_size_3_truncate(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	struct nacre_inode_info cap = mdst_create(c, NACRE_INO_ROOT, "f").target;
	struct mdst_reply r;

	assert_int_equal(mdst_flush_size(c, &cap, 1, 200000), 0);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 0, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 1, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 2, 65536);
	mdst_osd_put(t->osd, NACRE_POOL_DATA, cap.ino, 3, 3392);
	r = mdst_truncate(c, cap.ino, 70000);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.target.size, 70000);
	assert_int_equal(r.target.truncate_seq, cap.truncate_seq + 1);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 2);
	r = mdst_truncate(c, cap.ino, 0);
	assert_int_equal(mdst_osd_objects(t->osd, NACRE_POOL_DATA, cap.ino), 1);
	r = mdst_truncate(c, cap.ino, 1ull << 40);
	assert_int_equal(r.target.size, 1ull << 40);
	assert_int_equal(mdst_truncate(c, NACRE_INO_ROOT, 0).result, EISDIR);
	mdst_client_destroy(c);
}

static void set_xattr(struct mdst_client *c, uint64_t ino, const char *name, const char *value,
		      uint16_t flags, uint32_t expected)
{
	struct nacre_record_req body = mdst_record(c, 0, name);

	body.kind = value ? NACRE_RECORD_SETXATTR : NACRE_RECORD_RMXATTR;
	body.ino = ino;
	body.xattr_flags = flags;
	body.value = (const uint8_t *)value;
	body.value_bytes = value ? (uint32_t)strlen(value) : 0;
	assert_int_equal(mdst_call(c, value ? NACRE_MSG_SETXATTR : NACRE_MSG_RMXATTR, &body).result,
			 expected);
}

static void test_xattr(void **state)
{
	struct mdst_client *c = client(*state);
	uint64_t ino = mdst_create(c, NACRE_INO_ROOT, "f").target.ino;

	set_xattr(c, ino, "user.a", "one", 0, 0);
	set_xattr(c, ino, "user.a", "two", NACRE_XATTR_CREATE, EEXIST);
	set_xattr(c, ino, "user.b", "two", NACRE_XATTR_REPLACE, ENODATA);
	set_xattr(c, ino, "user.b", "two", NACRE_XATTR_CREATE, 0);
	set_xattr(c, ino, "user.a", "three", NACRE_XATTR_REPLACE, 0);
	assert_true(mdst_getattr(c, ino).target.xattrs_bytes > 0);
	set_xattr(c, ino, "user.a", NULL, 0, 0);
	set_xattr(c, ino, "user.a", NULL, 0, ENODATA);
	set_xattr(c, ino, "user.b", NULL, 0, 0);
	assert_true(mdst_getattr(c, ino).target.info_flags & NACRE_INFO_NO_XATTRS);
	mdst_client_destroy(c);
}

static void test_symlink_mknod(void **state)
{
	struct mdst_client *c = client(*state);
	struct nacre_record_req body = mdst_record(c, NACRE_INO_ROOT, "s");
	struct mdst_reply r;

	body.kind = NACRE_RECORD_SYMLINK;
	body.set_mask = NACRE_SET_MODE;
	body.mode = S_IFLNK | 0777;
	body.value = (const uint8_t *)"to/there";
	body.value_bytes = 8;
	r = mdst_call(c, NACRE_MSG_SYMLINK, &body);
	assert_int_equal(r.target.size, 8);
	assert_int_equal(r.target.symlink_bytes, 8);
	body = mdst_record(c, NACRE_INO_ROOT, "n");
	body.kind = NACRE_RECORD_MKNOD;
	body.set_mask = NACRE_SET_MODE;
	body.mode = S_IFBLK | 0600;
	body.rdev = 8 << 20 | 1;
	r = mdst_call(c, NACRE_MSG_MKNOD, &body);
	assert_int_equal(r.target.rdev, 8 << 20 | 1);
	mdst_client_destroy(c);
}

static void test_readdir(void **state)
{
	struct mdst *t = *state;
	struct mdst_client *c = client(t);
	uint64_t dir = mdst_mkdir(c, NACRE_INO_ROOT, "d").target.ino, after = 0;
	unsigned int i, seen = 0, calls = 0;
	struct mdst_reply r;
	char name[16];

	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		assert_int_equal(mdst_create(c, dir, name).result, 0);
	}
	do {
		r = mdst_readdir(c, dir, after, 7);
		assert_int_equal(r.result, 0);
		assert_true(r.entry_count > 0 && r.entry_count <= 7);
		for (i = 0; i < r.entry_count; i++) {
			assert_true(r.entries[i].cookie > after);
			after = r.entries[i].cookie;
		}
		seen += r.entry_count;
		calls++;
	} while (!(r.flags & NACRE_REPLY_END));
	assert_int_equal(seen, 100);
	assert_int_equal(mdst_readdir(c, NACRE_INO_ROOT, 0, 100).entry_count, 1);
	mdst_client_destroy(c);
}

static void test_statfs(void **state)
{
	struct mdst_client *c = client(*state);
	struct nacre_statfs_req body = { .tid = ++c->tid, .oldest_tid = 1 };

	assert_int_equal(mdst_call(c, NACRE_MSG_STATFS, &body).result, 0);
	mdst_client_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, mdst_setup, mdst_teardown)
		T(test_session), T(test_create_lookup), T(test_create_existing),
		T(test_unlink_rmdir), T(test_orphan), T(test_parent_of), T(test_tmpfile_gets_a_name),
		T(test_tmpfile_goes_with_its_holder), T(test_hard_links), T(test_rename),
		T(test_rename_exchange), T(test_rename_whiteout), T(test_setattr),
		T(test_size_3_truncate), T(test_xattr), T(test_symlink_mknod), T(test_readdir),
		T(test_statfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
