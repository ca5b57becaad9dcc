// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-store: what a write costs an OSD's device, in counts: bytes to data area and journal for each byte written, and
 * flushes for each write; per journal mode, size, depth, and for appends and overwrites. The store alone, on a real device or file,
 * from the making of the store until all is written back; no network, no replicas. Times are ratios: to a loop that does nothing but write as many bytes
 * to the same device, as many at a time, with as many flushes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "store.h"

#define MODES 3u
#define ROWS 12u

/* ---- all modes side by side --------------------------------------------------------------------- */

/* A row in one mode. */
struct figures {
	double device, data, journal, flushes, intents;	/* for each byte, or each write */
	double writes_s;
	double rate, p99;		/* ratios to the bare writer */
};

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void take_times(struct times *times, double *ret_rate, double *ret_p99)
{
	qsort(times->ns, times->count, sizeof(*times->ns), compare_ns);
	*ret_rate = times->count * 1e9 / (double)(times->ended_ns - times->begun_ns);
	*ret_p99 = (double)times->ns[(times->count - 1) * 99 / 100];
}

static int measure(struct bench *bench, const struct row *row, const struct osd_journal_mode *mode,
		   struct figures *ret)
{
	double bytes = (double)row->bytes * row->writes, rate, p99;
	int err;

	bench->row = *row;
	bench->row.mode = mode;
	err = bench_run_row(bench);
	if (err)
		return err;
	ret->data = (double)bench->stats.bytes_data / bytes;
	ret->journal = (double)bench->stats.bytes_journal / bytes;
	ret->device = ret->data + ret->journal;
	ret->flushes = (double)bench->stats.flushes / row->writes;
	ret->intents = (double)bench->stats.flushes_intents / row->writes;
	take_times(&bench->times, &ret->rate, &ret->p99);
	ret->writes_s = ret->rate;
	err = bench_run_raw(bench, ret->flushes);
	if (err)
		return err;
	take_times(&bench->times, &rate, &p99);
	ret->rate /= rate;
	ret->p99 /= p99;
	return 0;
}

static const struct osd_journal_mode *const modes[MODES] = {
	&osd_journal_mode_data, &osd_journal_mode_ordered, &osd_journal_mode_cow,
};

static void print_head(const char *first, const char *columns, unsigned int count)
{
	printf("%s", first);
	for (unsigned int i = 0; i < MODES; i++)
		printf(" %s: %s", modes[i]->name, columns);
	printf("\n|");
	for (unsigned int i = 0; i < 3 + MODES * count; i++)
		printf("---|");
	printf("\n");
}

/* What a record is rounded up to when it is written (decision 0019) matters to writes that come alone. */
static int run_units(struct bench *bench)
{
	static const uint32_t units[] = { 4096, 512 }, sizes[] = { 4096, 64 << 10 };
	struct figures figures;
	struct row row = { .depth = 1, .writes = 1024 };
	unsigned int unit, size, m;
	struct io_file *file;
	int err = bench_open_device(bench, &file);

	if (err)
		return err;
	printf("\nOne write at a time, by the unit in which records of the journal are written: bytes to the device for each byte written. The device's own: %u\n\n",
	       io_file_units(bench->io, file).sector);
	io_file_close(bench->io, file);
	print_head("| | bytes | unit |", "device | journal |", 2);
	for (size = 0; size < 2; size++) {
		for (unit = 0; !err && unit < 4; unit++) {
			bench->journal_unit = units[unit % 2];
			row.bytes = sizes[size];
			row.overwrites = unit / 2;
			for (m = 0; !err && m < MODES; m++) {
				err = measure(bench, &row, modes[m], &figures);
				if (!m)
					printf("| %s | %u | %u |", row.overwrites ? "overwrite" : "append", row.bytes, bench->unit_used);
				printf(" %.3f | %.3f |", figures.device, figures.journal);
			}
			printf("\n");
			fflush(stdout);
		}
	}
	bench->journal_unit = 0;
	return err;
}

static int run_all(struct bench *bench)
{
	static const struct row kinds[] = {
		{ .bytes = 4096, .writes = WRITES_MAX },
		{ .bytes = 64 << 10, .writes = 1024 },
		{ .bytes = 4 << 20, .writes = 64 },
	};
	struct figures figures[ROWS][MODES];
	struct row rows[ROWS];
	char names[ROWS][64];
	unsigned int i, m;
	int err = 0;

	print_head("| | bytes | depth |", "device | data area | journal | flushes |", 4);
	for (i = 0; !err && i < ROWS; i++) {
		rows[i] = kinds[i / 4];
		rows[i].overwrites = i & 2;
		rows[i].depth = i & 1 ? DEPTH_MAX : 1;
		for (m = 0; !err && m < MODES; m++)
			err = measure(bench, &rows[i], modes[m], &figures[i][m]);
		snprintf(names[i], sizeof(names[i]), "| %s | %u | %u |", rows[i].overwrites ? "overwrite" : "append", rows[i].bytes, rows[i].depth);
		printf("%s", names[i]);
		for (m = 0; !err && m < MODES; m++)
			printf(" %.3f | %.3f | %.3f | %.3f |", figures[i][m].device, figures[i][m].data,
			       figures[i][m].journal, figures[i][m].flushes);
		printf("\n");
		fflush(stdout);
	}
	printf("\nThe same rows: flushes for nothing but intents, for each write; writes per second and their p99, as ratios to a loop that only writes, with as many flushes\n\n");
	print_head("| | bytes | depth |", "intents | rate | p99 |", 3);
	for (i = 0; !err && i < ROWS; i++) {
		printf("%s", names[i]);
		for (m = 0; m < MODES; m++)
			printf(" %.3f | %.2f | %.2f |", figures[i][m].intents, figures[i][m].rate, figures[i][m].p99);
		printf("\n");
	}
	return err ? err : run_units(bench);
}

