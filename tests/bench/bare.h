/* SPDX-License-Identifier: GPL-2.0 */
/* nacre-bare's parts: options and report (bare.c), the two loops (echo.c, write.c), the ring that both use (ring.c). */
#ifndef NACRE_BARE_H
#define NACRE_BARE_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#define BARE_CONNECTIONS_MAX 256
#define BARE_DEPTH_MAX 256
#define BARE_MESSAGE_MAX 65536
#define BARE_BLOCK 4096u

struct bare_options {
	uint32_t connections, depth, request, reply;	/* echo */
	const char *file;				/* write */
	uint32_t bytes, batch;
	uint32_t count;
};

struct bare_usage {
	struct rusage before, after;
	uint64_t began_ns, took_ns;
};

struct bare_result {
	struct bare_usage usage;	/* of the loop, without its client */
	uint64_t operations;
	double p50_us, p99_us;
};

uint64_t bare_now_ns(void);
void bare_begin(struct bare_usage *usage);
void bare_end(struct bare_usage *usage);
/* Sorts `ns`; microseconds. */
double bare_percentile(uint64_t *ns, size_t count, unsigned int percent);

/* A ring as the servers have it: the newest way of running completions that this kernel knows. 0 or -errno. */
int bare_ring(struct io_uring *ring, unsigned int entries);

/* Both return 0 or -errno. */
int bare_echo(const struct bare_options *options, struct bare_result *result);
int bare_write(const struct bare_options *options, struct bare_result *result);

/* echo_client.c: the other end; the process that calls it does nothing else. Writes p50 and p99 (double each) to `report`. */
int bare_echo_client(const struct bare_options *options, uint16_t port, int report);

#endif
