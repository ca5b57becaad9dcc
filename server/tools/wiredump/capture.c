// SPDX-License-Identifier: GPL-2.0
/* Where packets come from. See capture.h. */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "capture.h"
#include "server/tools/tool.h"

#define SNAP_BYTES 262144		/* of a packet: more than any has */
#define BUFFER_BYTES (64 << 20)		/* of the kernel, while we print */
#define READ_MS 100
#define RAW_BYTES 65536

/* ---- files -------------------------------------------------------------------------------------------- */

static void take_packet(u_char *owner, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct wiredump *dump = (struct wiredump *)owner;
	/* opened with nanoseconds: tv_usec has them */
	uint64_t ns = (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec;

	wiredump_packet(dump, bytes, header->caplen, header->len, ns);
}

int capture_file(struct wiredump *dump, const char *path)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
	int status = TOOL_OK;

	if (!pcap)
		return tool_failed("%s: %s", path, error);
	if (!packet_knows_link(pcap_datalink(pcap)))
		status = tool_failed("%s: packets of link type %d (%s) cannot be read", path, pcap_datalink(pcap),
				     pcap_datalink_val_to_description_or_dlt(pcap_datalink(pcap)));
	wiredump_link(dump, pcap_datalink(pcap));
	/* a file that is cut off is read up to there */
	if (!status && pcap_loop(pcap, -1, take_packet, (u_char *)dump) == PCAP_ERROR)
		status = tool_failed("%s: %s", path, pcap_geterr(pcap));
	pcap_close(pcap);
	return status;
}

int capture_raw(struct wiredump *dump, const char *path)
{
	FILE *in = strcmp(path, "-") ? fopen(path, "r") : stdin;
	uint8_t *bytes;
	size_t length;
	int status = TOOL_OK;

	if (!in)
		return tool_failed("%s: %s", path, strerror(errno));
	bytes = malloc(RAW_BYTES);
	if (!bytes)
		abort();
	while ((length = fread(bytes, 1, RAW_BYTES, in)) > 0)
		wiredump_raw(dump, bytes, length);
	if (ferror(in))
		status = tool_failed("%s: %s", path, strerror(errno));
	free(bytes);
	if (in != stdin)
		fclose(in);
	return status;
}

/* ---- interfaces --------------------------------------------------------------------------------------- */

static pcap_t *running;			/* what a signal ends */

static void on_signal(int signal)
{
	pcap_breakloop(running);
}

static int activate(pcap_t *pcap, const char *interface)
{
	int err;

	pcap_set_snaplen(pcap, SNAP_BYTES);
	pcap_set_buffer_size(pcap, BUFFER_BYTES);
	pcap_set_timeout(pcap, READ_MS);
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	err = pcap_activate(pcap);
	if (err < 0)
		return tool_failed("%s: %s", interface, *pcap_geterr(pcap) ? pcap_geterr(pcap)
									   : pcap_statustostr(err));
	if (!packet_knows_link(pcap_datalink(pcap)))
		return tool_failed("%s: packets of link type %d cannot be read", interface, pcap_datalink(pcap));
	return TOOL_OK;
}

static int filter_tcp(pcap_t *pcap, const char *interface)
{
	struct bpf_program program;
	int err;

	if (pcap_compile(pcap, &program, "tcp", 1, PCAP_NETMASK_UNKNOWN))
		return tool_failed("%s: %s", interface, pcap_geterr(pcap));
	err = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	return err ? tool_failed("%s: %s", interface, pcap_geterr(pcap)) : TOOL_OK;
}

static pcap_t *open_live(const char *interface)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(interface, error);

	if (!pcap) {
		tool_failed("%s: %s", interface, error);
		return NULL;
	}
	if (activate(pcap, interface) || filter_tcp(pcap, interface)) {
		pcap_close(pcap);
		return NULL;
	}
	return pcap;
}

/* Until a signal comes; what the kernel had to drop is said. */
static int run_live(pcap_t *pcap, const char *interface, pcap_handler handler, u_char *owner)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct pcap_stat stat;
	int status = TOOL_OK;

	running = pcap;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fprintf(stderr, "capturing on %s; SIGINT ends it\n", interface);
	if (pcap_loop(pcap, -1, handler, owner) == PCAP_ERROR)
		status = tool_failed("%s: %s", interface, pcap_geterr(pcap));
	if (!pcap_stats(pcap, &stat) && stat.ps_drop)
		fprintf(stderr, "%u packets were not captured: the machine was too busy\n", stat.ps_drop);
	return status;
}

int capture_live(struct wiredump *dump, const char *interface)
{
	pcap_t *pcap = open_live(interface);
	int status;

	if (!pcap)
		return TOOL_FAILED;
	wiredump_link(dump, pcap_datalink(pcap));
	status = run_live(pcap, interface, take_packet, (u_char *)dump);
	pcap_close(pcap);
	return status;
}

int capture_write(const char *interface, const char *path)
{
	pcap_t *pcap = open_live(interface);
	pcap_dumper_t *out;
	int status;

	if (!pcap)
		return TOOL_FAILED;
	out = pcap_dump_open(pcap, path);
	if (!out) {
		status = tool_failed("%s: %s", path, pcap_geterr(pcap));
	} else {
		status = run_live(pcap, interface, pcap_dump, (u_char *)out);
		if (pcap_dump_flush(out) && !status)
			status = tool_failed("%s: %s", path, strerror(errno));
		pcap_dump_close(out);
	}
	pcap_close(pcap);
	return status;
}
