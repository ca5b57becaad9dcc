/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Maps for tests: a small cluster made with mapedit.h, all its OSDs up, and the
 * step from an edit to a map that can be looked up.
 */
#ifndef NACRE_TEST_MAPS_H
#define NACRE_TEST_MAPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "server/base/mapedit.h"
#include "server/base/member.h"

/* Consumes the edit. */
static inline struct cluster_map *maps_finish(struct mapedit *edit)
{
	struct cluster_map *map;
	uint8_t *bytes;
	size_t length;

	assert_int_equal(mapedit_encode(edit, &bytes, &length), 0);
	assert_int_equal(cluster_map_create(bytes, length, &map), 0);
	mapedit_free(edit);
	free(bytes);
	return map;
}

static inline void maps_add_pool(struct mapedit *edit, uint32_t pg_count, uint8_t replicas,
				 uint8_t min_size)
{
	struct nacre_map_pool *pool = &edit->pools[edit->pool_count];

	*pool = (struct nacre_map_pool){
		.id = edit->pool_count, .pg_count = pg_count, .replicas = replicas,
		.min_size = min_size, .object_bytes = 4 << 20, .pg_first = edit->pg_count,
	};
	edit->pool_count++;
	assert_int_equal(mapedit_place_pool(edit, pool->id), 0);
}

/* `osds` OSDs that never ran, one domain each, and both pools every file system has. */
static inline struct mapedit *maps_edit(unsigned int osds, uint8_t replicas)
{
	struct mapedit *edit = mapedit_open(NULL);

	assert_non_null(edit);
	edit->head.fsid_lo = 11;
	edit->head.fsid_hi = 22;
	for (uint16_t id = 0; id < osds; id++)
		edit->osds[edit->osd_count++] = (struct nacre_map_osd){
			.id = id, .flags = NACRE_OSD_IN, .weight = 0x10000, .domain = id,
		};
	maps_add_pool(edit, 32, replicas, 1);
	maps_add_pool(edit, 64, replicas, 1);
	return edit;
}

#endif
