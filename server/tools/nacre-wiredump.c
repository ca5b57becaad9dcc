// SPDX-License-Identifier: GPL-2.0
/* nacre-wiredump: arguments of printing captured messages. The work is in wiredump/. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/version.h"
#include "tool.h"
#include "wiredump/capture.h"

struct arguments {
	struct wiredump_options options;
	unsigned int type_count;
	bool raw;
	const char *interface;		/* NULL: a file is read */
	const char *write;		/* NULL: it is printed */
	const char *file;
};

static const struct option long_options[] = {
	{ "brief", no_argument, NULL, 'b' },
	{ "full", no_argument, NULL, 'f' },
	{ "type", required_argument, NULL, 't' },
	{ "peer", required_argument, NULL, 'p' },
	{ "ino", required_argument, NULL, 'i' },
	{ "tid", required_argument, NULL, 'd' },
	{ "raw", no_argument, NULL, 'r' },
	{ "resync", no_argument, NULL, 's' },
	{ "live", required_argument, NULL, 'l' },
	{ "write", required_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

static int print_help(void)
{
	printf("usage: nacre-wiredump [options] FILE\n"
	       "       nacre-wiredump [options] --live INTERFACE\n"
	       "       nacre-wiredump --live INTERFACE --write FILE\n\n"
	       "Prints the messages in a capture of nacre's connections: pcap or pcapng; - is standard\n"
	       "input. All of TCP may be in it; connections of something else are passed over.\n\n"
	       "      --brief          one line for each message, the default\n"
	       "      --full           every field of each message, a line for each\n"
	       "      --type NAMES     only messages of these types, comma-separated, and their answers\n"
	       "      --peer NAME      only with this peer: mds0, osd2, client.5, client, ADDRESS:PORT\n"
	       "      --ino NUMBER     only what mentions this inode, hexadecimal as it is printed\n"
	       "      --tid NUMBER     only this request and its reply\n"
	       "      --raw            FILE has the bytes of one direction of one connection\n"
	       "      --resync         where the beginning of a frame is lost, go on at the next one that\n"
	       "                       has a right checksum; without it that direction ends there\n"
	       "      --live INTERFACE capture now (any: all interfaces), until SIGINT\n"
	       "      --write FILE     with --live: do not print, write a pcap file\n"
	       "      --help           this text\n"
	       "      --version        version of program and protocol\n\n"
	       "The exit status is 0 when all went well, 1 when bytes are lost, damaged or not to be\n"
	       "understood, 2 when the arguments are wrong.\n");
	return TOOL_OK;
}

static int add_type(struct arguments *arguments, const char *name, size_t length)
{
	unsigned int count;
	const struct nacre_message *rows = nacre_message_table(&count);

	for (unsigned int i = 0; i < count; i++) {
		if (strlen(rows[i].name) != length || strncasecmp(rows[i].name, name, length))
			continue;
		if (arguments->type_count == WIREDUMP_FILTERS_MAX)
			return tool_misused("--type: at most %u types", WIREDUMP_FILTERS_MAX);
		arguments->options.types[arguments->type_count++] = rows[i].type;
		return TOOL_OK;
	}
	return tool_misused("--type %.*s: there is no such message", (int)length, name);
}

static int add_types(struct arguments *arguments, const char *names)
{
	int status = TOOL_OK;
	size_t length;

	for (; *names && !status; names += length + (names[length] == ',')) {
		length = strcspn(names, ",");
		status = add_type(arguments, names, length);
	}
	return status;
}

static int take_ino(const char *text, uint64_t *ino)
{
	char *end;

	*ino = strtoull(text, &end, 16);
	if (!*ino || *end || *text == '-')
		return tool_misused("--ino %s: must be a hexadecimal number", text);
	return TOOL_OK;
}

static int take_option(int option, const char *which, struct arguments *arguments)
{
	switch (option) {
	case 'b':
		arguments->options.full = false;
		return TOOL_OK;
	case 'f':
		arguments->options.full = true;
		return TOOL_OK;
	case 't':
		return add_types(arguments, optarg);
	case 'p':
		arguments->options.peer = optarg;
		return TOOL_OK;
	case 'i':
		return take_ino(optarg, &arguments->options.ino);
	case 'd':
		if (!tool_number(optarg, 1, UINT64_MAX, &arguments->options.tid))
			return tool_misused("--tid %s: must be a number from 1", optarg);
		return TOOL_OK;
	case 'r':
		arguments->raw = true;
		return TOOL_OK;
	case 's':
		arguments->options.resync = true;
		return TOOL_OK;
	case 'l':
		arguments->interface = optarg;
		return TOOL_OK;
	case 'w':
		arguments->write = optarg;
		return TOOL_OK;
	default:
		return tool_misused("%s: unknown option, or its value is missing", which);
	}
}

static int check(const struct arguments *arguments)
{
	if (arguments->interface && arguments->file)
		return tool_misused("%s: a file or --live, not both", arguments->file);
	if (!arguments->interface && !arguments->file)
		return tool_misused("FILE or --live INTERFACE is needed");
	if (arguments->write && !arguments->interface)
		return tool_misused("--write needs --live");
	if (arguments->raw && arguments->interface)
		return tool_misused("--raw needs FILE");
	return TOOL_OK;
}

static int run(struct arguments *arguments)
{
	struct wiredump *dump;
	int status;

	if (arguments->write)
		return capture_write(arguments->interface, arguments->write);
	arguments->options.out = stdout;
	dump = wiredump_create(&arguments->options);
	if (arguments->interface)
		status = capture_live(dump, arguments->interface);
	else if (arguments->raw)
		status = capture_raw(dump, arguments->file);
	else
		status = capture_file(dump, arguments->file);
	if (wiredump_finish(dump) && !status)
		status = TOOL_FAILED;
	wiredump_destroy(dump);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .file = NULL };
	int option, status;

	tool_name("nacre-wiredump");
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h')
			return print_help();
		if (option == 'v') {
			version_print("nacre-wiredump");
			return TOOL_OK;
		}
		status = take_option(option, argv[optind - 1], &arguments);
		if (status)
			return status;
	}
	if (optind < argc)
		arguments.file = argv[optind++];
	if (optind < argc)
		return tool_misused("%s: an argument that means nothing here", argv[optind]);
	status = check(&arguments);
	return status ? status : run(&arguments);
}
