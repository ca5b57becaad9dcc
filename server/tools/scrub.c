// SPDX-License-Identifier: GPL-2.0
/*
 * Scrubs by hand, from the first question to the verdict: the OSDs do the work, in the background and no faster than they are
 * told to in the configuration, and answer at their admin sockets how far they are. Whoever is interrupted here leaves
 * them at it.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scrub.h"
#include "targets.h"

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
struct scrubber {
	struct target *target;
	uint64_t found_before;
	struct scrub_words words;
	uint64_t findings;
};

static void look(struct scrubber *scrubber, unsigned int limit_ms)
{
	struct target *target = scrubber->target;
	char *answer = target_ask(target, "scrub", "status", NULL, limit_ms);

	if (answer && !scrub_parse(answer, &scrubber->words))
		target_fail(target, "it answers what is not understood");
	else if (answer && target->begun && scrubber->words.found < scrubber->found_before)
		target_fail(target, "it was restarted, and has forgotten the scrub");
	free(answer);
}

static void begin(struct scrubber *scrubber, bool deep, unsigned int limit_ms)
{
	struct target *target = scrubber->target;
	char *answer;

	if (!target->failed)
		look(scrubber, limit_ms);
	if (target->failed)
		return;
	scrubber->found_before = scrubber->words.found;
	answer = target_ask(target, "scrub", "start", deep ? "deep" : NULL, limit_ms);
	target->begun = answer;
	target->ended |= answer && !strncmp(answer, "groups 0\n", 9);
	free(answer);
}

/* What it has found since it was asked. */
static void report(struct scrubber *scrubber, unsigned int limit_ms)
{
	struct target *target = scrubber->target;
	char from[24], *answer, *line, *rest;

	snprintf(from, sizeof(from), "%" PRIu64, scrubber->found_before);
	answer = target_ask(target, "scrub", "report", from, limit_ms);
	for (line = answer ? strtok_r(answer, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		printf("%s: %s\n", target->name, line);
		scrubber->findings++;
	}
	free(answer);
}

static void show_progress(const struct scrubber *scrubbers, unsigned int count, unsigned int asked, bool last)
{
	struct scrub_words sum = { 0 };
	unsigned int i;

	for (i = 0; i < count; i++) {
		sum.asked += scrubbers[i].words.asked;
		sum.done += scrubbers[i].words.done;
		sum.objects += scrubbers[i].words.objects;
		sum.bytes += scrubbers[i].words.bytes;
	}
	targets_progress(asked, last, "group %" PRIu64 " of %" PRIu64 ": %" PRIu64 " objects, %" PRIu64 " bytes",
			 sum.done, sum.asked, sum.objects, sum.bytes);
}

static bool all_ended(struct scrubber *scrubbers, unsigned int count, unsigned int limit_ms)
{
	struct target *target;
	bool ended = true;
	unsigned int i;

	for (i = 0; i < count; i++) {
		target = scrubbers[i].target;
		if (target->ended)
			continue;
		look(&scrubbers[i], limit_ms);
		if (!target->failed && !scrubbers[i].words.asked)
			target_fail(target, "it was restarted, and has forgotten the scrub");
		target->ended |= scrubbers[i].words.done >= scrubbers[i].words.asked;
		ended &= target->ended;
	}
	return ended;
}

static int run(struct scrubber *scrubbers, unsigned int count, bool deep, unsigned int limit_ms)
{
	bool failed = false, found = false;
	unsigned int i, asked;

	for (i = 0; i < count; i++)
		begin(&scrubbers[i], deep, limit_ms);
	for (asked = 0; !all_ended(scrubbers, count, limit_ms); asked++) {
		show_progress(scrubbers, count, asked, false);
		poll(NULL, 0, TARGET_PAUSE_MS);
	}
	show_progress(scrubbers, count, 0, true);
	for (i = 0; i < count; i++) {
		if (scrubbers[i].target->begun && !scrubbers[i].target->failed)
			report(&scrubbers[i], limit_ms);
		failed |= scrubbers[i].target->failed;
		found |= scrubbers[i].findings;
	}
	return failed ? SCRUB_NOT_MADE : found ? SCRUB_FINDINGS : SCRUB_CLEAN;
}

int scrub_run(const char *config_file, const char *name, bool deep, unsigned int limit_ms)
{
	struct target *targets;
	unsigned int i, count = targets_find(config_file, name, &targets);
	struct scrubber *scrubbers = calloc(count + 1, sizeof(*scrubbers));
	int result = SCRUB_NOT_MADE;

	for (i = 0; scrubbers && i < count; i++)
		scrubbers[i].target = &targets[i];
	if (scrubbers && count)
		result = run(scrubbers, count, deep, limit_ms);
	free(scrubbers);
	if (count)
		free(targets);
	return result;
}
