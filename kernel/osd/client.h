/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Object requests of the module: placement from the map, one connection per
 * OSD, resend under one request id through map changes and restarts, and the
 * map itself.
 */
#ifndef NACRE_OSD_CLIENT_H
#define NACRE_OSD_CLIENT_H

#include "../nacre.h"

struct nacre_osd_request;
typedef void (*nacre_osd_done)(struct nacre_osd_request *req);

/*
 * One request on one object: at most one data operation, which is what the
 * page cache needs, with a guard in front of it where inline data asks for one.
 */
struct nacre_osd_request {
	struct list_head link;		/* osd client's list, in order of tid */
	struct kref ref;
	u64 tid;
	struct nacre_fs *fs;
	struct nacre_oid oid;
	u16 code;			/* READ, WRITE, ZERO, DELETE, STAT, … */
	u64 offset, length;		/* in the object, bytes */
	struct iov_iter iter;		/* WRITE: from; READ: to; stays put until done */
	u32 truncate_seq;
	u64 truncate_size;
	u64 inline_gen;
	u64 mtime_ns;
	nacre_osd_done done;		/* called once, from a worker */
	void *owner;
	int result;			/* 0 or -errno */
	u64 transferred;		/* READ: bytes read, the rest of the iter is untouched */
	u64 object_size;		/* READ, STAT */
	unsigned long submitted_jiffies;
	struct nacre_outgoing *out;	/* being sent */
	int osd;			/* id it was last sent to, -1 none */
};

int nacre_osd_client_create(struct nacre_fs *fs);
/* Every request ends with -EIO first. */
void nacre_osd_client_destroy(struct nacre_fs *fs);

struct nacre_osd_request *nacre_osd_request_new(struct nacre_fs *fs, gfp_t gfp);
void nacre_osd_request_put(struct nacre_osd_request *req);
/* Never fails and never sleeps for memory once the request exists (MEM-1); `done` is called in any case. */
void nacre_osd_submit(struct nacre_osd_request *req);
/* Submit and wait killably; a killed wait leaves nothing that touches the iterator. */
int nacre_osd_call(struct nacre_osd_request *req);
/* End everything in flight with `error` (umount -f, eviction). */
void nacre_osd_fail_all(struct nacre_fs *fs, int error);

/* A MAP message from any server: taken in if newer, requests are sent anew where needed. */
void nacre_map_receive(struct nacre_fs *fs, const struct nacre_message *message);
/* A reference to the newest map, or NULL. */
struct nacre_cmap *nacre_map_current(struct nacre_fs *fs);
void nacre_cmap_put(struct nacre_cmap *cmap);
/* No request below this map epoch from now on (FENCE-2). */
void nacre_osd_set_barrier(struct nacre_fs *fs, u64 epoch);
/* Ask the MDS connection for a newer map; called by the osd client, set by the mds client. */
void nacre_osd_on_want_map(struct nacre_fs *fs, void (*want)(struct nacre_fs *fs, u64 epoch));

#endif
