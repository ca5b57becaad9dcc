/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of one client: a table, from which the struct, debugfs `stats`
 * ("name value" a line) and the manual are made. Messages are counted by kind
 * as well: `sent_<NAME>` and `received_<NAME>` for every row of the message
 * table. What goes over the wire is counted in net/ (mds_messages, bytes_*,
 * sent, received, frames_bad, conn_resets), the rest where it happens.
 */
#ifndef NACRE_KERNEL_STATS_H
#define NACRE_KERNEL_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct nacre_fs;
struct seq_file;

#define NACRE_COUNTERS(C)							\
	C(mds_messages, "messages sent to MDSs, keepalives apart")		\
	C(mds_requests, "requests among them")					\
	C(mds_records, "namespace records inside them")				\
	C(mds_replies, "replies received")					\
	C(mds_cap_updates, "cap updates sent: answers, flushes, wants")		\
	C(mds_cap_releases, "cap release messages sent")			\
	C(mds_reconnects, "times a session was taken up again")			\
	C(osd_requests, "object requests sent, resends apart")			\
	C(osd_resends, "object requests sent again")				\
	C(osd_bytes_read, "bytes of file data read at OSDs")			\
	C(osd_bytes_written, "bytes of file data written at OSDs")		\
	C(bytes_sent, "bytes on the wire, to all servers")			\
	C(bytes_received, "bytes on the wire, from all servers")		\
	C(frames_bad, "received frames that were refused")			\
	C(conn_resets, "connections lost or reset")				\
	C(caps_granted, "cap grants taken in")					\
	C(caps_revoked, "revokes taken in")					\
	C(cap_waits, "times a call waited for caps")				\
	C(cap_asks_again, "times such a call asked again because nothing had come")	\
	C(lookups_local, "lookups answered from the dcache under a cap")	\
	C(lookups_sent, "lookups asked of the MDS")				\
	C(evictions, "times this client found itself evicted")

#define NACRE_STATS_TYPES 128		/* NACRE_MSG_LIMIT */

#define NACRE_COUNTER_FIELD(name, doc) u64 name;
struct nacre_stats {
	NACRE_COUNTERS(NACRE_COUNTER_FIELD)
	u64 sent[NACRE_STATS_TYPES];	/* by message type, to MDSs and OSDs */
	u64 received[NACRE_STATS_TYPES];
};

#define nacre_count(fs, name) this_cpu_inc((fs)->stats->name)
#define nacre_count_add(fs, name, n) this_cpu_add((fs)->stats->name, n)

/* fs->stats: per-cpu memory. 0 or -ENOMEM. */
int nacre_stats_create(struct nacre_fs *fs);
void nacre_stats_destroy(struct nacre_fs *fs);
/* "name value" a line; the debugfs file. */
void nacre_stats_show(struct seq_file *out, struct nacre_fs *fs);

#endif
