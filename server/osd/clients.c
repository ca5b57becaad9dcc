// SPDX-License-Identifier: GPL-2.0
/*
 * The instances that send requests here, as long as they are alive in the map.
 */
#include "osd_core.h"
#include "request.h"

struct osd_client *osd_client_find(struct osd *osd, uint64_t instance)
{
	struct osd_client *client;

	HASH_FIND(hh, osd->clients, &instance, sizeof(instance), client);
	return client;
}

struct osd_client *osd_client_get(struct osd *osd, uint64_t instance)
{
	struct osd_client *client = osd_client_find(osd, instance);

	if (client)
		return client;
	client = mem_zero(1, sizeof(*client));
	client->instance = instance;
	TAILQ_INIT(&client->requests);
	HASH_ADD(hh, osd->clients, instance, sizeof(client->instance), client);
	return client;
}

void osd_clients_prune(struct osd *osd)
{
	struct osd_client *client, *next;

	HASH_ITER(hh, osd->clients, client, next) {
		if (!TAILQ_EMPTY(&client->requests) ||
		    !nacre_map_is_dead(&osd->map->view, client->instance))
			continue;
		HASH_DELETE(hh, osd->clients, client);
		free(client);
	}
}

void osd_clients_free(struct osd *osd)
{
	struct osd_client *client, *next;
	struct request *request;

	HASH_ITER(hh, osd->clients, client, next) {
		while ((request = TAILQ_FIRST(&client->requests))) {
			request->discarded = true;
			request_abandon(request, 0);
		}
		HASH_DELETE(hh, osd->clients, client);
		free(client);
	}
}
