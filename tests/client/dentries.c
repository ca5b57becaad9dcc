// SPDX-License-Identifier: GPL-2.0
/*
 * Names in directories as this client remembers them. They answer while
 * DIR_SHARED is issued on the directory (after a whole listing also for names
 * that do not exist), or during the lease that came with a lookup; never while
 * a change of ours to the directory is unanswered, as nobody knows then.
 */
#include <stdlib.h>
#include <string.h>
#include "protocol/rules/validate.h"
#include "state.h"

struct dentry *dentry_find(struct inode *dir, const char *name)
{
	struct dentry *dentry;

	HASH_FIND(hh, dir->dentries, name, strlen(name), dentry);
	return dentry;
}

bool dentry_answers(struct inode *dir, const char *name, uint64_t *ret_ino)
{
	struct dentry *dentry = dentry_find(dir, name);
	bool shared = caps_can(dir, NACRE_CAP_DIR_SHARED);

	if (dir->changing)
		return false;
	if (dentry && (shared || dentry->lease_until_ns > io_now(dir->client->io))) {
		*ret_ino = dentry->ino;
		return true;
	}
	if (dentry || !shared || !dir->complete)
		return false;
	*ret_ino = 0;
	return true;
}

/* A listing that is under way does not make it complete, either: what is not known for sure now may stand in a part that has come. */
static void not_complete(struct inode *dir)
{
	dir->complete = false;
	dir->dir_cuts++;
}

void dentry_drop(struct inode *dir, const char *name)
{
	struct dentry *dentry = dentry_find(dir, name);

	not_complete(dir);
	if (!dentry)
		return;
	HASH_DEL(dir->dentries, dentry);
	free(dentry);
}

void dentry_set(struct inode *dir, const char *name, uint64_t ino, uint32_t mode,
		uint32_t lease_ms)
{
	struct dentry *dentry = dentry_find(dir, name);
	size_t length = strlen(name);

	if (!dentry) {
		dentry = client_alloc(sizeof(*dentry) + length + 1);
		memcpy(dentry->name, name, length);
		HASH_ADD_KEYPTR(hh, dir->dentries, dentry->name, length, dentry);
	}
	dentry->ino = ino;
	dentry->mode = mode;
	dentry->lease_until_ns =
		lease_ms ? io_now(dir->client->io) + lease_ms * 1000000ull : 0;
}

void dentries_drop(struct inode *dir)
{
	struct dentry *dentry, *next;

	not_complete(dir);
	HASH_ITER(hh, dir->dentries, dentry, next) {
		HASH_DEL(dir->dentries, dentry);
		free(dentry);
	}
}

bool reply_is_newest(const struct inode *inode, const struct nacre_reply *reply, uint8_t role)
{
	struct nacre_inode_info info;

	return nacre_trace_find(reply, role, &info) && info.ino == inode->ino && info.cap_id &&
	       info.cap_id == inode->cap.cap_id && info.cap_seq == inode->cap.seq;
}

/*
 * The cap may have gone and come since the reply was made, and changes of ours
 * may have crossed it: then nothing is known for sure.
 */
void dentry_learn(struct inode *dir, const struct request *request,
		  const struct nacre_reply *reply, uint8_t role, const char *name, uint64_t ino,
		  uint32_t mode)
{
	if (!request_was_alone(request, dir)) {
		dentry_drop(dir, name);
	} else if (reply_is_newest(dir, reply, role) && caps_can(dir, NACRE_CAP_DIR_SHARED)) {
		dentry_set(dir, name, ino, mode, 0);
	} else if (reply->lease_ms) {
		dentry_set(dir, name, ino, mode, reply->lease_ms);
		not_complete(dir);
	} else {
		dentry_drop(dir, name);
	}
}
