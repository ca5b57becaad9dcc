// SPDX-License-Identifier: GPL-2.0
/*
 * The cluster map in the module: one immutable, counted object, replaced when a
 * newer one comes. Whoever looks something up takes a reference first.
 */
#include <linux/slab.h>
#include "../fault.h"
#include "internal.h"

static void cmap_free(struct kref *ref)
{
	struct nacre_cmap *cmap = container_of(ref, struct nacre_cmap, ref);

	nacre_incoming_put(cmap->in);
	kfree(cmap);
}

void nacre_cmap_put(struct nacre_cmap *cmap)
{
	if (cmap)
		kref_put(&cmap->ref, cmap_free);
}

struct nacre_cmap *nacre_map_current(struct nacre_fs *fs)
{
	struct nacre_cmap *cmap;

	spin_lock(&fs->map_lock);
	cmap = fs->cmap;
	if (cmap)
		kref_get(&cmap->ref);
	spin_unlock(&fs->map_lock);
	return cmap;
}

static u32 inline_limit(const struct nacre_cmap *cmap)
{
	struct nacre_map_pool pool;

	return nacre_map_pool_at(&cmap->view, NACRE_POOL_DATA, &pool) ? 0 : nacre_inline_limit(&pool);
}

/* Our own death is in the map before any server tells us of it. */
static void look_for_ourselves(struct nacre_fs *fs, const struct nacre_cmap *cmap)
{
	u64 instance = READ_ONCE(fs->instance);
	struct nacre_osd_client *client = fs->osd;

	if (instance && client->dead && nacre_map_is_dead(&cmap->view, instance))
		client->dead(fs, NACRE_E_DEAD_INSTANCE);
}

/* The servers send each map once: what found no memory is asked for again. */
static void miss(struct nacre_osd_client *client, u64 epoch)
{
	if (epoch > READ_ONCE(client->missed_epoch))
		WRITE_ONCE(client->missed_epoch, epoch);
	nacre_osd_kick(client, 0);
}

void nacre_map_receive(struct nacre_fs *fs, struct nacre_incoming *in)
{
	struct nacre_cmap *cmap, *old;
	bool news;

	cmap = nacre_fault(NACRE_FAULT_map_memory) ? NULL : kzalloc(sizeof(*cmap), GFP_NOFS);
	if (!cmap) {
		miss(fs->osd, ((const struct nacre_map *)in->host)->epoch);
		return;
	}
	kref_init(&cmap->ref);
	cmap->in = nacre_incoming_get(in);
	cmap->map = *(struct nacre_map *)in->host;
	if (nacre_map_view(&cmap->view, &cmap->map))
		goto out;

	spin_lock(&fs->map_lock);
	old = fs->cmap;
	news = !old || old->view.epoch < cmap->view.epoch;
	if (news) {
		kref_get(&cmap->ref);
		fs->cmap = cmap;
		WRITE_ONCE(fs->inline_limit, inline_limit(cmap));
	}
	spin_unlock(&fs->map_lock);
	if (news) {
		nacre_cmap_put(old);
		look_for_ourselves(fs, cmap);
		nacre_osd_kick(fs->osd, 0);
	}
out:
	nacre_cmap_put(cmap);
}
