// SPDX-License-Identifier: GPL-2.0
/*
 * The words of an audit's report, and what its end is to a script: against an admin socket that says what it is told to.
 * Whole ones are made by tests/tools/audit.
 */
#include <pthread.h>
#include <semaphore.h>
#include "../base/run.h"
#include "server/base/admin.h"
#include "server/tools/ask.h"
#include "server/tools/audit.h"
#include "server/tools/tool.h"

static void test_words(void **state)
{
	struct audit_words words;

	assert_true(audit_parse("state running\nat pool 1 group 2 of 64\nobjects 17\nentries 4\nbeing_changed 0\n",
				&words));
	assert_string_equal(words.state, "running");
	assert_string_equal(words.at, "pool 1 group 2 of 64");
	assert_int_equal(words.objects, 17);
	assert_int_equal(words.entries, 4);
	assert_true(audit_parse("state findings\nobjects 3\nentries 1\nleaked ino 0x1 pool 1 objects 9 bytes 9\n",
				&words));
	assert_string_equal(words.state, "findings");
	assert_string_equal(words.at, "");
	assert_int_equal(words.objects, 3);
	assert_true(audit_parse("state none\n", &words));
	assert_false(audit_parse("", &words));
	assert_false(audit_parse("unknown command\n", &words));
}

static void not_made(const char *text)
{
	char path[] = "/tmp/nacre-audit.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s", text) >= 0);
	close(fd);
	assert_int_equal(audit_run(path, NULL, 100), AUDIT_NOT_MADE);
	assert_int_equal(audit_run(path, "mds7", 100), AUDIT_NOT_MADE);
	unlink(path);
}

static void test_not_made(void **state)
{
	not_made("[global]\nrun_dir = /nonexistent\n\n[osd0]\n");
	not_made("[global]\nrun_dir = /nonexistent\n\n[mds0]\n\n[mds1]\n");
	not_made("nonsense\n");
	assert_int_equal(audit_run("/nonexistent/nacre.conf", NULL, 100), AUDIT_NOT_MADE);
}

/* ---- a server with a script ---------------------------------------------------------------------------- */

static struct {
	char folder[64], config[128], path[128];
	const char *const *answers;	/* to `audit start`, then to each `audit`; the last one stays */
	pthread_t thread;
	sem_t ready;
	struct io *io;
} server;

static bool run_audit(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	admin_print(answer, "%s", server.answers[0]);
	if (server.answers[1])
		server.answers++;
	return true;
}

static bool run_stop(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	loop_stop(owner);
	return true;
}

/* cmocka's assertions belong to the test's thread: abort() here instead. */
static void *serve(void *arg)
{
	struct loop_config config = { 0 };
	struct admin *admin;

	if (loop_create(&config, &server.io) || admin_create(server.io, server.path, &admin) ||
	    admin_register(admin, "audit", "", run_audit, NULL) ||
	    admin_register(admin, "stop", "", run_stop, server.io))
		abort();
	sem_post(&server.ready);
	loop_run(server.io);
	admin_destroy(admin);
	run_for(server.io, run_never, NULL, 5000000);	/* closed streams end */
	loop_destroy(server.io);
	return NULL;
}

static int setup(void **state)
{
	FILE *file;

	strcpy(server.folder, "/tmp/nacre-audit.XXXXXX");
	if (!mkdtemp(server.folder))
		return -1;
	snprintf(server.config, sizeof(server.config), "%s/nacre.conf", server.folder);
	snprintf(server.path, sizeof(server.path), "%s/mds3.sock", server.folder);
	file = fopen(server.config, "w");
	if (!file)
		return -1;
	fprintf(file, "[global]\nrun_dir = %s\n\n[mds1]\n\n[mds3]\n", server.folder);
	fclose(file);
	sem_init(&server.ready, 0, 0);
	if (pthread_create(&server.thread, NULL, serve, NULL))
		return -1;
	sem_wait(&server.ready);
	return 0;
}

static int teardown(void **state)
{
	char stop[] = "stop", *argv[] = { stop }, *answer = NULL, error[TOOL_ERROR_BYTES];

	if (!ask(server.path, 1, argv, 5000, &answer, error, sizeof(error)))
		free(answer);
	pthread_join(server.thread, NULL);
	unlink(server.config);
	unlink(server.path);
	rmdir(server.folder);
	return 0;
}

static int audit(const char *const *answers)
{
	server.answers = answers;
	return audit_run(server.config, NULL, 5000);
}

#define RUNNING "state running\nat pool 0 group 1 of 2\nobjects 1\nentries 1\n"

static void test_verdicts(void **state)
{
	static const char *const clean[] = { RUNNING, RUNNING, RUNNING, "state clean\nobjects 2\n", NULL };
	static const char *const at_once[] = { RUNNING, "state clean\nobjects 0\n", NULL };
	static const char *const joined[] = { "error: an audit is running\n", RUNNING, "state clean\n", NULL };
	static const char *const findings[] = { RUNNING, RUNNING, "state findings\nobjects 2\n", NULL };
	static const char *const restarted[] = { RUNNING, RUNNING, "state none\n", NULL };
	static const char *const stopped[] = { RUNNING, RUNNING, "state stopped\nobjects 2\n", NULL };
	static const char *const standby[] = { "error: the rank is not active: it is joining\n", NULL };
	static const char *const older[] = { "error: no such command\n", NULL };

	assert_int_equal(audit(clean), AUDIT_CLEAN);
	assert_int_equal(audit(at_once), AUDIT_CLEAN);
	assert_int_equal(audit(joined), AUDIT_CLEAN);
	assert_int_equal(audit(findings), AUDIT_FINDINGS);
	assert_int_equal(audit(restarted), AUDIT_NOT_MADE);
	assert_int_equal(audit(stopped), AUDIT_NOT_MADE);
	assert_int_equal(audit(standby), AUDIT_NOT_MADE);
	assert_int_equal(audit(older), AUDIT_NOT_MADE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_not_made), cmocka_unit_test(test_verdicts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
