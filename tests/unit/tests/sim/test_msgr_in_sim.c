// SPDX-License-Identifier: GPL-2.0
/*
 * The real messenger on the simulated network: whatever the network does, what one
 * connection generation delivers is what was sent on it, in order, without a gap; and
 * a dialler comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "server/base/msgr.h"
#include "tests/sim/sim_world.h"

struct party {
	struct sim_host *host;
	struct msgr *msgr;
	struct conn *conn;		/* the open one */
	int opened, closed;
	uint64_t received;
	uint64_t last_tid;		/* in this generation */
	uint32_t generation;
};

static struct party dialler, listener;

static void on_opened(void *owner, struct conn *conn)
{
	struct party *p = owner;

	p->conn = conn;
	p->opened++;
}

static void on_closed(void *owner, struct conn *conn, int reason)
{
	struct party *p = owner;

	if (p->conn == conn)
		p->conn = NULL;
	p->closed++;
}

static void on_message(void *owner, struct conn *conn, struct message *message)
{
	struct party *p = owner;
	uint64_t tid = message->host.osd_statfs_req.tid;

	assert_int_equal(message->type, NACRE_MSG_OSD_STATFS);
	if (p->generation != message->conn_gen) {
		assert_true(message->conn_gen > p->generation);
		p->generation = message->conn_gen;
		p->last_tid = tid - 1;
	}
	assert_int_equal(tid, p->last_tid + 1);
	p->last_tid = tid;
	p->received++;
	message_put(message);
}

static const struct msgr_handler handler = { on_opened, on_message, on_closed };

static void make(struct party *p, struct sim_world *world, const char *name, enum nacre_role role)
{
	struct msgr_config config = {
		.name = name, .role = role, .time_scale_percent = 100, .handler = &handler,
		.owner = p,
	};

	memset(p, 0, sizeof(*p));
	p->host = sim_host_add(world, name);
	config.io = sim_host_io(p->host);
	assert_int_equal(msgr_create(&config, &p->msgr), 0);
	msgr_set_fsid(p->msgr, 1, 2);
	msgr_set_instance(p->msgr, p->host->id + 1);
}

/* Ten virtual seconds of a message each millisecond; then quiet. */
static void talk(struct sim_world *world)
{
	struct nacre_osd_statfs_req body = { .tid = 0 };
	struct io_address address;
	int i;

	make(&listener, world, "osd0", NACRE_ROLE_OSD);
	make(&dialler, world, "client", NACRE_ROLE_CLIENT);
	address = listener.host->address;
	address.port = 7300;
	assert_int_equal(msgr_listen(listener.msgr, &address), 0);
	assert_non_null(msgr_dial(dialler.msgr, &address, NULL));
	for (i = 0; i < 10000; i++) {
		sim_run(world, world->now_ns + SIM_NS_PER_MS);
		if (!dialler.conn)
			continue;
		body.tid++;
		if (conn_send(dialler.conn, NACRE_MSG_OSD_STATFS, &body, NULL))
			body.tid--;
	}
	memset(&world->faults.net_slow_ppm, 0, 7 * sizeof(uint32_t));
	sim_run(world, world->now_ns + 20 * SIM_NS_PER_S);
	assert_non_null(dialler.conn);
	assert_non_null(listener.conn);
}

static void end(struct sim_world *world)
{
	msgr_destroy(dialler.msgr);
	msgr_destroy(listener.msgr);
	sim_run(world, world->now_ns + SIM_NS_PER_S);
	sim_world_destroy(world);
}

static void test_good_network_loses_nothing(void **state)
{
	struct sim_world *world = sim_world_create(1);

	talk(world);
	assert_int_equal(dialler.opened, 1);
	assert_true(listener.received > 9900);
	end(world);
}

static void test_faults_reset_but_never_disorder(void **state)
{
	struct sim_world *world;
	uint64_t seed;

	for (seed = 1; seed <= 20; seed++) {
		world = sim_world_create(seed);
		world->faults.net_drop_ppm = world->faults.net_swap_ppm = 1000;
		world->faults.net_duplicate_ppm = world->faults.net_corrupt_ppm = 1000;
		world->faults.net_reset_ppm = 300;
		world->faults.net_split_ppm = 100000;
		world->faults.net_slow_ppm = 1000;
		talk(world);
		assert_true(dialler.opened > 2);
		assert_true(listener.received > 1000);
		end(world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_network_loses_nothing),
		cmocka_unit_test(test_faults_reset_but_never_disorder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
