/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Results on the wire. Zero is success. Numbers below 1000 are Linux errno
 * values as they stand on x86_64 and arm64; numbers from 1000 are nacre's own,
 * each with the errno it turns into at the system-call border if nothing below
 * it knew better. One table: number, name, errno, text.
 */
#ifndef NACRE_ERROR_H
#define NACRE_ERROR_H

#include <linux/errno.h>
#include "wire.h"

#define NACRE_ERRORS(E)									\
	E(1001, STALE_EPOCH, EAGAIN, "the sender's map is older than the receiver demands")	\
	E(1002, NEWER_EPOCH, EAGAIN, "the receiver's map is older than the request's")	\
	E(1003, DEAD_INSTANCE, ESTALE, "the sender's instance is dead in the map")	\
	E(1004, UNKNOWN_INSTANCE, ESTALE, "the sender's instance was never issued")	\
	E(1005, NOT_PRIMARY, EAGAIN, "this OSD is not the primary of the placement group") \
	E(1006, PG_INACTIVE, EAGAIN, "the placement group is not active: too few replicas, or reconciling") \
	E(1007, CMP_FAILED, ECANCELED, "a comparison in a compound request failed")	\
	E(1008, CHECKSUM, EIO, "stored bytes do not match their checksum")		\
	E(1009, LEASE_LOST, EAGAIN, "the receiver's own lease on the map has run out")	\
	E(1010, NO_SESSION, ESTALE, "no session of this instance here")		\
	E(1011, NOT_ACTIVE, EAGAIN, "the metadata rank is not active yet")		\
	E(1012, WRONG_RANK, EREMOTE, "another rank is the authority")			\
	E(1013, BAD_VERSION, EPROTONOSUPPORT, "protocol version or a required feature is not supported") \
	E(1014, BAD_FSID, ENODEV, "the peer belongs to another file system")		\
	E(1015, BUSY, EAGAIN, "a bounded queue is full, send again later")		\
	E(1016, WRONG_INTERVAL, EAGAIN, "a replica message from another interval of the group") \
	E(1017, STALE_GENERATION, EAGAIN, "a message of an older connection generation") \
	E(1018, EVICTED, ESTALE, "the session was evicted")				\
	E(1019, UNSUPPORTED, EOPNOTSUPP, "the operation is known but not served here")	\
	E(1020, DAMAGED, EIO, "stored metadata cannot be understood")

#define NACRE_ERROR_ENUM(number, name, os, text) NACRE_E_##name = number,
enum nacre_error {
	NACRE_OK = 0,
	NACRE_ERRORS(NACRE_ERROR_ENUM)
};

/* The errno (positive) of a result; EIO for an unknown one. */
int nacre_error_errno(__u32 result);

/* A short name ("ENOENT" as "errno 2", "DEAD_INSTANCE", …) in the caller's buffer. */
const char *nacre_error_name(__u32 result, char *buffer, size_t buffer_bytes);

#endif
