// SPDX-License-Identifier: GPL-2.0
/*
 * nacre: how does the cluster fare? `status` and `map` read the map store, so they
 * work with every daemon down, as does `pool` (pool.c), and `weight` writes to it (weight.c); `audit` lets the metadata server work (audit.c); `fsck` reads the store of an OSD that
 * does not run (fsck.c), `scrub` and `trim` let OSDs work (scrub.c, trim.c); everything else is a daemon's own answer, asked at its admin socket.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"
#include "audit.h"
#include "fsck.h"
#include "mapaccess.h"
#include "pool.h"
#include "scrub.h"
#include "server/base/config.h"
#include "server/base/version.h"
#include "show.h"
#include "tool.h"
#include "trim.h"
#include "weight.h"

#define LIMIT_S_DEFAULT 10
#define LIMIT_S_MAX 3600

struct arguments {
	const char *config_file;
	const char *daemon;		/* NULL: the cluster is asked */
	unsigned int limit_ms;
	int argc;			/* the command and what follows it */
	char **argv;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "name", required_argument, NULL, 'n' },
	{ "timeout", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

static int print_help(void)
{
	printf("usage: nacre -c FILE status | map\n"
	       "       nacre -c FILE weight NAME WEIGHT\n"
	       "       nacre -c FILE pool [NAME [--journal-mode MODE] [--direct-bytes N]]\n"
	       "       nacre -c FILE audit [NAME]\n"
	       "       nacre -c FILE fsck NAME [deep]\n"
	       "       nacre -c FILE scrub NAME|all [deep]\n"
	       "       nacre -c FILE trim NAME|all\n"
	       "       nacre -c FILE -n NAME COMMAND [ARGUMENTS]\n\n"
	       "  status               the map in short: daemons, placement groups; how full OSDs are\n"
	       "  map                  all of the cluster map\n"
	       "  weight NAME WEIGHT   how much data the OSD NAME is given: twice as much for 2 as for 1, nothing for 0;\n"
	       "                       the cluster moves it, while clients work, and status says how far it is\n"
	       "  pool                 a line for each pool\n"
	       "  pool NAME            change how the OSDs journal what is written to the pool (metadata or data), while clients work:\n"
	       "                       --journal-mode data, ordered or cow; --direct-bytes: smaller writes go through the journal\n"
	       "                       in any mode, 0 = as each OSD decides\n"
	       "  audit [NAME]         compare all objects with all inodes, by the metadata server NAME (the active\n"
	       "                       one of this machine), while clients work; print what does not fit\n"
	       "  fsck NAME [deep]     is the store of the OSD NAME, which does not run, right in itself? deep: every\n"
	       "                       block against its checksum; nothing is changed\n"
	       "  scrub NAME|all [deep]  let the OSD NAME, or all of them, compare the replicas of what they are primary of,\n"
	       "                       while clients work; deep: every block against its checksum, and repair what does not\n"
	       "                       match from a replica where it does\n"
	       "  trim NAME|all        let the OSD NAME, or all of them, tell their devices of all blocks that are free, while\n"
	       "                       clients work\n"
	       "  -n NAME COMMAND      what a daemon (mds0, osd0, ...) answers; `help` lists its commands\n\n"
	       "  -c, --config FILE    configuration, shared by all daemons of the machine\n"
	       "  -n, --name NAME      which daemon is asked\n"
	       "  -t, --timeout SECS   how long to wait for its answer (%u)\n"
	       "      --help           this text\n"
	       "      --version        version of program and protocol\n\n"
	       "The exit status is 0 when all went well, 1 when nobody answered or the answer is an\n"
	       "error, 2 when the arguments are wrong. Of audit, fsck and scrub: 0 nothing is wrong, 1 something is,\n"
	       "2 it was not made.\n",
	       LIMIT_S_DEFAULT);
	return TOOL_OK;
}

/* ---- the cluster ---------------------------------------------------------------------------- */

static int print_status(const char *url, const struct cluster_map *map)
{
	struct mapaccess_lease *leases = NULL;
	char error[TOOL_ERROR_BYTES];
	size_t count = 0;

	if (mapaccess_leases(url, &leases, &count, error, sizeof(error)))
		return tool_failed("%s", error);
	show_status(stdout, map, leases, count);
	free(leases);
	return TOOL_OK;
}

static int run_audit(const struct arguments *arguments)
{
	if (arguments->argc > 2)
		return tool_misused("%s: an argument that means nothing here", arguments->argv[2]);
	return audit_run(arguments->config_file, arguments->argc > 1 ? arguments->argv[1] : NULL,
			 arguments->limit_ms);
}

static int run_fsck(const struct arguments *arguments)
{
	bool deep = arguments->argc == 3 && !strcmp(arguments->argv[2], "deep");
	char error[TOOL_ERROR_BYTES];
	struct config *config;
	int result;

	if (arguments->argc < 2)
		return tool_misused("fsck: which OSD is to be checked?");
	if (arguments->argc > 3 || (arguments->argc == 3 && !deep))
		return tool_misused("%s: an argument that means nothing here", arguments->argv[arguments->argc - 1]);
	if (config_load(arguments->config_file, arguments->argv[1], &config, error, sizeof(error))) {
		tool_failed("%s", error);
		return FSCK_NOT_MADE;
	}
	result = fsck_run(config, deep);
	config_free(config);
	return result;
}

static int run_scrub(const struct arguments *arguments)
{
	bool deep = arguments->argc == 3 && !strcmp(arguments->argv[2], "deep");

	if (arguments->argc < 2)
		return tool_misused("scrub: which OSD, or all?");
	if (arguments->argc > 3 || (arguments->argc == 3 && !deep))
		return tool_misused("%s: an argument that means nothing here", arguments->argv[arguments->argc - 1]);
	return scrub_run(arguments->config_file, arguments->argv[1], deep, arguments->limit_ms);
}

static int run_trim(const struct arguments *arguments)
{
	if (arguments->argc != 2)
		return tool_misused("trim: which OSD, or all?");
	return trim_run(arguments->config_file, arguments->argv[1], arguments->limit_ms);
}

static int run_cluster(const struct arguments *arguments, const struct config *config)
{
	bool status = !strcmp(arguments->argv[0], "status"), weight = !strcmp(arguments->argv[0], "weight");
	bool pool = !strcmp(arguments->argv[0], "pool");
	struct cluster_map *map;
	char error[TOOL_ERROR_BYTES];
	int result = TOOL_OK;

	if (!status && !weight && !pool && strcmp(arguments->argv[0], "map"))
		return tool_misused("%s: without -n NAME the commands are status, map, weight, pool, audit, fsck, scrub and trim",
				    arguments->argv[0]);
	if (weight && arguments->argc != 3)
		return tool_misused("weight: which OSD gets which weight?");
	if (!weight && !pool && arguments->argc > 1)
		return tool_misused("%s: an argument that means nothing here", arguments->argv[1]);
	if (!*config->map_store)
		return tool_failed("%s: [global] needs map_store", arguments->config_file);
	if (weight)
		return weight_run(config->map_store, arguments->argv[1], arguments->argv[2]);
	if (pool)
		return pool_run(config->map_store, arguments->argc, arguments->argv);
	if (mapaccess_get(config->map_store, &map, error, sizeof(error)))
		return tool_failed("%s", error);
	if (status)
		result = print_status(config->map_store, map);
	else
		show_map(stdout, map);
	cluster_map_put(map);
	return result;
}

/* ---- a daemon ------------------------------------------------------------------------------- */

static int run_daemon(const struct arguments *arguments, const struct config *config)
{
	char path[4096], error[TOOL_ERROR_BYTES], *answer;
	int result = TOOL_OK;

	if (ask_path(config, arguments->daemon, path, sizeof(path)))
		return tool_failed("%s: the path of its admin socket is too long", arguments->daemon);
	if (ask(path, arguments->argc, arguments->argv, arguments->limit_ms, &answer, error,
		sizeof(error)))
		return tool_failed("%s: %s", arguments->daemon, error);
	if (!strncmp(answer, "error", 5)) {
		fprintf(stderr, "nacre: %s: %s", arguments->daemon, answer);
		result = TOOL_FAILED;
	} else {
		fputs(answer, stdout);
	}
	free(answer);
	return result;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static int take_option(int option, const char *which, struct arguments *arguments)
{
	uint64_t seconds;

	switch (option) {
	case 'c':
		arguments->config_file = optarg;
		return TOOL_OK;
	case 'n':
		arguments->daemon = optarg;
		return TOOL_OK;
	case 't':
		if (!tool_number(optarg, 1, LIMIT_S_MAX, &seconds))
			return tool_misused("--timeout %s: must be a number from 1 to %u", optarg,
					    LIMIT_S_MAX);
		arguments->limit_ms = (unsigned int)seconds * 1000;
		return TOOL_OK;
	default:
		return tool_misused("%s: unknown option, or its value is missing", which);
	}
}

static int run(const struct arguments *arguments)
{
	char error[TOOL_ERROR_BYTES];
	struct config *config;
	int status;

	if (!arguments->daemon && !strcmp(arguments->argv[0], "audit"))
		return run_audit(arguments);
	if (!arguments->daemon && !strcmp(arguments->argv[0], "fsck"))
		return run_fsck(arguments);
	if (!arguments->daemon && !strcmp(arguments->argv[0], "scrub"))
		return run_scrub(arguments);
	if (!arguments->daemon && !strcmp(arguments->argv[0], "trim"))
		return run_trim(arguments);
	if (config_load(arguments->config_file, arguments->daemon, &config, error, sizeof(error)))
		return tool_failed("%s", error);
	status = arguments->daemon ? run_daemon(arguments, config) : run_cluster(arguments, config);
	config_free(config);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .limit_ms = LIMIT_S_DEFAULT * 1000 };
	int option, status;

	tool_name("nacre");
	opterr = 0;
	/* "+": options behind the command are the command's */
	while ((option = getopt_long(argc, argv, "+c:n:t:", long_options, NULL)) != -1) {
		if (option == 'h')
			return print_help();
		if (option == 'v') {
			version_print("nacre");
			return TOOL_OK;
		}
		status = take_option(option, argv[optind - 1], &arguments);
		if (status)
			return status;
	}
	arguments.argc = argc - optind;
	arguments.argv = argv + optind;
	if (!arguments.config_file)
		return tool_misused("-c FILE is needed");
	if (!arguments.argc)
		return tool_misused("a command is needed: status, map, weight, pool, audit, fsck, scrub, trim, or one of a daemon with -n NAME");
	return run(&arguments);
}
