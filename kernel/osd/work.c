// SPDX-License-Identifier: GPL-2.0
/*
 * The object client's worker: brings links and requests in line with the newest
 * map. Runs when a map comes, a connection opens or breaks, a pause is over, or a
 * request could not be sent at once.
 *
 *	1 links: close those whose OSD left the map, redirect those that moved
 *	2 requests sent to an OSD that is not their primary any more: take back
 *	3 requests that wait, in the order of their tids: send what can be sent
 *	4 come again when the next pause or soft limit ends
 *
 * Only this worker creates and removes links.
 */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/slab.h>
#include "../trace.h"
#include "internal.h"

#define REFUSED_PAUSE_MS 5000
#define ASK_AGAIN_MS 1000
#define HELD_BACK_BITS 10

/* ---- links --------------------------------------------------------------------------------- */

static void link_free(struct kref *ref)
{
	struct nacre_osd_link *link = container_of(ref, struct nacre_osd_link, ref);

	nacre_conn_destroy(link->conn);
	kfree(link);
}

void nacre_osd_link_put(struct nacre_osd_link *link)
{
	kref_put(&link->ref, link_free);
}

static void on_opened(struct nacre_conn *conn, const struct nacre_hello_reply *hello)
{
	struct nacre_osd_link *link = nacre_conn_owner(conn);

	nacre_osd_kick(link->client, 0);
}

static void on_message(struct nacre_conn *conn, struct nacre_incoming *in)
{
	struct nacre_osd_link *link = nacre_conn_owner(conn);

	if (in->type == NACRE_MSG_OSD_REPLY)
		nacre_osd_reply(link, in);
	else if (in->type == NACRE_MSG_MAP)
		nacre_map_receive(link->client->fs, in);
}

/* Everything sent here is to be sent again. */
static void on_closed(struct nacre_conn *conn, int reason)
{
	struct nacre_osd_link *link = nacre_conn_owner(conn);
	struct nacre_osd_client *client = link->client;
	struct nacre_osd_io *io;
	u64 at = 0;

	spin_lock(&client->lock);
	while ((io = nacre_osd_after(client, at))) {
		at = io->tid;
		if (io->state == NACRE_OSD_IO_SENT && io->link == link) {
			nacre_osd_set_waiting_locked(client, io);
			io->retry_at = 0;
			io->retry_epoch = 0;
		}
	}
	spin_unlock(&client->lock);
}

static void on_refused(struct nacre_conn *conn, int reason)
{
	struct nacre_osd_link *link = nacre_conn_owner(conn);
	struct nacre_osd_client *client = link->client;

	on_closed(conn, reason);
	link->refused_at = jiffies;
	WRITE_ONCE(link->refused, true);
	if (reason == -ESTALE && client->dead)
		client->dead(client->fs, NACRE_E_DEAD_INSTANCE);
	nacre_osd_kick(client, 0);
}

static int on_data(struct nacre_conn *conn, u16 type, const void *host, u32 data_bytes,
		   struct nacre_sink *sink)
{
	if (type != NACRE_MSG_OSD_REPLY)
		return -ENOENT;
	return nacre_osd_data_to(nacre_conn_owner(conn), host, data_bytes, sink);
}

static const struct nacre_conn_ops link_ops = {
	.opened = on_opened,
	.message = on_message,
	.closed = on_closed,
	.refused = on_refused,
	.data_to = on_data,
};

/* The map's addresses are IPv6, or IPv4 mapped into it. */
static void address_of(const struct nacre_map_osd *osd, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (!osd->address_hi && osd->address_lo >> 32 == 0xffff) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(osd->port);
		in->sin_addr.s_addr = htonl((u32)osd->address_lo);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
		__be64 half[2] = { cpu_to_be64(osd->address_hi), cpu_to_be64(osd->address_lo) };

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(osd->port);
		memcpy(&in6->sin6_addr, half, sizeof(half));
	}
}

/* NULL: no memory now. */
static struct nacre_osd_link *link_new(struct nacre_osd_client *client,
				       const struct nacre_map_osd *osd)
{
	struct nacre_osd_link *link = kzalloc(sizeof(*link), GFP_NOFS);
	struct sockaddr_storage address;

	if (!link)
		return NULL;
	kref_init(&link->ref);
	link->client = client;
	link->id = osd->id;
	link->instance = osd->instance;
	address_of(osd, &address);
	link->conn = nacre_conn_create(client->fs, &address, NACRE_ROLE_OSD, osd->id, &link_ops,
				       link);
	if (IS_ERR(link->conn)) {
		kfree(link);
		return NULL;
	}
	if (xa_err(xa_store(&client->links, osd->id, link, GFP_NOFS))) {
		nacre_osd_link_put(link);
		return NULL;
	}
	return link;
}

