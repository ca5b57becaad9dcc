/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of one client: from the table in counters.h, the struct and debugfs
 * `stats` ("name value" a line) are made. Messages are counted by kind
 * as well: `sent_<NAME>` and `received_<NAME>` for every row of the message
 * table. What goes over the wire is counted in net/ (mds_messages, bytes_*,
 * sent, received, frames_bad, conn_resets), the rest where it happens.
 */
#ifndef NACRE_KERNEL_STATS_H
#define NACRE_KERNEL_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>
#include "counters.h"

struct nacre_fs;
struct seq_file;

#define NACRE_STATS_TYPES 128		/* NACRE_MSG_LIMIT */

#define NACRE_COUNTER_FIELD(name, doc) u64 name;
struct nacre_stats {
	NACRE_COUNTERS(NACRE_COUNTER_FIELD)
	u64 sent[NACRE_STATS_TYPES];	/* by message type, to MDSs and OSDs */
	u64 received[NACRE_STATS_TYPES];
};

#define nacre_count(fs, name) this_cpu_inc((fs)->stats->name)
#define nacre_count_add(fs, name, n) this_cpu_add((fs)->stats->name, n)
#define nacre_count_sub(fs, name, n) this_cpu_sub((fs)->stats->name, n)

/* fs->stats: per-cpu memory. 0 or -ENOMEM. */
int nacre_stats_create(struct nacre_fs *fs);
void nacre_stats_destroy(struct nacre_fs *fs);
/* "name value" a line; the debugfs file. */
void nacre_stats_show(struct seq_file *out, struct nacre_fs *fs);

#endif
