// SPDX-License-Identifier: GPL-2.0
/* The admin socket: commands, late answers, askers that leave, answers that are too long. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "run.h"
#include "server/base/admin.h"

struct fixture {
	struct io *io;
	char *folder, path[64];
	struct admin *admin;
	struct admin_answer *late;
	int argc;
};

static bool run_echo(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	((struct fixture *)owner)->argc = argc;
	for (int i = 0; i < argc; i++)
		admin_print(answer, "%s;", argv[i]);
	return true;
}

static bool run_late(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	((struct fixture *)owner)->late = answer;
	return false;
}

static bool run_flood(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	for (int i = 0; i < 1000000; i++)
		admin_print(answer, "line %d\n", i);
	return true;
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->io = run_loop();
	f->folder = run_folder();
	snprintf(f->path, sizeof(f->path), "%s/sock", f->folder);
	assert_int_equal(admin_create(f->io, f->path, &f->admin), 0);
	assert_int_equal(admin_register(f->admin, "echo", "says it again", run_echo, f), 0);
	assert_int_equal(admin_register(f->admin, "late", "answers later", run_late, f), 0);
	assert_int_equal(admin_register(f->admin, "flood", "too much", run_flood, f), 0);
}

static void teardown(struct fixture *f)
{
	admin_destroy(f->admin);
	run_ms(f->io, 5);
	loop_destroy(f->io);
	run_folder_remove(f->folder);
}

static int ask(struct fixture *f, const char *line)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(name.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	return fd;
}

struct reading {
	int fd;
	char text[8 << 20];
	size_t length;
};

static bool read_to_end(void *arg)
{
	struct reading *reading = arg;
	ssize_t n;

	do {
		n = recv(reading->fd, reading->text + reading->length,
			 sizeof(reading->text) - 1 - reading->length, MSG_DONTWAIT);
		if (n > 0)
			reading->length += (size_t)n;
	} while (n > 0);
	return n == 0 || errno != EAGAIN;
}

static const char *answer(struct fixture *f, int fd)
{
	static struct reading reading;

	reading.fd = fd;
	reading.length = 0;
	run_until(f->io, read_to_end, &reading);
	reading.text[reading.length] = 0;
	close(fd);
	return reading.text;
}

static void commands_are_found_and_answered(void **state)
{
	const char *help;
	struct fixture f;

	setup(&f);
	assert_string_equal(answer(&f, ask(&f, "echo a  b\tc\n")), "echo;a;b;c;");
	assert_int_equal(f.argc, 4);
	assert_string_equal(answer(&f, ask(&f, "nothing\n")),
			    "error: unknown command \"nothing\", try help\n");
	assert_string_equal(answer(&f, ask(&f, "\n")), "error: unknown command \"\", try help\n");
	help = answer(&f, ask(&f, "help\n"));
	assert_non_null(strstr(help, "echo             says it again\n"));
	assert_true(strstr(help, "counters") < strstr(help, "help"));
	admin_unregister(f.admin, &f);
	assert_null(strstr(answer(&f, ask(&f, "help\n")), "echo"));
	teardown(&f);
}

static void counters_are_printed_by_area(void **state)
{
	static const struct stats_row rows[] = { { "first", "" }, { "longest_us", "" } };
	uint64_t values[2] = { 5, 1ull << 40 };
	struct stats_set set = { "test", rows, values, 2 };
	struct fixture f;

	setup(&f);
	assert_int_equal(admin_register_stats(f.admin, &set), 0);
	assert_string_equal(answer(&f, ask(&f, "counters\n")),
			    "test.first 5\ntest.longest_us 1099511627776\n");
	stats_longest(&values[1], 7);
	assert_string_equal(answer(&f, ask(&f, "counters forget\n")), "");
	stats_longest(&values[1], 7);
	assert_string_equal(answer(&f, ask(&f, "counters\n")), "test.first 5\ntest.longest_us 7\n");
	admin_unregister(f.admin, &set);
	assert_string_equal(answer(&f, ask(&f, "counters\n")), "");
	teardown(&f);
}

static bool has_late(void *arg)
{
	return ((struct fixture *)arg)->late;
}

static void an_answer_may_come_later(void **state)
{
	struct fixture f;
	int fd;

	setup(&f);
	fd = ask(&f, "late\n");
	run_until(f.io, has_late, &f);
	admin_print(f.late, "now");
	admin_finish(f.late);
	assert_string_equal(answer(&f, fd), "now");
	/* the asker leaves first */
	f.late = NULL;
	fd = ask(&f, "late\n");
	run_until(f.io, has_late, &f);
	close(fd);
	run_ms(f.io, 10);
	admin_print(f.late, "nobody hears it");
	admin_finish(f.late);
	/* the socket is closed first */
	f.late = NULL;
	fd = ask(&f, "late\n");
	run_until(f.io, has_late, &f);
	admin_destroy(f.admin);
	admin_print(f.late, "nobody hears it");
	admin_finish(f.late);
	assert_int_equal(admin_create(f.io, f.path, &f.admin), 0);
	assert_string_equal(answer(&f, fd), "");
	teardown(&f);
}

static void too_much_is_cut(void **state)
{
	char line[ADMIN_LINE_BYTES + 100];
	const char *text;
	struct fixture f;

	setup(&f);
	text = answer(&f, ask(&f, "flood\n"));
	assert_true(strlen(text) > 3 << 20 && strlen(text) <= 4 << 20);
	assert_string_equal(text + strlen(text) - 7, "\n(cut)\n");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	assert_string_equal(answer(&f, ask(&f, line)), "");
	teardown(&f);
}

static void another_daemon_on_the_socket_is_noticed(void **state)
{
	struct admin *second;
	struct fixture f;

	setup(&f);
	assert_int_equal(admin_create(f.io, f.path, &second), -EADDRINUSE);
	assert_int_equal(admin_create(f.io, "/nonexistent/sock", &second), -ENOENT);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_found_and_answered),
		cmocka_unit_test(counters_are_printed_by_area),
		cmocka_unit_test(an_answer_may_come_later),
		cmocka_unit_test(too_much_is_cut),
		cmocka_unit_test(another_daemon_on_the_socket_is_noticed),
	};

	return run_on_each_loop(tests);
}
