// SPDX-License-Identifier: GPL-2.0
/*
 * The client's one connection to its rank: made and torn down, its messages queued for
 * the inbox worker and handed out there, the map, the session's public face.
 *
 * Not here: what a message means for the session (session.c), for requests
 * (reply.c), for caps (upcalls).
 */
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include "client.h"
#include "../osd/client.h"

struct mds_event {
	struct list_head link;
	enum mds_event_kind kind;
	u64 value;
	struct nacre_incoming *in;
};

/* ---- inbox ---------------------------------------------------------------------------------- */

/* Any context that may allocate. After the inbox is closed, events are dropped. */
void mds_post(struct nacre_mds_client *mds, enum mds_event_kind kind, u64 value,
	      struct nacre_incoming *in)
{
	struct mds_event *event = kmalloc(sizeof(*event), GFP_NOFS | __GFP_NOFAIL);

	event->kind = kind;
	event->value = value;
	event->in = in ? nacre_incoming_get(in) : NULL;
	spin_lock(&mds->inbox_lock);
	if (!mds->inbox_closed) {
		list_add_tail(&event->link, &mds->inbox);
		queue_work(mds->fs->work, &mds->inbox_work);
		event = NULL;
	}
	spin_unlock(&mds->inbox_lock);
	if (event) {
		if (event->in)
			nacre_incoming_put(event->in);
		kfree(event);
	}
}

static void take_message(struct nacre_mds_client *mds, struct nacre_incoming *in)
{
	switch (in->type) {
	case NACRE_MSG_REPLY:
		mds_reply(mds, in);
		break;
	case NACRE_MSG_SAFE:
		mds_take_safe(mds, ((const struct nacre_safe *)in->host)->safe);
		break;
	case NACRE_MSG_SESSION_STATE:
		mds_session_state(mds, in->host);
		break;
	case NACRE_MSG_SESSION_KILLED:
		mds_session_killed(mds, in->host);
		break;
	case NACRE_MSG_CAP_GRANT:
		mds_take_safe(mds, ((const struct nacre_cap_grant *)in->host)->safe);
		fallthrough;
	case NACRE_MSG_CAP_REVOKE:
	case NACRE_MSG_CAP_REVOKES:
	case NACRE_MSG_SIZE_ASK:
	case NACRE_MSG_CAP_FLUSH_ACK:
		mds->fs->upcalls->cap_message(mds->fs, in->type, in->host);
		break;
	case NACRE_MSG_FILELOCK_GRANTED:
		mds->fs->upcalls->lock_granted(mds->fs, in->host);
		break;
	default:
		pr_warn_ratelimited("nacre: message %u is nothing a metadata server says\n",
				    in->type);
		nacre_conn_reset(mds->conn, -EBADMSG);
	}
}

static void take_event(struct nacre_mds_client *mds, struct mds_event *event)
{
	switch (event->kind) {
	case MDS_EVENT_OPENED:
		mds_map_subscribe(mds);
		mds_session_connected(mds, event->value);
		break;
	case MDS_EVENT_CLOSED:
		wake_up_all(&mds->wait);
		break;
	case MDS_EVENT_MESSAGE:
		take_message(mds, event->in);
		break;
	case MDS_EVENT_SESSION:
		mds_session_event(mds, event->value);
		break;
	case MDS_EVENT_FENCED:
		if (event->value == mds->fs->instance)
			mds_session_event(mds, NACRE_SESE_KILLED);
		break;
	case MDS_EVENT_RESEND:
		mds_request_resend(mds);
		break;
	}
}

static void inbox_work(struct work_struct *work)
{
	struct nacre_mds_client *mds = container_of(work, struct nacre_mds_client, inbox_work);
	/* Inodes are made here: making room for one must not wait for what only the inbox can end. */
	unsigned int nofs = memalloc_nofs_save();
	struct mds_event *event;

	for (;;) {
		spin_lock(&mds->inbox_lock);
		event = list_first_entry_or_null(&mds->inbox, struct mds_event, link);
		if (event)
			list_del(&event->link);
		spin_unlock(&mds->inbox_lock);
		if (!event)
			break;
		take_event(mds, event);
		if (event->in)
			nacre_incoming_put(event->in);
		kfree(event);
		cond_resched();		/* TIME-1 */
	}
	memalloc_nofs_restore(nofs);
}

/* ---- connection ----------------------------------------------------------------------------- */

