// SPDX-License-Identifier: GPL-2.0
/*
 * The session with rank 0: drives the machine of protocol/rules/session.h. It
 * owns the lease and its timers, the number range, and what is sent when a
 * connection to the rank comes up. The lease counts from when the message
 * was sent that the rank answered.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "protocol/error.h"
#include "state.h"

#define NS_PER_MS 1000000ull
#define RETRY_MS 300u
#define LEASE_MS_MIN 10u

bool session_is_fatal(uint32_t result)
{
	return result == NACRE_E_NO_SESSION || result == NACRE_E_EVICTED ||
	       result == NACRE_E_DEAD_INSTANCE || result == NACRE_E_UNKNOWN_INSTANCE;
}

/* ---- what actions do ------------------------------------------------------------- */

static void send_open(struct client *client)
{
	struct nacre_session_open open = { .instance = client->instance, .rank = 0 };

	client->renew_sent_ns = io_now(client->io);
	rank_send(client, NACRE_MSG_SESSION_OPEN, &open);
}

static void send_renew(struct client *client)
{
	struct nacre_session_renew renew = {
		.renew_seq = ++client->renew_seq,
		.inos_left = client->ino_end - client->ino_next,
		.oldest_tid = requests_oldest_tid(client),
	};

	client->renew_sent_ns = io_now(client->io);
	rank_send(client, NACRE_MSG_SESSION_RENEW, &renew);
}

static void send_close(struct client *client)
{
	struct nacre_session_close close = { .instance = client->instance };

	rank_send(client, NACRE_MSG_SESSION_CLOSE, &close);
}

void client_cut(struct client *client)
{
	struct nacre_session_close close = { .instance = client->instance, .flags = NACRE_CLOSE_CUT };

	if (client->instance)
		rank_send(client, NACRE_MSG_SESSION_CLOSE, &close);
}

static void send_claims(struct client *client)
{
	struct nacre_session_reconnect_done done = { .instance = client->instance };

	client->counters.reconnects++;
	caps_claims_send(client);
	locks_claims_send(client);
	flushes_resend_all(client);
	requests_resend_to_new(client);
	client->renew_sent_ns = io_now(client->io);
	rank_send(client, NACRE_MSG_SESSION_RECONNECT_DONE, &done);
}

static void start_lease(struct client *client)
{
	uint64_t lease_ns = client->lease_ms * NS_PER_MS;

	client->lease_until_ns = client->renew_sent_ns + lease_ns;
	io_timer_arm(client->io, &client->lease_timer, client->lease_until_ns);
	io_timer_arm(client->io, &client->renew_timer, io_now(client->io) + lease_ns / 3);
}

static void stop_lease(struct client *client)
{
	io_timer_cancel(client->io, &client->lease_timer);
	io_timer_cancel(client->io, &client->renew_timer);
}

static void drop(struct client *client)
{
	caps_event_all(client, NACRE_CAPE_LOST);
	requests_drop(client);
	calls_fail(client, -ESTALE);
}

static void act(struct client *client, uint32_t actions)
{
	if (actions & NACRE_SESA_SEND_OPEN)
		send_open(client);
	if (actions & NACRE_SESA_SEND_RENEW)
		send_renew(client);
	if (actions & NACRE_SESA_SEND_CLOSE)
		send_close(client);
	if (actions & NACRE_SESA_SEND_CLAIMS)
		send_claims(client);
	if (actions & NACRE_SESA_RESEND) {
		caps_event_all(client, NACRE_CAPE_RECONNECTED);
		requests_resend(client);
		locks_flow(client);
	}
	if (actions & NACRE_SESA_START_LEASE)
		start_lease(client);
	if (actions & NACRE_SESA_STOP_LEASE)
		stop_lease(client);
	if (actions & NACRE_SESA_STOP_IO) {
		client->io_stopped = true;
		caps_event_all(client, NACRE_CAPE_STALE);
	}
	if (actions & NACRE_SESA_RESUME_IO) {
		client->io_stopped = false;
		caps_event_all(client, NACRE_CAPE_FRESH);
		requests_send_new(client);
		locks_flow(client);
	}
	if (actions & NACRE_SESA_RETRY_LATER)
		io_timer_arm(client->io, &client->retry_timer,
			     io_now(client->io) + RETRY_MS * NS_PER_MS);
	if (actions & NACRE_SESA_DROP)
		drop(client);
	if (actions & NACRE_SESA_WAKE)
		call_wake_all(&client->calls_waiting);
}

