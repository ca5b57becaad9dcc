/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File locks of several clients: fcntl (POSIX), open-file-description and flock locks.
 * They are the programs' own agreement and guard nothing of nacre's: data and attributes are coherent
 * through caps, whether anybody locks or not.
 *
 * A lock belongs to an *owner*, a number that the client chose and that means something only in its session.
 * One message asks for everything; `op` says what. Each is answered at once, so that a long wait
 * holds no tid back: who has to wait is queued under its `waiter` number, the reply
 * says NACRE_REPLY_QUEUED, and FILELOCK_GRANTED comes when the lock is had. Whoever may have missed that asks again
 * (FLOCK-3 in Documentation/protocol.md).
 *
 * Nothing of it is journaled. To a new incarnation a client declares what it holds, before
 * SESSION_RECONNECT_DONE; until all sessions are back nobody is given anything.
 */
#ifndef NACRE_FILELOCKS_H
#define NACRE_FILELOCKS_H

#include "wire.h"
#include "mds.h"

#define NACRE_FILELOCK_END (~(__u64)0 >> 1)	/* `last` of a lock to the end of the file, however long that is */
#define NACRE_FILELOCKS_CLAIM_MAX 8192		/* locks in one part of a claim */
#define NACRE_FILELOCKS_SESSION_MAX 65536u	/* ranges that a session may hold; above it ENOLCK */
#define NACRE_FILELOCK_WAITERS_MAX 4096u	/* waiters that a session may have queued; above it ENOLCK */

enum nacre_filelock_kind {
	NACRE_FILELOCK_POSIX = 1,	/* of a process; the only kind that is searched for deadlocks */
	NACRE_FILELOCK_OFD = 2,		/* of an open file; excludes POSIX ones, too */
	NACRE_FILELOCK_FLOCK = 3,	/* of an open file, whole, and apart from the others */
};

enum nacre_filelock_mode {
	NACRE_FILELOCK_READ = 1,
	NACRE_FILELOCK_WRITE = 2,
	NACRE_FILELOCK_UNLOCK = 3,
};

enum nacre_filelock_op {
	NACRE_FILELOCK_TEST = 1,	/* who is in the way? `extra` is one nacre_filelock, or nothing */
	NACRE_FILELOCK_SET = 2,		/* take it, or give it up; EAGAIN if somebody is in the way */
	NACRE_FILELOCK_WAIT = 3,	/* take it, or be queued; EDEADLK */
	NACRE_FILELOCK_CANCEL = 4,	/* wait no more; EALREADY: the lock was had by then */
};

#define NACRE_FILELOCK_REQ_FIELDS(F, R, T)				\
	NACRE_REQUEST_HEAD(F)						\
	F(64, ino, "inode")						\
	F(64, owner, "who locks, as the client numbers its owners")	\
	F(64, start, "first byte")					\
	F(64, last, "last byte, NACRE_FILELOCK_END = up to any end")	\
	F(64, waiter, "WAIT, CANCEL: number of this wait, else 0")	\
	F(32, pid, "process, for people and F_GETLK")			\
	F(8, kind, "enum nacre_filelock_kind")				\
	F(8, lock_mode, "enum nacre_filelock_mode")				\
	F(8, op, "enum nacre_filelock_op")				\
	R(8, reserved0)
NACRE_STRUCT(nacre_filelock_req, NACRE_FILELOCK_REQ_FIELDS, 80);

/* One lock that is held: in the answer to TEST, and in claims. */
#define NACRE_FILELOCK_FIELDS(F, R, T)					\
	F(64, ino, "inode")						\
	F(64, owner, "number that its client gave the owner")		\
	F(64, instance, "of that client")				\
	F(64, start, "first byte")					\
	F(64, last, "last byte")					\
	F(32, pid, "process there")					\
	F(8, kind, "enum nacre_filelock_kind")				\
	F(8, lock_mode, "enum nacre_filelock_mode, not UNLOCK")		\
	R(16, reserved0)
NACRE_STRUCT(nacre_filelock, NACRE_FILELOCK_FIELDS, 48);

/* client → a rank's new incarnation: locks it holds; between its caps and SESSION_RECONNECT_DONE, in any number of parts. */
#define NACRE_SESSION_FILELOCKS_FIELDS(F, R, T)				\
	F(64, instance, "of the client")				\
	R(32, reserved0)						\
	T(locks, 48 * NACRE_FILELOCKS_CLAIM_MAX, "nacre_filelock array")
NACRE_STRUCT(nacre_session_filelocks, NACRE_SESSION_FILELOCKS_FIELDS, 16);

/* rank → client: a wait is over. */
#define NACRE_FILELOCK_GRANTED_FIELDS(F, R, T)				\
	F(64, ino, "inode")						\
	F(64, waiter, "as in the request")				\
	F(32, result, "0: the lock is had; EDEADLK, ENOLCK")		\
	R(32, reserved0)
NACRE_STRUCT(nacre_filelock_granted, NACRE_FILELOCK_GRANTED_FIELDS, 24);

#define NACRE_FILELOCKS_STRUCTS(S)					\
	S(nacre_filelock_req, NACRE_FILELOCK_REQ_FIELDS)		\
	S(nacre_filelock, NACRE_FILELOCK_FIELDS)			\
	S(nacre_session_filelocks, NACRE_SESSION_FILELOCKS_FIELDS)	\
	S(nacre_filelock_granted, NACRE_FILELOCK_GRANTED_FIELDS)

#endif
