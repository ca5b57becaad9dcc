// SPDX-License-Identifier: GPL-2.0
/*
 * Which driver a loop gets when the kernel forbids io_uring or a part of it, and how the
 * other one's disk operations end where libaio has no room or is forbidden, too. What is
 * forbidden stays so, hence each such case is a child process.
 */
#include <fcntl.h>
#include <sys/wait.h>
#include "forbid.h"
#include "run.h"

#define OPERATIONS 3000
#define BYTES (256 << 10)

/* ---- children ------------------------------------------------------------------------------- */

/* The child's checks are plain: it prints the first that does not hold, and fails. */
#define CHECK(what) do { if (!(what)) { printf("%d: %s\n", __LINE__, #what); exit(1); } } while (0)

static void holds_in_child(void (*body)(void))
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		unsetenv("NACRE_IO");
		body();
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int create(enum loop_kind kind, const char **ret_name, const char **ret_why)
{
	struct loop_config config = { .kind = kind };
	struct io *io;
	int err = loop_create(&config, &io);

	if (err)
		return err;
	*ret_name = io->ops->name;	/* of a table: it outlives the loop */
	*ret_why = loop_fallback(io);
	loop_destroy(io);
	return 0;
}

/* ---- choosing ------------------------------------------------------------------------------- */

static void falls_back(unsigned int call, unsigned int error, const char *reason)
{
	const char *name, *why;

	CHECK(!forbid_call(call, error));
	CHECK(!create(LOOP_AUTO, &name, &why));
	CHECK(!strcmp(name, "epoll and libaio"));
	CHECK(why && strstr(why, reason));
	CHECK(create(LOOP_URING, &name, &why) == -(int)error);
	CHECK(!create(LOOP_AIO, &name, &why));
	CHECK(!why);			/* somebody has asked for it */
}

static void without_setup(void) { falls_back(__NR_io_uring_setup, EPERM, "not allowed"); }
static void without_setup_unknown(void) { falls_back(__NR_io_uring_setup, ENOSYS, "has no io_uring"); }
static void without_enter(void) { falls_back(__NR_io_uring_enter, EPERM, "not allowed"); }

static void a_forbidden_io_uring_is_done_without(void **state)
{
	holds_in_child(without_setup);
	holds_in_child(without_setup_unknown);
}

/* A filter that lets rings be made, but not used. */
static void a_ring_that_cannot_be_used_is_none(void **state)
{
	holds_in_child(without_enter);
}

static void wishes(void)
{
	const char *name, *why;
	enum loop_kind kind = LOOP_URING;

	CHECK(!loop_kind_parse("", &kind) && !loop_kind_parse("URING", &kind) && kind == LOOP_URING);
	CHECK(loop_kind_parse("auto", &kind) && kind == LOOP_AUTO);
	setenv("NACRE_IO", "aio", 1);
	CHECK(!create(LOOP_AUTO, &name, &why));
	CHECK(!strcmp(name, "epoll and libaio") && !why);
	setenv("NACRE_IO", "select", 1);
	CHECK(create(LOOP_AUTO, &name, &why) < 0);
	CHECK(strstr(loop_error(create(LOOP_AUTO, &name, &why)), "NACRE_IO"));
	CHECK(!create(LOOP_AIO, &name, &why));	/* nobody asks the environment */
}

static void the_environment_chooses_when_nobody_else_does(void **state)
{
	holds_in_child(wishes);
}

/* ---- disks without room --------------------------------------------------------------------- */

struct write {
	struct io_disk disk;
	struct iovec iov;
	int result, dones;
};

static int writes_left;

static void write_done(struct io_disk *disk, int result)
{
	struct write *w = (struct write *)disk;

	w->result = result;
	w->dones++;
	writes_left--;
}

static bool all_done(void *arg)
{
	return !writes_left;
}

static uint64_t counter(struct io *io, const char *name)
{
	const struct stats_set *set = loop_stats(io);
	size_t i = 0;

	while (strcmp(set->rows[i].name, name))
		i++;
	return set->values[i];
}

static struct io_file *make_file(struct io *io, const char *folder)
{
	struct io_file *file;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/disk", folder);
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, 4 << 20) && !close(fd));
	CHECK(!io_file_open(io, path, &file));
	return file;
}