/* Take it out of the table; what was sent through it waits again. */
static void link_close(struct nacre_osd_client *client, struct nacre_osd_link *link)
{
	struct nacre_osd_io *io;
	u64 at = 0;

	xa_erase(&client->links, link->id);
	spin_lock(&client->lock);
	while ((io = nacre_osd_after(client, at))) {
		at = io->tid;
		if (io->state != NACRE_OSD_IO_SENT || io->link != link)
			continue;
		kref_get(&io->ref);
		spin_unlock(&client->lock);
		nacre_osd_take_back(io, link);
		spin_lock(&client->lock);
		if (io->state == NACRE_OSD_IO_SENT && io->link == link) {
			if (io->receiving) {	/* a reply began meanwhile: once more */
				io->receiving = false;
				at--;
			} else {
				nacre_osd_set_waiting_locked(client, io);
				io->retry_at = 0;
			}
		}
		nacre_osd_io_put(io);
	}
	spin_unlock(&client->lock);
	nacre_osd_link_put(link);
}

static void tend_links(struct nacre_osd_client *client, const struct nacre_map_view *map)
{
	struct sockaddr_storage address;
	struct nacre_osd_link *link;
	struct nacre_map_osd osd;
	unsigned long id;

	xa_for_each(&client->links, id, link) {
		bool over = READ_ONCE(link->refused) &&
			    time_after(jiffies, link->refused_at +
				       nacre_scaled_jiffies(client->fs, REFUSED_PAUSE_MS));

		if (over || !nacre_map_osd_is_up(map, id) || nacre_map_osd_at(map, id, &osd)) {
			link_close(client, link);
			continue;
		}
		if (osd.instance == link->instance)
			continue;
		/* Another daemon serves it: what was sent to the old one is lost or will be known to the new. */
		link->instance = osd.instance;
		address_of(&osd, &address);
		nacre_conn_reset(link->conn, -ECONNRESET);
		nacre_conn_redirect(link->conn, &address);
	}
}

/* ---- requests ------------------------------------------------------------------------------ */

/* A newer map has moved its group's primary: take it back from the old one. */
static void move(struct nacre_osd_client *client, struct nacre_osd_io *io)
{
	struct nacre_osd_link *link = io->link;

	kref_get(&io->ref);
	kref_get(&link->ref);
	do {
		io->receiving = false;
		spin_unlock(&client->lock);
		nacre_osd_take_back(io, link);
		spin_lock(&client->lock);
	} while (io->state == NACRE_OSD_IO_SENT && io->link == link && io->receiving);
	if (io->state == NACRE_OSD_IO_SENT && io->link == link) {
		nacre_osd_set_waiting_locked(client, io);
		io->retry_at = 0;
	}
	spin_unlock(&client->lock);
	nacre_osd_link_put(link);
	nacre_osd_io_put(io);
	spin_lock(&client->lock);
}

static void move_all(struct nacre_osd_client *client, const struct nacre_map_view *map)
{
	struct nacre_osd_io *io;
	u64 at = 0;
	int osd;
	u32 pg;

	spin_lock(&client->lock);
	while ((io = nacre_osd_after(client, at))) {
		at = io->tid;
		if (io->state != NACRE_OSD_IO_SENT || io->sent_epoch >= map->epoch)
			continue;
		osd = nacre_osd_target(io, map, &pg);
		if (osd >= 0 && osd != io->link->id)
			move(client, io);
	}
	spin_unlock(&client->lock);
}

/* One pass over what waits. */
struct pass {
	const struct nacre_map_view *map;
	DECLARE_BITMAP(held_back, 1 << HELD_BACK_BITS);	/* hashes of objects with an earlier request waiting */
	unsigned long next;		/* earliest retry_at seen, 0 = none */
	u64 want_epoch;			/* newest map that somebody waits for */
	int connect;			/* an OSD without a link, -1 = none */
	u64 copy;			/* tid of a request whose bytes are to be copied first, 0 = none */
};

/* Two objects of one hash only wait for each other without need. */
static unsigned int object_bit(const struct nacre_osd_io *io)
{
	return hash_64(io->oid.ino * 31 + io->oid.index, HELD_BACK_BITS);
}

/* Try to send one; false: it keeps waiting. */
static bool try_one(struct nacre_osd_client *client, struct nacre_osd_io *io, struct pass *pass)
{
	struct nacre_osd_link *link;
	int osd;
	u32 pg;

	/* Requests on one object go out in order: behind one that waits the others wait, too. */
	if (test_bit(object_bit(io), pass->held_back))
		return false;
	if (io->retry_epoch > pass->map->epoch) {
		pass->want_epoch = max(pass->want_epoch, io->retry_epoch);
		return false;
	}
	if (io->retry_at && time_before(jiffies, io->retry_at)) {
		if (!pass->next || time_before(io->retry_at, pass->next))
			pass->next = io->retry_at;
		return false;
	}
	osd = nacre_osd_target(io, pass->map, &pg);
	if (osd < 0) {
		pass->want_epoch = max(pass->want_epoch, pass->map->epoch + 1);
		return false;
	}
	link = xa_load(&client->links, osd);
	if (!link) {
		pass->connect = osd;
		return false;
	}
	if (nacre_osd_wants_copy(io)) {
		pass->copy = io->tid;
		return false;
	}
	if (!nacre_osd_send_locked(client, io, link, pass->map))
		return false;
	client->waiting--;
	return true;
}

