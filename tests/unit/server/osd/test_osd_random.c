// SPDX-License-Identifier: GPL-2.0
/*
 * Random histories of three object servers: writers at several objects at once, while
 * servers are killed, lose power, are cut off and come back, any of them and all of
 * them. Every acknowledged write must be read back, by then and at the end; a write
 * without an answer may have happened or not, but whole. In the end the replicas
 * are compared.
 *
 * Each writer owns one object of CELLS cells and writes one cell at a time, with a
 * count that only grows; attribute "count" goes up in the same compound request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "osd_cluster_rig.h"
#include "protocol/error.h"

#define WRITERS 5
#define CELLS 4
#define CELL_BYTES_MAX 8192u
#define STEPS 400

struct writer {
	uint64_t ino;
	uint32_t count;			/* of the newest request */
	uint32_t acked;			/* newest count acknowledged */
	uint32_t cells[CELLS];		/* counts, as requested */
	bool busy;
	struct osdc_request *request;
	bool reads;			/* the request under way is a read */
	uint32_t read_floor;		/* acked when it was sent */
};

/* Memory of crashed daemons stays, as on a machine that lost it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static struct cluster c;
static struct sim_random dice;
static struct writer writers[WRITERS];
static uint64_t seed_now;
static uint32_t cell_bytes;		/* of a cell: they share blocks, or fill them, which may be overwritten in place then */

static void fill(uint8_t *bytes, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < cell_bytes; i++)
		bytes[i] = (uint8_t)(count * 7 + i % 13);
}

/* A read sees a state at or behind what was acknowledged, and a whole one. */
static void check_read(struct writer *w)
{
	struct osdc_result bytes = osdc_request_result(w->request, 1);
	struct osdc_result attr = osdc_request_result(w->request, 0);
	uint8_t want[CELL_BYTES_MAX];
	uint32_t count, cell;

	memcpy(&count, attr.output, sizeof(count));
	if (count < w->read_floor || count > w->count)
		fail_msg("seed %llu: object %u says %u, acknowledged %u, requested %u",
			 (unsigned long long)seed_now, (unsigned int)w->ino, count, w->read_floor,
			 w->count);
	cell = count % CELLS;
	fill(want, count);
	if (bytes.data_bytes < (cell + 1) * cell_bytes ||
	    memcmp(bytes.data + cell * cell_bytes, want, cell_bytes))
		fail_msg("seed %llu: object %u does not hold write %u", (unsigned long long)seed_now,
			 (unsigned int)w->ino, count);
}

static void done(struct osdc_request *request, uint32_t result)
{
	struct writer *w = osdc_request_owner(request);

	w->busy = false;
	if (w->reads && !result)
		check_read(w);
	else if (w->reads && (result != ENODATA || w->read_floor))
		fail_msg("seed %llu: a read gave %u", (unsigned long long)seed_now, result);
	else if (!w->reads && result)
		fail_msg("seed %llu: a write gave %u", (unsigned long long)seed_now, result);
	if (!w->reads)
		w->acked = w->count;
	osdc_request_free(request);
}

static void begin_write(struct writer *w)
{
	uint8_t bytes[CELL_BYTES_MAX];
	uint32_t cell = ++w->count % CELLS;

	fill(bytes, w->count);
	w->cells[cell] = w->count;
	w->request = osdc_request_new(c.osdc, 1, w->ino, 0);
	osdc_add_data(w->request, NACRE_OSD_OP_WRITE, cell * cell_bytes, bytes, cell_bytes);
	osdc_add(w->request, NACRE_OSD_OP_SETXATTR, 0, "count", 5, &w->count, sizeof(w->count), 0, 0);
	osdc_add(w->request, NACRE_OSD_OP_KV_SET, 0, &w->count, sizeof(w->count), "x", 1, 0, 0);
	if (!sim_below(&dice, 4))	/* room somewhere behind them: replicas compare their blocks, too */
		osdc_add(w->request, NACRE_OSD_OP_ALLOCATE, sim_below(&dice, 2) ? NACRE_OSD_OPF_KEEP : 0, NULL, 0, NULL, 0,
			 CELLS * cell_bytes + sim_below(&dice, 1u << 20), 1 + sim_below(&dice, 1u << 17));
	w->reads = false;
	w->busy = true;
	osdc_submit(w->request, done, w);
}

