// SPDX-License-Identifier: GPL-2.0
/*
 * The object client: requests in flight, from submit to done.
 *
 *	submit ──▶ tree of ios ──▶ send at once, or `work` does when something allows it
 *	reply, cancel, fail_all ──▶ out of the tree ──▶ done
 *
 * Who takes a request out of the tree, under the lock, is who calls `done`: so it
 * is called exactly once.
 */
#include <linux/mempool.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include "../trace.h"
#include "internal.h"

#define IO_RESERVE 64

static struct kmem_cache *io_cache;
static mempool_t *io_pool;
static struct workqueue_struct *osd_work;

/* ---- requests ------------------------------------------------------------------------------ */

static struct nacre_osd_io *io_init(struct nacre_fs *fs, struct nacre_osd_io *io)
{
	memset(io, 0, sizeof(*io));
	kref_init(&io->ref);
	RB_CLEAR_NODE(&io->node);
	io->fs = fs;
	io->oid.snap = NACRE_SNAP_HEAD;
	io->state = NACRE_OSD_IO_NEW;
	return io;
}

struct nacre_osd_io *nacre_osd_io_new(struct nacre_fs *fs, gfp_t gfp)
{
	struct nacre_osd_io *io = kmem_cache_alloc(io_cache, gfp);

	return io ? io_init(fs, io) : NULL;
}

struct nacre_osd_io *nacre_osd_io_reserve(struct nacre_fs *fs)
{
	return io_init(fs, mempool_alloc(io_pool, GFP_NOFS));
}

static void io_free(struct kref *ref)
{
	struct nacre_osd_io *io = container_of(ref, struct nacre_osd_io, ref);

	kvfree(io->copy.iov_base);
	mempool_free(io, io_pool);
}

void nacre_osd_io_put(struct nacre_osd_io *io)
{
	if (io)
		kref_put(&io->ref, io_free);
}

static void trace_io(const struct nacre_osd_io *io, int step, int result)
{
	trace_nacre_osd_io(io->fs->id, step, io->tid, io->oid.ino, io->oid.index, io->code,
			   io->offset, io->length, -1, result);
}

/* ---- the tree ------------------------------------------------------------------------------ */

struct nacre_osd_io *nacre_osd_find(struct nacre_osd_client *client, u64 tid)
{
	struct rb_node *at = client->ios.rb_node;

	while (at) {
		struct nacre_osd_io *io = rb_entry(at, struct nacre_osd_io, node);

		if (io->tid == tid)
			return io;
		at = tid < io->tid ? at->rb_left : at->rb_right;
	}
	return NULL;
}

struct nacre_osd_io *nacre_osd_after(struct nacre_osd_client *client, u64 tid)
{
	struct rb_node *at = client->ios.rb_node;
	struct nacre_osd_io *best = NULL;

	while (at) {
		struct nacre_osd_io *io = rb_entry(at, struct nacre_osd_io, node);

		if (io->tid > tid) {
			best = io;
			at = at->rb_left;
		} else {
			at = at->rb_right;
		}
	}
	return best;
}

/* Tids only grow: a new request is the rightmost. */
static void insert_locked(struct nacre_osd_client *client, struct nacre_osd_io *io)
{
	struct rb_node **at = &client->ios.rb_node, *parent = NULL;

	while (*at) {
		parent = *at;
		at = &parent->rb_right;
	}
	rb_link_node(&io->node, parent, at);
	rb_insert_color(&io->node, &client->ios);
	client->total++;
}

void nacre_osd_remove_locked(struct nacre_osd_client *client, struct nacre_osd_io *io)
{
	lockdep_assert_held(&client->lock);
	rb_erase(&io->node, &client->ios);
	client->total--;
	if (io->state == NACRE_OSD_IO_WAITING)
		client->waiting--;
	io->state = NACRE_OSD_IO_DONE;
}

void nacre_osd_set_waiting_locked(struct nacre_osd_client *client, struct nacre_osd_io *io)
{
	lockdep_assert_held(&client->lock);
	if (io->state != NACRE_OSD_IO_WAITING)
		client->waiting++;
	io->state = NACRE_OSD_IO_WAITING;
	io->link = NULL;
	io->receiving = false;
}

/* ---- submit and end ------------------------------------------------------------------------ */

