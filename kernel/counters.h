/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What one client counts: the table alone, so that the manual can be made from
 * it where there is no kernel. Struct and printing are in stats.h.
 */
#ifndef NACRE_KERNEL_COUNTERS_H
#define NACRE_KERNEL_COUNTERS_H

#define NACRE_COUNTERS(C)							\
	C(mds_messages, "messages sent to MDSs, keepalives apart")		\
	C(mds_requests, "requests among them")					\
	C(mds_records, "namespace records inside them")				\
	C(mds_replies, "replies received")					\
	C(mds_cap_updates, "cap updates sent: answers, flushes, wants; many share a message") \
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
	C(size_reports, "sizes of files written here that were reported for stats of others")	\
	C(sizes_reported, "stats answered by what the writers of a file reported")	\
	C(cap_waits, "times a call waited for caps")				\
	C(cap_asks_again, "times such a call asked again because nothing had come")	\
	C(inline_bytes, "bytes of small files that are in memory with their inodes, now") \
	C(uninlined, "files whose data this client has taken out of the inode")	\
	C(lookups_local, "lookups answered from the dcache under a cap")	\
	C(listings_local, "listings answered from the dcache under a cap")	\
	C(lookups_sent, "lookups asked of the MDS")				\
	C(lock_requests, "requests about file locks")				\
	C(locks_lost, "files whose locks were lost with a session")		\
	C(evictions, "times this client found itself evicted")

#endif
