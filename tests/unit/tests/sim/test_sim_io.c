// SPDX-License-Identifier: GPL-2.0
/* The simulated struct io: clock, timers, tasks, jobs, streams, disks; and that a seed is a history. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_world.h"

struct fixture {
	struct sim_world *world;
	struct sim_host *a, *b;
};

static struct fixture begin(uint64_t seed)
{
	struct fixture f = { .world = sim_world_create(seed) };

	f.a = sim_host_add(f.world, "a");
	f.b = sim_host_add(f.world, "b");
	return f;
}

static void run_ms(struct fixture *f, uint64_t ms)
{
	sim_run(f->world, f->world->now_ns + ms * SIM_NS_PER_MS);
}

/* ---- timers, tasks, jobs ------------------------------------------------------- */

static char order[32];

static void mark(char c)
{
	size_t n = strlen(order);

	order[n] = c;
	order[n + 1] = 0;
}

static void fire_x(struct io_timer *timer) { mark('x'); }
static void fire_y(struct io_timer *timer) { mark('y'); }
static void task_t(struct io_task *task) { mark('t'); }
static void job_work(struct io_job *job) { mark('w'); }
static void job_done(struct io_job *job) { mark('d'); }

static void test_timers_fire_in_order_and_once(void **state)
{
	struct fixture f = begin(1);
	struct io *io = sim_host_io(f.a);
	struct io_timer x = { .fire = fire_x }, y = { .fire = fire_y }, z = { .fire = fire_x };

	order[0] = 0;
	io_timer_arm(io, &x, io_now(io) + 2 * SIM_NS_PER_MS);
	io_timer_arm(io, &y, io_now(io) + 2 * SIM_NS_PER_MS);
	io_timer_arm(io, &z, io_now(io) + 1 * SIM_NS_PER_MS);
	io_timer_cancel(io, &z);
	run_ms(&f, 1);
	assert_string_equal(order, "");
	run_ms(&f, 5);
	assert_string_equal(order, "xy");
	io_timer_arm(io, &x, 0);	/* in the past: next turn */
	run_ms(&f, 1);
	assert_string_equal(order, "xyx");
	sim_world_destroy(f.world);
}

static void test_tasks_and_jobs(void **state)
{
	struct fixture f = begin(1);
	struct io *io = sim_host_io(f.a);
	struct io_task t = { .run = task_t };
	struct io_job job = { .work = job_work, .done = job_done };

	order[0] = 0;
	io_offload(io, &job);
	io_defer(io, &t);
	io_defer(io, &t);
	assert_string_equal(order, "");
	run_ms(&f, 5);
	assert_string_equal(order, "twd");
	sim_world_destroy(f.world);
}

static void test_pause_delays_and_crash_forgets(void **state)
{
	struct fixture f = begin(1);
	struct io *io = sim_host_io(f.a);
	struct io_timer x = { .fire = fire_x }, y = { .fire = fire_y };

	order[0] = 0;
	io_timer_arm(io, &x, io_now(io) + SIM_NS_PER_MS);
	sim_host_pause(f.a, 10 * SIM_NS_PER_MS);
	run_ms(&f, 9);
	assert_string_equal(order, "");
	run_ms(&f, 2);
	assert_string_equal(order, "x");
	io_timer_arm(io, &y, io_now(io) + SIM_NS_PER_MS);
	sim_host_crash(f.a, SIM_CRASH_KILL);
	run_ms(&f, 5);
	assert_string_equal(order, "x");
	assert_int_equal(y.heap_index, 0);
	sim_host_restart(f.a);
	sim_world_destroy(f.world);
}

/* ---- streams --------------------------------------------------------------------- */

struct end {
	struct sim_host *host;
	struct io_stream *stream;
	int opened, closed, reason, done, canceled;
	size_t length;
	uint8_t bytes[1 << 16];
};

