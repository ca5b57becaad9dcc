// SPDX-License-Identifier: GPL-2.0
/* A new store in the place of a damaged one. See rebuild.h. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "rebuild.h"

#define PAUSE_S 5u
#define PAUSE_MAX_S 300u

static bool wanted;
static char config_file[PATH_MAX], number[12], name[16];
static uint64_t time_scale_percent;
static struct log *log;			/* a second one: the daemon's ends with it */
static char last_words[256];		/* mkfs.nacre's */

int osd_rebuild_helps(const char *complaint)
{
	return complaint && strstr(complaint, "Corruption") != NULL;
}

unsigned int osd_rebuild_pause_s(unsigned int refusals, uint64_t percent)
{
	unsigned int pause = PAUSE_S;

	while (--refusals && pause < PAUSE_MAX_S)
		pause *= 2;
	if (pause > PAUSE_MAX_S)
		pause = PAUSE_MAX_S;
	return (unsigned int)((pause * percent + 99) / 100);
}

void osd_rebuild_want(const struct config *config, unsigned int id)
{
	wanted = true;
	time_scale_percent = config->time_scale;
	snprintf(config_file, sizeof(config_file), "%s", config->file);
	snprintf(number, sizeof(number), "%u", id);
	snprintf(name, sizeof(name), "osd%u", id);
	if (!log)
		log = log_create(config->log_file, name, config_log_level(config));
}

/* The tool that was installed, or built, beside this program; else the one that the shell would find. */
static void run_mkfs(void)
{
	char *arguments[] = { "mkfs.nacre", "-c", config_file, "--osd", number, "--force", NULL };
	char path[PATH_MAX], *slash;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - sizeof("mkfs.nacre"));

	if (length > 0) {
		path[length] = 0;
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, "mkfs.nacre");
		execv(path, arguments);
	}
	execvp(arguments[0], arguments);
	fprintf(stderr, "nacre-osd: mkfs.nacre cannot be run: %s\n", strerror(errno));
	_exit(127);
}

/* What the tool says goes on to standard error, and its last line is kept for the log. */
static void pass_on(int fd)
{
	size_t length = 0;
	FILE *f = fdopen(fd, "r");
	char line[sizeof(last_words)];

	while (f && fgets(line, sizeof(line), f)) {
		fputs(line, stderr);
		length = strcspn(line, "\n");
		memcpy(last_words, line, length);
		last_words[length] = 0;
	}
	if (f)
		fclose(f);
	else
		close(fd);
}

static bool make_store(void)
{
	int status, words[2];
	pid_t child;

	snprintf(last_words, sizeof(last_words), "mkfs.nacre does not say why");
	if (pipe(words))
		return false;
	child = fork();
	if (!child) {
		dup2(words[1], STDERR_FILENO);
		close(words[0]);
		close(words[1]);
		run_mkfs();
	}
	close(words[1]);
	pass_on(words[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

int osd_rebuild_if_wanted(int status, char **argv)
{
	unsigned int refusals = 0, pause;
	sigset_t all;

	if (!wanted)
		return status;
	/* from here on a signal ends the program, as nothing is under way that it could spoil */
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	log_warn(log, "osd", "its store is damaged, it gets an empty one (osd_rebuild)");
	while (!make_store()) {
		pause = osd_rebuild_pause_s(++refusals, time_scale_percent);
		log_error(log, "osd", "it gets no empty store (osd_rebuild), refused %u times; again in %u s: %s", refusals, pause,
			  last_words);
		sleep(pause);
	}
	execv("/proc/self/exe", argv);
	log_error(log, "osd", "it cannot be started anew: %s", strerror(errno));
	return EXIT_FAILURE;
}
