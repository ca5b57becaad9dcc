// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a connection: the worker that drives the dialler's machine of
 * protocol/rules/conn.h, its timer, and what others may ask of it.
 *
 * The worker alternates between sending and receiving inside a budget, then
 * queues itself again, so that connections share processors fairly and nobody
 * who waits for `io` waits long (TIME-1). See internal.h for the locks.
 */
#include <linux/seq_file.h>
#include <linux/utsname.h>
#include "../compat.h"
#include "../trace.h"
#include "internal.h"

#define CONNECT_TIMEOUT_MS 5000
#define HELLO_TIMEOUT_MS 5000
#define SLICE_JIFFIES max(1, HZ / 200)

static struct workqueue_struct *net_work;
static atomic_t generations;

unsigned long nacre_scaled_jiffies(const struct nacre_fs *fs, unsigned int ms)
{
	u64 scaled = (u64)ms * (READ_ONCE(fs->time_scale_percent) ?: 100);

	return max(1UL, msecs_to_jiffies(min_t(u64, scaled / 100, UINT_MAX / 2)));
}

void nacre_conn_kick(struct nacre_conn *conn)
{
	if (!READ_ONCE(conn->closing))
		queue_work(net_work, &conn->work);
}

static void wish(struct nacre_conn *conn, enum nacre_conn_wish what)
{
	set_bit(what, &conn->wishes);
	nacre_conn_kick(conn);
}

static void on_timer(struct timer_list *timer)
{
	struct nacre_conn *conn = nacre_compat_timer_owner(conn, timer, timer);

	wish(conn, NACRE_CONN_WISH_TIMEOUT);
}

/* ---- what the machine asks for -------------------------------------------------------------- */

int nacre_conn_queue_hello(struct nacre_conn *conn)
{
	struct nacre_fs *fs = conn->fs;
	const char *name = init_utsname()->nodename;
	struct nacre_hello hello = {
		.protocol = NACRE_PROTOCOL_VERSION,
		.role = NACRE_ROLE_CLIENT,
		.features = NACRE_FEATURES_SUPPORTED,
		.required = NACRE_FEATURES_REQUIRED,
		.instance = READ_ONCE(fs->instance),
		.fsid_lo = READ_ONCE(fs->fsid_lo),
		.fsid_hi = READ_ONCE(fs->fsid_hi),
		.map_epoch = nacre_map_epoch(fs),
		.conn_gen = conn->generation,
		.name = name,
		.name_bytes = strnlen(name, NACRE_HOST_NAME_MAX),
	};
	struct nacre_outgoing *out = nacre_outgoing_new(NACRE_MSG_HELLO, &hello, GFP_NOFS);

	if (IS_ERR(out))
		return PTR_ERR(out);
	spin_lock(&conn->lock);
	list_add(&out->link, &conn->queue);
	conn->queued++;
	spin_unlock(&conn->lock);
	return 0;
}

static int begin_attempt(struct nacre_conn *conn)
{
	/* Never lower to the same peer, also when this struct is new and an older one was destroyed. */
	WRITE_ONCE(conn->generation, atomic_inc_return(&generations));
	conn->sent_seq = 0;
	memset(&conn->peer, 0, sizeof(conn->peer));
	conn->peer.is_listener = 1;
	nacre_recv_reset(conn);
	mod_timer(&conn->timer, jiffies + nacre_scaled_jiffies(conn->fs, CONNECT_TIMEOUT_MS));
	return nacre_sock_connect(conn);
}

static void hang_up(struct nacre_conn *conn)
{
	struct nacre_outgoing *out, *next;
	LIST_HEAD(lost);

	nacre_sock_close(conn);
	nacre_recv_reset(conn);
	spin_lock(&conn->lock);
	conn->open = false;
	list_splice_init(&conn->queue, &lost);
	conn->queued = 0;
	spin_unlock(&conn->lock);
	if (conn->send.out) {
		list_add(&conn->send.out->link, &lost);
		conn->send.out = NULL;
	}
	list_for_each_entry_safe(out, next, &lost, link) {
		list_del_init(&out->link);
		nacre_outgoing_released(out);
	}
}

/* Back off with up to a quarter more, so that clients of a restarted server do not march in step. */
static void start_pause(struct nacre_conn *conn)
{
	unsigned int ms = nacre_conn_backoff_ms(conn->attempt++);

	ms += get_random_u32_below(ms / 4 + 1);
	mod_timer(&conn->timer, jiffies + nacre_scaled_jiffies(conn->fs, ms));
}

