/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all parts of the module share: a mount (struct nacre_fs), an inode
 * (struct nacre_inode), and the counters. Each area has its own header for what
 * it offers; calls go rightwards in the order of a call,
 *
 *	vfs → caps → mds → osd → net
 *
 * and leftwards only through the callbacks in struct nacre_upcalls.
 *
 * Lock order (CAP-4): inode lock (i_rwsem) → waiting for caps → folio lock →
 * nacre_inode.cap_lock. What arrives from a server takes only cap_lock and
 * queues work; it never waits for the first three.
 */
#ifndef NACRE_KERNEL_H
#define NACRE_KERNEL_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/netfs.h>
#include <linux/socket.h>
#include <linux/workqueue.h>
#include "protocol/messages.h"
#include "protocol/rules/ahead.h"
#include "protocol/rules/cap_batch.h"
#include "protocol/rules/cap_client.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/placement.h"
#include "protocol/rules/session.h"
#include "protocol/rules/size.h"
#include "stats.h"

struct dentry;
struct nacre_conn;
struct nacre_incoming;
struct nacre_mds_client;
struct nacre_osd_client;
struct nacre_osd_io;

/* Mount options, from the one table in vfs/options.c. */
struct nacre_options {
	struct sockaddr_storage server;	/* the MDS named in the source */
	char *source;			/* "10.0.0.1:/" as given */
	char *path;			/* directory at the server that becomes the root */
	unsigned int rsize, wsize;	/* bytes, largest OSD request */
	unsigned int rasize;		/* bytes of read-ahead */
	unsigned int soft_timeout_ms;	/* 0 = wait as long as it takes (killable) */
	unsigned int inline_bytes;	/* what this mount writes stays in the inode up to so many bytes, if the map agrees */
	bool noshare;			/* a client instance of its own */
	bool acl;			/* POSIX ACLs */
	bool locallocks;		/* file locks hold on this machine only */
};

/* A cluster map in use: immutable, shared. */
struct nacre_cmap {
	struct kref ref;
	struct nacre_incoming *in;	/* as received; what follows points into it */
	struct nacre_map map;
	struct nacre_map_view view;
};

enum nacre_fs_state {
	NACRE_FS_MOUNTING,
	NACRE_FS_RUNNING,
	NACRE_FS_FORCED,		/* umount -f: every wait ends with -EIO */
	NACRE_FS_BROKEN,		/* an invariant of ours broke: -EIO from now on */
	NACRE_FS_STOPPING,		/* the last unmount */
};

/*
 * Calls leftwards, from the mds client's inbox worker, one after the other in the
 * order in which messages came. They may allocate, and must not wait for
 * caps, folios or the MDS. vfs/super.c fills the table.
 */
struct nacre_upcalls {
	/*
	 * An inode as the rank shows it: find it (make it, if `make`), take over values and
	 * cap, and take references on those caps of `need` that can be used now (*got).
	 * A reference, NULL when unknown and not to be made, or ERR_PTR.
	 */
	struct inode *(*learn)(struct nacre_fs *fs, const struct nacre_inode_info *info, bool make,
			       u32 need, u32 *got);
	/* References on caps that a request took and nobody wants. */
	void (*caps_put)(struct inode *inode, u32 caps);
	/* A reference to a cached inode or NULL; *freeing: it is on its way out. Waits for nothing. */
	struct inode *(*find)(struct nacre_fs *fs, u64 ino, bool *freeing);
	/* CAP_GRANT, CAP_REVOKE, CAP_REVOKES, CAP_FLUSH_ACK, SIZE_ASK. */
	void (*cap_message)(struct nacre_fs *fs, u16 type, const void *host);
	/* Send SESSION_RECONNECT: claims on all caps, in parts. Called with sending held still. */
	int (*claim_caps)(struct nacre_fs *fs);
	/* Every cap may have lost messages: say again what is owed. Sending is held. */
	void (*caps_reconnected)(struct nacre_fs *fs);
	/* To a new incarnation, behind the claims: the flushes it may never have seen. Sending is held. */
	void (*caps_reflush)(struct nacre_fs *fs);
	/* The session is gone: drop all caps, report what is lost on its files. */
	void (*caps_lost)(struct nacre_fs *fs);
	/* Send SESSION_FILELOCKS, behind the claims on caps. Sending is held. */
	int (*claim_locks)(struct nacre_fs *fs);
	/* FILELOCK_GRANTED. */
	void (*lock_granted)(struct nacre_fs *fs, const struct nacre_filelock_granted *granted);
	/* Whatever the rank said of locks may have been lost: who waits asks again. Sending may be held. */
	void (*locks_flow)(struct nacre_fs *fs);
	/* The session is gone, and with it all file locks. */
	void (*locks_lost)(struct nacre_fs *fs);
};

