/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Named fault points for tests. Each is a counter of how often it shall strike:
 *
 *	echo "conn_reset 3" > /sys/kernel/debug/nacre/faults
 *	if (nacre_fault(NACRE_FAULT_conn_reset)) ...
 *
 * At rest a point costs one read of a counter that is zero.
 */
#ifndef NACRE_FAULT_H
#define NACRE_FAULT_H

#include <linux/atomic.h>

#define NACRE_FAULTS(F)								\
	F(conn_reset, "break a connection instead of sending a frame")		\
	F(body_crc, "send a frame with a wrong checksum of its body")		\
	F(data_crc, "take the checksum of received data for wrong")		\
	F(incoming_memory, "no memory for a received message, the first time")	\
	F(map_memory, "no memory for a map that was received")			\
	F(inode_memory, "no memory for an inode that an answer shows")		\
	F(xattr_memory, "no memory for a set of extended attributes")		\
	F(batch_memory, "no memory for updates of many inodes in one message")	\
	F(osd_busy, "take the answer to an object request for BUSY")		\
	F(osd_error, "take the answer to an object request for EIO")

#define NACRE_FAULT_ENUM(name, doc) NACRE_FAULT_##name,
enum nacre_fault_point {
	NACRE_FAULTS(NACRE_FAULT_ENUM)
	NACRE_FAULT_COUNT,
};

extern atomic_t nacre_faults[NACRE_FAULT_COUNT];

static inline bool nacre_fault(enum nacre_fault_point point)
{
	return unlikely(atomic_read(&nacre_faults[point]) > 0) &&
	       atomic_dec_if_positive(&nacre_faults[point]) >= 0;
}

#endif