/* Send at once if nothing waits before it and all is there; else `work` will. */
static bool send_now_locked(struct nacre_osd_client *client, struct nacre_osd_io *io,
			    const struct nacre_cmap *cmap)
{
	struct nacre_osd_link *link;
	int osd;
	u32 pg;

	if (client->waiting > 1 || !cmap || cmap->view.epoch < client->barrier)
		return false;
	osd = nacre_osd_target(io, &cmap->view, &pg);
	link = osd < 0 ? NULL : xa_load(&client->links, osd);
	if (!link || !nacre_osd_send_locked(client, io, link, &cmap->view))
		return false;
	client->waiting--;
	return true;
}

void nacre_osd_submit(struct nacre_osd_io *io)
{
	struct nacre_osd_client *client = io->fs->osd;
	struct nacre_cmap *cmap = nacre_map_current(io->fs);
	int err = nacre_fs_error(io->fs);
	bool sent = true;

	kref_get(&io->ref);
	io->submitted = jiffies;
	spin_lock(&client->lock);
	if (client->closing && !err)
		err = -EIO;
	if (!err) {
		io->tid = ++client->last_tid;
		insert_locked(client, io);
		nacre_osd_set_waiting_locked(client, io);
		trace_io(io, NACRE_OSD_STEP_SUBMIT, 0);
		sent = send_now_locked(client, io, cmap);
		if (!sent)
			trace_io(io, NACRE_OSD_STEP_WAIT, 0);
	}
	spin_unlock(&client->lock);
	nacre_cmap_put(cmap);
	if (err)
		nacre_osd_complete(io, err);
	else if (!sent)
		nacre_osd_kick(client, 0);
}

void nacre_osd_complete(struct nacre_osd_io *io, int result)
{
	io->result = result;
	trace_io(io, NACRE_OSD_STEP_DONE, result);
	io->done(io);
	nacre_osd_io_put(io);
}

void nacre_osd_take_back(struct nacre_osd_io *io, struct nacre_osd_link *link)
{
	if (smp_load_acquire(&io->out_busy) && nacre_conn_cancel(link->conn, &io->out)) {
		io->out_busy = false;
		nacre_osd_io_put(io);
	}
	nacre_conn_drop_data(link->conn, io->tid);
}

void nacre_osd_cancel(struct nacre_osd_io *io, int error)
{
	struct nacre_osd_client *client = io->fs->osd;
	struct nacre_osd_link *link = NULL;
	bool ours;

	spin_lock(&client->lock);
	ours = io->state == NACRE_OSD_IO_WAITING || io->state == NACRE_OSD_IO_SENT;
	if (ours) {
		if (io->state == NACRE_OSD_IO_SENT) {
			link = io->link;
			kref_get(&link->ref);
		}
		trace_io(io, NACRE_OSD_STEP_CANCEL, error);
		nacre_osd_remove_locked(client, io);
	}
	spin_unlock(&client->lock);
	if (!ours)
		return;
	if (link) {
		/* Its reply finds no request any more; only what has begun is to be stopped. */
		nacre_osd_take_back(io, link);
		nacre_osd_link_put(link);
	}
	nacre_osd_complete(io, error);
}

static void call_done(struct nacre_osd_io *io)
{
	complete(io->owner);
}

int nacre_osd_call(struct nacre_osd_io *io)
{
	DECLARE_COMPLETION_ONSTACK(done);

	io->done = call_done;
	io->owner = &done;
	nacre_osd_submit(io);
	if (wait_for_completion_killable(&done)) {
		nacre_osd_cancel(io, -EINTR);
		/* Either that has completed it, or whoever was faster is about to. */
		wait_for_completion(&done);
	}
	return io->result;
}

void nacre_osd_fail_all(struct nacre_fs *fs, int error)
{
	struct nacre_osd_client *client = fs->osd;
	struct nacre_osd_io *io;
	u64 last, at = 0;

	spin_lock(&client->lock);
	last = client->last_tid;
	while ((io = nacre_osd_after(client, at)) && io->tid <= last) {
		at = io->tid;
		kref_get(&io->ref);
		spin_unlock(&client->lock);
		nacre_osd_cancel(io, error);
		nacre_osd_io_put(io);
		spin_lock(&client->lock);
	}
	spin_unlock(&client->lock);
}

/* ---- the client ---------------------------------------------------------------------------- */

void nacre_osd_kick(struct nacre_osd_client *client, unsigned long delay)
{
	if (READ_ONCE(client->closing))
		return;
	if (delay)
		queue_delayed_work(osd_work, &client->work, delay);
	else
		mod_delayed_work(osd_work, &client->work, 0);
}

void nacre_osd_drain(struct nacre_fs *fs)
{
	flush_work(&fs->osd->work.work);
}

