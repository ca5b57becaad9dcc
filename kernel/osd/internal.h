/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The inside of the object client, shared by the files of osd/ only.
 *
 * `lock` guards the tree of requests, their states, and the links' table. It is
 * never held over a callback, an allocation, or a wait. Order: a connection's worker
 * (its io mutex) → lock → a connection's queue lock. So what has to wait for a worker
 * (taking a message back) is done without `lock`, by a caller or by `work`.
 */
#ifndef NACRE_OSD_INTERNAL_H
#define NACRE_OSD_INTERNAL_H

#include <linux/xarray.h>
#include <linux/in.h>
#include <linux/in6.h>
#include "client.h"
#include "protocol/error.h"

struct nacre_osd_client {
	struct nacre_fs *fs;
	spinlock_t lock;
	struct rb_root ios;		/* everything between submit and done, by tid */
	u64 last_tid;
	unsigned int waiting;		/* of them, those in state WAITING */
	unsigned int total;
	u64 barrier;			/* FENCE-2: no request below this epoch */
	u64 missed_epoch;		/* a map that came and found no memory */
	u64 asked_epoch;		/* want_map was last called for this one … */
	unsigned long asked_at;		/* … at this time, jiffies */
	struct xarray links;		/* nacre_osd_link by OSD id; changed by `work` only */
	bool closing;
	struct delayed_work work;	/* moves, connects, sends what waits */
	void (*want_map)(struct nacre_fs *fs, u64 epoch);
	void (*dead)(struct nacre_fs *fs, u32 result);
};

/* One OSD that we talk to. */
struct nacre_osd_link {
	struct kref ref;		/* the table's, and who is taking a message back */
	struct nacre_osd_client *client;
	u16 id;
	u64 instance;			/* of the daemon, as the map last said */
	bool refused;			/* its hello said no: made anew after a pause */
	unsigned long refused_at;
	struct nacre_conn *conn;
};

/* client.c */
void nacre_osd_kick(struct nacre_osd_client *client, unsigned long delay);
struct nacre_osd_io *nacre_osd_find(struct nacre_osd_client *client, u64 tid);
/* The first request with a tid above this one, or NULL. */
struct nacre_osd_io *nacre_osd_after(struct nacre_osd_client *client, u64 tid);
/* Take it out of the tree: state DONE. The tree's reference passes to the caller. */
void nacre_osd_remove_locked(struct nacre_osd_client *client, struct nacre_osd_io *io);
void nacre_osd_set_waiting_locked(struct nacre_osd_client *client, struct nacre_osd_io *io);
/* Call `done` and drop the tree's reference. */
void nacre_osd_complete(struct nacre_osd_io *io, int result);
/* Take the message back from the link's connection and keep its reply out of the iterator. Sleeps. */
void nacre_osd_take_back(struct nacre_osd_io *io, struct nacre_osd_link *link);

/* request.c */
/* Encode and queue it. False: the connection is not open. */
bool nacre_osd_send_locked(struct nacre_osd_client *client, struct nacre_osd_io *io,
			   struct nacre_osd_link *link, const struct nacre_map_view *map);
void nacre_osd_reply(struct nacre_osd_link *link, struct nacre_incoming *in);
int nacre_osd_data_to(struct nacre_osd_link *link, const struct nacre_osd_reply *reply,
		      u32 data_bytes, struct nacre_sink *sink);

/* target.c */
/* OSD to send to by this map: id >= 0, or -EAGAIN: wait for a newer map. */
int nacre_osd_target(const struct nacre_osd_io *io, const struct nacre_map_view *map, u32 *pg);
/* copy.c */
/* Must the bytes be copied before it is sent again? */
bool nacre_osd_wants_copy(const struct nacre_osd_io *io);
/* Copy them, if it still waits. Allocates; without memory it is sent as it is. */
void nacre_osd_copy(struct nacre_osd_client *client, u64 tid);

/* work.c */
void nacre_osd_work(struct work_struct *work);
void nacre_osd_link_put(struct nacre_osd_link *link);

#endif
