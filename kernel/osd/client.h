/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Object requests of the module: placement from the map, one connection per
 * OSD, resend under one request id through map changes and restarts, and the
 * map itself.
 */
#ifndef NACRE_OSD_CLIENT_H
#define NACRE_OSD_CLIENT_H

#include <linux/rbtree.h>
#include "../nacre.h"
#include "../net/conn.h"

struct nacre_osd_io;
struct nacre_osd_link;
struct seq_file;
typedef void (*nacre_osd_done)(struct nacre_osd_io *io);

/* Room for the encoded body: the fixed part, an operation with the guard before it, and the guard's input. */
#define NACRE_OSD_IO_OPS 4
#define NACRE_OSD_IO_INPUT_BYTES (2 * NACRE_INLINE_MARK_BYTES + sizeof(__le64))
#define NACRE_OSD_IO_BODY_BYTES (sizeof(struct nacre_osd_request_wire) +	\
				 NACRE_OSD_IO_OPS * sizeof(struct nacre_osd_op_wire) +	\
				 NACRE_OSD_IO_INPUT_BYTES)

/*
 *	NEW ──submit──▶ WAITING ──map, connection──▶ SENT ──reply──▶ DONE
 *	                   ▲                          │                ▲
 *	                   └──lost, "later", new map──┘    killed, failed from any
 */
enum nacre_osd_io_state {
	NACRE_OSD_IO_NEW,		/* the caller fills it in */
	NACRE_OSD_IO_WAITING,		/* for a map, an active group, a connection, or retry_at */
	NACRE_OSD_IO_SENT,		/* handed to link's connection; the answer is awaited */
	NACRE_OSD_IO_DONE,		/* out of the client's hands */
};

/*
 * One request on one object with one operation, which is what the page cache
 * needs; for inline data it may carry the guard: if object 0 has no mark, write the bytes that were inline and set
 * it (INLINE-1). They are those of WRITE_FULL, or with WRITE, which comes behind the guard, none. The first block is the caller's and does not change after submit;
 * the rest belongs to the client (under its lock).
 */
struct nacre_osd_io {
	struct nacre_fs *fs;
	struct nacre_oid oid;
	u16 code;			/* READ, WRITE, WRITE_FULL, ZERO, ALLOCATE, TRUNCATE, DELETE, STAT, SEEK, MAP; GETXATTR: of the mark */
	u16 op_flags;			/* enum nacre_osd_op_flags */
	u64 offset, length;		/* in the object, bytes */
	struct iov_iter iter;		/* WRITE, WRITE_FULL: from; READ: to; kernel pages; stays put until done */
	bool unstable;			/* WRITE: somebody may change the bytes meanwhile (a user's pages) */
	u32 truncate_seq;
	u64 truncate_size;
	bool guard;			/* WRITE_FULL, WRITE: with the guard; no soft limit ends it */
	u64 inline_gen;			/* guard: the mark's value */
	u64 mtime_ns;
	nacre_osd_done done;		/* called once, from a worker or the submitter; must not sleep long */
	/*
	 * guard: the soft limit is over, and the request goes on. Called once, from a worker. `owner` is an inode then, on
	 * which the request has a reference until `done`; the call takes over one more. NULL: nobody asks.
	 */
	nacre_osd_done overdue;
	void *owner;
	struct kvec part;		/* the owner's, for an iterator over kernel memory */
	struct list_head parked;	/* the owner's, before it is submitted */
	void *output;			/* MAP: to, `output_room` bytes of kernel memory; stays put until done */
	u32 output_room;

	/* The answer, valid in `done` and after. */
	int result;			/* 0 or -errno … */
	bool answered;			/* … from an OSD: if not, it may have been executed all the same */
	u64 transferred;		/* READ: bytes read, the rest of the iter is untouched */
	u64 object_size;		/* READ, STAT; SEEK: what was found */
	u32 output_bytes;		/* MAP */