static void conn_opened(struct nacre_conn *conn, const struct nacre_hello_reply *hello)
{
	struct nacre_mds_client *mds = nacre_conn_owner(conn);

	mds->fs->time_scale_percent = hello->time_scale_percent;
	mds_post(mds, MDS_EVENT_OPENED, hello->instance, NULL);
}

static void conn_message(struct nacre_conn *conn, struct nacre_incoming *in)
{
	struct nacre_mds_client *mds = nacre_conn_owner(conn);

	if (in->type == NACRE_MSG_MAP) {
		/* Out of turn: object requests beneath the inbox may wait for it. */
		nacre_map_receive(mds->fs, in);
		queue_work(mds->fs->work, &mds->map_work);
		return;
	}
	mds_post(mds, MDS_EVENT_MESSAGE, 0, in);
}

static void conn_closed(struct nacre_conn *conn, int reason)
{
	mds_post(nacre_conn_owner(conn), MDS_EVENT_CLOSED, reason, NULL);
}

static void conn_refused(struct nacre_conn *conn, int reason)
{
	struct nacre_mds_client *mds = nacre_conn_owner(conn);

	/* A dead instance is refused at the hello already. */
	if (reason == -ESTALE && mds->fs->instance)
		mds_post(mds, MDS_EVENT_SESSION, NACRE_SESE_KILLED, NULL);
	else
		WRITE_ONCE(mds->open_error, reason);
	wake_up_all(&mds->wait);
}

static const struct nacre_conn_ops conn_ops = {
	.opened = conn_opened,
	.message = conn_message,
	.closed = conn_closed,
	.refused = conn_refused,
};

/* ---- map ------------------------------------------------------------------------------------ */

void mds_map_subscribe(struct nacre_mds_client *mds)
{
	struct nacre_map_get get = {
		.have_epoch = nacre_map_epoch(mds->fs),
		.flags = NACRE_MAP_SUBSCRIBE,
	};

	mutex_lock(&mds->send_mutex);
	mds_send_locked(mds, NACRE_MSG_MAP_GET, &get, true);
	mutex_unlock(&mds->send_mutex);
}

/* For map rows: IPv4 is mapped into IPv6 there. */
static void address_of(const struct nacre_map_rank *rank, struct sockaddr_storage *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	__be64 hi = cpu_to_be64(rank->address_hi), lo = cpu_to_be64(rank->address_lo);

	memset(address, 0, sizeof(*address));
	in6->sin6_family = AF_INET6;
	memcpy(&in6->sin6_addr.s6_addr[0], &hi, 8);
	memcpy(&in6->sin6_addr.s6_addr[8], &lo, 8);
	in6->sin6_port = htons(rank->port);
	if (ipv6_addr_v4mapped(&in6->sin6_addr)) {
		__be32 v4 = in6->sin6_addr.s6_addr32[3];

		memset(address, 0, sizeof(*address));
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = v4;
		in->sin_port = htons(rank->port);
	}
}

/* The rank may have moved while its connection was down. */
static void follow_rank(struct nacre_mds_client *mds)
{
	struct nacre_cmap *cmap = nacre_map_current(mds->fs);
	struct nacre_conn *conn = READ_ONCE(mds->conn);
	struct nacre_map_rank rank;
	struct sockaddr_storage address;

	if (!cmap)
		return;
	if (conn && !nacre_map_rank_at(&cmap->view, 0, &rank) && rank.state != NACRE_RANK_DOWN &&
	    rank.instance != READ_ONCE(mds->conn_instance) && !nacre_conn_is_open(conn)) {
		address_of(&rank, &address);
		nacre_conn_redirect(conn, &address);
	}
	nacre_cmap_put(cmap);
}

/* The map is the judge (FENCE-1): is our instance dead in it? */
static void judge_ourselves(struct nacre_mds_client *mds)
{
	struct nacre_cmap *cmap = nacre_map_current(mds->fs);
	u64 instance = READ_ONCE(mds->fs->instance);

	if (!cmap)
		return;
	if (instance && nacre_map_is_dead(&cmap->view, instance))
		mds_post(mds, MDS_EVENT_FENCED, instance, NULL);
	nacre_cmap_put(cmap);
}

static void map_work(struct work_struct *work)
{
	struct nacre_mds_client *mds = container_of(work, struct nacre_mds_client, map_work);

	judge_ourselves(mds);
	if (READ_ONCE(mds->map_wanted) > nacre_map_epoch(mds->fs))
		mds_map_subscribe(mds);
	follow_rank(mds);
	wake_up_all(&mds->wait);
}

