/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Configuration: one INI file (inih) for all daemons of a machine. Section
 * [global] holds for all, [mds0] or [osd0] for one, and wins. Every option
 * stands in one table in config.c with its section kind, type, default, limits
 * and a line for the manual; an unknown key, a wrong type or a value out of
 * range is an error that names file, line and key.
 */
#ifndef NACRE_CONFIG_H
#define NACRE_CONFIG_H

#include <stdint.h>
#include "log.h"

/*	type    name                  default          meaning */
#define CONFIG_OPTIONS(S, U)								\
	S(map_store, "", "dir:PATH, where the cluster map lives")			\
	S(listen, "127.0.0.1:0", "ADDRESS:PORT to listen on; port 0 = any free one")	\
	S(advertise, "", "ADDRESS[:PORT] others reach it at; empty = as it listens")	\
	S(admin_socket, "", "path of the admin socket; empty = RUN_DIR/NAME.sock")	\
	S(run_dir, "/run/nacre", "sockets and pid files")				\
	S(log_file, "", "empty = standard error")					\
	S(log_level, "info", "error, warn, info or debug")				\
	S(io, "auto", "uring = io_uring, aio = epoll and libaio, auto = io_uring if it can be had") \
	S(device, "", "OSD: data file or block device")					\
	S(kv_dir, "", "OSD: directory of its RocksDB")					\
	S(osd_discard, "off", "OSD: on = tell the device, or the file system of the data file, of blocks that were freed; off = only when asked to (nacre trim)") \
	U(time_scale, 100, 1, 100000, "percent; multiplies every lease and deadline")	\
	U(lease_ms, 5000, 100, 600000, "liveness lease of a daemon on the map")		\
	U(osd_out_ms, 600000, 0, 604800000, "an OSD that is down for so long gets no data any more: its groups get other members; 0 = never") \
	U(session_lease_ms, 30000, 100, 3600000, "MDS: lease of a client session")	\
	U(reconnect_ms, 20000, 100, 3600000, "MDS: how long a new incarnation waits for its sessions") \
	U(revoke_warn_ms, 10000, 100, 3600000, "MDS: a revoke so old is warned of")	\
	U(revoke_evict_ms, 30000, 100, 3600000, "MDS: a revoke so old evicts the client")	\
	U(size_report_ms, 50, 1, 60000, "MDS: so long a stat waits for the size that a file's writer reports, before caps are taken from it") \
	U(mds_cache_inodes, 100000, 100, 100000000, "MDS: inodes kept in memory; each KiB of inline data counts as one more")	\
	U(mds_dir_split, 16384, 16, 1048576, "MDS: entries of a directory in one object, before it is split") \
	U(mds_journal_bytes, 67108864, 1048576, 4294967296, "MDS: journal replayed at most")	\
	U(osd_journal_bytes, 268435456, 1048576, 68719476736, "OSD: size of its journal")	\
	U(osd_journal_unit, 0, 0, 4096, "OSD: a journal record is written up to a multiple of so many bytes, a power of two from 512; 0 = the device's physical sector") \
	U(osd_discard_bytes, 65536, 4096, 67108864, "OSD: smaller pieces of free space are not told of; rounded up to what the device gives back as a whole") \
	U(osd_nearfull_percent, 85, 1, 100, "OSD: from so much of its space in use on log and status call it nearly full, and no groups move to it") \
	U(osd_rebuild, 0, 0, 1, "OSD: if its store turns out to be damaged, make an empty one, which its peers fill, unless it alone has data") \
	U(osd_helper_threads, 2, 1, 64, "OSD: threads that own RocksDB")	\
	U(scrub_light_s, 86400, 0, 31536000, "OSD: each group's metadata is compared between replicas once in so many seconds; 0 = only by hand") \
	U(scrub_deep_s, 604800, 0, 31536000, "OSD: and every byte with its checksum once in so many; 0 = only by hand") \
	U(scrub_bytes_per_s, 33554432, 65536, 1099511627776, "OSD: read at most so fast for a scrub, on each replica")

#define CONFIG_STRING(name, def, doc) const char *name;
#define CONFIG_NUMBER(name, def, min, max, doc) uint64_t name;
struct config {
	const char *file;
	const char *daemon;		/* "osd0" */
	CONFIG_OPTIONS(CONFIG_STRING, CONFIG_NUMBER)
};

/*
 * Read FILE for one daemon (NULL: [global] only). 0, or -errno with a sentence
 * in `error` naming file, line and key.
 */
int config_load(const char *file, const char *daemon, struct config **ret_config,
		char *error, unsigned int error_bytes);
void config_free(struct config *config);
/*
 * Which daemons a file has sections for: ids of [PREFIXn], ascending, at most `max` of them.
 * Their number, or -errno with a sentence in `error`.
 */
int config_daemons(const char *file, const char *prefix, uint16_t *ids, unsigned int max,
		   char *error, unsigned int error_bytes);
/* The value of log_level; config_load() has checked it. */
enum log_level config_log_level(const struct config *config);
/* A string option by its name; NULL: there is none of that name. */
const char *config_string(const struct config *config, const char *name);

#endif
