// SPDX-License-Identifier: GPL-2.0
/*
 * File locks and the life of the session. To a new incarnation of the rank we declare what is in our lists (FLOCK-2). With
 * the session all of them are lost: others may have them by now. Files that had any then
 * refuse reading, writing and new locks with EIO until the last of the lost ones is given up, by unlock or
 * close: a program that was promised to be alone must not go on as if it were.
 */
#include <linux/random.h>
#include <linux/seq_file.h>
#include "locks.h"
#include "protocol/codec.h"

/* ---- which inodes have locks -------------------------------------------------------------------- */

static bool has_locks(struct inode *inode)
{
	struct file_lock_context *ctx = locks_inode_context(inode);
	bool has;

	if (!ctx)
		return false;
	spin_lock(&ctx->flc_lock);
	has = !list_empty(&ctx->flc_posix) || !list_empty(&ctx->flc_flock);
	spin_unlock(&ctx->flc_lock);
	return has;
}

void lock_list_changed(struct inode *inode)
{
	struct nacre_locks *locks = &nacre_inode_fs(inode)->locks;
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&locks->lock);
	if (!has_locks(inode)) {
		list_del_init(&ni->lock_link);
		WRITE_ONCE(ni->locks_lost, false);
	} else if (list_empty(&ni->lock_link)) {
		list_add_tail(&ni->lock_link, &locks->inodes);
	}
	spin_unlock(&locks->lock);
}

/* ---- claims ------------------------------------------------------------------------------------------ */

typedef void (*lock_visit)(struct inode *inode, const struct file_lock *fl, void *data);

static void visit_list(struct inode *inode, struct list_head *list, lock_visit visit, void *data)
{
	struct file_lock *fl;

	for_each_file_lock(fl, list)
		visit(inode, fl, data);
}

/* Every lock in our lists, under spinlocks. */
static void visit_all(struct nacre_locks *locks, lock_visit visit, void *data)
{
	struct file_lock_context *ctx;
	struct nacre_inode *ni;

	spin_lock(&locks->lock);
	list_for_each_entry(ni, &locks->inodes, lock_link) {
		ctx = locks_inode_context(&ni->netfs.inode);
		spin_lock(&ctx->flc_lock);
		visit_list(&ni->netfs.inode, &ctx->flc_posix, visit, data);
		visit_list(&ni->netfs.inode, &ctx->flc_flock, visit, data);
		spin_unlock(&ctx->flc_lock);
	}
	spin_unlock(&locks->lock);
}

static void count(struct inode *inode, const struct file_lock *fl, void *data)
{
	++*(size_t *)data;
}

struct collection {
	struct nacre_fs *fs;
	struct nacre_writer w;
};

static void collect(struct inode *inode, const struct file_lock *fl, void *data)
{
	struct collection *to = data;
	struct nacre_filelock_req body = { };
	struct nacre_filelock lock;

	if (nacre_inode(inode)->locks_lost)
		return;
	lock_fill(to->fs, fl, &body);
	lock = (struct nacre_filelock){
		.ino = inode->i_ino, .owner = body.owner, .instance = to->fs->instance,
		.start = body.start, .last = body.last, .pid = max(fl->c.flc_pid, 0),
		.kind = body.kind, .lock_mode = body.lock_mode,
	};
	nacre_encode(nacre_filelock_desc(), &to->w, &lock);
}

/* All locks as they are on the wire; lists only get shorter meanwhile. */
static u8 *collect_all(struct nacre_fs *fs, size_t *bytes)
{
	struct nacre_locks *locks = &fs->locks;
	struct collection to = { .fs = fs };
	size_t total = 0;
	u8 *buffer = NULL;

	down_write(&locks->claims_sem);
	locks->claims++;
	visit_all(locks, count, &total);
	if (total) {
		buffer = kvmalloc(total * sizeof(struct nacre_filelock_wire), GFP_NOFS | __GFP_NOFAIL);
		to.w = nacre_writer(buffer, total * sizeof(struct nacre_filelock_wire));
		visit_all(locks, collect, &to);
		*bytes = nacre_writer_bytes(&to.w);
	}
	up_write(&locks->claims_sem);
	return buffer;
}