static void end_opened(void *owner) { ((struct end *)owner)->opened++; }
static void end_closed(void *owner, int reason)
{
	struct end *end = owner;

	end->closed++;
	end->reason = reason;
	end->stream = NULL;
}
static void end_received(void *owner, const uint8_t *bytes, size_t length)
{
	struct end *end = owner;

	assert_true(end->length + length <= sizeof(end->bytes));
	memcpy(end->bytes + end->length, bytes, length);
	end->length += length;
}
static const struct io_stream_events end_events = { end_opened, end_received, end_closed };

static void end_accept(void *owner, struct io_stream *stream, const struct io_address *peer)
{
	struct end *end = owner;

	end->stream = stream;
	end->opened++;
	io_stream_attach(sim_host_io(end->host), stream, &end_events, end);
}

struct test_send {
	struct io_send send;
	struct iovec iov;
	struct end *end;
};

static void sent(struct io_send *send, int result)
{
	struct test_send *t = (struct test_send *)send;

	if (result)
		t->end->canceled++;
	else
		t->end->done++;
}

static void end_send(struct end *end, const void *bytes, size_t length)
{
	static struct test_send sends[256];
	static unsigned int next;
	struct test_send *t = &sends[next++ % 256];

	memset(t, 0, sizeof(*t));
	t->iov.iov_base = (void *)bytes;
	t->iov.iov_len = length;
	t->send.iov = &t->iov;
	t->send.iov_count = 1;
	t->send.done = sent;
	t->end = end;
	io_stream_send(sim_host_io(end->host), end->stream, &t->send);
}

static void connect_ends(struct fixture *f, struct end *client, struct end *server)
{
	struct io_address address = f->b->address;
	struct io_listener *listener;

	memset(client, 0, sizeof(*client));
	memset(server, 0, sizeof(*server));
	client->host = f->a;
	server->host = f->b;
	address.port = 7270;
	assert_int_equal(io_listen(sim_host_io(f->b), &address, end_accept, server, &listener), 0);
	assert_int_equal(io_listener_port(sim_host_io(f->b), listener), 7270);
	assert_int_equal(io_connect(sim_host_io(f->a), &address, &end_events, client,
				    &client->stream), 0);
	run_ms(f, 10);
	assert_int_equal(client->opened, 1);
	assert_int_equal(server->opened, 1);
}

static struct end client, server;

static void test_stream_delivers_in_order(void **state)
{
	struct fixture f = begin(7);
	char text[100][2];
	int i;

	f.world->faults.net_split_ppm = 300000;
	connect_ends(&f, &client, &server);
	for (i = 0; i < 100; i++) {
		text[i][0] = text[i][1] = (char)i;
		end_send(&client, text[i], 2);
	}
	end_send(&server, "back", 4);
	run_ms(&f, 100);
	assert_int_equal(client.done, 100);
	assert_int_equal(server.length, 200);
	for (i = 0; i < 200; i++)
		assert_int_equal(server.bytes[i], i / 2);
	assert_memory_equal(client.bytes, "back", 4);
	io_stream_pause(sim_host_io(f.b), server.stream, true);
	end_send(&client, "z", 1);
	run_ms(&f, 100);
	assert_int_equal(server.length, 200);
	io_stream_pause(sim_host_io(f.b), server.stream, false);
	run_ms(&f, 100);
	assert_int_equal(server.length, 201);
	io_stream_close(sim_host_io(f.a), client.stream);
	run_ms(&f, 100);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.reason, -ECANCELED);
	assert_int_equal(server.closed, 1);
	assert_int_equal(server.reason, 0);
	sim_world_destroy(f.world);
}

static void test_nobody_listens(void **state)
{
	struct fixture f = begin(3);
	struct io_address address = f.b->address;

	memset(&client, 0, sizeof(client));
	client.host = f.a;
	address.port = 9;
	assert_int_equal(io_connect(sim_host_io(f.a), &address, &end_events, &client,
				    &client.stream), 0);
	run_ms(&f, 10);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.reason, -ECONNREFUSED);
	sim_world_destroy(f.world);
}