/* Durable writes at once, `config` as given; returns how many timed out. All others must be good. */
static unsigned int write_much(const struct loop_config *config, unsigned int count, uint64_t *ret_helped)
{
	static struct write writes[OPERATIONS];
	char *folder = run_folder();
	uint8_t *bytes = aligned_alloc(4096, BYTES);
	unsigned int late = 0;
	struct io_file *file;
	struct io *io;

	memset(bytes, 0x37, BYTES);
	CHECK(!loop_create(config, &io));
	file = make_file(io, folder);
	writes_left = (int)count;
	for (unsigned int i = 0; i < count; i++) {
		writes[i] = (struct write){ .iov = { bytes, BYTES } };
		writes[i].disk = (struct io_disk){ .kind = IO_DISK_WRITE, .file = file, .sync = true,
			.iov = &writes[i].iov, .iov_count = 1, .offset = i % 16 * BYTES, .done = write_done };
		io_disk_submit(io, &writes[i].disk);
	}
	CHECK(run_for(io, all_done, NULL, 60 * 1000000000ull));
	for (unsigned int i = 0; i < count; i++) {
		CHECK(writes[i].dones == 1);
		CHECK(!writes[i].result || writes[i].result == -ETIMEDOUT);
		late += !!writes[i].result;
	}
	CHECK(counter(io, "disk_overdue") >= late);
	*ret_helped = counter(io, "disk_helped");
	io_file_close(io, file);
	loop_destroy(io);
	free(bytes);
	run_folder_remove(folder);
	return late;
}

/* What waits for room in the context ends by its deadline; what the device has is awaited. */
static void overdue_in_queue(void)
{
	struct loop_config config = { .kind = LOOP_AIO, .entries = 1, .deadline_ms = 20 };
	uint64_t helped;
	unsigned int late = write_much(&config, OPERATIONS, &helped);

	CHECK(late > 0 && late < OPERATIONS);
}

static void what_waits_too_long_times_out(void **state)
{
	holds_in_child(overdue_in_queue);
}

/* Without libaio helper threads do all; what none of them has taken up ends by its deadline. */
static void helpers_alone(void)
{
	struct loop_config config = { .kind = LOOP_AIO };
	struct loop_config hurried = { .kind = LOOP_AIO, .deadline_ms = 20 };
	unsigned int late;
	uint64_t helped;

	CHECK(!forbid_call(__NR_io_setup, ENOSYS));
	CHECK(!write_much(&config, 50, &helped));
	CHECK(helped == 100);			/* a write and a flush each */
	late = write_much(&hurried, OPERATIONS, &helped);
	CHECK(late > 0 && late < OPERATIONS);
}

static void without_libaio_helpers_do_all(void **state)
{
	holds_in_child(helpers_alone);
}

/* An end amid hundreds of writes: none of the memory is touched afterwards. */
static void ends_in_the_middle(void)
{
	static struct write writes[300];
	struct loop_config config = { .kind = LOOP_AIO, .entries = 16 };
	char *folder = run_folder();
	uint8_t *bytes = aligned_alloc(4096, BYTES);
	struct io_file *file;
	struct io *io;

	memset(bytes, 0x73, BYTES);
	CHECK(!loop_create(&config, &io));
	file = make_file(io, folder);
	for (unsigned int i = 0; i < 300; i++) {
		writes[i] = (struct write){ .iov = { bytes, BYTES } };
		writes[i].disk = (struct io_disk){ .kind = IO_DISK_WRITE, .file = file, .sync = i % 2,
			.iov = &writes[i].iov, .iov_count = 1, .offset = i % 16 * BYTES, .done = write_done };
		io_disk_submit(io, &writes[i].disk);
	}
	run_ms(io, 3);
	loop_destroy(io);
	free(bytes);
	run_folder_remove(folder);
}

static void destroying_amid_writes_leaves_nothing(void **state)
{
	holds_in_child(ends_in_the_middle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_forbidden_io_uring_is_done_without),
		cmocka_unit_test(a_ring_that_cannot_be_used_is_none),
		cmocka_unit_test(the_environment_chooses_when_nobody_else_does),
		cmocka_unit_test(what_waits_too_long_times_out),
		cmocka_unit_test(without_libaio_helpers_do_all),
		cmocka_unit_test(destroying_amid_writes_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
