// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a daemon, in a child process: arguments and configuration that are
 * wrong, a kernel that forbids io_uring, a clean stop, a start that fails, a restart after fencing, a second signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "forbid.h"
#include "run.h"
#include "server/base/daemon.h"

/* ---- a server that does as its name says ---------------------------------------------------- */

static int starts;
static bool forbids;			/* the next one is refused io_uring */

static int server_start(struct daemon *daemon, void **ret_server)
{
	struct io_address address;

	starts++;
	if (daemon->id == 1) {
		log_error(daemon->log, "test", "no luck today");
		return -EIO;
	}
	if (daemon_advertised(daemon, 7777, &address))
		return -EINVAL;
	*ret_server = daemon;
	if (daemon->id == 2 && starts == 1)
		daemon_restart(daemon, "test");
	if (daemon->id == 3)
		daemon_fail(daemon, "failed: %d", 5);
	return 0;
}

static void server_stop(void *server)
{
	struct daemon *daemon = server;

	if (daemon->id != 4)		/* 4 never ends by itself */
		daemon_stopped(daemon);
}

static void server_destroy(void *server)
{
	struct daemon *daemon = server;

	log_info(daemon->log, "test", "destroyed");
}

static void server_status(void *server, struct admin_answer *answer)
{
	admin_print(answer, "state serving\nstarts %d\n", starts);
}

static const char *const required[] = { "kv_dir", NULL };

static const struct daemon_kind kind = {
	.program = "nacre-test", .prefix = "osd", .doc = "A test.", .required = required,
	.start = server_start, .stop = server_stop, .destroy = server_destroy,
	.status = server_status,
};

/* ---- its process ---------------------------------------------------------------------------- */

struct fixture {
	char *folder, conf[64], out[64];
};

static void setup(struct fixture *f)
{
	FILE *file;

	f->folder = run_folder();
	snprintf(f->conf, sizeof(f->conf), "%s/conf", f->folder);
	snprintf(f->out, sizeof(f->out), "%s/out", f->folder);
	file = fopen(f->conf, "w");
	fprintf(file, "[global]\nmap_store = dir:%s\nrun_dir = %s/run\n", f->folder, f->folder);
	for (int i = 0; i < 6; i++)
		fprintf(file, "[osd%d]\nkv_dir = x\n%s\n", i, i == 5 ? "listen = 0.0.0.0:0" : "");
	fprintf(file, "[osd6]\nlease_ms = 1000\n[osd7]\nkv_dir = x\nlisten = nowhere\n");
	fprintf(file, "[osd8]\nkv_dir = x\nio = uring\n[osd9]\nkv_dir = x\nio = aio\n");
	fclose(file);
}

static pid_t launch(struct fixture *f, int argc, ...)
{
	char *argv[16] = { (char *)"nacre-test" };
	va_list args;
	pid_t child;
	int fd;

	va_start(args, argc);
	for (int i = 1; i <= argc; i++)
		argv[i] = va_arg(args, char *);
	va_end(args);
	child = fork();
	if (child)
		return child;
	fd = open(f->out, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	dup2(fd, 1);
	dup2(fd, 2);
	if (forbids && forbid_call(__NR_io_uring_setup, EPERM))
		exit(77);
	exit(daemon_main(&kind, argc + 1, argv));
}

static int ending(pid_t child)
{
	int status;

	for (int i = 0; i < 1000; i++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		usleep(10000);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return -1000;
}

static void said(struct fixture *f, const char *text)
{
	static char bytes[65536];
	int fd = open(f->out, O_RDONLY);
	ssize_t n = read(fd, bytes, sizeof(bytes) - 1);

	close(fd);
	bytes[n > 0 ? n : 0] = 0;
	if (!strstr(bytes, text))
		fail_msg("\"%s\" is not in:\n%s", text, bytes);
}

static char *status_of(struct fixture *f, const char *name)
{
	static char text[4096];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = 0;
	ssize_t n;
	int fd = -1;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/%s.sock", f->folder, name);
	for (int i = 0; i < 500; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			break;
		close(fd);
		fd = -1;
		usleep(10000);
	}
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "status\n", 7, MSG_NOSIGNAL), 7);
	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = 0;
	close(fd);
	return text;
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void wrong_arguments_are_named(void **state)
{
	struct fixture f;

	setup(&f);
	assert_int_equal(ending(launch(&f, 0)), 2);
	said(&f, "nacre-test: both -c FILE and -n NAME are needed (see nacre-test --help)");
	assert_int_equal(ending(launch(&f, 1, "--colour")), 2);
	said(&f, "unknown option or missing value: --colour");
	assert_int_equal(ending(launch(&f, 5, "-c", f.conf, "-n", "osd0", "more")), 2);
	said(&f, "unexpected argument: more");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "mds0")), 2);
	said(&f, "not a name of this kind of daemon: mds0");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osdx")), 2);
	assert_int_equal(ending(launch(&f, 4, "-c", "/nonexistent", "-n", "osd0")), 2);
	said(&f, "nacre-test: /nonexistent: No such file or directory");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd6")), 2);
	said(&f, "[osd6] needs kv_dir");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd7")), 2);
	said(&f, "listen = nowhere is not ADDRESS:PORT");
	assert_int_equal(ending(launch(&f, 1, "--help")), 0);
	said(&f, "usage: nacre-test -c FILE -n NAME");
	assert_int_equal(ending(launch(&f, 1, "--version")), 0);
	said(&f, "nacre-test 0.1, protocol 1");
	run_folder_remove(f.folder);
}