static void test_crash_resets_peers_power_loss_is_silent(void **state)
{
	struct fixture f = begin(5);

	connect_ends(&f, &client, &server);
	end_send(&server, "last words", 10);
	sim_host_crash(f.b, SIM_CRASH_KILL);
	run_ms(&f, 100);
	assert_int_equal(server.closed, 0);
	assert_int_equal(client.length, 10);
	assert_int_equal(client.reason, -ECONNRESET);
	sim_host_restart(f.b);
	connect_ends(&f, &client, &server);
	sim_host_crash(f.b, SIM_CRASH_POWER);
	run_ms(&f, f.world->faults.net_timeout_ms + 1000);
	assert_int_equal(client.closed, 1);
	assert_int_equal(client.reason, -ETIMEDOUT);
	sim_world_destroy(f.world);
}

static void test_partition_delays_then_breaks(void **state)
{
	struct fixture f = begin(5);

	connect_ends(&f, &client, &server);
	sim_partition(f.a, f.b, SIM_NS_PER_S);
	end_send(&client, "late", 4);
	run_ms(&f, 900);
	assert_int_equal(server.length, 0);
	run_ms(&f, 1000);
	assert_int_equal(server.length, 4);
	sim_partition(f.a, f.b, UINT32_MAX * SIM_NS_PER_MS);
	end_send(&client, "never", 5);
	run_ms(&f, f.world->faults.net_timeout_ms + 5000);
	assert_int_equal(client.reason, -ETIMEDOUT);
	assert_int_equal(server.reason, -ETIMEDOUT);
	assert_int_equal(server.length, 4);
	sim_world_destroy(f.world);
}

/* Each fault is seen by what arrives, and followed by a reset. */
static void check_fault(uint32_t *ppm, struct fixture *f, const char *arrives)
{
	connect_ends(f, &client, &server);
	end_send(&client, "1", 1);
	run_ms(f, 10);
	*ppm = 1000000;
	end_send(&client, "2", 1);
	*ppm = 0;
	end_send(&client, "3", 1);
	run_ms(f, 20);
	assert_int_equal(server.length, strlen(arrives));
	assert_memory_equal(server.bytes, arrives, strlen(arrives));
	run_ms(f, 2000);
	sim_world_destroy(f->world);
}

static void test_faults_of_sends(void **state)
{
	struct fixture f = begin(9);

	check_fault(&f.world->faults.net_drop_ppm, &f, "13");
	assert_int_equal(client.reason, -ECONNRESET);
	assert_int_equal(server.reason, -ECONNRESET);
	f = begin(9);
	check_fault(&f.world->faults.net_duplicate_ppm, &f, "1223");
	f = begin(9);
	check_fault(&f.world->faults.net_swap_ppm, &f, "132");
	assert_int_equal(client.reason, -ECONNRESET);
}

/* ---- disks --------------------------------------------------------------------------- */

struct test_disk {
	struct io_disk disk;
	struct iovec iov;
	int done, result;
};

static void disk_done(struct io_disk *disk, int result)
{
	struct test_disk *t = (struct test_disk *)disk;

	t->done++;
	t->result = result;
}

static uint8_t page[4][IO_DISK_ALIGN] __attribute__((aligned(IO_DISK_ALIGN)));

static struct test_disk *disk_op(struct fixture *f, struct io_file *file, enum io_disk_kind kind,
				 uint64_t offset, uint8_t *bytes, bool sync)
{
	static struct test_disk ops[16];
	static int next;
	struct test_disk *t = &ops[next++ % 16];

	memset(t, 0, sizeof(*t));
	t->iov.iov_base = bytes;
	t->iov.iov_len = IO_DISK_ALIGN;
	t->disk.kind = kind;
	t->disk.file = file;
	t->disk.iov = &t->iov;
	t->disk.iov_count = 1;
	t->disk.offset = offset;
	t->disk.sync = sync;
	t->disk.done = disk_done;
	io_disk_submit(sim_host_io(f->a), &t->disk);
	return t;
}

static struct io_file *disk_file(struct fixture *f)
{
	struct io_file *file;

	if (!f->a->files)
		sim_disk_add(f->a, "disk", 1 << 20);
	assert_int_equal(io_file_open(sim_host_io(f->a), "disk", &file), 0);
	assert_int_equal(io_file_bytes(sim_host_io(f->a), file), 1 << 20);
	return file;
}