static void go_up(struct nacre_conn *conn)
{
	timer_delete(&conn->timer);
	clear_bit(NACRE_CONN_WISH_TIMEOUT, &conn->wishes);
	spin_lock(&conn->lock);
	conn->open = !conn->closing;
	conn->last_error = 0;
	spin_unlock(&conn->lock);
}

static void step(struct nacre_conn *conn, enum nacre_conn_event event, int reason);

static void act(struct nacre_conn *conn, u32 actions, int reason)
{
	int err = 0;

	if (actions & NACRE_CONNA_HANG_UP)
		hang_up(conn);
	if (actions & NACRE_CONNA_LOST)
		nacre_count(conn->fs, conn_resets);
	if (actions & NACRE_CONNA_PAUSE)
		start_pause(conn);
	if (actions & NACRE_CONNA_CONNECT)
		err = begin_attempt(conn);
	if (actions & NACRE_CONNA_SEND_HELLO) {
		mod_timer(&conn->timer, jiffies + nacre_scaled_jiffies(conn->fs, HELLO_TIMEOUT_MS));
		err = nacre_conn_queue_hello(conn);
	}
	if (actions & NACRE_CONNA_UP)
		go_up(conn);
	if (actions & NACRE_CONNA_FAILED) {
		if (conn->ops->refused)
			conn->ops->refused(conn, reason);
	} else if (actions & NACRE_CONNA_HANG_UP && !conn->closing) {
		conn->ops->closed(conn, reason);
	}
	if (err)
		step(conn, NACRE_CONNE_DOWN, err);
}

/* One step of the machine and its actions. `reason` says why, for errors and traces. */
static void step(struct nacre_conn *conn, enum nacre_conn_event event, int reason)
{
	const struct nacre_machine *machine = &nacre_conn_dialler_machine;
	const char *from = nacre_machine_state(machine, conn->state);
	u32 actions = 0;

	lockdep_assert_held(&conn->io);
	if (nacre_machine_step(machine, &conn->state, event, &actions))
		return;			/* an event that came too late, a timer that was just stopped */
	trace_nacre_conn_state(conn->fs->id, conn->role, conn->id, conn->generation, from,
			       nacre_machine_event(machine, event),
			       nacre_machine_state(machine, conn->state), reason);
	if (reason) {
		spin_lock(&conn->lock);
		conn->last_error = reason;
		spin_unlock(&conn->lock);
	}
	act(conn, actions, reason);
}

/* ---- hello --------------------------------------------------------------------------------- */

static void refuse(struct nacre_conn *conn, const struct nacre_hello_reply *reply, u32 result)
{
	char name[24];

	if (result == NACRE_E_BAD_VERSION)
		pr_err("nacre: %s.%u %pISpc: protocol %u, features %llx required %llx; this module: protocol %u, features %llx required %llx\n",
		       nacre_role_text(conn->role), conn->id, &conn->address, reply->protocol,
		       reply->features, reply->required, NACRE_PROTOCOL_VERSION,
		       NACRE_FEATURES_SUPPORTED, NACRE_FEATURES_REQUIRED);
	else if (result == NACRE_E_BAD_FSID)
		pr_err("nacre: %s.%u %pISpc: belongs to file system %016llx%016llx, not to %016llx%016llx\n",
		       nacre_role_text(conn->role), conn->id, &conn->address, reply->fsid_hi,
		       reply->fsid_lo, conn->fs->fsid_hi, conn->fs->fsid_lo);
	else
		pr_warn_ratelimited("nacre: %s.%u %pISpc: refuses the connection: %s %.*s\n",
				    nacre_role_text(conn->role), conn->id, &conn->address,
				    nacre_error_name(result, name, sizeof(name)),
				    (int)reply->text_bytes, reply->text);
}