static void it_serves_until_it_is_told_to_stop(void **state)
{
	struct fixture f;
	pid_t child;

	setup(&f);
	child = launch(&f, 4, "-c", f.conf, "-n", "osd0");
	assert_non_null(strstr(status_of(&f, "osd0"), "name osd0\n"));
	assert_non_null(strstr(status_of(&f, "osd0"), "\nstate serving\n"));
	kill(child, SIGHUP);
	assert_non_null(strstr(status_of(&f, "osd0"), "restarts 0\n"));
	/* a second one under the same name does not push it out */
	pid_t second = launch(&f, 4, "-c", f.conf, "-n", "osd0");

	assert_int_equal(ending(second), 1);
	said(&f, "another daemon answers there");
	kill(child, SIGTERM);
	assert_int_equal(ending(child), 0);
	run_folder_remove(f.folder);
}

/* As in a container whose seccomp filter knows no io_uring: it serves, and says on what and why. */
static void without_io_uring_it_serves_on_epoll(void **state)
{
	struct fixture f;
	pid_t child;

	setup(&f);
	forbids = true;
	unsetenv("NACRE_IO");
	child = launch(&f, 4, "-c", f.conf, "-n", "osd0");
	assert_non_null(strstr(status_of(&f, "osd0"), "\nio epoll and libaio\n"));
	assert_non_null(strstr(status_of(&f, "osd0"), "\nstate serving\n"));
	said(&f, "runs on epoll and libaio: io_uring is not allowed here");
	kill(child, SIGTERM);
	assert_int_equal(ending(child), 0);
	/* who insists on it gets none */
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd8")), 1);
	said(&f, "error daemon: io_uring is not allowed here");
	forbids = false;
	run_folder_remove(f.folder);
}

static void the_configuration_chooses_the_loop(void **state)
{
	struct fixture f;
	pid_t child;

	setup(&f);
	setenv("NACRE_IO", "uring", 1);		/* is weaker */
	child = launch(&f, 4, "-c", f.conf, "-n", "osd9");
	assert_non_null(strstr(status_of(&f, "osd9"), "\nio epoll and libaio\n"));
	said(&f, "runs on epoll and libaio\n");
	kill(child, SIGTERM);
	assert_int_equal(ending(child), 0);
	setenv("NACRE_IO", "kqueue", 1);
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd0")), 1);
	said(&f, "NACRE_IO must be auto, uring or aio");
	run_folder_remove(f.folder);
}

static void failures_end_it_with_a_reason(void **state)
{
	struct fixture f;

	setup(&f);
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd1")), 1);
	said(&f, "error test: no luck today");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd3")), 1);
	said(&f, "error daemon: failed: 5");
	said(&f, "test: destroyed");
	assert_int_equal(ending(launch(&f, 4, "-c", f.conf, "-n", "osd5")), 1);
	said(&f, "advertise must say which one others use");
	run_folder_remove(f.folder);
}

static void a_fenced_server_starts_anew(void **state)
{
	struct fixture f;
	pid_t child;

	setup(&f);
	child = launch(&f, 4, "-c", f.conf, "-n", "osd2");
	usleep(400000);
	assert_non_null(strstr(status_of(&f, "osd2"), "restarts 1\n"));
	assert_non_null(strstr(status_of(&f, "osd2"), "starts 2\n"));
	kill(child, SIGINT);
	assert_int_equal(ending(child), 0);
	said(&f, "starts anew: test");
	run_folder_remove(f.folder);
}

static void a_second_signal_ends_it_at_once(void **state)
{
	struct fixture f;
	pid_t child;

	setup(&f);
	child = launch(&f, 4, "-c", f.conf, "-n", "osd4");
	status_of(&f, "osd4");
	kill(child, SIGTERM);
	usleep(100000);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGTERM);
	assert_int_equal(ending(child), 0);
	said(&f, "ends at once");
	run_folder_remove(f.folder);
}

int main(void)
{
	const struct CMUnitTest choices[] = {
		cmocka_unit_test(without_io_uring_it_serves_on_epoll),
		cmocka_unit_test(the_configuration_chooses_the_loop),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_arguments_are_named),
		cmocka_unit_test(it_serves_until_it_is_told_to_stop),
		cmocka_unit_test(failures_end_it_with_a_reason),
		cmocka_unit_test(a_fenced_server_starts_anew),
		cmocka_unit_test(a_second_signal_ends_it_at_once),
	};

	return run_on_each_loop(tests) + cmocka_run_group_tests(choices, NULL, NULL);
}
