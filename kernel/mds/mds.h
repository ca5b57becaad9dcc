/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The metadata rank as the rest of the module uses it: one session per client
 * instance, and requests.
 *
 *	caller:  new → fill → call ─────────────────────── wait ──▶ result, inodes ──▶ put
 *	inbox:                  REPLY → inodes learnt, caps taken in ──┘   … SAFE
 *
 * What arrives is worked off by one ordered worker, the *inbox*, in the order in which the
 * rank sent it; so a cap that a reply carries is known before the revoke behind it.
 * MAP is taken out of the order: object requests beneath a busy inbox may need it.
 *
 * Locks: send_mutex orders what is sent (building a cap message and sending it are one step);
 * inside it `lock` guards the lists and numbers. cap_lock may be taken inside send_mutex,
 * and no lock of this folder is held when a caller waits.
 */
#ifndef NACRE_KERNEL_MDS_H
#define NACRE_KERNEL_MDS_H

#include "../nacre.h"
#include "../net/conn.h"

struct seq_file;

/* ---- requests ------------------------------------------------------------------------------ */

enum nacre_mds_request_flag {
	NACRE_MDSR_SENT,		/* the rank may have seen it: a resend says so */
	NACRE_MDSR_DONE,		/* answered or failed: result is valid */
	NACRE_MDSR_ABANDONED,		/* its caller was killed and does not look any more */
	NACRE_MDSR_UNSAFE,		/* answered, not yet journaled: on the unsafe list */
	NACRE_MDSR_SURELY,		/* sent even if its caller is killed: not taken back */
	NACRE_MDSR_MARKED,		/* the inodes' `changing` counts include it */
};

/* Everything a request refers to keeps alive until the request is freed. */
#define NACRE_MDSR_OWNED 4

struct nacre_mds_request {
	struct kref ref;
	struct nacre_fs *fs;
	struct list_head link;		/* mds client's requests (by tid) or unsafe (by applied) */
	const struct nacre_mds_op *op;	/* row of mds/ops.c */
	u64 tid;
	u64 applied;			/* 0 = changed nothing, or not answered */
	unsigned long flags;		/* enum nacre_mds_request_flag, atomic bits */
	unsigned long started;		/* jiffies */
	union {				/* host-order body, tails owned by the request */
		struct nacre_record_req record;
		struct nacre_lookup_req lookup;
		struct nacre_getattr_req getattr;
		struct nacre_open_req open;
		struct nacre_readdir_req readdir;
		struct nacre_statfs_req statfs;
		struct nacre_quota_req quota;
		struct nacre_sync_req sync;
		struct nacre_filelock_req filelock;
	} body;
	void *owned[NACRE_MDSR_OWNED];	/* freed with the request */

	/* Inodes it names; references. */
	struct inode *parent;		/* directory of the name */
	struct inode *parent2;		/* RENAME: destination directory */
	struct inode *target;		/* given (SETATTR, LINK, GETATTR …), or learnt from the reply */
	struct inode *victim;		/* unlinked or replaced */

	/* The answer. */
	struct completion done;
	int result;			/* 0 or -errno */
	int learn_error;		/* why the target could not be taken in: -ENOMEM as a rule; 0 = it was */
	u32 reply_flags;		/* enum nacre_reply_flags */
	u32 need;			/* caps on the target to take references on … */
	u32 got;			/* … and those taken; the caller's, or given back with the request */
	struct nacre_reported reported;	/* GETATTR with REPORT: FILE's values, if another client writes it */
	u64 dir_epoch;			/* READDIR, LOOKUP, records: of `parent` when the reply was taken in */
	u64 dir_epoch2;			/* of parent2 */
	u64 target_epoch;		/* of the target, if it is a directory */
	struct nacre_incoming *in;	/* READDIR, STATFS: the reply, for its extra */
	struct inode **entries;		/* READDIR: inodes of the entries in order, NULL where none came */
	u32 entry_count;
};

/* A request of this message type; inodes get references of their own. ERR_PTR(-ENOMEM). */
struct nacre_mds_request *nacre_mds_request_new(struct nacre_fs *fs, u16 type);
/* One that the rank must hear of, come what may: there is memory for it, and it is sent though its caller is killed. */
struct nacre_mds_request *nacre_mds_request_new_surely(struct nacre_fs *fs, u16 type);
struct nacre_mds_request *nacre_mds_request_get(struct nacre_mds_request *req);
/* Gives caps back that nobody took. Not from atomic context. */
void nacre_mds_request_put(struct nacre_mds_request *req);
/* READDIR: the inodes of the entries are not needed any more, the bytes still are. */
void nacre_mds_request_drop_entries(struct nacre_mds_request *req);
/* Copy bytes into the request's keeping. NULL: no memory. */
const u8 *nacre_mds_request_keep(struct nacre_mds_request *req, const void *bytes, size_t length);

/*
 * Send and wait, killably. req->result: 0, -errno of the rank, -EINTR (killed: the rank may still
 * do it), -EIO (umount -f), -ETIMEDOUT (soft). The caller holds no caps, folio locks (CAP-3).
 */
int nacre_mds_call(struct nacre_mds_request *req);

/* iput that waits for nothing: the last one is left to a worker. Any context. */
void nacre_mds_iput(struct nacre_fs *fs, struct inode *inode);

/* Can the rank do that, as it said when it was last connected? One bit of enum nacre_feature. */
bool nacre_mds_has_feature(struct nacre_fs *fs, u64 feature);