/* nacre_upcalls.claim_locks; sending is held. */
int nacre_locks_claim(struct nacre_fs *fs)
{
	const size_t most = NACRE_FILELOCKS_CLAIM_MAX * sizeof(struct nacre_filelock_wire);
	struct nacre_session_filelocks part = { .instance = fs->instance };
	size_t bytes = 0, at;
	u8 *buffer = collect_all(fs, &bytes);
	int err = 0;

	for (at = 0; at < bytes && !err; at += part.locks_bytes) {
		part.locks = buffer + at;
		part.locks_bytes = min(bytes - at, most);
		err = nacre_mds_send(fs, NACRE_MSG_SESSION_FILELOCKS, &part);
	}
	kvfree(buffer);
	return err;
}

/* ---- lost ----------------------------------------------------------------------------------------------- */

/* nacre_upcalls.locks_lost */
void nacre_locks_lost(struct nacre_fs *fs)
{
	struct nacre_locks *locks = &fs->locks;
	struct nacre_inode *ni;

	down_write(&locks->claims_sem);
	locks->claims++;
	spin_lock(&locks->lock);
	list_for_each_entry(ni, &locks->inodes, lock_link) {
		WRITE_ONCE(ni->locks_lost, true);
		nacre_count(fs, locks_lost);
	}
	spin_unlock(&locks->lock);
	up_write(&locks->claims_sem);
	nacre_locks_flow(fs);
}

/* ---- life ----------------------------------------------------------------------------------------------- */

void nacre_locks_init(struct nacre_locks *locks)
{
	spin_lock_init(&locks->lock);
	init_rwsem(&locks->claims_sem);
	init_waitqueue_head(&locks->turn);
	INIT_LIST_HEAD(&locks->inodes);
	INIT_LIST_HEAD(&locks->waits);
	get_random_bytes(locks->secret, sizeof(locks->secret));
}

void nacre_locks_init_inode(struct nacre_inode *ni)
{
	INIT_LIST_HEAD(&ni->lock_link);
	INIT_LIST_HEAD(&ni->lock_calls);
}

/* ---- debugfs -------------------------------------------------------------------------------------------- */

static void show_lock(struct seq_file *m, const char *how, const struct inode *inode,
		      const struct file_lock *fl)
{
	static const char *const kinds[] = { "?", "posix", "ofd", "flock" };
	struct nacre_filelock_req body = { };

	lock_fill(nacre_inode_fs(inode), fl, &body);
	seq_printf(m, "%lx %s %s %s %llu-", (unsigned long)inode->i_ino, how, kinds[body.kind & 3],
		   body.lock_mode == NACRE_FILELOCK_WRITE ? "write" : "read", (u64)body.start);
	if (body.last == NACRE_FILELOCK_END)
		seq_puts(m, "end");
	else
		seq_printf(m, "%llu", (u64)body.last);
	seq_printf(m, " owner %llx pid %d", (u64)body.owner, fl->c.flc_pid);
}

static void show_held(struct inode *inode, const struct file_lock *fl, void *data)
{
	show_lock(data, nacre_inode(inode)->locks_lost ? "lost" : "held", inode, fl);
	seq_putc(data, '\n');
}

void nacre_locks_show(struct seq_file *m, struct nacre_fs *fs)
{
	struct nacre_locks *locks = &fs->locks;
	struct lock_wait *wait;

	visit_all(locks, show_held, m);
	spin_lock(&locks->lock);
	list_for_each_entry(wait, &locks->waits, link) {
		show_lock(m, "waits", wait->inode, wait->fl);
		seq_printf(m, " age_ms %llu\n", (ktime_get_boottime_ns() - wait->since_ns) / NSEC_PER_MSEC);
	}
	spin_unlock(&locks->lock);
}
