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

#define AGAIN_S 5u

static bool wanted;
static char config[PATH_MAX], number[12];

int osd_rebuild_helps(const char *complaint)
{
	return complaint && strstr(complaint, "Corruption") != NULL;
}

void osd_rebuild_want(const char *config_file, unsigned int id)
{
	wanted = true;
	snprintf(config, sizeof(config), "%s", config_file);
	snprintf(number, sizeof(number), "%u", id);
}

/* The tool that was installed, or built, beside this program; else the one that the shell would find. */
static void run_mkfs(void)
{
	char *arguments[] = { "mkfs.nacre", "-c", config, "--osd", number, "--force", NULL };
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

static bool make_store(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		run_mkfs();
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return child > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

int osd_rebuild_if_wanted(int status, char **argv)
{
	sigset_t all;

	if (!wanted)
		return status;
	/* from here on a signal ends the program, as nothing is under way that it could spoil */
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	fprintf(stderr, "nacre-osd: osd%s: its store is damaged, it gets an empty one (osd_rebuild)\n", number);
	while (!make_store()) {
		fprintf(stderr, "nacre-osd: osd%s: again in %u s\n", number, AGAIN_S);
		sleep(AGAIN_S);
	}
	execv("/proc/self/exe", argv);
	fprintf(stderr, "nacre-osd: it cannot be started anew: %s\n", strerror(errno));
	return EXIT_FAILURE;
}