void nacre_osd_set_barrier(struct nacre_fs *fs, u64 epoch)
{
	struct nacre_osd_client *client = fs->osd;
	bool raised;

	spin_lock(&client->lock);
	raised = epoch > client->barrier;
	if (raised)
		client->barrier = epoch;
	spin_unlock(&client->lock);
	if (raised && epoch > nacre_map_epoch(fs))
		nacre_osd_kick(client, 0);
}

void nacre_osd_on_want_map(struct nacre_fs *fs, void (*want_map)(struct nacre_fs *fs, u64 epoch))
{
	fs->osd->want_map = want_map;
}

void nacre_osd_on_dead(struct nacre_fs *fs, void (*dead)(struct nacre_fs *fs, u32 result))
{
	fs->osd->dead = dead;
}

void nacre_osd_renew_instance(struct nacre_fs *fs)
{
	struct nacre_osd_client *client = fs->osd;
	struct nacre_osd_link *link;
	unsigned long id;

	spin_lock(&client->lock);
	xa_for_each(&client->links, id, link) {
		link->refused = false;
		nacre_conn_reset(link->conn, -ESTALE);
	}
	spin_unlock(&client->lock);
	nacre_osd_kick(client, 0);
}

int nacre_osd_client_create(struct nacre_fs *fs)
{
	struct nacre_osd_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	client->fs = fs;
	spin_lock_init(&client->lock);
	client->ios = RB_ROOT;
	xa_init(&client->links);
	INIT_DELAYED_WORK(&client->work, nacre_osd_work);
	fs->osd = client;
	return 0;
}

void nacre_osd_client_destroy(struct nacre_fs *fs)
{
	struct nacre_osd_client *client = fs->osd;
	struct nacre_osd_link *link;
	unsigned long id;

	if (!client)
		return;
	spin_lock(&client->lock);
	client->closing = true;
	spin_unlock(&client->lock);
	cancel_delayed_work_sync(&client->work);
	nacre_osd_fail_all(fs, -EIO);
	xa_for_each(&client->links, id, link) {
		xa_erase(&client->links, id);
		nacre_osd_link_put(link);
	}
	xa_destroy(&client->links);
	fs->osd = NULL;
	nacre_cmap_put(fs->cmap);
	fs->cmap = NULL;
	kfree(client);
}

/* ---- debugfs ------------------------------------------------------------------------------- */

void nacre_osd_show_requests(struct seq_file *m, struct nacre_fs *fs)
{
	static const char * const states[] = { "new", "waiting", "sent", "done" };
	struct nacre_osd_client *client = fs->osd;
	struct nacre_osd_io *io = NULL;
	u64 at = 0;

	spin_lock(&client->lock);
	while ((io = nacre_osd_after(client, at))) {
		at = io->tid;
		seq_printf(m, "%llu %llx.%llu code %u [%llu,+%llu) %s osd %d attempts %u age_ms %u\n",
			   io->tid, io->oid.ino, io->oid.index, io->code, io->offset, io->length,
			   states[io->state], io->link ? io->link->id : -1, io->attempts,
			   jiffies_to_msecs(jiffies - io->submitted));
	}
	spin_unlock(&client->lock);
}

void nacre_osd_show_conns(struct seq_file *m, struct nacre_fs *fs)
{
	struct nacre_osd_client *client = fs->osd;
	struct nacre_osd_link *link;
	unsigned long id;

	spin_lock(&client->lock);
	seq_printf(m, "map %llu barrier %llu requests %u waiting %u\n", nacre_map_epoch(fs),
		   client->barrier, client->total, client->waiting);
	xa_for_each(&client->links, id, link)
		nacre_conn_show(m, link->conn);
	spin_unlock(&client->lock);
}

int nacre_osd_init(void)
{
	io_cache = kmem_cache_create("nacre_osd_io", sizeof(struct nacre_osd_io), 0,
				     SLAB_HWCACHE_ALIGN, NULL);
	if (!io_cache)
		return -ENOMEM;
	io_pool = mempool_create_slab_pool(IO_RESERVE, io_cache);
	if (!io_pool)
		goto undo_cache;
	osd_work = alloc_workqueue("nacre_osd", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!osd_work)
		goto undo_pool;
	return 0;

undo_pool:
	mempool_destroy(io_pool);
undo_cache:
	kmem_cache_destroy(io_cache);
	return -ENOMEM;
}

void nacre_osd_exit(void)
{
	destroy_workqueue(osd_work);
	mempool_destroy(io_pool);
	kmem_cache_destroy(io_cache);
}