/* Caps of one client instance; caps/ owns the fields. */
struct nacre_caps {
	spinlock_t lock;		/* guards the lists below; inside cap_lock */
	struct list_head inodes;	/* nacre_inode.cap_link: those that have a cap */
	struct list_head dirty;		/* nacre_inode.dirty_link: dirty or flushing, oldest first; pinned */
	struct list_head flushing;	/* nacre_inode.flushing_link: by flush_oldest */
	struct mutex sweep_mutex;	/* one sweep at a time: it takes inodes off the list for a while */
	u64 inode_count, dirty_count;
	u64 flush_last;			/* id of the last flush of the session */
	struct nacre_cap_batch batch;	/* open while many are flushed; send_mutex of mds/ guards it */
	struct list_head releases;	/* caps to be given back, batched */
	u32 release_count;
	atomic_t guards;		/* of inline data, under way by themselves; flush_wait */
	struct delayed_work flush_work;	/* flushes by age */
	struct delayed_work release_work;
	struct workqueue_struct *work;	/* cap_work of inodes; may wait for OSDs, so not fs->work */
	wait_queue_head_t flush_wait;	/* a flush was acknowledged, the last guard has ended, or all is lost */
};

/* Programs' file locks; vfs/lock*.c own the fields. */
struct nacre_locks {
	spinlock_t lock;		/* guards all but claims; inside claims_sem, outside the kernel's flc_lock */
	struct rw_semaphore claims_sem;	/* lists get longer under it for reading, are declared under it for writing */
	u64 claims;			/* counts declarations and losses; under claims_sem */
	u64 flows;			/* counts beginnings of a flow */
	u64 last_wait;			/* number of the last wait */
	struct list_head inodes;	/* nacre_inode.lock_link: those with locks in their list */
	struct list_head waits;		/* struct lock_wait */
	wait_queue_head_t turn;		/* of owners with several calls under way */
	u64 secret[2];			/* turns owners into numbers */
};

/* One client instance: what `mount -t nacre` makes (several mounts may share it). */
struct nacre_fs {
	struct super_block *sb;
	struct net *net;		/* network namespace of the mount, referenced (get_net) */
	struct nacre_options options;
	enum nacre_fs_state state;	/* WRITE_ONCE; changes wake state_wait */
	wait_queue_head_t state_wait;
	u64 instance;			/* ours; 0 until the session is open */
	u64 fsid_lo, fsid_hi;		/* learnt from the first hello */
	u32 time_scale_percent;		/* from the MDS's hello */
	u32 inline_limit;		/* the map's, see nacre_inline_here() */
	spinlock_t map_lock;		/* guards cmap */
	struct nacre_cmap *cmap;	/* newest map; see nacre_map_current() */
	struct nacre_mds_client *mds;
	struct nacre_osd_client *osd;
	struct workqueue_struct *work;	/* WQ_MEM_RECLAIM | WQ_UNBOUND */
	struct nacre_stats __percpu *stats;	/* see stats.h */
	const struct nacre_upcalls *upcalls;
	struct nacre_caps caps;
	struct nacre_locks locks;
	atomic64_t dir_epochs;		/* source of nacre_inode.dir_epoch: never the same twice */
	struct dentry *debugfs;
	unsigned int id;		/* small number of this client, for debugfs and traces */
};

/* What the writers of a file have said of it for one stat (rules/size_report.h): that call's answer. Only a size that has grown is kept. */
struct nacre_reported {
	bool there;
	u32 truncate_seq;
	u64 size;
	u64 allocated;
	u64 atime, mtime, ctime;	/* ns */
};