/* ---- ready-made requests (ops.c) ------------------------------------------------------------- */

/*
 * All return a request that was answered (look at req->target, reply_flags), or ERR_PTR; LOOKUP also one
 * whose result is -ENOENT. The rank gives the SHARED caps along whenever they are free; `wanted`
 * is for those that are worth taking from others, and is remembered.
 */
struct nacre_mds_request *nacre_mds_lookup(struct inode *dir, const struct qstr *name, u32 wanted);
/* flags: WANT_XATTRS, REPORT of enum nacre_request_flags; with REPORT look at req->reported. */
struct nacre_mds_request *nacre_mds_getattr(struct nacre_fs *fs, u64 ino, struct inode *inode,
					    u32 mask, u32 wanted, u32 flags);
/* The directory that the only name of an inode is in, as target. -ENOENT: it has none, or several. */
struct nacre_mds_request *nacre_mds_parent(struct nacre_fs *fs, u64 ino);
struct nacre_mds_request *nacre_mds_open(struct inode *inode, u32 need, u32 wanted, u32 open_flags);
/* `data`: small files' data with it, and the caps to keep it, as much as the rank has room for. */
struct nacre_mds_request *nacre_mds_readdir(struct inode *dir, u64 after, u32 max_bytes,
					    u32 max_entries, bool data);
int nacre_mds_statfs(struct nacre_fs *fs, struct nacre_statfs *out);
/* The quota that an inode counts in; all zero if there is none, or the rank knows of none. */
int nacre_mds_quota(struct inode *inode, struct nacre_quota *out);
/*
 * FILELOCK: test, take, give up a lock, wait for one. Giving up and cancelling are sent whatever happens to the caller,
 * and one that is about to end waits a little only.
 */
struct nacre_mds_request *nacre_mds_filelock(struct nacre_fs *fs, const struct nacre_filelock_req *body);

/*
 * One namespace record. The caller fills req->body.record (from `record`, tails copied) and the
 * inodes, then nacre_mds_call. `dir2`, `target`, `victim` may be NULL.
 */
struct nacre_mds_request *nacre_mds_record(struct nacre_fs *fs, const struct nacre_record *record,
					   struct inode *dir, struct inode *dir2,
					   struct inode *target, struct inode *victim);

/* An inode number of ours for something new (INO-1), or 0: the rank chooses. */
u64 nacre_mds_take_ino(struct nacre_fs *fs);
/* It was not used, and the rank has said so. */
void nacre_mds_give_ino_back(struct nacre_fs *fs, u64 ino);

/* ---- safe ---------------------------------------------------------------------------------- */

/* Wait until everything up to this apply number is journaled; asks for it. Killable. */
int nacre_mds_wait_safe(struct nacre_fs *fs, u64 applied);
/* fsync of a directory or the metadata half of a file's: what concerns this inode. */
int nacre_mds_sync_inode(struct inode *inode);
/* Have everything that was sent so far journaled (flushes, too). Killable. */
int nacre_mds_sync_all(struct nacre_fs *fs);
/* syncfs: everything answered so far. Killable. */
int nacre_mds_sync_fs(struct nacre_fs *fs);

/* ---- session ------------------------------------------------------------------------------- */

int nacre_mds_client_create(struct nacre_fs *fs);
/* Open the session: waits killably and at most NACRE_MOUNT_TIMEOUT_MS (scaled). */
int nacre_mds_session_open(struct nacre_fs *fs);
/* Close it in an orderly way; nothing is dirty any more. Bounded wait. */
void nacre_mds_session_close(struct nacre_fs *fs);
/* umount -f, or the end of a mount that failed: every request ends with -EIO. */
void nacre_mds_force(struct nacre_fs *fs);
/* Nothing comes and nothing goes from here on; what is unanswered ends with -EIO. */
void nacre_mds_client_stop(struct nacre_fs *fs);
/* After _stop, when nobody calls any more. */
void nacre_mds_client_destroy(struct nacre_fs *fs);

/* May cached answers be given and object requests begin? False once the lease is out. */
bool nacre_mds_may_io(const struct nacre_fs *fs);
/* Wait killably until it may, or the mount is over. */
int nacre_mds_wait_io(struct nacre_fs *fs);
/* Generation of the session: counts instances. Caps of older ones are void. */
u32 nacre_mds_generation(const struct nacre_fs *fs);

/*
 * Send a message that is no request, from a host struct: cap updates and releases, claims. Between
 * _send_begin and _send_end nothing else goes out, so what was read off a cap stays
 * in order. 0 or -ENOTCONN (not said; the session's recovery will make up for it).
 */
void nacre_mds_send_begin(struct nacre_fs *fs);
int nacre_mds_send(struct nacre_fs *fs, u16 type, const void *host);
void nacre_mds_send_end(struct nacre_fs *fs);
/* The session's numbers for a part of SESSION_RECONNECT. */
void nacre_mds_reconnect_head(struct nacre_fs *fs, struct nacre_session_reconnect *part);
/* Wait until what has come is worked off and references are dropped (unmount). */
void nacre_mds_drain(struct nacre_fs *fs);

/* ---- debugfs ------------------------------------------------------------------------------- */

void nacre_mds_show_session(struct seq_file *m, struct nacre_fs *fs);
void nacre_mds_show_requests(struct seq_file *m, struct nacre_fs *fs);

int nacre_mds_init(void);
void nacre_mds_exit(void);

#endif
