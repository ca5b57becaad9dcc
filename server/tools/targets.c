// SPDX-License-Identifier: GPL-2.0
/* OSDs that are told to work, and asked how far they are. See targets.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "sections.h"
#include "server/base/config.h"
#include "targets.h"
#include "tool.h"

#define QUIET_ROUNDS 50			/* without a terminal a line of progress in so many */

void targets_progress(unsigned int rounds, bool last, const char *format, ...)
{
	bool terminal = isatty(STDERR_FILENO);
	va_list args;

	if (!terminal && !last && rounds % QUIET_ROUNDS != QUIET_ROUNDS - 1)
		return;
	fputs(terminal ? "\r" : "", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(terminal && !last ? "\033[K" : "\n", stderr);
}

void target_fail(struct target *target, const char *why)
{
	target->failed = target->ended = true;
	tool_failed("%s: %s", target->name, why);
}

char *target_ask(struct target *target, const char *command, const char *first, const char *second, unsigned int limit_ms)
{
	char words[3][32], error[TOOL_ERROR_BYTES], *answer;
	char *argv[] = { words[0], words[1], words[2] };

	snprintf(words[0], sizeof(words[0]), "%s", command);
	snprintf(words[1], sizeof(words[1]), "%s", first);
	snprintf(words[2], sizeof(words[2]), "%s", second ? second : "");
	if (ask(target->path, second ? 3 : 2, argv, limit_ms, &answer, error, sizeof(error))) {
		target_fail(target, error);
		return NULL;
	}
	if (strncmp(answer, "error", 5))
		return answer;
	answer[strcspn(answer, "\n")] = 0;
	target_fail(target, answer);
	free(answer);
	return NULL;
}

static void find_socket(const char *config_file, struct target *target)
{
	char error[TOOL_ERROR_BYTES];
	struct config *config;

	if (config_load(config_file, target->name, &config, error, sizeof(error))) {
		target_fail(target, error);
		return;
	}
	ask_path(config, target->name, target->path, sizeof(target->path));
	config_free(config);
}

unsigned int targets_find(const char *config_file, const char *name, struct target **ret_targets)
{
	struct sections *sections = calloc(1, sizeof(*sections));
	struct target *targets = NULL;
	bool all = !strcmp(name, "all");
	unsigned int i, count = 0;

	if (!sections || sections_read(config_file, sections)) {
		tool_failed("%s: its sections cannot be read", config_file);
		free(sections);
		return 0;
	}
	count = all ? sections->osd_count : 1;
	targets = calloc(count, sizeof(*targets));
	if (!targets || !count) {
		tool_failed("%s: no OSD has a section there", config_file);
		count = 0;
	}
	for (i = 0; i < count; i++) {
		if (all)
			snprintf(targets[i].name, sizeof(targets[i].name), "osd%u", sections->osds[i]);
		else
			snprintf(targets[i].name, sizeof(targets[i].name), "%s", name);
		find_socket(config_file, &targets[i]);
	}
	if (!count)
		free(targets);
	free(sections);
	*ret_targets = targets;
	return count;
}