static void want_map(struct nacre_fs *fs, u64 epoch)
{
	WRITE_ONCE(fs->mds->map_wanted, max(READ_ONCE(fs->mds->map_wanted), epoch));
	queue_work(fs->work, &fs->mds->map_work);
}

/* An OSD has a map in which we are dead: get it, and see. The answer may be about an instance before. */
static void osd_says_dead(struct nacre_fs *fs, u32 result)
{
	want_map(fs, nacre_map_epoch(fs) + 1);
}

/* ---- the session's public face ---------------------------------------------------------------- */

u32 nacre_mds_generation(const struct nacre_fs *fs)
{
	return READ_ONCE(fs->mds->generation);
}

static bool is_open(struct nacre_mds_client *mds)
{
	return READ_ONCE(mds->state) == NACRE_SESSION_OPEN && nacre_map_epoch(mds->fs);
}

/* Nobody listens, or there is no way there: a mount need not wait the whole time for that. */
static bool looks_hopeless(int error)
{
	return error == -ECONNREFUSED || error == -EHOSTUNREACH || error == -ENETUNREACH;
}

int nacre_mds_session_open(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;
	unsigned long patience = jiffies + msecs_to_jiffies(NACRE_MOUNT_REFUSED_MS);
	unsigned long end = jiffies + msecs_to_jiffies(NACRE_MOUNT_TIMEOUT_MS);
	int error;

	mds_post(mds, MDS_EVENT_SESSION, NACRE_SESE_OPEN, NULL);
	for (;;) {
		if (wait_event_killable_timeout(mds->wait, is_open(mds) ||
						READ_ONCE(mds->open_error), HZ / 4) < 0)
			return -EINTR;
		if (is_open(mds))
			return 0;
		error = READ_ONCE(mds->open_error);
		if (error)
			return error;
		error = nacre_conn_last_error(mds->conn);
		if (looks_hopeless(error) && time_after(jiffies, patience))
			return error;
		if (time_after(jiffies, end))
			return error ?: -ETIMEDOUT;
	}
}

void nacre_mds_session_close(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;

	mds_post(mds, MDS_EVENT_SESSION, NACRE_SESE_CLOSE, NULL);
	wait_event_timeout(mds->wait, READ_ONCE(mds->state) == NACRE_SESSION_CLOSED,
			   msecs_to_jiffies(NACRE_CLOSE_TIMEOUT_MS));
}

void nacre_mds_reconnect_head(struct nacre_fs *fs, struct nacre_session_reconnect *part)
{
	struct nacre_mds_client *mds = fs->mds;

	spin_lock(&mds->lock);
	part->oldest_tid = mds_oldest_tid_locked(mds);
	part->safe = mds->safe;
	spin_unlock(&mds->lock);
}

void nacre_mds_drain(struct nacre_fs *fs)
{
	flush_work(&fs->mds->inbox_work);
	flush_work(&fs->mds->reap_work);
}

void nacre_mds_force(struct nacre_fs *fs)
{
	mds_session_force(fs->mds);
}

/* ---- making and unmaking ------------------------------------------------------------------------ */

static void init_client(struct nacre_mds_client *mds, struct nacre_fs *fs)
{
	mds->fs = fs;
	mutex_init(&mds->send_mutex);
	spin_lock_init(&mds->lock);
	spin_lock_init(&mds->inbox_lock);
	spin_lock_init(&mds->reap_lock);
	mds->state = NACRE_SESSION_NEW;
	mds->io_stopped = true;
	mds->generation = 1;
	mds->next_tid = 1;
	mds->lease_ms = 30000;		/* until the rank says */
	INIT_LIST_HEAD(&mds->requests);
	INIT_LIST_HEAD(&mds->resending);
	INIT_LIST_HEAD(&mds->unsafe);
	INIT_LIST_HEAD(&mds->inos);
	INIT_LIST_HEAD(&mds->inbox);
	INIT_LIST_HEAD(&mds->reap_requests);
	init_llist_head(&mds->reap_inodes);
	init_waitqueue_head(&mds->wait);
	INIT_WORK(&mds->inbox_work, inbox_work);
	INIT_WORK(&mds->map_work, map_work);
	INIT_WORK(&mds->reap_work, mds_reap_work);
	INIT_DELAYED_WORK(&mds->renew_work, mds_session_renew_work);
	INIT_DELAYED_WORK(&mds->retry_work, mds_session_retry_work);
}

