// SPDX-License-Identifier: GPL-2.0
/*
 * Trims by hand: the OSDs do the work, one range after the other and below what clients want, and answer at their admin
 * sockets how far they are. Whoever is interrupted here leaves them at it.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "targets.h"
#include "tool.h"
#include "trim.h"

bool trim_parse(const char *answer, struct trim_words *words)
{
	const char *line = answer;
	bool is_one = false;

	memset(words, 0, sizeof(*words));
	for (; line && *line; line = strchr(line, '\n'), line += !!line) {
		is_one |= sscanf(line, "trim_asked %" SCNu64, &words->asked) == 1;
		sscanf(line, "trim_done %" SCNu64, &words->done);
		sscanf(line, "trim_at %" SCNu64, &words->at);
		sscanf(line, "trim_end %" SCNu64, &words->end);
		sscanf(line, "trim_bytes %" SCNu64, &words->bytes);
		words->refused |= !strncmp(line, "discard refused", 15);
	}
	return is_one;
}

/* Begin, or look how far it is. */
static void look(struct target *target, struct trim_words *words, unsigned int limit_ms)
{
	char *answer = target_ask(target, "trim", target->begun ? "status" : "start", NULL, limit_ms);

	if (!answer)
		return;
	if (!trim_parse(answer, words))
		target_fail(target, "it answers what is not understood");
	else if (words->refused)
		target_fail(target, "its device does not discard; its log says why");
	else if (!words->asked)
		target_fail(target, "it was restarted, and has forgotten the trim");
	target->begun = true;
	target->ended |= words->done >= words->asked;
	free(answer);
}

static void show_progress(const struct trim_words *words, unsigned int count, unsigned int asked, bool last)
{
	struct trim_words sum = { 0 };
	unsigned int i;

	for (i = 0; i < count; i++) {
		sum.at += words[i].done >= words[i].asked ? words[i].end : words[i].at;
		sum.end += words[i].end;
		sum.bytes += words[i].bytes;
	}
	targets_progress(asked, last, "%" PRIu64 " of %" PRIu64 " bytes looked at, %" PRIu64 " discarded",
			 sum.at, sum.end, sum.bytes);
}

static int run(struct target *targets, struct trim_words *words, unsigned int count, unsigned int limit_ms)
{
	unsigned int i, asked, left = count;
	bool failed = false;

	for (asked = 0; left; asked++) {
		for (i = 0, left = 0; i < count; i++) {
			if (!targets[i].ended)
				look(&targets[i], &words[i], limit_ms);
			left += !targets[i].ended;
		}
		show_progress(words, count, asked, !left);
		if (left)
			poll(NULL, 0, TARGET_PAUSE_MS);
	}
	for (i = 0; i < count; i++) {
		failed |= targets[i].failed;
		if (!targets[i].failed)
			printf("%s: %" PRIu64 " bytes discarded\n", targets[i].name, words[i].bytes);
	}
	return failed ? TOOL_FAILED : TOOL_OK;
}

int trim_run(const char *config_file, const char *name, unsigned int limit_ms)
{
	struct target *targets;
	unsigned int count = targets_find(config_file, name, &targets);
	struct trim_words *words = calloc(count + 1, sizeof(*words));
	int result = count && words ? run(targets, words, count, limit_ms) : TOOL_FAILED;

	free(words);
	if (count)
		free(targets);
	return result;
}
