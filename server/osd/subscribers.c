// SPDX-License-Identifier: GPL-2.0
/*
 * Handing out the cluster map. See subscribers.h.
 */
#include "subscribers.h"

struct subscriber {
	struct subscriber *next;
	struct conn *conn;		/* counted */
};

static void send_map(struct osd *osd, struct conn *conn)
{
	conn_send(conn, NACRE_MSG_MAP, &osd->map->map, NULL);
}

void osd_subscribe(struct osd *osd, struct conn *conn, const struct nacre_map_get *get)
{
	struct subscriber *subscriber;

	if (osd->map && osd->map->view.epoch > get->have_epoch)
		send_map(osd, conn);
	if (!(get->flags & NACRE_MAP_SUBSCRIBE))
		return;
	for (subscriber = osd->subscribers; subscriber; subscriber = subscriber->next)
		if (subscriber->conn == conn)
			return;
	subscriber = mem_zero(1, sizeof(*subscriber));
	subscriber->conn = conn_get(conn);
	subscriber->next = osd->subscribers;
	osd->subscribers = subscriber;
}

void osd_unsubscribe(struct osd *osd, struct conn *conn)
{
	struct subscriber **at, *subscriber;

	for (at = &osd->subscribers; (subscriber = *at); at = &subscriber->next) {
		if (subscriber->conn != conn)
			continue;
		*at = subscriber->next;
		conn_put(conn);
		free(subscriber);
		return;
	}
}

void osd_publish_map(struct osd *osd)
{
	struct subscriber *subscriber;

	for (subscriber = osd->subscribers; subscriber; subscriber = subscriber->next)
		send_map(osd, subscriber->conn);
}

void osd_subscribers_free(struct osd *osd)
{
	while (osd->subscribers)
		osd_unsubscribe(osd, osd->subscribers->conn);
}