int nacre_mds_client_create(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = kzalloc(sizeof(*mds), GFP_KERNEL);

	if (!mds)
		return -ENOMEM;
	init_client(mds, fs);
	fs->mds = mds;
	nacre_osd_on_want_map(fs, want_map);
	nacre_osd_on_dead(fs, osd_says_dead);
	mds->conn = nacre_conn_create(fs, &fs->options.server, NACRE_ROLE_MDS, 0, &conn_ops, mds);
	if (IS_ERR(mds->conn)) {
		int err = PTR_ERR(mds->conn);

		fs->mds = NULL;
		kfree(mds);
		return err;
	}
	return 0;
}

static void close_inbox(struct nacre_mds_client *mds)
{
	struct mds_event *event, *next;

	spin_lock(&mds->inbox_lock);
	mds->inbox_closed = true;
	spin_unlock(&mds->inbox_lock);
	cancel_work_sync(&mds->inbox_work);
	list_for_each_entry_safe(event, next, &mds->inbox, link) {
		if (event->in)
			nacre_incoming_put(event->in);
		kfree(event);
	}
}

static void cancel_workers(struct nacre_mds_client *mds)
{
	cancel_delayed_work_sync(&mds->renew_work);
	cancel_delayed_work_sync(&mds->retry_work);
	cancel_work_sync(&mds->map_work);
}

void nacre_mds_client_stop(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;
	struct nacre_conn *conn;

	if (!mds)
		return;
	if (READ_ONCE(mds->state) != NACRE_SESSION_CLOSED)
		mds_session_force(mds);
	mds_session_await_cut(mds);
	nacre_osd_on_want_map(fs, NULL);
	nacre_osd_on_dead(fs, NULL);
	close_inbox(mds);
	mutex_lock(&mds->send_mutex);
	conn = mds->conn;
	WRITE_ONCE(mds->conn, NULL);
	mutex_unlock(&mds->send_mutex);
	cancel_workers(mds);		/* those that still see the connection */
	nacre_conn_destroy(conn);
	cancel_workers(mds);		/* those that its last callbacks queued */
	mds_request_fail(mds, -EIO, true);
	flush_work(&mds->reap_work);
}

void nacre_mds_client_destroy(struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;

	if (!mds)
		return;
	flush_work(&mds->reap_work);
	mds_inos_drop(mds);
	fs->mds = NULL;
	kfree(mds);
}

/* ---- debugfs -------------------------------------------------------------------------------- */

void nacre_mds_show_session(struct seq_file *m, struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;
	s64 left_ms;

	if (!mds)
		return;
	left_ms = ((s64)READ_ONCE(mds->lease_end_ns) - (s64)mds_now_ns()) / NSEC_PER_MSEC;
	spin_lock(&mds->lock);
	seq_printf(m, "state %s\n", nacre_machine_state(&nacre_session_machine, mds->state));
	seq_printf(m, "instance %llu\n", fs->instance);
	seq_printf(m, "generation %u\n", mds->generation);
	seq_printf(m, "rank_instance %llu\n", mds->rank_instance);
	seq_printf(m, "lease_ms %llu\n", mds->lease_ms);
	seq_printf(m, "lease_left_ms %lld\n", left_ms);
	seq_printf(m, "applied %llu\n", mds->applied);
	seq_printf(m, "safe %llu\n", mds->safe);
	seq_printf(m, "oldest_tid %llu\n", mds_oldest_tid_locked(mds));
	seq_printf(m, "next_tid %llu\n", mds->next_tid);
	seq_printf(m, "inos_left %llu\n", mds->inos_left);
	spin_unlock(&mds->lock);
	if (mds->conn)
		nacre_conn_show(m, mds->conn);
}

static void show_list(struct seq_file *m, struct list_head *list, const char *word)
{
	struct nacre_mds_request *req;

	list_for_each_entry(req, list, link)
		seq_printf(m, "%llu %s %s applied=%llu age_ms=%u%s\n", req->tid, req->op->name, word,
			   req->applied, jiffies_to_msecs(jiffies - req->started),
			   test_bit(NACRE_MDSR_ABANDONED, &req->flags) ? " abandoned" : "");
}

void nacre_mds_show_requests(struct seq_file *m, struct nacre_fs *fs)
{
	struct nacre_mds_client *mds = fs->mds;

	if (!mds)
		return;
	spin_lock(&mds->lock);
	show_list(m, &mds->requests, "unanswered");
	show_list(m, &mds->resending, "resending");
	show_list(m, &mds->unsafe, "unsafe");
	spin_unlock(&mds->lock);
}
