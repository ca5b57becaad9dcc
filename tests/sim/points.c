// SPDX-License-Identifier: GPL-2.0
/* Counting where crashes hit. See points.h. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include "points.h"
#include "server/osd/store.h"

#define POINT_DOC(name, doc) doc,
static const char *const docs[] = { SIM_POINTS(POINT_DOC) };

/* What is there at one crash, so that it counts once. */
struct there {
	bool point[SIM_POINT_COUNT][SIM_DATA_COUNT];
};

struct sim_points *points_create(void)
{
	struct sim_points *points = mmap(NULL, sizeof(*points), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert(points != MAP_FAILED);
	return points;
}

static void add(uint64_t *count)
{
	__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
}

void points_error(struct sim_points *points)
{
	add(&points->errors);
}

static enum sim_point_data data_of(const struct osd_txn *txn)
{
	if (txn->in_place)
		return SIM_DATA_IN_PLACE;
	if (txn->direct_count)
		return SIM_DATA_FRESH;
	return txn->image_count ? SIM_DATA_JOURNALED : SIM_DATA_NONE;
}

static void see(struct there *there, const struct osd_txn *txn, enum sim_point point)
{
	for (; txn; txn = txn->next)
		there->point[point][data_of(txn)] = true;
}

static void see_waiting(struct there *there, const struct osd_txn *txn)
{
	static const enum sim_point points[] = {
		[OSD_DIRECT_DURABLE] = SIM_POINT_QUEUED, [OSD_DIRECT_WAITING] = SIM_POINT_INTENT,
		[OSD_DIRECT_WRITING] = SIM_POINT_WRITING, [OSD_DIRECT_WRITTEN] = SIM_POINT_WRITTEN,
		[OSD_DIRECT_FLUSHING] = SIM_POINT_FLUSHING,
	};

	for (; txn; txn = txn->next)
		there->point[points[txn->direct_state]][data_of(txn)] = true;
}

static void see_writeback(struct there *there, const struct osd_writeback *wb)
{
	static const enum sim_point points[] = {
		[OSD_WRITEBACK_IDLE] = SIM_POINT_DURABLE, [OSD_WRITEBACK_IMAGES] = SIM_POINT_APPLY_IMAGES,
		[OSD_WRITEBACK_DEVICE] = SIM_POINT_APPLY_FLUSH, [OSD_WRITEBACK_KEYS] = SIM_POINT_APPLY_KEYS,
	};
	const struct osd_record *record;
	unsigned int n = 0;

	for (record = wb->queue; record; record = record->next, n++)
		see(there, record->txns, n < wb->batch_records ? points[wb->state] : SIM_POINT_DURABLE);
	there->point[SIM_POINT_TRIM][SIM_DATA_NONE] |= wb->flushing;
}

void points_count(struct sim_points *points, const struct osd_store *store, enum sim_point_crash crash)
{
	const struct osd_record *record;
	struct there there = { 0 };
	int point, data;

	add(&points->crashes[crash]);
	see_waiting(&there, store->journal.waiting);
	for (record = store->journal.writing; record; record = record->next)
		see(&there, record->txns, record->written ? SIM_POINT_BEHIND : SIM_POINT_RECORD);
	see_writeback(&there, &store->writeback);
	for (point = 0; point < SIM_POINT_COUNT; point++)
		for (data = 0; data < SIM_DATA_COUNT; data++)
			if (there.point[point][data])
				add(&points->hit[point][data][crash]);
}

/* Only what is written directly is written before its record; trimming is of no transaction. */
static bool is_possible(int point, int data)
{
	if (point == SIM_POINT_INTENT)
		return data == SIM_DATA_IN_PLACE;
	if (point < SIM_POINT_QUEUED)
		return data >= SIM_DATA_FRESH;
	return point != SIM_POINT_TRIM || data == SIM_DATA_NONE;
}

void points_print(const struct sim_points *points, FILE *out)
{
	unsigned int missed = 0, all = 0;
	int point, data, crash;

	fprintf(out, "crash points hit: %" PRIu64 " OSDs killed, %" PRIu64 " lost power alone, %" PRIu64 " with all, %" PRIu64 " disk errors\n"
		"%-52s %-23s %-23s %-23s %s\n%-52s", points->crashes[SIM_POINT_KILL],
		points->crashes[SIM_POINT_POWER], points->crashes[SIM_POINT_POWER_ALL], points->errors,
		"  a transaction with", "no data", "data in the journal", "data in fresh blocks", "data in place", "");
	for (data = 0; data < SIM_DATA_COUNT; data++)
		fprintf(out, " %7s %7s %7s", "killed", "power", "all");
	for (point = 0; point < SIM_POINT_COUNT; point++) {
		fprintf(out, "\n  %-50s", docs[point]);
		for (data = 0; data < SIM_DATA_COUNT; data++)
			for (crash = 0; crash < SIM_POINT_CRASHES; crash++) {
				if (!is_possible(point, data)) {
					fprintf(out, " %7s", "");
					continue;
				}
				all++;
				missed += !points->hit[point][data][crash];
				fprintf(out, " %7" PRIu64, points->hit[point][data][crash]);
			}
	}
	fprintf(out, "\n%u of %u crash points hit\n", all - missed, all);
}
