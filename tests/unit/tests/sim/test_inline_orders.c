// SPDX-License-Identifier: GPL-2.0
/*
 * Small files in the inode between real servers and native clients: what it costs to use one alone, and two and three clients
 * that have one open together and each begin with another operation, in every order. No byte is lost, everybody sees
 * the same, and the data leaves once or never.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "protocol/session.h"
#include "server/mds/core.h"
#include "tests/client/state.h"
#include "tests/sim/sim.h"

#define CLIENTS 3
#define FILE_BYTES (3 * SIM_OBJECT_BYTES)
#define CALL_NS (60 * SIM_NS_PER_S)

static struct sim *sim;
static struct client *clients[CLIENTS];

/* What the file should be. */
static struct {
	uint8_t bytes[FILE_BYTES];
	uint64_t size;
} model;

static uint8_t buffer[FILE_BYTES];

/* ---- calls ------------------------------------------------------------------------------------------ */

static bool call_has_ended;

static void ended(struct client_call *call)
{
	call_has_ended = true;
	sim->world->stop = true;
}

static struct client_call do_call(struct client *client, struct client_call call)
{
	static struct client_call room;

	room = call;
	room.done = ended;
	call_has_ended = false;
	client_start(client, &room);
	sim_run(sim->world, sim->world->now_ns + CALL_NS);
	assert_true(call_has_ended);
	assert_int_equal(room.result, 0);
	return room;
}

static struct client *mount_client(unsigned int number)
{
	static const char *const names[CLIENTS] = { "client0", "client1", "client2" };
	struct client_config config = { .inline_max = SIM_INLINE_BYTES, .mds = sim->mds.host->address,
					.name = names[number] };
	struct client *client;

	config.io = sim_host_io(sim_host_add(sim->world, names[number]));
	config.mds.port = NACRE_DEFAULT_PORT;
	assert_int_equal(client_create(&config, &client), 0);
	do_call(client, (struct client_call){ .kind = CLIENT_MOUNT });
	return client;
}

static int setup(void **state)
{
	unsigned int i;

	sim = calloc(1, sizeof(*sim));
	sim->options.seed = 1;
	sim->world = sim_world_create(1);
	sim->random = sim_random_from(1);
	sim->history = history_create();
	sim->inlines = true;
	sim->replicas = 2;
	sim->min_size = 1;
	cluster_create(sim);
	assert_false(sim->failed);
	for (i = 0; i < CLIENTS; i++)
		clients[i] = mount_client(i);
	return 0;
}

static uint64_t create(const char *name)
{
	struct client_call made = do_call(clients[0], (struct client_call){
			.kind = CLIENT_CREATE, .ino = NACRE_INO_ROOT, .name = name, .mode = 0600 });

	memset(&model, 0, sizeof(model));
	return made.attr.ino;
}

static void open_by(struct client *client, uint64_t ino, uint32_t flags)
{
	do_call(client, (struct client_call){ .kind = CLIENT_OPEN, .ino = ino, .flags = flags });
}

static void close_by(struct client *client, uint64_t ino, uint32_t flags)
{
	do_call(client, (struct client_call){ .kind = CLIENT_CLOSE, .ino = ino, .flags = flags });
}

static void write_by(struct client *client, uint64_t ino, uint64_t offset, uint64_t length, char fill)
{
	memset(buffer, fill, length);
	do_call(client, (struct client_call){ .kind = CLIENT_WRITE, .ino = ino, .offset = offset,
					      .length = length, .data = buffer });
	memset(model.bytes + offset, fill, length);
	if (model.size < offset + length)
		model.size = offset + length;
}

static void append_by(struct client *client, uint64_t ino, uint64_t length, char fill)
{
	struct client_call call;

	memset(buffer, fill, length);
	call = do_call(client, (struct client_call){ .kind = CLIENT_APPEND, .ino = ino,
						     .length = length, .data = buffer });
	assert_int_equal(call.offset, model.size);
	memset(model.bytes + model.size, fill, length);
	model.size += length;
}

static void cut_by(struct client *client, uint64_t ino, uint64_t size)
{
	do_call(client, (struct client_call){ .kind = CLIENT_SETATTR, .ino = ino,
					      .set_mask = NACRE_SET_SIZE, .length = size });
	if (size < model.size)
		memset(model.bytes + size, 0, model.size - size);
	model.size = size;
}

/* Room, zeros, or a hole. */
static void allocate_by(struct client *client, uint64_t ino, uint32_t flags, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	do_call(client, (struct client_call){ .kind = CLIENT_ALLOCATE, .ino = ino, .offset = offset,
					      .length = length, .flags = flags });
	if (flags)
		memset(model.bytes + offset, 0, length);
	if (!(flags & CLIENT_ALLOCATE_PUNCH) && model.size < end)
		model.size = end;
}