/* The extended attributes of an inode: an immutable nacre_xattr sequence. */
struct nacre_xattrs {
	refcount_t ref;
	u32 bytes;
	u8 sequence[] __counted_by(bytes);
};

/* Bytes of a small file: immutable, shared by whoever still has to say them. */
struct nacre_small_bytes {
	refcount_t ref;
	u32 room;
	u8 at[] __counted_by(room);
};

/* A small file's data while it is in the inode; caps/small.c owns the fields, under cap_lock. */
struct nacre_small {
	struct nacre_inline_client file;	/* the machine of rules/inline.h */
	u64 told;			/* generation in the info last taken in, 0 = not inline */
	struct nacre_small_bytes *bytes;	/* NULL = none */
	u32 length;			/* of them count; behind it, up to the file's end, all is zero */
	bool news;			/* changed here, and the rank has not journaled it … */
	u64 news_flush;			/* … which this flush carried first, 0 = none yet */
	bool flush_left;		/* the latest flush of FILE says that the data has left … */
	bool flush_has_data;		/* … or that it is this: */
	struct nacre_small_bytes *flush_bytes;
	u32 flush_length;
	const struct nacre_osd_io *guard;	/* under way, NULL = none; counts as use of FILE_WRITE */
	bool guard_late;		/* it is over the soft limit: nobody waits for it any more */
	int guard_error;		/* how the last one ended */
	struct list_head parked;	/* nacre_osd_io.parked: write-back that waits for its answer (INLINE-2) */
};

/* Our part of an inode. */
struct nacre_inode {
	struct netfs_inode netfs;	/* first; holds the struct inode */

	/* From the rank; under cap_lock. */
	spinlock_t cap_lock;
	struct nacre_cap_client cap;	/* the machine of rules/cap_client.h */
	u16 cap_users[32];		/* references per cap bit */
	u32 cap_used;			/* bits with any */
	u16 changing[NACRE_GROUP_COUNT];	/* requests of ours under way that change the group */
	u32 open_readers, open_writers;	/* open files, they make `wanted` */
	u64 version;			/* of the info last taken in */
	u64 allocated;			/* bytes its data takes at most, ours included (rules/size.h) … */
	u64 written;			/* … of them ours and in no flush yet … */
	u64 written_sent;		/* … or in flushes that are not acknowledged */
	u64 written_end;		/* block behind the last write that was counted, 0 = none */
	u64 max_size;			/* we may write below it (SIZE-1) */
	u64 max_size_wanted;		/* asked for and not yet granted */
	u64 keeps;			/* ROOM-1: room is to be taken up to here, while WRITE stays issued; 0 = none */
	u32 kept;			/* there may be room behind the file's end, in objects below this; 0 = none */
	u64 max_size_refused;		/* a quota left no room for that */
	u32 max_size_refusals;		/* counts them */
	u32 truncate_seq;		/* SIZE-3; what OSD requests carry */
	u64 truncate_size;
	struct nacre_size size_said;	/* a truncation learnt and not yet applied to the pages … */
	bool size_pending;		/* … if set */
	struct mutex size_mutex;	/* who applies it; inside i_rwsem, outside folio locks */
	struct nacre_small small;
	u32 object_bytes;		/* layout */
	u16 pool;
	struct nacre_xattrs *xattrs;	/* the whole set, valid under XATTR_SHARED; NULL: there are none … */
	bool xattrs_known;		/* … if this is set */
	bool dir_complete;		/* every entry is in the dcache (while DIR_SHARED is held) */
	u32 dir_prunes;			/* counts dentries that left the dcache */
	u16 dir_unsure;			/* changes of the directory whose caller has not seen the end */
	struct nacre_ahead ahead;	/* of a directory: who reads its small files in order */
	u64 dir_epoch;			/* a new one with every loss of DIR_SHARED; older dentries are not trusted */
	wait_queue_head_t cap_wait;
	struct work_struct cap_work;	/* write back, invalidate, answer; see caps/flush.c */
	bool cap_claimed;		/* claimed from a new incarnation, which has not granted it anew: say nothing */
	u32 cap_todo;			/* what it still has to do: enum nacre_cap_client_action */
	u32 flush_todo;			/* groups to be sent with it, under their new flush id */
	u32 reflush_todo;		/* groups to be sent again under the flush id they had */
	u32 lost_groups;		/* dirty groups that a killed session took along */
	struct list_head cap_link;	/* nacre_caps.inodes */
	struct list_head dirty_link;	/* nacre_caps.dirty; holds a reference on the inode */
	struct list_head flushing_link;	/* nacre_caps.flushing */
	u64 flush_oldest;		/* lowest flush id that may be unacknowledged; under nacre_caps.lock */
	u64 flush_acked;		/* highest flush id acknowledged as journaled */
	unsigned long dirty_since;	/* jiffies, of the oldest unsent change */
	bool accessed;			/* reading has moved atime under FILE_EXCL, and nobody was told */
	struct llist_node put_link;	/* mds/reap.c: references to be dropped by its worker … */
	atomic_t puts;			/* … so many */
	u64 unsafe_applied;		/* highest apply number that concerns this inode … */
	u32 unsafe_generation;		/* … in this generation of the session */
	u64 btime_ns;
	u32 flags;			/* enum nacre_inode_flags, as last said; vfs/flags.c */
	u32 flags_shown;		/* what of them is in i_flags, as S_* */
	struct list_head lock_link;	/* nacre_locks.inodes */
	struct list_head lock_calls;	/* struct lock_call; under nacre_locks.lock */
	bool locks_lost;		/* its file locks went with a session: EIO until they are given up */
};

