// SPDX-License-Identifier: GPL-2.0
/* Asking a real admin socket, which a thread of its own serves; and sockets that do not answer. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "../base/run.h"
#include "server/base/admin.h"
#include "server/tools/ask.h"

struct server {
	char path[128];
	pthread_t thread;
	sem_t ready;
	struct io *io;
};

static bool run_echo(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	for (int i = 1; i < argc; i++)
		admin_print(answer, "[%s]", argv[i]);
	return true;
}

static bool run_much(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	for (int i = 0; i < 100000; i++)
		admin_print(answer, "line %d\n", i);
	return true;
}

static bool run_never_ends(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	*(struct admin_answer **)owner = answer;
	return false;
}

static bool run_stop(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	loop_stop(owner);
	return true;
}

/* cmocka's assertions belong to the test's thread: abort() here instead. */
static void *serve(void *arg)
{
	struct server *server = arg;
	struct loop_config config = { 0 };
	struct admin_answer *open = NULL;
	struct admin *admin;

	if (loop_create(&config, &server->io) || admin_create(server->io, server->path, &admin) ||
	    admin_register(admin, "echo", "", run_echo, NULL) ||
	    admin_register(admin, "much", "", run_much, NULL) ||
	    admin_register(admin, "hang", "", run_never_ends, &open) ||
	    admin_register(admin, "stop", "", run_stop, server->io))
		abort();
	sem_post(&server->ready);
	loop_run(server->io);
	admin_destroy(admin);
	if (open)
		admin_finish(open);
	run_for(server->io, run_never, NULL, 5000000);	/* closed streams end */
	loop_destroy(server->io);
	return NULL;
}

static char *folder;
static struct server server;

static int start(void **state)
{
	folder = run_folder();
	snprintf(server.path, sizeof(server.path), "%s/osd0.sock", folder);
	sem_init(&server.ready, 0, 0);
	pthread_create(&server.thread, NULL, serve, &server);
	sem_wait(&server.ready);
	return 0;
}

static int asked(const char *path, unsigned int limit_ms, char **answer, char *error, char *a, char *b,
		 char *c)
{
	char *argv[] = { a, b, c };

	return ask(path, c ? 3 : b ? 2 : 1, argv, limit_ms, answer, error, 256);
}

static int stop(void **state)
{
	char *answer = NULL, error[256];

	asked(server.path, 5000, &answer, error, "stop", NULL, NULL);
	free(answer);
	pthread_join(server.thread, NULL);
	sem_destroy(&server.ready);
	run_folder_remove(folder);
	return 0;
}

static void an_answer_comes_whole(void **state)
{
	char *answer, error[256];

	assert_int_equal(asked(server.path, 5000, &answer, error, "echo", "a", "bc"), 0);
	assert_string_equal(answer, "[a][bc]");
	free(answer);
	assert_int_equal(asked(server.path, 5000, &answer, error, "much", NULL, NULL), 0);
	assert_true(strlen(answer) > 1000000);
	assert_non_null(strstr(answer, "line 99999\n"));
	free(answer);
	assert_int_equal(asked(server.path, 5000, &answer, error, "frob", NULL, NULL), 0);
	assert_int_equal(strncmp(answer, "error: unknown command \"frob\"", 29), 0);
	free(answer);
}

static void waiting_has_an_end(void **state)
{
	char *answer, error[256];

	assert_int_equal(asked(server.path, 100, &answer, error, "hang", NULL, NULL), -ETIMEDOUT);
	assert_non_null(strstr(error, "within 100 ms"));
	assert_non_null(strstr(error, server.path));
}

static void nobody_there_is_said(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *answer, error[256], path[192];
	int fd;

	snprintf(path, sizeof(path), "%s/none.sock", folder);
	assert_int_equal(asked(path, 1000, &answer, error, "x", NULL, NULL), -ENOENT);
	assert_non_null(strstr(error, path));
	/* a socket that its daemon left behind */
	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/dead.sock", folder);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(asked(address.sun_path, 1000, &answer, error, "x", NULL, NULL),
			 -ECONNREFUSED);
}

/* It listens and nobody accepts: the backlog fills, then connecting itself waits. */
static void a_daemon_that_hangs_costs_the_limit_only(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *answer, error[256];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/hung.sock", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(asked(address.sun_path, 50, &answer, error, "x", NULL, NULL),
				 -ETIMEDOUT);
	close(fd);
}

static void a_command_too_long_is_not_sent(void **state)
{
	char *answer, error[256], much[ADMIN_LINE_BYTES + 1];

	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = 0;
	assert_int_equal(asked(server.path, 1000, &answer, error, much, NULL, NULL), -E2BIG);
	much[ADMIN_LINE_BYTES - 3] = 0;
	assert_int_equal(asked(server.path, 1000, &answer, error, "a", "b", much), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_whole),
		cmocka_unit_test(waiting_has_an_end),
		cmocka_unit_test(nobody_there_is_said),
		cmocka_unit_test(a_daemon_that_hangs_costs_the_limit_only),
		cmocka_unit_test(a_command_too_long_is_not_sent),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
