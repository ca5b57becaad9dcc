// SPDX-License-Identifier: GPL-2.0
/* The loop, on either driver: tasks, timers, helper threads, signals, disk operations on a temporary file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include "run.h"
#include "server/base/stats.h"

static uint64_t counter(struct io *io, const char *name)
{
	const struct stats_set *set = loop_stats(io);

	for (size_t i = 0; i < set->count; i++)
		if (!strcmp(set->rows[i].name, name))
			return set->values[i];
	fail();
	return 0;
}

/* ---- tasks and timers ----------------------------------------------------------------------- */

struct step {
	struct io_task task;
	struct io *io;
	int *log, number;
	int again;
	bool done;
};

static void step_run(struct io_task *task)
{
	struct step *step = (struct step *)task;

	*step->log = *step->log * 10 + step->number;
	if (step->again-- > 0)
		io_defer(step->io, task);
	else
		step->done = true;
}

static void tasks_run_in_order_and_may_queue_themselves(void **state)
{
	struct io *io = run_loop();
	int log = 0;
	struct step a = { .task.run = step_run, .io = io, .log = &log, .number = 1, .again = 2 };
	struct step b = { .task.run = step_run, .io = io, .log = &log, .number = 2 };

	io_defer(io, &a.task);
	io_defer(io, &b.task);
	io_defer(io, &b.task);		/* queued already: harmless */
	run_until_set(io, &a.done);
	assert_int_equal(log, 1211);
	loop_destroy(io);
}

struct alarm {
	struct io_timer timer;
	uint64_t fired_ns;
	struct io *io;
};

static void alarm_fire(struct io_timer *timer)
{
	struct alarm *alarm = (struct alarm *)timer;

	alarm->fired_ns = io_now(alarm->io);
}

static void timers_fire_not_before_their_time(void **state)
{
	struct io *io = run_loop();
	struct alarm a = { .timer.fire = alarm_fire, .io = io };
	struct alarm b = { .timer.fire = alarm_fire, .io = io };
	uint64_t start = io_now(io);

	io_timer_arm(io, &a.timer, start + 20000000);
	io_timer_arm(io, &b.timer, start + 10000000);
	io_timer_cancel(io, &b.timer);
	run_ms(io, 40);
	assert_true(a.fired_ns >= start + 20000000);
	assert_int_equal(b.fired_ns, 0);
	loop_destroy(io);
}

/* ---- helpers and signals -------------------------------------------------------------------- */

struct job {
	struct io_job job;
	pid_t worker;
	int *left;
	bool done;
};

static void job_work(struct io_job *job)
{
	((struct job *)job)->worker = gettid();
}

static void job_done(struct io_job *job)
{
	struct job *j = (struct job *)job;

	j->done = --*j->left == 0;
}

static void jobs_run_in_other_threads(void **state)
{
	struct io *io = run_loop();
	struct job jobs[100] = { 0 };
	int left = 100;
	bool done = false;

	for (int i = 0; i < 100; i++) {
		jobs[i] = (struct job){ .job.work = job_work, .job.done = job_done, .left = &left };
		io_offload(io, &jobs[i].job);
	}
	while (!done) {
		run_ms(io, 2);
		done = left == 0;
	}
	for (int i = 0; i < 100; i++)
		assert_true(jobs[i].worker && jobs[i].worker != gettid());
	assert_int_equal(counter(io, "jobs"), 100);
	loop_destroy(io);
}

static int last_signal;

static void on_signal(void *owner, int signal)
{
	last_signal = signal;
	*(bool *)owner = true;
}

static void signals_come_through_the_loop(void **state)
{
	struct io *io = run_loop();
	bool seen = false;

	assert_int_equal(loop_on_signal(io, on_signal, &seen), 0);
	kill(getpid(), SIGTERM);
	run_until_set(io, &seen);
	assert_int_equal(last_signal, SIGTERM);
	seen = false;
	kill(getpid(), SIGHUP);
	run_until_set(io, &seen);
	assert_int_equal(last_signal, SIGHUP);
	loop_destroy(io);
}

/* ---- disk ----------------------------------------------------------------------------------- */

struct transfer {
	struct io_disk disk;
	int result;
	bool done;
};

static void transfer_done(struct io_disk *disk, int result)
{
	struct transfer *t = (struct transfer *)disk;

	t->result = result;
	t->done = true;
}

static int transfer(struct io *io, enum io_disk_kind kind, struct io_file *file, void *bytes,
		    uint64_t offset, size_t length, bool sync)
{
	struct iovec iov = { bytes, length };
	struct transfer t = {
		.disk = { .kind = kind, .file = file, .iov = &iov, .iov_count = 1,
			  .offset = offset, .length = length, .sync = sync, .done = transfer_done },
	};

	io_disk_submit(io, &t.disk);
	run_until_set(io, &t.done);
	return t.result;
}

static char *make_file(const char *folder, size_t bytes)
{
	char *path;
	int fd;

	assert_true(asprintf(&path, "%s/disk", folder) > 0);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
	return path;
}