	/* The client's. */
	struct kref ref;
	struct rb_node node;		/* client's requests by tid */
	u64 tid;
	enum nacre_osd_io_state state;
	struct nacre_osd_link *link;	/* SENT: where */
	bool out_busy;			/* `out` belongs to link's connection */
	bool receiving;			/* link's connection may be filling `iter` */
	bool counted;			/* was sent before */
	bool late;			/* `overdue` was called, or is about to be */
	u32 attempts;			/* answers "later" in a row */
	unsigned long retry_at;		/* WAITING: not before, jiffies; 0 = at once */
	u64 retry_epoch;		/* WAITING: not before this map, 0 = any */
	u64 sent_epoch;			/* map by which it was last sent */
	unsigned long submitted;	/* jiffies */
	struct kvec copy;		/* unstable and sent before: what is sent from now on; see copy.c */
	struct nacre_outgoing out;
	u8 body[NACRE_OSD_IO_BODY_BYTES];
};

int nacre_osd_client_create(struct nacre_fs *fs);
/* Every request ends with -EIO first. */
void nacre_osd_client_destroy(struct nacre_fs *fs);

/* A request, zeroed. NULL: no memory. */
struct nacre_osd_io *nacre_osd_io_new(struct nacre_fs *fs, gfp_t gfp);
/*
 * The same for write-back and page-ins: from a reserve, waits until there is one (MEM-1). Submit it before
 * the next is asked for, or all of the reserve may be held by those who wait for more.
 */
struct nacre_osd_io *nacre_osd_io_reserve(struct nacre_fs *fs);
void nacre_osd_io_put(struct nacre_osd_io *io);
/* Never fails and never sleeps for memory once the request exists (MEM-1); `done` is called in any case. */
void nacre_osd_submit(struct nacre_osd_io *io);
/* Give up: if it has not ended, it ends with `error` now, and nothing touches the iterator after. May sleep. */
void nacre_osd_cancel(struct nacre_osd_io *io, int error);
/* Submit and wait killably; a killed wait leaves nothing that touches the iterator. */
int nacre_osd_call(struct nacre_osd_io *io);
/* No call of `overdue` is under way for a request that has ended. Sleeps. */
void nacre_osd_drain(struct nacre_fs *fs);
/* End everything in flight with `error` (umount -f, eviction). */
void nacre_osd_fail_all(struct nacre_fs *fs, int error);

/* A MAP message from any server: taken in if newer, requests are sent anew where needed. */
void nacre_map_receive(struct nacre_fs *fs, struct nacre_incoming *in);
/* A reference to the newest map, or NULL. */
struct nacre_cmap *nacre_map_current(struct nacre_fs *fs);
void nacre_cmap_put(struct nacre_cmap *cmap);
/*
 * Does a request on an object of this inode wait for its placement group? Then *group is pool << 24 | group,
 * as a cap update that cannot answer yet says it.
 */
bool nacre_osd_waits_for_group(struct nacre_fs *fs, u64 ino, u32 *group);
/* No request below this map epoch from now on (FENCE-2). */
void nacre_osd_set_barrier(struct nacre_fs *fs, u64 epoch);
/*
 * Callbacks to the mds client: `want_map` asks its connection for a map of at least this epoch;
 * `dead` says that an OSD knows our instance to be dead (result: DEAD_INSTANCE, UNKNOWN_INSTANCE).
 * From a worker; they must not sleep.
 */
void nacre_osd_on_want_map(struct nacre_fs *fs, void (*want_map)(struct nacre_fs *fs, u64 epoch));
void nacre_osd_on_dead(struct nacre_fs *fs, void (*dead)(struct nacre_fs *fs, u32 result));
/* The instance has changed: OSD connections say hello again. */
void nacre_osd_renew_instance(struct nacre_fs *fs);

/* debugfs */
void nacre_osd_show_requests(struct seq_file *m, struct nacre_fs *fs);
void nacre_osd_show_conns(struct seq_file *m, struct nacre_fs *fs);

int nacre_osd_init(void);
void nacre_osd_exit(void);

#endif