int nacre_conn_welcome(struct nacre_conn *conn, const struct nacre_hello_reply *reply)
{
	struct nacre_fs *fs = conn->fs;
	u32 result = nacre_hello_reply_judge(reply, READ_ONCE(fs->fsid_lo), READ_ONCE(fs->fsid_hi));
	int err = -nacre_error_errno(result);

	if (result) {
		/* "Not now" is no refusal. */
		conn->fail_event = err == -EAGAIN ? NACRE_CONNE_DOWN : NACRE_CONNE_REFUSED;
		refuse(conn, reply, result);
		return err;
	}
	/* Another daemon has taken over the address; a newer map will say where ours is. */
	if (reply->role != conn->role ||
	    (conn->role == NACRE_ROLE_OSD && reply->id != conn->id)) {
		pr_warn_ratelimited("nacre: %pISpc: is no %s.%u any more\n", &conn->address,
				    nacre_role_text(conn->role), conn->id);
		return -ENXIO;
	}
	conn->peer.role = conn->role;
	conn->peer.instance = reply->instance;
	WRITE_ONCE(conn->peer.features, reply->features);
	WRITE_ONCE(fs->fsid_lo, reply->fsid_lo);
	WRITE_ONCE(fs->fsid_hi, reply->fsid_hi);
	if (conn->role == NACRE_ROLE_MDS && reply->time_scale_percent)
		WRITE_ONCE(fs->time_scale_percent, reply->time_scale_percent);
	step(conn, NACRE_CONNE_WELCOME, 0);
	conn->ops->opened(conn, reply);
	return 1;
}

/* ---- the worker ---------------------------------------------------------------------------- */

static void grant_wishes(struct nacre_conn *conn)
{
	if (test_and_clear_bit(NACRE_CONN_WISH_RESET, &conn->wishes))
		step(conn, NACRE_CONNE_DOWN, READ_ONCE(conn->reset_reason));
	if (test_and_clear_bit(NACRE_CONN_WISH_TIMEOUT, &conn->wishes) &&
	    conn->state != NACRE_CONN_READY)
		step(conn, NACRE_CONNE_TIMEOUT, -ETIMEDOUT);
	if (test_and_clear_bit(NACRE_CONN_WISH_HURRY, &conn->wishes) &&
	    conn->state == NACRE_CONN_BACKOFF)
		step(conn, NACRE_CONNE_TIMEOUT, 0);
	if (test_and_clear_bit(NACRE_CONN_WISH_DIAL, &conn->wishes))
		step(conn, NACRE_CONNE_DIAL, 0);
	if (conn->state == NACRE_CONN_CONNECTING) {
		int err = nacre_sock_status(conn);

		if (err != -EINPROGRESS)
			step(conn, err ? NACRE_CONNE_DOWN : NACRE_CONNE_TCP_UP, err);
	}
}

static bool is_talking(const struct nacre_conn *conn)
{
	return conn->state == NACRE_CONN_HELLO_SENT || conn->state == NACRE_CONN_READY;
}

/* Send and receive until neither gets on, or the slice is over. True: there is more to do. */
static bool talk(struct nacre_conn *conn)
{
	unsigned long end = jiffies + SLICE_JIFFIES;
	int sent, received;

	while (is_talking(conn)) {
		conn->fail_event = NACRE_CONNE_DOWN;
		sent = nacre_conn_try_send(conn);
		received = sent < 0 ? sent : nacre_conn_try_recv(conn);
		if (received < 0)
			step(conn, conn->fail_event, received);
		else if (!sent && !received)
			return false;
		if (time_after(jiffies, end) || READ_ONCE(conn->closing))
			return true;
	}
	return false;
}

static void conn_work(struct work_struct *work)
{
	struct nacre_conn *conn = container_of(work, struct nacre_conn, work);
	bool more = false;

	mutex_lock(&conn->io);
	if (!READ_ONCE(conn->closing)) {
		grant_wishes(conn);
		more = talk(conn);
	}
	mutex_unlock(&conn->io);
	if (more)
		nacre_conn_kick(conn);
}

/* ---- for owners ---------------------------------------------------------------------------- */

struct nacre_conn *nacre_conn_create(struct nacre_fs *fs, const struct sockaddr_storage *address,
				     enum nacre_role expect_role, u16 expect_id,
				     const struct nacre_conn_ops *ops, void *owner)
{
	struct nacre_conn *conn = kzalloc(sizeof(*conn), GFP_NOFS);

	if (!conn)
		return ERR_PTR(-ENOMEM);
	conn->fs = fs;
	conn->role = expect_role;
	conn->id = expect_id;
	conn->ops = ops;
	conn->owner = owner;
	conn->address = *address;
	conn->state = NACRE_CONN_IDLE;
	INIT_WORK(&conn->work, conn_work);
	timer_setup(&conn->timer, on_timer, 0);
	spin_lock_init(&conn->lock);
	INIT_LIST_HEAD(&conn->queue);
	mutex_init(&conn->io);
	wish(conn, NACRE_CONN_WISH_DIAL);
	return conn;
}