void session_event(struct client *client, uint8_t event)
{
	uint32_t actions = 0;

	if (!nacre_machine_step(&nacre_session_machine, &client->session, event, &actions))
		act(client, actions);
}

/* ---- messages -------------------------------------------------------------------- */

static void take_numbers(struct client *client, const struct nacre_session_state *state)
{
	if (!state->ino_count)
		return;
	client->ino_next = state->ino_first;
	client->ino_end = state->ino_first + state->ino_count;
}

uint64_t session_take_ino(struct client *client)
{
	return client->ino_next < client->ino_end ? client->ino_next++ : NACRE_INO_NONE;
}

/* A good word from the rank: whose word it was decides what a later connection is. */
static void state_good(struct client *client, const struct nacre_session_state *state)
{
	uint8_t before = client->session;

	client->lease_ms = state->lease_ms > LEASE_MS_MIN ? state->lease_ms : LEASE_MS_MIN;
	if (state->renew_seq) {
		if (state->renew_seq == client->renew_seq &&
		    client->renew_sent_ns + client->lease_ms * NS_PER_MS > io_now(client->io))
			session_event(client, NACRE_SESE_RENEWED);
	} else if (before == NACRE_SESSION_RECONNECTING) {
		client->mds_peer = conn_peer_instance(client->mds);
		session_event(client, NACRE_SESE_RECONNECTED);
		caps_event_all(client, NACRE_CAPE_RECONNECTED);
	} else {
		if (before == NACRE_SESSION_OPENING) {
			client->mds_peer = conn_peer_instance(client->mds);
			client->instance = state->instance;
			msgr_set_instance(client->msgr, client->instance);
			osdc_set_instance(client->osdc, client->instance);
		}
		session_event(client, NACRE_SESE_OPENED);
	}
	take_numbers(client, state);
	requests_safe(client, state->safe);
}

void session_state(struct client *client, const struct nacre_session_state *state)
{
	if (state->barrier_epoch)
		osdc_set_barrier(client->osdc, state->barrier_epoch);
	if (!state->result)
		state_good(client, state);
	else if (client->session == NACRE_SESSION_CLOSING && state->result == NACRE_E_NO_SESSION)
		session_event(client, NACRE_SESE_ENDED);
	else if (session_is_fatal(state->result))
		session_killed(client, state->result, "refused");
	else {
		session_event(client, NACRE_SESE_REFUSED);
		io_timer_arm(client->io, &client->retry_timer,
			     io_now(client->io) + RETRY_MS * NS_PER_MS);
	}
}

void session_killed(struct client *client, uint32_t result, const char *reason)
{
	uint8_t before = client->session;

	session_event(client, NACRE_SESE_KILLED);
	if (client->session == before)
		return;
	client->counters.evictions++;
	if (client->config.killed)
		client->config.killed(client->config.owner, reason);
}

void session_connected(struct client *client)
{
	uint64_t peer = conn_peer_instance(client->mds);

	if (!client->mds_peer || client->mds_peer == peer)
		session_event(client, NACRE_SESE_CONNECTED);
	else
		session_event(client, NACRE_SESE_INCARNATION);
}

/* ---- timers ---------------------------------------------------------------------- */

#define client_of(timer, member) \
	((struct client *)((char *)(timer) - offsetof(struct client, member)))

static void lease_fired(struct io_timer *timer)
{
	session_event(client_of(timer, lease_timer), NACRE_SESE_LEASE_OUT);
}

static void renew_fired(struct io_timer *timer)
{
	struct client *client = client_of(timer, renew_timer);
	uint64_t lease_ns = client->lease_ms * NS_PER_MS;

	io_timer_arm(client->io, timer, io_now(client->io) + lease_ns / 3);
	if (client->session == NACRE_SESSION_OPEN || client->session == NACRE_SESSION_STALE ||
	    client->session == NACRE_SESSION_CLOSING)
		send_renew(client);
}

/* The rank asked us to come back later. */
static void retry_fired(struct io_timer *timer)
{
	struct client *client = client_of(timer, retry_timer);

	if (conn_is_open(client->mds))
		session_connected(client);
}

void session_init(struct client *client)
{
	client->session = NACRE_SESSION_NEW;
	client->lease_timer.fire = lease_fired;
	client->renew_timer.fire = renew_fired;
	client->retry_timer.fire = retry_fired;
}
