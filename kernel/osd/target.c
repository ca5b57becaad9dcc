// SPDX-License-Identifier: GPL-2.0
/* Which OSD an object request goes to, by the map: protocol/rules/placement.h with the kernel's xxhash. */
#include <linux/xxhash.h>
#include "internal.h"

int nacre_osd_target(const struct nacre_osd_io *io, const struct nacre_map_view *map, u32 *pg)
{
	u8 bytes[NACRE_PLACEMENT_BYTES];
	int osd;

	nacre_placement_bytes(io->oid.ino, io->oid.index, io->oid.pool, bytes);
	if (nacre_map_pg_of(map, io->oid.pool, xxh64(bytes, sizeof(bytes), 0), pg))
		return -EAGAIN;
	if (!nacre_map_pg_active(map, io->oid.pool, *pg))
		return -EAGAIN;
	osd = nacre_map_primary(map, io->oid.pool, *pg);
	return osd < 0 ? -EAGAIN : osd;
}

/* The first of the inode's requests that is not with an OSD. */
static bool find_waiting(struct nacre_osd_client *client, u64 ino, struct nacre_oid *oid)
{
	bool found = false;

	spin_lock(&client->lock);
	for (struct rb_node *at = client->waiting ? rb_first(&client->ios) : NULL; at && !found;
	     at = rb_next(at)) {
		const struct nacre_osd_io *io = rb_entry(at, struct nacre_osd_io, node);

		found = io->oid.ino == ino && io->state == NACRE_OSD_IO_WAITING;
		if (found)
			*oid = io->oid;
	}
	spin_unlock(&client->lock);
	return found;
}

bool nacre_osd_waits_for_group(struct nacre_fs *fs, u64 ino, u32 *group)
{
	u8 bytes[NACRE_PLACEMENT_BYTES];
	struct nacre_cmap *cmap;
	struct nacre_oid oid;
	bool known;
	u32 pg;

	if (!find_waiting(fs->osd, ino, &oid))
		return false;
	cmap = nacre_map_current(fs);
	if (!cmap)
		return false;
	nacre_placement_bytes(oid.ino, oid.index, oid.pool, bytes);
	known = !nacre_map_pg_of(&cmap->view, oid.pool, xxh64(bytes, sizeof(bytes), 0), &pg);
	nacre_cmap_put(cmap);
	if (known)
		*group = (u32)oid.pool << 24 | pg;
	return known;
}
