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