static void read_by(struct client *client, uint64_t ino)
{
	struct client_call call;

	memset(buffer, 0xee, sizeof(buffer));
	call = do_call(client, (struct client_call){ .kind = CLIENT_READ, .ino = ino,
						     .length = FILE_BYTES, .data = buffer });
	assert_int_equal(call.bytes, model.size);
	assert_memory_equal(buffer, model.bytes, model.size);
}

static void fsync_by(struct client *client, uint64_t ino)
{
	do_call(client, (struct client_call){ .kind = CLIENT_FSYNC, .ino = ino });
}

static uint64_t uninlined(void)
{
	return sim->mds.mds->counters.uninlined;
}

static uint64_t object_requests(void)
{
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i < CLIENTS; i++)
		count += client_counters(clients[i])->osd_requests;
	return count;
}

/* ---- alone -------------------------------------------------------------------------------------------- */

/* Writing a small file, and reading it cold elsewhere, asks no OSD. */
static void test_small_files_ask_no_osd(void **state)
{
	uint64_t ino = create("small"), before = object_requests();

	write_by(clients[0], ino, 0, 1000, 'a');
	write_by(clients[0], ino, 3000, 1096, 'b');
	append_by(clients[0], ino, 0, 'c');
	read_by(clients[0], ino);
	fsync_by(clients[0], ino);
	cut_by(clients[0], ino, 2000);
	cut_by(clients[0], ino, 4000);
	allocate_by(clients[0], ino, CLIENT_ALLOCATE_PUNCH, 100, 5000);
	allocate_by(clients[0], ino, CLIENT_ALLOCATE_ZERO, 3900, 150);
	write_by(clients[0], ino, 1500, 10, 'd');
	fsync_by(clients[0], ino);
	close_by(clients[0], ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	open_by(clients[1], ino, NACRE_OPEN_READ);
	read_by(clients[1], ino);
	close_by(clients[1], ino, NACRE_OPEN_READ);
	assert_int_equal(object_requests(), before);
	assert_int_equal(uninlined(), 0);
}

/* One byte too much, and it leaves: with the first write-back, in one request for object 0. */
static void test_a_file_that_grows_leaves(void **state)
{
	uint64_t ino = create("grows"), before = object_requests(), left = uninlined();

	write_by(clients[0], ino, 0, SIM_INLINE_BYTES, 'a');
	fsync_by(clients[0], ino);
	assert_int_equal(object_requests(), before);
	append_by(clients[0], ino, 1, 'b');
	fsync_by(clients[0], ino);
	assert_int_equal(object_requests(), before + 1);
	assert_int_equal(uninlined(), left + 1);
	close_by(clients[0], ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	open_by(clients[1], ino, NACRE_OPEN_READ);
	read_by(clients[1], ino);
	close_by(clients[1], ino, NACRE_OPEN_READ);
	/* it does not come back */
	open_by(clients[0], ino, NACRE_OPEN_WRITE);
	cut_by(clients[0], ino, 10);
	write_by(clients[0], ino, 0, 5, 'c');
	fsync_by(clients[0], ino);
	close_by(clients[0], ino, NACRE_OPEN_WRITE);
	assert_int_equal(uninlined(), left + 1);
}

/* INLINE-2: the first write is behind object 0. */
static void test_inline_2_first_write_far_behind(void **state)
{
	uint64_t ino = create("far"), left = uninlined();

	write_by(clients[0], ino, 0, 100, 'a');
	fsync_by(clients[0], ino);
	write_by(clients[0], ino, 2 * SIM_OBJECT_BYTES + 100, 50, 'b');
	fsync_by(clients[0], ino);
	close_by(clients[0], ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	open_by(clients[1], ino, NACRE_OPEN_READ);
	read_by(clients[1], ino);
	close_by(clients[1], ino, NACRE_OPEN_READ);
	assert_int_equal(uninlined(), left + 1);
}

#define LISTED 6			/* the simulated rank has room for 24 inodes, and gives a client half of them */

/* A listing that asks for it brings the data of small files: reading them then sends nothing at all. */
static void test_a_listing_brings_the_data(void **state)
{
	const struct client_counters *counters = client_counters(clients[2]);
	uint64_t inos[LISTED], messages;
	struct client_call listed;
	char name[16];
	unsigned int i;

	for (i = 0; i < LISTED; i++) {
		snprintf(name, sizeof(name), "listed%u", i);
		inos[i] = create(name);
		write_by(clients[0], inos[i], 0, 300, 'l');
		fsync_by(clients[0], inos[i]);
		close_by(clients[0], inos[i], NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	}
	/* a listing takes nothing from anybody */
	client_trim(clients[0], 100);
	sim_run(sim->world, sim->world->now_ns + SIM_NS_PER_S);
	listed = do_call(clients[2], (struct client_call){ .kind = CLIENT_READDIR,
							   .ino = NACRE_INO_ROOT,
							   .flags = CLIENT_WITH_DATA });
	assert_true(listed.entry_count >= LISTED);
	client_call_clean(&listed);
	messages = counters->mds_messages;
	for (i = 0; i < LISTED; i++)
		read_by(clients[2], inos[i]);
	assert_int_equal(counters->mds_messages, messages);
	assert_int_equal(counters->osd_requests, 0);
}

/* ---- together ------------------------------------------------------------------------------------------- */

enum first { READS, WRITES, WRITES_FAR, WRITES_ACROSS, APPENDS, CUTS, GROWS, ALLOCATES, ZEROS, PUNCHES, FIRSTS };

static void do_first(enum first first, struct client *client, uint64_t ino, char fill)
{
	switch (first) {
	case READS:
		read_by(client, ino);
		break;
	case WRITES:
		write_by(client, ino, 100 + (uint64_t)fill, 500, fill);
		break;
	case WRITES_FAR:
		write_by(client, ino, SIM_OBJECT_BYTES + 10, 20, fill);
		break;
	case WRITES_ACROSS:
		write_by(client, ino, SIM_OBJECT_BYTES - 100, 300, fill);
		break;
	case APPENDS:
		append_by(client, ino, 700, fill);
		break;
	case CUTS:
		cut_by(client, ino, 200);
		break;
	case GROWS:
		cut_by(client, ino, model.size + 1000);
		break;
	case ALLOCATES:
		allocate_by(client, ino, 0, 1000, SIM_OBJECT_BYTES);
		break;
	case ZEROS:
		allocate_by(client, ino, CLIENT_ALLOCATE_ZERO, 1400, 200);
		break;
	default:
		allocate_by(client, ino, CLIENT_ALLOCATE_PUNCH, 300 + (uint64_t)fill, 100);
		break;
	}
}

static void together(const enum first *firsts, unsigned int count)
{
	uint64_t ino, left = uninlined();
	unsigned int i, round;
	static unsigned int number;
	char name[24];

	snprintf(name, sizeof(name), "together%u", number++);
	ino = create(name);
	write_by(clients[0], ino, 0, 1500, 'i');
	for (i = 1; i < count; i++)
		open_by(clients[i], ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	for (round = 0; round < 2; round++)
		for (i = 0; i < count; i++)
			do_first(firsts[i], clients[i], ino, (char)('A' + i));
	for (i = 0; i < count; i++)
		read_by(clients[i], ino);
	for (i = 0; i < count; i++) {
		fsync_by(clients[i], ino);
		close_by(clients[i], ino, NACRE_OPEN_READ | NACRE_OPEN_WRITE);
	}
	open_by(clients[0], ino, NACRE_OPEN_READ);
	read_by(clients[0], ino);
	close_by(clients[0], ino, NACRE_OPEN_READ);
	assert_true(uninlined() <= left + 1);
}

static void test_two_clients_in_every_order(void **state)
{
	enum first firsts[2];

	for (firsts[0] = 0; firsts[0] < FIRSTS; firsts[0]++)
		for (firsts[1] = 0; firsts[1] < FIRSTS; firsts[1]++)
			together(firsts, 2);
}

static void test_three_clients_in_every_order(void **state)
{
	enum first firsts[3];

	for (firsts[0] = 0; firsts[0] < FIRSTS; firsts[0]++)
		for (firsts[1] = 0; firsts[1] < FIRSTS; firsts[1]++)
			for (firsts[2] = 0; firsts[2] < FIRSTS; firsts[2]++)
				together(firsts, 3);
}

/* Decision 0003: readers of a file that others have open for writing leave it where it is. */
static void test_reads_leave_it_inline(void **state)
{
	uint64_t left = uninlined();

	together((enum first[]){ READS, READS, READS }, 3);
	assert_int_equal(uninlined(), left);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_files_ask_no_osd),
		cmocka_unit_test(test_a_file_that_grows_leaves),
		cmocka_unit_test(test_inline_2_first_write_far_behind),
		cmocka_unit_test(test_a_listing_brings_the_data),
		cmocka_unit_test(test_reads_leave_it_inline),
		cmocka_unit_test(test_two_clients_in_every_order),
		cmocka_unit_test(test_three_clients_in_every_order),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