static void begin_read(struct writer *w)
{
	w->request = osdc_request_new(c.osdc, 1, w->ino, 0);
	osdc_add(w->request, NACRE_OSD_OP_GETXATTR, 0, "count", 5, NULL, 0, 0, 0);
	osdc_add(w->request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, 0, CELLS * cell_bytes);
	w->reads = true;
	w->read_floor = w->acked;
	w->busy = true;
	osdc_submit(w->request, done, w);
}

static void trouble(void)
{
	struct cluster_osd *o = &c.osds[sim_below(&dice, c.osd_count)];
	unsigned int i;

	switch (sim_below(&dice, 5)) {
	case 0:
	case 1:
		cluster_osd_kill(o, sim_below(&dice, 2) ? SIM_CRASH_POWER : SIM_CRASH_KILL);
		cluster_osd_start_later(o, 1 + sim_below(&dice, 5000));
		break;
	case 2:
		for (i = 0; i < c.osd_count; i++) {
			cluster_osd_kill(&c.osds[i], SIM_CRASH_POWER);
			cluster_osd_start_later(&c.osds[i], 1 + sim_below(&dice, 3000));
		}
		break;
	case 3:
		sim_partition(o->host, c.osds[(o->id + 1u) % c.osd_count].host,
			      sim_below(&dice, 2000) * SIM_NS_PER_MS);
		break;
	default:
		sim_host_pause(o->host, sim_below(&dice, 2500) * SIM_NS_PER_MS);
	}
}

static bool all_idle(struct cluster *cluster)
{
	int i;

	for (i = 0; i < WRITERS; i++)
		if (writers[i].busy)
			return false;
	return true;
}

static void one_history(uint64_t seed)
{
	struct writer *w;
	int i, step;

	seed_now = seed;
	memset(&c, 0, sizeof(c));
	memset(writers, 0, sizeof(writers));
	c.log_keep = seed % 2 ? 6 : 0;
	c.journal_mode = (uint8_t)(seed % 3);
	cell_bytes = c.journal_mode == NACRE_JOURNAL_ORDERED ? CELL_BYTES_MAX : 3000;
	cluster_start(&c, seed, 3, 2 + (unsigned int)(seed % 2), 1);
	dice = sim_random_from(seed);
	for (i = 0; i < WRITERS; i++)
		writers[i].ino = 900 + (uint64_t)i;
	for (step = 0; step < STEPS; step++) {
		w = &writers[sim_below(&dice, WRITERS)];
		if (!w->busy) {
			if (sim_below(&dice, 4))
				begin_write(w);
			else
				begin_read(w);
		}
		if (sim_below(&dice, 60) == 0)
			trouble();
		sim_run(c.world, c.world->now_ns + sim_below(&dice, sim_below(&dice, 20) ? 3000 :
							     400000) * SIM_NS_PER_US);
		cluster_refresh(&c);
	}
	sim_heal(c.world);
	cluster_until(&c, all_idle, 120, "all requests");
	cluster_until(&c, cluster_all_clean, 120, "all in sync again");
	for (i = 0; i < WRITERS; i++)
		begin_read(&writers[i]);
	cluster_until(&c, all_idle, 60, "the last reads");
	cluster_compare_replicas(&c);
	cluster_end(&c);
}

static void test_random_histories(void **state)
{
	const char *wanted = getenv("SEEDS"), *from = getenv("FIRST");
	uint64_t first = from ? (uint64_t)atoi(from) : 1, seed;

	for (seed = first; seed < first + (wanted ? (uint64_t)atoi(wanted) : 12); seed++)
		one_history(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_histories) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