/* The best of a few, as others use the machine, too. */
static int measure_best(struct bench *bench, const struct row *row, const struct osd_journal_mode *mode,
			struct figures *ret)
{
	double best = 0;
	int i, err = 0;

	for (i = 0; !err && i < 5; i++) {
		err = measure(bench, row, mode, ret);
		best = ret->writes_s > best ? ret->writes_s : best;
	}
	ret->writes_s = best;
	return err;
}

/* From which size on is one of them less, for all larger ones, too? 0: for none. */
struct crossing {
	uint32_t bytes;
};

static void crossing_take(struct crossing *crossing, uint32_t bytes, bool direct_wins)
{
	if (!direct_wins)
		crossing->bytes = 0;
	else if (!crossing->bytes)
		crossing->bytes = bytes;
}

static void crossing_print(const char *what, const struct crossing *crossing)
{
	if (crossing->bytes)
		printf("%s: from %u bytes on\n", what, crossing->bytes);
	else
		printf("%s: at none of these sizes\n", what);
}

/*
 * Where does writing directly begin to be cheaper than through the journal? Overwrites of all sizes, both ways. Rates are of one machine and
 * one run: as ratios they say which way is the shorter.
 */
static int run_threshold(struct bench *bench)
{
	struct crossing bytes = { 0 }, alone = { 0 }, loaded = { 0 };
	struct figures journaled, direct;
	struct row row;
	int err = 0;

	printf("| bytes | depth | journaled: device | flushes | direct: device | flushes | direct is as fast as journaled, times |\n|---|---|---|---|---|---|---|\n");
	for (row = (struct row){ .bytes = 4096, .depth = 1 }; !err && row.bytes <= 256 << 10; row.depth = row.depth == 1 ? DEPTH_MAX : 1) {
		row.writes = 1024;
		row.overwrites = true;
		err = measure_best(bench, &row, &osd_journal_mode_data, &journaled);
		bench->direct_bytes = 1;
		if (!err)
			err = measure_best(bench, &row, &osd_journal_mode_ordered, &direct);
		bench->direct_bytes = 0;
		if (err)
			break;
		printf("| %u | %u | %.3f | %.3f | %.3f | %.3f | %.2f |\n", row.bytes, row.depth, journaled.device,
		       journaled.flushes, direct.device, direct.flushes, direct.writes_s / journaled.writes_s);
		fflush(stdout);
		crossing_take(row.depth == 1 ? &alone : &loaded, row.bytes, direct.writes_s >= journaled.writes_s);
		if (row.depth > 1)
			crossing_take(&bytes, row.bytes, direct.device < journaled.device);
		row.bytes *= row.depth == 1 ? 1 : 2;
	}
	if (err)
		return err;
	printf("\n");
	crossing_print("directly fewer bytes go to the device", &bytes);
	crossing_print("directly is faster, one write at a time", &alone);
	crossing_print("directly is faster, 16 at a time", &loaded);
	printf("for `nacre pool NAME --direct-bytes` take the last one: that is where a device is the limit\n");
	return 0;
}

int main(int argc, char **argv)
{
	struct loop_config loop = { 0 };
	bool threshold = argc == 4 && !strcmp(argv[3], "threshold"), unit = argc == 4 && !strcmp(argv[3], "unit");
	struct bench bench = { .log = log_create(NULL, "store", LOG_ERROR) };
	struct mem_buffer *data;
	int err;

	if (argc != 3 && !threshold && !unit) {
		fprintf(stderr, "usage: nacre-store DEVICE KV_FOLDER [threshold|unit]     both are overwritten; of at least 1 GiB\n");
		return 2;
	}
	bench.device = argv[1];
	bench.kv_dir = argv[2];
	data = mem_buffer_new(OBJECT_BYTES);
	bench.data = data->bytes;
	memset(bench.data, 0, OBJECT_BYTES);
	if (getrandom(bench.data, 256, 0) < 0)
		return 1;
	err = loop_create(&loop, &bench.io);
	if (!err)
		err = threshold ? run_threshold(&bench) : unit ? run_units(&bench) : run_all(&bench);
	if (err)
		fprintf(stderr, "nacre-store: %s (%s)\n", bench.why, strerror(-err));
	loop_destroy(bench.io);
	log_destroy(bench.log);
	mem_buffer_put(data);
	return err ? 1 : 0;
}
