// SPDX-License-Identifier: GPL-2.0
/* mkfs.nacre: arguments of making a file system. The work is in format.c. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "format.h"
#include "plan.h"
#include "protocol/map.h"
#include "protocol/mds.h"
#include "server/base/version.h"
#include "tool.h"

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "replicas", required_argument, NULL, 'r' },
	{ "min-size", required_argument, NULL, 'm' },
	{ "pg-count", required_argument, NULL, 'p' },
	{ "inline", required_argument, NULL, 'i' },
	{ "journal", required_argument, NULL, 'j' },
	{ "ranks", required_argument, NULL, 'k' },
	{ "osd", required_argument, NULL, 'o' },
	{ "force", no_argument, NULL, 'f' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

static int print_help(void)
{
	printf("usage: mkfs.nacre -c FILE [options]\n"
	       "       mkfs.nacre -c FILE --osd N [--force]\n\n"
	       "Makes a file system of the daemons that FILE names: formats the device of every\n"
	       "[osdN] and puts the first cluster map into [global] map_store.\n\n"
	       "  -c, --config FILE    configuration, shared by all daemons of the machine\n"
	       "      --replicas N     copies of everything, 1 to %u (2, or 1 on a single OSD)\n"
	       "      --min-size N     copies needed to serve (one less than replicas, at least 1)\n"
	       "      --pg-count N     placement groups for file data, a power of two (64);\n"
	       "                       metadata gets half as many\n"
	       "      --inline N       files of up to N bytes keep their data in the inode: a\n"
	       "                       multiple of %u up to %u (%u; 0: none do)\n"
	       "      --journal MODE   how the OSDs write file data: data (twice, through the\n"
	       "                       journal), cow (once, to fresh blocks) or ordered (once,\n"
	       "                       under load in its place) (data)\n"
	       "      --ranks N        metadata ranks (1); other metadata servers stand by\n"
	       "      --osd N          only a new, empty store for OSD N of the file system that is there: when\n"
	       "                       its old one is lost, the other replicas fill it; if N is the next\n"
	       "                       number, it is added, and gets its share of the data\n"
	       "      --force          destroy the file system or stores that are there\n"
	       "  -q, --quiet          say nothing when all goes well\n"
	       "      --help           this text\n"
	       "      --version        version of program and protocol\n",
	       NACRE_REPLICAS_MAX, NACRE_INLINE_UNIT, NACRE_INLINE_MAX, NACRE_INLINE_MAX);
	return TOOL_OK;
}

/* A number into *out; an exit status. */
static int take_number(const char *option, const char *text, uint64_t min, uint64_t max,
		       unsigned int *out)
{
	uint64_t value;

	if (!tool_number(text, min, max, &value))
		return tool_misused("%s %s: must be a number from %llu to %llu", option, text,
				    (unsigned long long)min, (unsigned long long)max);
	*out = (unsigned int)value;
	return TOOL_OK;
}

static int take_journal(const char *text, struct format_options *options)
{
	for (unsigned int mode = 0; mode < PLAN_JOURNAL_MODES; mode++) {
		if (strcmp(text, plan_journal_modes[mode]))
			continue;
		options->journal_mode = mode;
		return TOOL_OK;
	}
	return tool_misused("--journal %s: there is no such mode, use data, ordered or cow", text);
}

static int take_option(int option, const char *which, struct format_options *options)
{
	switch (option) {
	case 'c':
		options->config_file = optarg;
		return TOOL_OK;
	case 'r':
		return take_number("--replicas", optarg, 1, NACRE_REPLICAS_MAX, &options->replicas);
	case 'm':
		return take_number("--min-size", optarg, 1, NACRE_REPLICAS_MAX, &options->min_size);
	case 'p':
		return take_number("--pg-count", optarg, 1, NACRE_MAP_PGS_MAX / 2, &options->pg_count);
	case 'i':
		return take_number("--inline", optarg, 0, NACRE_INLINE_MAX, &options->inline_bytes);
	case 'j':
		return take_journal(optarg, options);
	case 'k':
		return take_number("--ranks", optarg, 1, NACRE_MAP_RANKS_MAX, &options->ranks);
	case 'f':
		options->force = true;
		return TOOL_OK;
	case 'q':
		options->quiet = true;
		return TOOL_OK;
	case 'o':
		options->replaces = true;
		return take_number("--osd", optarg, 0, NACRE_MAP_OSDS_MAX - 1, &options->osd);
	default:
		return tool_misused("%s: unknown option, or its value is missing", which);
	}
}

int main(int argc, char **argv)
{
	struct format_options options = { .inline_bytes = NACRE_INLINE_MAX };
	int option, status;

	tool_name("mkfs.nacre");
	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:q", long_options, NULL)) != -1) {
		if (option == 'h')
			return print_help();
		if (option == 'v') {
			version_print("mkfs.nacre");
			return TOOL_OK;
		}
		status = take_option(option, argv[optind - 1], &options);
		if (status)
			return status;
	}
	if (optind < argc)
		return tool_misused("%s: an argument that means nothing here", argv[optind]);
	if (!options.config_file)
		return tool_misused("-c FILE is needed");
	if (options.replaces && (options.replicas || options.min_size || options.pg_count || options.ranks))
		return tool_misused("--osd %u: the file system stays as it is, so nothing else can be set",
				    options.osd);
	if (options.min_size && options.replicas && options.min_size > options.replicas)
		return tool_misused("--min-size %u: more than --replicas %u", options.min_size,
				    options.replicas);
	if (options.pg_count & (options.pg_count - 1))
		return tool_misused("--pg-count %u: must be a power of two", options.pg_count);
	if (options.inline_bytes % NACRE_INLINE_UNIT)
		return tool_misused("--inline %u: must be a multiple of %u", options.inline_bytes,
				    NACRE_INLINE_UNIT);
	return options.replaces ? format_replace(&options) : format_run(&options);
}
