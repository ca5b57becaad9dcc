// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-bare: what the servers are compared with. Two loops that do nothing but the
 * input and output of a server, on the same kind of ring:
 *
 *	echo	requests of one size are answered by replies of another, over TCP on this machine
 *	write	O_DIRECT writes of one size, several to a write of the disk, each of those flushed
 *
 * Each prints "name value" lines: operations, CPU (of the loop itself, not of its client), rate, times. Nothing here
 * knows nacre. The loop stays in echo.c and write.c; here are the options and the report.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bare.h"

static int usage(FILE *out)
{
	fprintf(out,
		"usage: nacre-bare echo [--connections N] [--depth N] [--request BYTES] [--reply BYTES] [--count N]\n"
		"       nacre-bare write --file FILE [--bytes N] [--batch N] [--count N]\n"
		"What a server can cost at least: its input and output and nothing else.\n"
		"echo: a server on io_uring and a client in a second process, over TCP on 127.0.0.1\n"
		"  --connections N   of the client (8)\n"
		"  --depth N         requests of one connection at a time (16)\n"
		"  --request BYTES   size of a request (200)\n"
		"  --reply BYTES     size of a reply (400)\n"
		"write: FILE is made and removed; sparse, written from its beginning, O_DIRECT, on io_uring\n"
		"  --file FILE       where the disk is\n"
		"  --bytes N         of one write, a multiple of 4096 (16384)\n"
		"  --batch N         writes that go to the disk together, with one flush (1)\n"
		"both:\n"
		"  --count N         requests, or writes, in all (100000)\n"
		"Prints a line \"NAME VALUE\" each: operations, seconds, per_second, cpu_us, system_us, and p50_us and p99_us of\n"
		"an echo's answer or a flushed write. The exit status is 0, 1 when something failed, 2 for wrong arguments.\n");
	return out == stderr ? 2 : 0;
}

static const struct option long_options[] = {
	{ "connections", required_argument, NULL, 'c' }, { "depth", required_argument, NULL, 'd' },
	{ "request", required_argument, NULL, 'q' }, { "reply", required_argument, NULL, 'r' },
	{ "count", required_argument, NULL, 'n' }, { "file", required_argument, NULL, 'f' },
	{ "bytes", required_argument, NULL, 'b' }, { "batch", required_argument, NULL, 'B' },
	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

static bool number(const char *text, uint64_t max, uint32_t *ret)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	*ret = (uint32_t)value;
	return *text && !*end && value && value <= max;
}

static bool parse_option(struct bare_options *options, int option)
{
	switch (option) {
	case 'c':
		return number(optarg, BARE_CONNECTIONS_MAX, &options->connections);
	case 'd':
		return number(optarg, BARE_DEPTH_MAX, &options->depth);
	case 'q':
		return number(optarg, BARE_MESSAGE_MAX, &options->request);
	case 'r':
		return number(optarg, BARE_MESSAGE_MAX, &options->reply);
	case 'n':
		return number(optarg, 1u << 30, &options->count);
	case 'f':
		options->file = optarg;
		return true;
	case 'b':
		return number(optarg, 1u << 22, &options->bytes) && !(options->bytes % BARE_BLOCK);
	case 'B':
		return number(optarg, 1u << 10, &options->batch);
	default:
		return false;
	}
}

uint64_t bare_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000u + (uint64_t)time->tv_usec;
}

void bare_begin(struct bare_usage *usage)
{
	getrusage(RUSAGE_SELF, &usage->before);
	usage->began_ns = bare_now_ns();
}

void bare_end(struct bare_usage *usage)
{
	usage->took_ns = bare_now_ns() - usage->began_ns;
	getrusage(RUSAGE_SELF, &usage->after);
}

static int compare(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

double bare_percentile(uint64_t *ns, size_t count, unsigned int percent)
{
	if (!count)
		return 0;
	qsort(ns, count, sizeof(*ns), compare);
	return (double)ns[count * percent / 100] / 1e3;
}

static void report(const struct bare_result *result)
{
	const struct bare_usage *usage = &result->usage;
	uint64_t system = microseconds(&usage->after.ru_stime) - microseconds(&usage->before.ru_stime);
	uint64_t user = microseconds(&usage->after.ru_utime) - microseconds(&usage->before.ru_utime);
	double seconds = (double)usage->took_ns / 1e9;

	printf("operations %llu\n", (unsigned long long)result->operations);
	printf("seconds %.3f\n", seconds);
	printf("per_second %.0f\n", (double)result->operations / seconds);
	printf("cpu_us %.3f\n", (double)(user + system) / (double)result->operations);
	printf("system_us %.3f\n", (double)system / (double)result->operations);
	printf("p50_us %.1f\n", result->p50_us);
	printf("p99_us %.1f\n", result->p99_us);
}

int main(int argc, char **argv)
{
	struct bare_options options = { .connections = 8, .depth = 16, .request = 200, .reply = 400,
					.count = 100000, .bytes = 16384, .batch = 1 };
	struct bare_result result = { .operations = 0 };
	bool echo, write;
	int option, err;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (!parse_option(&options, option))
			return usage(stderr);
	}
	echo = optind == argc - 1 && !strcmp(argv[optind], "echo");
	write = optind == argc - 1 && !strcmp(argv[optind], "write") && options.file;
	if (!echo && !write)
		return usage(stderr);
	err = echo ? bare_echo(&options, &result) : bare_write(&options, &result);
	if (err) {
		fprintf(stderr, "nacre-bare: %s: %s\n", argv[optind], strerror(-err));
		return 1;
	}
	report(&result);
	return 0;
}
