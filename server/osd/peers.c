// SPDX-License-Identifier: GPL-2.0
/*
 * Connections to other OSDs. Each OSD dials those that are members of groups whose
 * primary it is; they answer on the same connection.
 */
#include "osd_core.h"
#include "pg.h"

static void hang_up(struct osd_peer *peer)
{
	if (peer->conn)
		conn_close(peer->conn);
	peer->conn = NULL;
	peer->instance = 0;
}

void osd_peers_close(struct osd *osd)
{
	uint32_t i;

	for (i = 0; i < osd->peer_count; i++)
		hang_up(&osd->peers[i]);
	free(osd->peers);
	osd->peers = NULL;
	osd->peer_count = 0;
}

void osd_peers_update(struct osd *osd)
{
	uint32_t count = osd->map->view.osd_count, i;
	struct nacre_map_osd row;

	/* Peers are pointed at by their connections: the table is made once per size. */
	if (count != osd->peer_count) {
		osd_peers_close(osd);
		osd->peers = mem_zero(count, sizeof(*osd->peers));
		osd->peer_count = count;
		for (i = 0; i < count; i++) {
			osd->peers[i].osd = osd;
			osd->peers[i].id = (uint16_t)i;
			osd->peers[i].bytes_free = UINT64_MAX;	/* it will say */
		}
	}
	for (i = 0; i < count; i++)
		if (!nacre_map_osd_at(&osd->map->view, i, &row) &&
		    (row.instance != osd->peers[i].instance || !(row.flags & NACRE_OSD_UP)))
			hang_up(&osd->peers[i]);
}

static void put_address(uint8_t *bytes, uint64_t value)
{
	int i;

	for (i = 7; i >= 0; i--, value >>= 8)
		bytes[i] = (uint8_t)value;
}

static bool dial(struct osd *osd, struct osd_peer *peer)
{
	struct io_address address;
	struct nacre_map_osd row;

	if (nacre_map_osd_at(&osd->map->view, peer->id, &row) || !(row.flags & NACRE_OSD_UP))
		return false;
	put_address(address.ip, row.address_hi);
	put_address(address.ip + 8, row.address_lo);
	address.port = row.port;
	peer->instance = row.instance;
	peer->bytes_free = UINT64_MAX;
	peer->conn = msgr_dial(osd->msgr, &address, peer);
	return peer->conn;
}

struct conn *osd_peer_conn(struct osd *osd, uint16_t id)
{
	struct osd_peer *peer = id < osd->peer_count ? &osd->peers[id] : NULL;

	if (!peer || !osd_may_serve(osd) || (!peer->conn && !dial(osd, peer)))
		return NULL;
	return conn_is_open(peer->conn) ? peer->conn : NULL;
}

bool osd_peer_send(struct osd *osd, uint16_t id, uint16_t type, const void *body,
		   const struct payload *payload)
{
	struct conn *conn = osd_peer_conn(osd, id);

	return conn && !conn_send(conn, type, body, payload);
}

void osd_peer_space(struct osd *osd, uint16_t id, uint64_t bytes_free)
{
	if (id >= osd->peer_count)
		return;
	osd->peers[id].bytes_free = bytes_free;
	osd->peers[id].full = false;
}

bool osd_peer_is(struct osd *osd, struct conn *conn, uint16_t id)
{
	struct nacre_map_osd row;

	return conn_peer_role(conn) == NACRE_ROLE_OSD && conn_peer_id(conn) == id && osd->map &&
	       !nacre_map_osd_at(&osd->map->view, id, &row) &&
	       row.instance == conn_peer_instance(conn);
}