static void disk_writes_and_reads_back(void **state)
{
	struct io *io = run_loop();
	char *folder = run_folder(), *path = make_file(folder, 1 << 20);
	uint8_t *out = aligned_alloc(4096, 65536), *in = aligned_alloc(4096, 65536);
	struct io_file *file;
	struct io_units units;

	for (int i = 0; i < 65536; i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(io_file_open(io, path, &file), 0);
	assert_int_equal(io_file_bytes(io, file), 1 << 20);
	assert_int_equal(transfer(io, IO_DISK_WRITE, file, out, 8192, 65536, true), 0);
	assert_int_equal(transfer(io, IO_DISK_READ, file, in, 8192, 65536, false), 0);
	assert_memory_equal(in, out, 65536);
	assert_int_equal(transfer(io, IO_DISK_DISCARD, file, NULL, 8192, 4096, false), 0);
	assert_int_equal(transfer(io, IO_DISK_SYNC, file, NULL, 0, 0, false), 0);
	assert_int_equal(transfer(io, IO_DISK_READ, file, in, 12288, 61440, false), 0);
	assert_memory_equal(in, out + 4096, 61440);
	assert_int_equal(counter(io, "disk_syncs"), 2);
	assert_int_equal(counter(io, "disk_bytes_written"), 65536);
	assert_int_equal(counter(io, "disk_overdue"), 0);
	/* what the device can write and no more, in front of what stays */
	units = io_file_units(io, file);
	assert_true(units.least >= 512 && units.least <= units.sector && units.sector <= IO_DISK_ALIGN);
	assert_int_equal(units.discard, IO_DISK_ALIGN);
	assert_int_equal(transfer(io, IO_DISK_WRITE, file, in, 16384, units.least, true), 0);
	assert_int_equal(transfer(io, IO_DISK_READ, file, in, 16384, 4096, false), 0);
	assert_memory_equal(in, out + 4096, units.least);
	assert_memory_equal(in + units.least, out + 8192 + units.least, 4096 - units.least);
	/* beyond the end: an error, not a hang */
	assert_int_equal(transfer(io, IO_DISK_READ, file, in, 1 << 20, 4096, false), -EIO);
	assert_int_equal(transfer(io, IO_DISK_READ, file, in, (1 << 20) - 4096, 8192, false), -EIO);
	io_file_close(io, file);
	loop_destroy(io);
	free(out);
	free(in);
	free(path);
	run_folder_remove(folder);
}

/* More at once than the submission queue holds, in vectors longer than an operation's own. */
static void many_disk_operations_at_once(void **state)
{
	struct loop_config config = { .entries = 16 };
	char *folder = run_folder(), *path = make_file(folder, 64 << 20);
	static struct transfer t[200];
	static struct iovec iov[200][12];
	uint8_t *bytes = aligned_alloc(4096, 12 * 4096);
	struct io_file *file;
	struct io *io;
	bool all = false;

	assert_int_equal(loop_create(&config, &io), 0);
	assert_int_equal(io_file_open(io, path, &file), 0);
	memset(bytes, 0x5a, 12 * 4096);
	for (int i = 0; i < 200; i++) {
		for (int v = 0; v < 12; v++)
			iov[i][v] = (struct iovec){ bytes + v * 4096, 4096 };
		t[i] = (struct transfer){ .disk = { .kind = IO_DISK_WRITE, .file = file, .iov = iov[i],
			.iov_count = 12, .offset = (uint64_t)i * 12 * 4096, .sync = i % 2,
			.done = transfer_done } };
		io_disk_submit(io, &t[i].disk);
	}
	while (!all) {
		run_ms(io, 2);
		all = true;
		for (int i = 0; i < 200; i++)
			all = all && t[i].done;
	}
	for (int i = 0; i < 200; i++)
		assert_int_equal(t[i].result, 0);
	io_file_close(io, file);
	loop_destroy(io);
	free(bytes);
	free(path);
	run_folder_remove(folder);
}

static void a_file_is_opened_once(void **state)
{
	struct io *io = run_loop();
	char *folder = run_folder(), *path = make_file(folder, 1 << 20);
	struct io_file *file, *second;

	assert_int_equal(io_file_open(io, path, &file), 0);
	assert_int_equal(io_file_open(io, path, &second), -EBUSY);
	assert_int_equal(io_file_open(io, folder, &second), -EISDIR);
	assert_int_equal(io_file_open(io, "/nonexistent/x", &second), -ENOENT);
	io_file_close(io, file);
	assert_int_equal(io_file_open(io, path, &file), 0);
	io_file_close(io, file);
	loop_destroy(io);
	free(path);
	run_folder_remove(folder);
}

/* Destroyed with an operation under way: its memory is not touched afterwards (sanitizers see it). */
static void destroy_waits_for_the_disk(void **state)
{
	struct io *io = run_loop();
	char *folder = run_folder(), *path = make_file(folder, 1 << 20);
	struct transfer *t = calloc(1, sizeof(*t));
	uint8_t *bytes = aligned_alloc(4096, 65536);
	struct iovec iov = { bytes, 65536 };
	struct io_file *file;

	assert_int_equal(io_file_open(io, path, &file), 0);
	*t = (struct transfer){ .disk = { .kind = IO_DISK_READ, .file = file, .iov = &iov,
		.iov_count = 1, .done = transfer_done } };
	io_disk_submit(io, &t->disk);
	loop_destroy(io);
	assert_false(t->done);
	free(t);
	free(bytes);
	free(path);
	run_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_run_in_order_and_may_queue_themselves),
		cmocka_unit_test(timers_fire_not_before_their_time),
		cmocka_unit_test(jobs_run_in_other_threads),
		cmocka_unit_test(signals_come_through_the_loop),
		cmocka_unit_test(disk_writes_and_reads_back),
		cmocka_unit_test(many_disk_operations_at_once),
		cmocka_unit_test(a_file_is_opened_once),
		cmocka_unit_test(destroy_waits_for_the_disk),
	};

	return run_on_each_loop(tests);
}