static void test_disk_reads_what_was_written(void **state)
{
	struct fixture f = begin(2);
	struct io_file *file = disk_file(&f);
	struct test_disk *t;

	assert_int_equal(io_file_open(sim_host_io(f.a), "other", &file), -ENOENT);
	file = disk_file(&f);
	memset(page[0], 'A', IO_DISK_ALIGN);
	t = disk_op(&f, file, IO_DISK_WRITE, 8192, page[0], false);
	run_ms(&f, 5);
	assert_int_equal(t->done, 1);
	t = disk_op(&f, file, IO_DISK_READ, 8192, page[1], false);
	run_ms(&f, 5);
	assert_int_equal(t->result, 0);
	assert_memory_equal(page[0], page[1], IO_DISK_ALIGN);
	sim_disk_fail_next(f.a, true);
	t = disk_op(&f, file, IO_DISK_READ, 0, page[1], false);
	run_ms(&f, 5);
	assert_int_equal(t->result, -EIO);
	sim_world_destroy(f.world);
}

/* Over many seeds: synced bytes always survive a loss of power; others are kept, lost, and torn. */
static void test_power_loss(void **state)
{
	int kept = 0, lost = 0, torn = 0, i, whole;
	struct fixture f;
	struct io_file *file;
	uint64_t seed;

	for (seed = 1; seed < 200; seed++) {
		f = begin(seed);
		file = disk_file(&f);
		memset(page[0], 'A', IO_DISK_ALIGN);
		memset(page[1], 'B', IO_DISK_ALIGN);
		disk_op(&f, file, IO_DISK_WRITE, 0, page[0], false);
		run_ms(&f, 5);
		disk_op(&f, file, IO_DISK_SYNC, 0, NULL, false);
		disk_op(&f, file, IO_DISK_WRITE, 8192, page[0], true);
		run_ms(&f, 5);
		disk_op(&f, file, IO_DISK_WRITE, 0, page[1], false);
		run_ms(&f, 5);
		sim_host_crash(f.a, seed % 4 ? SIM_CRASH_POWER : SIM_CRASH_KILL);
		sim_host_restart(f.a);
		sim_disk_peek(f.a->files, 8192, page[2], IO_DISK_ALIGN);
		assert_memory_equal(page[2], page[0], IO_DISK_ALIGN);
		sim_disk_peek(f.a->files, 0, page[2], IO_DISK_ALIGN);
		for (i = whole = 0; i < (int)IO_DISK_ALIGN; i += SIM_SECTOR_BYTES) {
			assert_true(page[2][i] == 'A' || page[2][i] == 'B');
			whole += page[2][i] == 'B';
		}
		if (seed % 4 == 0)
			assert_int_equal(whole, 8);
		kept += whole == 8;
		lost += whole == 0;
		torn += whole > 0 && whole < 8;
		sim_world_destroy(f.world);
	}
	assert_true(kept > 20 && lost > 20 && torn > 5);
}

static uint64_t history(uint64_t seed)
{
	struct fixture f = begin(seed);
	uint64_t hash;
	int i;

	f.world->faults.net_drop_ppm = f.world->faults.net_swap_ppm = 20000;
	connect_ends(&f, &client, &server);
	for (i = 0; i < 200; i++) {
		if (client.stream)
			end_send(&client, "abc", 3);
		run_ms(&f, 1);
	}
	hash = f.world->hash;
	sim_world_destroy(f.world);
	return hash;
}

static void test_a_seed_is_a_history(void **state)
{
	assert_true(history(11) == history(11));
	assert_true(history(11) != history(12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_fire_in_order_and_once),
		cmocka_unit_test(test_tasks_and_jobs),
		cmocka_unit_test(test_pause_delays_and_crash_forgets),
		cmocka_unit_test(test_stream_delivers_in_order),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_crash_resets_peers_power_loss_is_silent),
		cmocka_unit_test(test_partition_delays_then_breaks),
		cmocka_unit_test(test_faults_of_sends),
		cmocka_unit_test(test_disk_reads_what_was_written),
		cmocka_unit_test(test_power_loss),
		cmocka_unit_test(test_a_seed_is_a_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
