// SPDX-License-Identifier: GPL-2.0
/*
 * A cluster map that can be shared: decoded once, never changed, counted. Whoever
 * keeps one over the end of a call takes a reference. See member.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "member.h"
#include "protocol/codec.h"

struct cluster_map *cluster_map_get(struct cluster_map *map)
{
	map->references++;
	return map;
}

void cluster_map_put(struct cluster_map *map)
{
	if (map && !--map->references)
		free(map);
}

int cluster_map_create(const uint8_t *bytes, size_t length, struct cluster_map **ret_map)
{
	struct cluster_map *map = malloc(sizeof(*map) + length);
	const char *reason;

	if (!map)
		return -ENOMEM;
	memcpy(map + 1, bytes, length);
	map->references = 1;
	map->bytes = (const uint8_t *)(map + 1);
	map->bytes_count = length;
	if (nacre_decode_all(nacre_map_desc(), map->bytes, length, &map->map) ||
	    nacre_map_view(&map->view, &map->map) || nacre_map_validate(&map->view, &reason)) {
		free(map);
		return -EBADMSG;
	}
	*ret_map = map;
	return 0;
}
