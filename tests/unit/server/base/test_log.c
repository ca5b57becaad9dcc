// SPDX-License-Identifier: GPL-2.0
/* The log: levels, the form of a line, rates per call site, sinks, forged lines. */
#include <errno.h>
#include <fcntl.h>
#include "run.h"
#include "server/base/log.h"

static char *read_file(const char *path)
{
	char *text = calloc(1, 1 << 20);
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_true(read(fd, text, (1 << 20) - 1) >= 0);
	close(fd);
	return text;
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void lines_go_to_the_file_by_level(void **state)
{
	char *folder = run_folder(), path[64], *text;
	struct log *log;

	snprintf(path, sizeof(path), "%s/log", folder);
	log = log_create(path, "osd7", LOG_INFO);
	assert_non_null(log);
	log_error(log, "area", "number %d", 5);
	log_debug(log, "area", "not seen");
	log_set_level(log, LOG_DEBUG);
	log_debug(log, "area", "seen\nnow forged: line");
	text = read_file(path);
	assert_int_equal(count_lines(text), 2);
	assert_non_null(strstr(text, "Z osd7 error area: number 5\n"));
	assert_non_null(strstr(text, "Z osd7 debug area: seen now forged: line\n"));
	free(text);
	log_destroy(log);
	assert_null(log_create("/nonexistent/log", "x", LOG_INFO));
	assert_int_equal(errno, ENOENT);
	log_error(NULL, "area", "swallowed");
	run_folder_remove(folder);
}

static void a_call_site_is_limited_others_are_not(void **state)
{
	char *folder = run_folder(), path[64], *text;
	struct log *log;

	snprintf(path, sizeof(path), "%s/log", folder);
	log = log_create(path, "osd7", LOG_INFO);
	for (int i = 0; i < 1000; i++)
		log_warn(log, "area", "again %d", i);
	log_warn(log, "area", "another site");
	for (int i = 0; i < 100; i++)
		log_info(log, "area", "information %d", i);
	text = read_file(path);
	assert_int_equal(count_lines(text), 10 + 1 + 100);
	free(text);
	log_destroy(log);
	run_folder_remove(folder);
}

struct seen {
	unsigned int lines;
	char last[1024];
};

static void on_line(void *owner, enum log_level level, const char *line)
{
	struct seen *seen = owner;

	seen->lines++;
	snprintf(seen->last, sizeof(seen->last), "%s", line);
}

static void a_sink_gets_every_line(void **state)
{
	struct log *log = log_create(NULL, "mds0", LOG_INFO);
	struct seen seen = { 0 };
	char big[4096];

	log_set_sink(log, on_line, &seen);
	for (int i = 0; i < 1000; i++)
		log_warn(log, "area", "again %d", i);
	assert_int_equal(seen.lines, 1000);
	assert_string_equal(seen.last, "area: again 999");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	log_error(log, "area", "%s", big);
	assert_true(strlen(seen.last) < 1024);
	log_destroy(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_go_to_the_file_by_level),
		cmocka_unit_test(a_call_site_is_limited_others_are_not),
		cmocka_unit_test(a_sink_gets_every_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
