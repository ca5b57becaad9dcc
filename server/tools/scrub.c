// SPDX-License-Identifier: GPL-2.0
/*
 * Scrubs by hand, from the first question to the verdict: the OSDs do the work, in the background and no faster than they are
 * told to in the configuration, and answer at their admin sockets how far they are. Whoever is interrupted here leaves
 * them at it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "scrub.h"
#include "sections.h"
#include "server/base/config.h"
#include "tool.h"

#define PAUSE_MS 200			/* between two questions */
#define QUIET_QUESTIONS 50		/* without a terminal a line of progress in so many */

bool scrub_parse(const char *answer, struct scrub_words *words)
{
	const char *line = answer;
	bool is_one = false;

	memset(words, 0, sizeof(*words));
	for (; line && *line; line = strchr(line, '\n'), line += !!line) {
		is_one |= sscanf(line, "scrub_asked %" SCNu64, &words->asked) == 1;
		sscanf(line, "scrub_done %" SCNu64, &words->done);
		sscanf(line, "scrub_objects %" SCNu64, &words->objects);
		sscanf(line, "scrub_bytes %" SCNu64, &words->bytes);
		sscanf(line, "scrub_found %" SCNu64, &words->found);
	}
	return is_one;
}

/* An OSD that scrubs. */
struct target {
	char name[16];
	char path[4096];		/* of its admin socket */
	bool begun, ended, failed;
	uint64_t found_before;
	struct scrub_words words;
	uint64_t findings;
};

static void fail(struct target *target, const char *why)
{
	target->failed = target->ended = true;
	tool_failed("%s: %s", target->name, why);
}

/* `scrub` and up to two words. The answer, or NULL: the target has failed. */
static char *question(struct target *target, const char *first, const char *second, unsigned int limit_ms)
{
	char command[] = "scrub", words[2][32], error[TOOL_ERROR_BYTES], *answer;
	char *argv[] = { command, words[0], words[1] };

	snprintf(words[0], sizeof(words[0]), "%s", first);
	snprintf(words[1], sizeof(words[1]), "%s", second ? second : "");
	if (ask(target->path, second ? 3 : 2, argv, limit_ms, &answer, error, sizeof(error))) {
		fail(target, error);
		return NULL;
	}
	if (strncmp(answer, "error", 5))
		return answer;
	answer[strcspn(answer, "\n")] = 0;
	fail(target, answer);
	free(answer);
	return NULL;
}

static void look(struct target *target, unsigned int limit_ms)
{
	char *answer = question(target, "status", NULL, limit_ms);

	if (answer && !scrub_parse(answer, &target->words))
		fail(target, "it answers what is not understood");
	else if (answer && target->begun && target->words.found < target->found_before)
		fail(target, "it was restarted, and has forgotten the scrub");
	free(answer);
}

static void begin(const char *config_file, struct target *target, bool deep, unsigned int limit_ms)
{
	char error[TOOL_ERROR_BYTES], *answer;
	struct config *config;

	if (config_load(config_file, target->name, &config, error, sizeof(error))) {
		fail(target, error);
		return;
	}
	ask_path(config, target->name, target->path, sizeof(target->path));
	config_free(config);
	look(target, limit_ms);
	if (target->failed)
		return;
	target->found_before = target->words.found;
	answer = question(target, "start", deep ? "deep" : NULL, limit_ms);
	target->begun = answer;
	target->ended |= answer && !strncmp(answer, "groups 0\n", 9);
	free(answer);
}

/* What it has found since it was asked. */
static void report(struct target *target, unsigned int limit_ms)
{
	char from[24], *answer, *line, *rest;

	snprintf(from, sizeof(from), "%" PRIu64, target->found_before);
	answer = question(target, "report", from, limit_ms);
	for (line = answer ? strtok_r(answer, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		printf("%s: %s\n", target->name, line);
		target->findings++;
	}
	free(answer);
}

static void show_progress(const struct target *targets, unsigned int count, unsigned int asked, bool last)
{
	struct scrub_words sum = { 0 };
	bool terminal = isatty(STDERR_FILENO);
	unsigned int i;

	for (i = 0; i < count; i++) {
		sum.asked += targets[i].words.asked;
		sum.done += targets[i].words.done;
		sum.objects += targets[i].words.objects;
		sum.bytes += targets[i].words.bytes;
	}
	if (terminal || last || asked % QUIET_QUESTIONS == QUIET_QUESTIONS - 1)
		fprintf(stderr, "%sgroup %" PRIu64 " of %" PRIu64 ": %" PRIu64 " objects, %" PRIu64 " bytes%s",
			terminal ? "\r" : "", sum.done, sum.asked, sum.objects, sum.bytes,
			terminal && !last ? "\033[K" : "\n");
}

static bool all_ended(struct target *targets, unsigned int count, unsigned int limit_ms)
{
	bool ended = true;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (targets[i].ended)
			continue;
		look(&targets[i], limit_ms);
		if (!targets[i].failed && !targets[i].words.asked)
			fail(&targets[i], "it was restarted, and has forgotten the scrub");
		targets[i].ended |= targets[i].words.done >= targets[i].words.asked;
		ended &= targets[i].ended;
	}
	return ended;
}

static int run(const char *config_file, struct target *targets, unsigned int count, bool deep, unsigned int limit_ms)
{
	bool failed = false, found = false;
	unsigned int i, asked;

	for (i = 0; i < count; i++)
		begin(config_file, &targets[i], deep, limit_ms);
	for (asked = 0; !all_ended(targets, count, limit_ms); asked++) {
		show_progress(targets, count, asked, false);
		poll(NULL, 0, PAUSE_MS);
	}
	show_progress(targets, count, 0, true);
	for (i = 0; i < count; i++) {
		if (targets[i].begun && !targets[i].failed)
			report(&targets[i], limit_ms);
		failed |= targets[i].failed;
		found |= targets[i].findings;
	}
	return failed ? SCRUB_NOT_MADE : found ? SCRUB_FINDINGS : SCRUB_CLEAN;
}

int scrub_run(const char *config_file, const char *name, bool deep, unsigned int limit_ms)
{
	struct sections *sections = calloc(1, sizeof(*sections));
	struct target *targets = NULL;
	unsigned int i, count = 1;
	int result = SCRUB_NOT_MADE;

	if (!sections || sections_read(config_file, sections)) {
		tool_failed("%s: its sections cannot be read", config_file);
		goto out;
	}
	if (!strcmp(name, "all"))
		count = sections->osd_count;
	targets = calloc(count, sizeof(*targets));
	if (!targets || !count) {
		tool_failed("%s: no OSD has a section there", config_file);
		goto out;
	}
	snprintf(targets[0].name, sizeof(targets[0].name), "%s", name);
	for (i = 0; !strcmp(name, "all") && i < count; i++)
		snprintf(targets[i].name, sizeof(targets[i].name), "osd%u", sections->osds[i]);
	result = run(config_file, targets, count, deep, limit_ms);
out:
	free(targets);
	free(sections);
	return result;
}
