// SPDX-License-Identifier: GPL-2.0
/*
 * The client as a whole: its messenger, its map, which daemon it takes for
 * rank 0, and the way of a received message to the file that handles it.
 * Maps come from the rank by subscription; while it cannot be reached, from
 * any OSD.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/error.h"
#include "state.h"

#define NS_PER_MS 1000000ull
#define MAP_RETRY_MS 500u

/* ---- the map ---------------------------------------------------------------------- */

static void ask_map(struct client *client, struct conn *conn)
{
	struct nacre_map_get get = { .have_epoch = client->map ? client->map->map.epoch : 0 };

	if (conn == client->mds)
		get.flags = NACRE_MAP_SUBSCRIBE;
	conn_send(conn, NACRE_MSG_MAP_GET, &get, NULL);
}

/* Somebody needs a newer map: ask the rank, and one OSD in case the rank is gone. */
static void want_map(void *owner, uint64_t epoch)
{
	struct client *client = owner;
	unsigned int i;

	if (conn_is_open(client->mds))
		ask_map(client, client->mds);
	for (i = 0; i < CLIENT_OSDS_MAX; i++)
		if (client->osds[i] && conn_is_open(client->osds[i])) {
			ask_map(client, client->osds[i]);
			return;
		}
}

static bool same_address(const struct io_address *a, const struct io_address *b)
{
	return a->port == b->port && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

static void put_be64(uint8_t *bytes, uint64_t value)
{
	int i;

	for (i = 7; i >= 0; i--, value >>= 8)
		bytes[i] = (uint8_t)value;
}

/* The map says where rank 0 lives now. */
static void follow_rank(struct client *client)
{
	struct nacre_map_rank rank;
	struct io_address address = { .port = 0 };

	if (nacre_map_rank_at(&client->map->view, 0, &rank) || rank.state == NACRE_RANK_DOWN ||
	    !rank.port)
		return;
	put_be64(address.ip, rank.address_hi);
	put_be64(address.ip + 8, rank.address_lo);
	address.port = rank.port;
	if (same_address(&address, &client->mds_address))
		return;
	client->mds_address = address;
	conn_close(client->mds);
	client->mds = msgr_dial(client->msgr, &address, client);
	assert(client->mds);
}

static void take_map(struct client *client, struct message *message)
{
	struct cluster_map *map;

	if (client->map && client->map->map.epoch >= message->host.map.epoch)
		return;
	if (cluster_map_create(message->body, message->body_bytes, &map))
		return;
	if (client->map)
		cluster_map_put(client->map);
	client->map = map;
	msgr_set_map_epoch(client->msgr, map->map.epoch);
	msgr_set_fsid(client->msgr, map->map.fsid_lo, map->map.fsid_hi);
	osdc_set_map(client->osdc, map);
	if (client->instance && nacre_map_is_dead(&map->view, client->instance))
		session_killed(client, NACRE_E_DEAD_INSTANCE, "dead in the map");
	follow_rank(client);
}

/* While the rank is silent, somebody else may know where it went. */
static void map_fired(struct io_timer *timer)
{
	struct client *client = (struct client *)((char *)timer -
						  offsetof(struct client, map_timer));

	if (!conn_is_open(client->mds))
		want_map(client, 0);
	io_timer_arm(client->io, timer, io_now(client->io) + MAP_RETRY_MS * NS_PER_MS);
}

static void age_fired(struct io_timer *timer)
{
	struct client *client = (struct client *)((char *)timer -
						  offsetof(struct client, age_timer));

	pages_age(client);
	if (HASH_COUNT(client->inodes) > client->config.inodes_max)
		client_trim(client, HASH_COUNT(client->inodes) - client->config.inodes_max);
	io_timer_arm(client->io, timer,
		     io_now(client->io) + client->config.dirty_ms * NS_PER_MS / 2);
}

/* ---- messages ------------------------------------------------------------------------ */

static void osd_remember(struct client *client, struct conn *conn, bool open)
{
	unsigned int i;

	for (i = 0; i < CLIENT_OSDS_MAX; i++)
		if (client->osds[i] && (client->osds[i] == conn ||
					!conn_is_open(client->osds[i]))) {
			conn_put(client->osds[i]);
			client->osds[i] = NULL;
		}
	for (i = 0; open && i < CLIENT_OSDS_MAX; i++)
		if (!client->osds[i]) {
			client->osds[i] = conn_get(conn);
			return;
		}
}

static void opened(void *owner, struct conn *conn)
{
	struct client *client = owner;

	if (conn == client->mds) {
		ask_map(client, conn);
		session_connected(client);
	} else if (osdc_opened(client->osdc, conn)) {
		osd_remember(client, conn, true);
	}
}

static void closed(void *owner, struct conn *conn, int reason)
{
	struct client *client = owner;

	if (conn != client->mds && osdc_closed(client->osdc, conn, reason))
		osd_remember(client, conn, false);
}

static void from_rank(struct client *client, struct message *message)
{
	switch (message->type) {
	case NACRE_MSG_SESSION_STATE:
		session_state(client, &message->host.session_state);
		break;
	case NACRE_MSG_SESSION_KILLED:
		session_killed(client, message->host.session_killed.result, "by the rank");
		break;
	case NACRE_MSG_REPLY:
		requests_reply(client, &message->host.reply);
		break;
	case NACRE_MSG_SAFE:
		requests_safe(client, message->host.safe.safe);
		break;
	case NACRE_MSG_FILELOCK_GRANTED:
		locks_granted(client, &message->host.filelock_granted);
		break;
	case NACRE_MSG_CAP_GRANT:
		caps_grant(client, &message->host.cap_grant);
		break;
	case NACRE_MSG_CAP_REVOKE:
		caps_revoke(client, &message->host.cap_revoke);
		break;
	case NACRE_MSG_CAP_REVOKES:
		caps_revokes(client, &message->host.cap_revokes);
		break;
	case NACRE_MSG_SIZE_ASK:
		caps_size_ask(client, &message->host.size_ask);
		break;
	case NACRE_MSG_CAP_FLUSH_ACK:
		caps_flush_ack(client, &message->host.cap_flush_ack);
		break;
	default:
		break;
	}
}

static void received(void *owner, struct conn *conn, struct message *message)
{
	struct client *client = owner;

	if (message->type == NACRE_MSG_MAP) {
		take_map(client, message);
	} else if (conn == client->mds) {
		from_rank(client, message);
	} else if (osdc_message(client->osdc, conn, message)) {
		return;
	}
	message_put(message);
}

static const struct msgr_handler handler = {
	.opened = opened,
	.message = received,
	.closed = closed,
};

/* ---- life ------------------------------------------------------------------------------ */

static void set_defaults(struct client_config *config)
{
	if (!config->inodes_max)
		config->inodes_max = 10000;
	if (!config->dirty_pages_max)
		config->dirty_pages_max = 1024;
	if (!config->dirty_ms)
		config->dirty_ms = 1000;
}

static int make_parts(struct client *client)
{
	struct msgr_config msgr = {
		.io = client->io, .name = client->config.name, .role = NACRE_ROLE_CLIENT,
		.time_scale_percent = 100, .handler = &handler, .owner = client,
	};
	struct osdc_config osdc = { .io = client->io, .time_scale_percent = 100 };
	int err;

	err = msgr_create(&msgr, &client->msgr);
	if (err)
		return err;
	osdc.msgr = client->msgr;
	client->osdc = osdc_create(&osdc);
	client->mds = msgr_dial(client->msgr, &client->mds_address, client);
	assert(client->osdc && client->mds);
	osdc_on_stale_map(client->osdc, want_map, client);
	return 0;
}

int client_create(const struct client_config *config, struct client **ret_client)
{
	struct client *client = client_alloc(sizeof(*client));
	int err;

	client->config = *config;
	set_defaults(&client->config);
	client->io = config->io;
	client->mds_address = config->mds;
	calls_init(client);
	requests_init(client);
	session_init(client);
	locks_init(client);
	err = make_parts(client);
	if (err) {
		free(client);
		return err;
	}
	client->map_timer.fire = map_fired;
	client->age_timer.fire = age_fired;
	map_fired(&client->map_timer);
	age_fired(&client->age_timer);
	*ret_client = client;
	return 0;
}

/* Object requests end first, while the calls they belong to still stand. */
void client_destroy(struct client *client)
{
	struct inode *inode, *next;
	unsigned int i;

	client->gone = true;
	osdc_destroy(client->osdc);
	for (i = 0; i < CLIENT_OSDS_MAX; i++)
		if (client->osds[i])
			conn_put(client->osds[i]);
	msgr_destroy(client->msgr);
	requests_drop(client);
	locks_free(client);
	HASH_ITER(hh, client->inodes, inode, next) {
		flushes_drop(inode);
		inode_forget(inode);
	}
	io_timer_cancel(client->io, &client->lease_timer);
	io_timer_cancel(client->io, &client->renew_timer);
	io_timer_cancel(client->io, &client->retry_timer);
	io_timer_cancel(client->io, &client->again_timer);
	io_timer_cancel(client->io, &client->map_timer);
	io_timer_cancel(client->io, &client->age_timer);
	client->running.first = NULL;
	free(client->lost_tids);
	if (client->map)
		cluster_map_put(client->map);
	if (!client->run_task.queued)
		free(client);
}

bool client_is_mounted(const struct client *client)
{
	return client->session == NACRE_SESSION_OPEN || client->session == NACRE_SESSION_STALE ||
	       client->session == NACRE_SESSION_RECONNECTING;
}

struct osdc *client_osdc(struct client *client)
{
	return client->osdc;
}

uint64_t client_instance(const struct client *client)
{
	return client->instance;
}

bool client_is_dirty(const struct client *client, uint64_t ino)
{
	const struct inode *inode = inode_find((struct client *)client, ino);

	return inode && !caps_are_clean(inode);
}

void client_trim(struct client *client, unsigned int count)
{
	struct inode *inode, *next;

	HASH_ITER(hh, client->inodes, inode, next) {
		if (!count)
			return;
		if (inode->ino == NACRE_INO_ROOT || !caps_try_drop(inode))
			continue;
		inode_forget(inode);
		count--;
	}
}

const struct client_counters *client_counters(const struct client *client)
{
	return &client->counters;
}