void nacre_conn_destroy(struct nacre_conn *conn)
{
	spin_lock(&conn->lock);
	WRITE_ONCE(conn->closing, true);
	conn->open = false;
	spin_unlock(&conn->lock);
	cancel_work_sync(&conn->work);
	mutex_lock(&conn->io);
	step(conn, NACRE_CONNE_CLOSE, -ESHUTDOWN);
	mutex_unlock(&conn->io);
	timer_shutdown_sync(&conn->timer);
	/* A kick that had looked at `closing` before it was set. */
	cancel_work_sync(&conn->work);
	mutex_destroy(&conn->io);
	kfree(conn);
}

void nacre_conn_redirect(struct nacre_conn *conn, const struct sockaddr_storage *address)
{
	bool same;

	spin_lock(&conn->lock);
	same = !memcmp(&conn->address, address, sizeof(*address));
	conn->address = *address;
	spin_unlock(&conn->lock);
	if (!same)
		nacre_conn_reset(conn, -ECONNRESET);
	wish(conn, NACRE_CONN_WISH_HURRY);
}

void nacre_conn_reset(struct nacre_conn *conn, int reason)
{
	WRITE_ONCE(conn->reset_reason, reason);
	wish(conn, NACRE_CONN_WISH_RESET);
}

int nacre_conn_send(struct nacre_conn *conn, struct nacre_outgoing *out)
{
	bool open;

	spin_lock(&conn->lock);
	open = conn->open;
	if (open) {
		list_add_tail(&out->link, &conn->queue);
		conn->queued++;
	}
	spin_unlock(&conn->lock);
	if (!open) {
		nacre_outgoing_released(out);
		return -ENOTCONN;
	}
	nacre_conn_kick(conn);
	return 0;
}

bool nacre_conn_cancel(struct nacre_conn *conn, struct nacre_outgoing *out)
{
	struct nacre_outgoing *at;
	bool taken = false;

	mutex_lock(&conn->io);
	if (conn->send.out == out) {
		taken = true;
		conn->send.out = NULL;
		if (conn->send.done)
			nacre_conn_reset(conn, -ECANCELED);
		else
			conn->sent_seq--;
	} else {
		spin_lock(&conn->lock);
		list_for_each_entry(at, &conn->queue, link) {
			if (at != out)
				continue;
			list_del_init(&out->link);
			conn->queued--;
			taken = true;
			break;
		}
		spin_unlock(&conn->lock);
	}
	mutex_unlock(&conn->io);
	return taken;
}

void nacre_conn_drop_data(struct nacre_conn *conn, u64 cookie)
{
	struct nacre_recv *recv = &conn->recv;

	mutex_lock(&conn->io);
	if (recv->phase == NACRE_RECV_DATA && !recv->discard && recv->sink.cookie == cookie)
		recv->discard = true;
	mutex_unlock(&conn->io);
}

bool nacre_conn_is_open(struct nacre_conn *conn)
{
	return READ_ONCE(conn->open);
}

u32 nacre_conn_generation(struct nacre_conn *conn)
{
	return READ_ONCE(conn->generation);
}

u64 nacre_conn_features(struct nacre_conn *conn)
{
	return READ_ONCE(conn->peer.features);
}

void *nacre_conn_owner(struct nacre_conn *conn)
{
	return conn->owner;
}

int nacre_conn_last_error(struct nacre_conn *conn)
{
	return READ_ONCE(conn->last_error);
}

void nacre_conn_show(struct seq_file *m, struct nacre_conn *conn)
{
	seq_printf(m, "%s.%u %pISpc %s gen %u queued %u last_error %d\n",
		   nacre_role_text(conn->role), conn->id, &conn->address,
		   nacre_machine_state(&nacre_conn_dialler_machine, READ_ONCE(conn->state)),
		   READ_ONCE(conn->generation), READ_ONCE(conn->queued),
		   READ_ONCE(conn->last_error));
}

int nacre_net_init(void)
{
	int err = nacre_incoming_init();

	if (err)
		return err;
	/* Of its own: work that waits for an answer must never keep the answer from coming. */
	net_work = alloc_workqueue("nacre_net", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!net_work) {
		nacre_incoming_exit();
		return -ENOMEM;
	}
	return 0;
}

void nacre_net_exit(void)
{
	destroy_workqueue(net_work);
	nacre_incoming_exit();
}