static void send_waiting(struct nacre_osd_client *client, struct pass *pass)
{
	struct nacre_osd_io *io;
	u64 at = 0;

	bitmap_zero(pass->held_back, 1 << HELD_BACK_BITS);
	pass->connect = -1;
	pass->copy = 0;
	spin_lock(&client->lock);
	if (pass->map->epoch < client->barrier) {
		pass->want_epoch = client->barrier;
		spin_unlock(&client->lock);
		return;
	}
	while (client->waiting && (io = nacre_osd_after(client, at))) {
		at = io->tid;
		if (io->state == NACRE_OSD_IO_WAITING && !try_one(client, io, pass))
			__set_bit(object_bit(io), pass->held_back);
		if (pass->connect >= 0 || pass->copy)
			break;
	}
	spin_unlock(&client->lock);
}

/* Send all that can be sent, making links and copies as they turn out to be needed. */
static void send_all(struct nacre_osd_client *client, struct pass *pass)
{
	struct nacre_map_osd osd;

	for (;;) {
		send_waiting(client, pass);
		if (pass->copy) {
			nacre_osd_copy(client, pass->copy);
			continue;
		}
		if (pass->connect < 0)
			return;
		if (nacre_map_osd_at(pass->map, pass->connect, &osd) || !link_new(client, &osd)) {
			pass->next = jiffies + HZ / 10;
			return;
		}
	}
}

/* Tell a guard's owner. Under the lock `done` was not called yet, so the inode is there to be held. */
static void tell_overdue(struct nacre_osd_client *client, struct nacre_osd_io *io)
{
	if (io->late || !io->overdue)
		return;
	io->late = true;
	kref_get(&io->ref);
	ihold(io->owner);
	spin_unlock(&client->lock);
	io->overdue(io);
	nacre_osd_io_put(io);
	spin_lock(&client->lock);
}

/*
 * Requests older than the soft limit end with -ETIMEDOUT. Returns when the next one will, 0 = none. A guard of inline
 * data goes on: whether it was done must be known before anybody relies on the bytes in the inode. Only who waits for it
 * hears that it is late.
 */
static unsigned long end_overdue(struct nacre_osd_client *client)
{
	unsigned int limit_ms = READ_ONCE(client->fs->options.soft_timeout_ms);
	unsigned long limit = msecs_to_jiffies(limit_ms);
	struct nacre_osd_io *io;
	unsigned long next = 0;
	u64 passed = 0;

	if (!limit_ms)
		return 0;
	spin_lock(&client->lock);
	while ((io = nacre_osd_after(client, passed))) {
		next = io->submitted + limit;
		if (time_before(jiffies, next))
			break;
		next = 0;
		if (io->guard) {
			passed = io->tid;
			tell_overdue(client, io);
			continue;
		}
		kref_get(&io->ref);
		spin_unlock(&client->lock);
		nacre_osd_cancel(io, -ETIMEDOUT);
		nacre_osd_io_put(io);
		spin_lock(&client->lock);
	}
	spin_unlock(&client->lock);
	return next;
}

/* Ask for a newer map, but not all the time. */
static void ask_for_map(struct nacre_osd_client *client, u64 epoch)
{
	unsigned long pause = nacre_scaled_jiffies(client->fs, ASK_AGAIN_MS);

	if (!client->want_map || (client->asked_epoch >= epoch &&
				  time_before(jiffies, client->asked_at + pause)))
		return;
	client->asked_epoch = epoch;
	client->asked_at = jiffies;
	client->want_map(client->fs, epoch);
}

static void come_again(struct nacre_osd_client *client, unsigned long at)
{
	if (at)
		nacre_osd_kick(client, max_t(long, 1, (long)(at - jiffies)));
}

void nacre_osd_work(struct work_struct *work)
{
	struct nacre_osd_client *client = container_of(to_delayed_work(work),
						       struct nacre_osd_client, work);
	struct nacre_cmap *cmap = nacre_map_current(client->fs);
	struct pass pass = {};
	unsigned long overdue;

	if (cmap) {
		pass.map = &cmap->view;
		tend_links(client, pass.map);
		move_all(client, pass.map);
		send_all(client, &pass);
	} else if (READ_ONCE(client->waiting)) {
		pass.want_epoch = 1;
	}
	if (READ_ONCE(client->missed_epoch) > (cmap ? cmap->view.epoch : 0))
		pass.want_epoch = max(pass.want_epoch, READ_ONCE(client->missed_epoch));
	if (pass.want_epoch) {
		ask_for_map(client, pass.want_epoch);
		if (!pass.next)
			pass.next = jiffies + nacre_scaled_jiffies(client->fs, ASK_AGAIN_MS);
	}
	overdue = end_overdue(client);
	if (overdue && (!pass.next || time_before(overdue, pass.next)))
		pass.next = overdue;
	if (!pass.next && READ_ONCE(client->waiting))
		pass.next = jiffies + nacre_scaled_jiffies(client->fs, ASK_AGAIN_MS);
	come_again(client, pass.next);
	nacre_cmap_put(cmap);
}