static inline struct nacre_inode *nacre_inode(const struct inode *inode)
{
	return container_of(inode, struct nacre_inode, netfs.inode);
}

static inline struct nacre_fs *nacre_fs(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* Inode numbers are 64 bits and are i_ino: nacre is for 64-bit machines. */
static inline u64 nacre_ino(const struct inode *inode)
{
	return inode->i_ino;
}

static inline struct nacre_fs *nacre_inode_fs(const struct inode *inode)
{
	return nacre_fs(inode->i_sb);
}

/* Epoch of the newest map; 0 = none yet. */
static inline u64 nacre_map_epoch(struct nacre_fs *fs)
{
	u64 epoch;

	spin_lock(&fs->map_lock);
	epoch = fs->cmap ? fs->cmap->view.epoch : 0;
	spin_unlock(&fs->map_lock);
	return epoch;
}

/* 0, or the error with which every wait and new request ends now. */
static inline int nacre_fs_error(const struct nacre_fs *fs)
{
	enum nacre_fs_state state = READ_ONCE(fs->state);

	return state == NACRE_FS_FORCED || state == NACRE_FS_BROKEN ? -EIO : 0;
}

/* Files of up to so many bytes that this mount writes have their data in the inode; 0 = none have. */
static inline u32 nacre_inline_here(const struct nacre_fs *fs)
{
	return min_t(u32, READ_ONCE(fs->inline_limit), READ_ONCE(fs->options.inline_bytes));
}

/* WAIT-1: wait until `condition`, killably, and no longer than a soft mount waits. 0, -EINTR, -ETIMEDOUT. */
#define nacre_wait(fs, wq_head, condition)							\
({												\
	unsigned int soft_ms_ = READ_ONCE((fs)->options.soft_timeout_ms);			\
	long left_ = wait_event_killable_timeout(wq_head, condition,				\
			soft_ms_ ? msecs_to_jiffies(soft_ms_) : MAX_SCHEDULE_TIMEOUT);		\
												\
	left_ < 0 ? -EINTR : left_ ? 0 : -ETIMEDOUT;						\
})

/*
 * Times on the wire: signed nanoseconds, as unsigned. Not by timespec64_to_ns(), which makes KTIME_MIN and KTIME_MAX of the
 * whole first and last second of the range.
 */
static inline u64 nacre_time_ns(struct timespec64 t)
{
	return (u64)t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

static inline struct timespec64 nacre_timespec(u64 ns)
{
	return ns_to_timespec64((s64)ns);
}

#endif
