// SPDX-License-Identifier: GPL-2.0
/*
 * The entries of a complete directory, taken from the dcache: what the rank would answer if it were asked, in the same
 * form and order, without asking it. dentry.c says when a directory is complete; this file only reads.
 *
 * The caller holds the directory's inode lock (shared is enough), so no change of ours is half done. Whatever is not as a
 * complete directory has to be makes it give up, and the rank is asked. Locks: d_lock of the parent, then of a child.
 */
#include <linux/dcache.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/xxhash.h>
#include "vfs.h"
#include "protocol/codec.h"
#include "protocol/rules/names.h"

#define SNAPSHOT_ENTRIES 16384		/* with more the dcache is locked for long, and a request per thousand is little */

/* Collected under d_lock, into room that was made before. */
struct collection {
	struct nacre_dirent *entries;
	u32 count, room;
	u8 *names;
	size_t names_bytes, names_room;
};

/* A name that is there; d_lock is held. */
static bool is_entry(const struct dentry *child)
{
	return !d_unhashed(child) && d_really_is_positive(child);
}

static bool count_children(struct dentry *parent, struct collection *all)
{
	struct dentry *child;

	all->room = 0;
	all->names_room = 0;
	spin_lock(&parent->d_lock);
	hlist_for_each_entry(child, &parent->d_children, d_sib) {
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		if (is_entry(child)) {
			all->room++;
			all->names_room += child->d_name.len;
		}
		spin_unlock(&child->d_lock);
	}
	spin_unlock(&parent->d_lock);
	return all->room <= SNAPSHOT_ENTRIES;
}

static bool put_child(struct collection *all, const struct dentry *child, u64 epoch)
{
	const struct qstr *name = &child->d_name;
	u8 *room = all->names + all->names_bytes;

	/* A name of which the rank has not said in this epoch what it stands for. */
	if (READ_ONCE(child->d_time) != epoch)
		return false;
	if (all->count == all->room || name->len > all->names_room - all->names_bytes)
		return false;
	memcpy(room, name->name, name->len);
	all->names_bytes += name->len;
	all->entries[all->count++] = (struct nacre_dirent){
		.ino = d_inode(child)->i_ino,
		.mode = d_inode(child)->i_mode & S_IFMT,
		.name = room,
		.name_bytes = name->len,
	};
	return true;
}

static bool collect(struct dentry *parent, struct collection *all, u64 epoch)
{
	struct dentry *child;
	bool good = true;

	spin_lock(&parent->d_lock);
	hlist_for_each_entry(child, &parent->d_children, d_sib) {
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		if (is_entry(child))
			good = put_child(all, child, epoch);
		spin_unlock(&child->d_lock);
		if (!good)
			break;
	}
	spin_unlock(&parent->d_lock);
	return good;
}

static int compare(const void *a, const void *b)
{
	const struct nacre_dirent *one = a, *other = b;

	return nacre_dentry_compare(one->cookie, one->name, one->name_bytes,
				    other->cookie, other->name, other->name_bytes);
}

static void put_in_order(struct collection *all)
{
	for (u32 i = 0; i < all->count; i++) {
		struct nacre_dirent *entry = &all->entries[i];

		entry->cookie = nacre_name_cookie(xxh64(entry->name, entry->name_bytes, 0));
	}
	sort(all->entries, all->count, sizeof(*all->entries), compare, NULL);
}

static int encode(const struct collection *all, u8 **bytes, size_t *length)
{
	struct nacre_writer w;

	*length = 0;
	for (u32 i = 0; i < all->count; i++)
		*length += nacre_encoded_bytes(nacre_dirent_desc(), &all->entries[i]);
	*bytes = kvmalloc(*length ?: 1, GFP_KERNEL);
	if (!*bytes)
		return -EAGAIN;
	w = nacre_writer(*bytes, *length);
	for (u32 i = 0; i < all->count; i++)
		WARN_ON_ONCE(nacre_encode(nacre_dirent_desc(), &w, &all->entries[i]));
	return 0;
}

int nacre_dir_snapshot(struct dentry *parent, u8 **bytes, size_t *length)
{
	struct inode *dir = d_inode(parent);
	u64 epoch = nacre_dir_complete_epoch(dir);
	struct collection all = { };
	int err = -EAGAIN;

	if (!epoch || !count_children(parent, &all))
		return -EAGAIN;
	all.entries = kvmalloc_array(all.room + 1, sizeof(*all.entries), GFP_KERNEL);
	all.names = kvmalloc(all.names_room + 1, GFP_KERNEL);
	/* Still complete after it was read: then no entry was missing while it was. */
	if (all.entries && all.names && collect(parent, &all, epoch) &&
	    nacre_dir_complete_epoch(dir) == epoch) {
		put_in_order(&all);
		err = encode(&all, bytes, length);
	}
	kvfree(all.entries);
	kvfree(all.names);
	return err;
}
