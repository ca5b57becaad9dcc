// SPDX-License-Identifier: GPL-2.0
/*
 * An audit from the first question to the verdict: the rank does the work, in the background, and answers at its admin
 * socket where it stands. Whoever is interrupted here leaves it running; asking again joins it.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ask.h"
#include "audit.h"
#include "sections.h"
#include "server/base/config.h"
#include "tool.h"

#define PAUSE_MS 200			/* between two questions */
#define QUIET_QUESTIONS 50		/* without a terminal a line of progress in so many */

bool audit_parse(const char *answer, struct audit_words *words)
{
	const char *line = answer;

	memset(words, 0, sizeof(*words));
	if (sscanf(line, "state %15s", words->state) != 1)
		return false;
	while ((line = strchr(line, '\n')) && *++line) {
		sscanf(line, "at %63[^\n]", words->at);
		sscanf(line, "objects %" SCNu64, &words->objects);
		sscanf(line, "entries %" SCNu64, &words->entries);
	}
	return true;
}

/* Whom is asked, and where. */
struct daemon {
	char name[64];
	char path[4096];		/* of its admin socket */
	unsigned int limit_ms;
	char error[TOOL_ERROR_BYTES];	/* why it did not answer */
};

/* One command. 0 and the answer; else -errno or -EIO, and a sentence. */
static int ask_daemon(struct daemon *daemon, const char *what, char **ret_answer)
{
	char command[] = "audit", argument[16];
	char *argv[] = { command, argument };
	int err;

	snprintf(argument, sizeof(argument), "%s", what ? what : "");
	err = ask(daemon->path, what ? 2 : 1, argv, daemon->limit_ms, ret_answer, daemon->error,
		  sizeof(daemon->error));
	if (err || strncmp(*ret_answer, "error", 5))
		return err;
	snprintf(daemon->error, sizeof(daemon->error), "%.*s", (int)strcspn(*ret_answer, "\n"),
		 *ret_answer);
	err = strstr(*ret_answer, "an audit is running") ? -EALREADY : -EIO;
	free(*ret_answer);
	return err;
}

static bool find_socket(const char *config_file, struct daemon *daemon)
{
	struct config *config;
	int err;

	if (config_load(config_file, daemon->name, &config, daemon->error, sizeof(daemon->error)))
		return false;
	err = ask_path(config, daemon->name, daemon->path, sizeof(daemon->path));
	config_free(config);
	return !err;
}

/* True: this daemon has begun one, or was at it. */
static bool begin(const char *config_file, struct daemon *daemon)
{
	char *answer = NULL;
	int err;

	if (!find_socket(config_file, daemon))
		return false;
	err = ask_daemon(daemon, "start", &answer);
	if (!err)
		free(answer);
	return !err || err == -EALREADY;
}

/* Begin with the first that can. */
static bool begin_somewhere(const char *config_file, struct daemon *daemon)
{
	struct sections *sections = calloc(1, sizeof(*sections));
	int err = sections ? sections_read(config_file, sections) : -ENOMEM;
	bool begun = false;
	unsigned int i;

	snprintf(daemon->name, sizeof(daemon->name), "%s", config_file);
	snprintf(daemon->error, sizeof(daemon->error), "%s",
		 err ? strerror(-err) : "no metadata server has a section there");
	for (i = 0; !err && i < sections->mds_count && !begun; i++) {
		snprintf(daemon->name, sizeof(daemon->name), "mds%u", sections->mds[i]);
		begun = begin(config_file, daemon);
	}
	free(sections);
	return begun;
}

static void show_progress(const struct audit_words *words, unsigned int question, bool last)
{
	bool terminal = isatty(STDERR_FILENO);

	if (terminal && last)
		fprintf(stderr, "\r\033[K");
	else if (!last && (terminal || question % QUIET_QUESTIONS == QUIET_QUESTIONS - 1))
		fprintf(stderr, "%s%s: %" PRIu64 " objects, %" PRIu64 " entries%s",
			terminal ? "\r" : "", words->at, words->objects, words->entries,
			terminal ? "\033[K" : "\n");
}

static int not_made(const struct daemon *daemon)
{
	tool_failed("%s: %s", daemon->name, daemon->error);
	return AUDIT_NOT_MADE;
}

static int verdict(const char *name, const struct audit_words *words, const char *answer)
{
	if (!strcmp(words->state, "none") || !strcmp(words->state, "stopped")) {
		tool_failed("%s: the audit has not come to its end: %s", name,
			    *words->state == 'n' ? "the server was restarted" : "somebody stopped it");
		return AUDIT_NOT_MADE;
	}
	fputs(answer, stdout);
	return strcmp(words->state, "clean") ? AUDIT_FINDINGS : AUDIT_CLEAN;
}

int audit_run(const char *config_file, const char *name, unsigned int limit_ms)
{
	struct daemon daemon = { .limit_ms = limit_ms };
	struct audit_words words;
	unsigned int question;
	bool running = true;
	int result = AUDIT_NOT_MADE;
	char *answer;

	if (name)
		snprintf(daemon.name, sizeof(daemon.name), "%s", name);
	if (!(name ? begin(config_file, &daemon) : begin_somewhere(config_file, &daemon)))
		return not_made(&daemon);
	for (question = 0; running; question++) {
		poll(NULL, 0, question ? PAUSE_MS : 0);
		if (ask_daemon(&daemon, NULL, &answer))
			return not_made(&daemon);
		if (!audit_parse(answer, &words))
			snprintf(words.state, sizeof(words.state), "none");
		running = !strcmp(words.state, "running");
		show_progress(&words, question, !running);
		if (!running)
			result = verdict(daemon.name, &words, answer);
		free(answer);
	}
	return result;
}
