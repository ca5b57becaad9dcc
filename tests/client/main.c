// SPDX-License-Identifier: GPL-2.0
/* nacre-load: options. What it does is in load.c, verify.c and hold.c. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"
#include "protocol/session.h"
#include "server/base/loop.h"

#define KINDS_MAX 32

static int usage(FILE *out)
{
	int i;

	fprintf(out,
		"usage: nacre-load -m ADDRESS[:PORT] [options] KIND…\n"
		"       nacre-load -m ADDRESS[:PORT] --verify [--hook COMMAND] [--keep]\n"
		"       nacre-load -m ADDRESS[:PORT] --hold [--files N] [--bytes N] [--keep]\n"
		"  --clients N   clients, each with a session of its own (1)\n"
		"  --depth N     calls of one client at a time (16)\n"
		"  --files N     files of one client (10000)\n"
		"  --bytes N     bytes of one file (4096)\n"
		"  --cache N     inodes that a client keeps, with their caps, as long as the rank leaves them to it (10000)\n"
		"  --hold        make files, remove their names (--keep: do not), hold them open until SIGTERM\n"
		"  --fsync       write: sync every file\n"
		"  --keep        leave what was made\n"
		"  --dir NAME    directories NAME.0, NAME.1 … one a client; without create, files of a run with --keep\n"
		"kinds, run in the order given:");
	for (i = 0; i < LOAD_KIND_COUNT; i++)
		fprintf(out, " %s", load_kind_names[i]);
	fprintf(out, "\n");
	return out == stderr ? 2 : 0;
}

static const struct option long_options[] = {
	{ "mds", required_argument, NULL, 'm' }, { "clients", required_argument, NULL, 'c' },
	{ "depth", required_argument, NULL, 'd' }, { "files", required_argument, NULL, 'f' },
	{ "bytes", required_argument, NULL, 'b' }, { "cache", required_argument, NULL, 'C' }, { "hook", required_argument, NULL, 'k' },
	{ "verify", no_argument, NULL, 'v' }, { "hold", no_argument, NULL, 'H' }, { "keep", no_argument, NULL, 'K' },
	{ "dir", required_argument, NULL, 'D' },
	{ "fsync", no_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* A number from 1 to max into *ret. */
static bool number(const char *text, uint64_t max, unsigned int *ret)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	*ret = (unsigned int)value;
	return !*end && value && value <= max;
}

static bool parse_option(struct load_options *options, int option, bool *verify, bool *hold)
{
	char *end;

	switch (option) {
	case 'm':
		return !io_address_parse(optarg, NACRE_DEFAULT_PORT, &options->mds);
	case 'c':
		return number(optarg, LOAD_CLIENTS_MAX, &options->clients);
	case 'd':
		return number(optarg, LOAD_DEPTH_MAX, &options->depth);
	case 'f':
		return number(optarg, 1u << 30, &options->files);
	case 'b':
		options->bytes = strtoull(optarg, &end, 0);
		return !*end && options->bytes && options->bytes <= 1ull << 30;
	case 'C':
		return number(optarg, 1u << 30, &options->inodes);
	case 'k':
		options->hook = optarg;
		return true;
	case 'v':
		*verify = true;
		return true;
	case 'H':
		*hold = true;
		return true;
	case 'D':
		options->dir = optarg;
		return true;
	case 'K':
		options->keep = true;
		return true;
	case 's':
		options->fsync = true;
		return true;
	default:
		return false;
	}
}

static int parse_kinds(char **words, int count, enum load_kind *kinds)
{
	int i, kind;

	for (i = 0; i < count; i++) {
		for (kind = 0; kind < LOAD_KIND_COUNT; kind++)
			if (!strcmp(words[i], load_kind_names[kind]))
				break;
		if (kind == LOAD_KIND_COUNT || i == KINDS_MAX)
			return -1;
		kinds[i] = (enum load_kind)kind;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct load_options options = { .clients = 1, .depth = 16, .files = 10000, .bytes = 4096 };
	const struct loop_config config = { .entries = 0 };
	enum load_kind kinds[KINDS_MAX];
	bool verify = false, hold = false;
	int option, count, err;

	while ((option = getopt_long(argc, argv, "m:", long_options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (!parse_option(&options, option, &verify, &hold))
			return usage(stderr);
	}
	count = parse_kinds(argv + optind, argc - optind, kinds);
	if (!options.mds.port || count < 0 || (!count && !verify && !hold))
		return usage(stderr);
	err = loop_create(&config, &options.io);
	if (err) {
		fprintf(stderr, "nacre-load: %s\n", loop_error(err));
		return 1;
	}
	err = verify ? verify_run(&options) : 0;
	if (!err && hold)
		err = hold_run(&options);
	if (!err && count)
		err = load_run(&options, kinds, (unsigned int)count);
	loop_destroy(options.io);
	return err;
}
