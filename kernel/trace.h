/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, one per kind of state change: a connection, a frame, an object
 * request, a cap, a request to a metadata server, the pages of a file.
 *
 *	echo 1 > /sys/kernel/tracing/events/nacre/enable
 *
 * Every event names the client (`fs`, the number of its debugfs folder). The
 * lists of steps are tables; the words in the trace come from them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM nacre

#if !defined(NACRE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NACRE_TRACE_H

#include <linux/tracepoint.h>

#ifndef NACRE_TRACE_STEPS
#define NACRE_TRACE_STEPS

/* Life of an object request. */
#define NACRE_OSD_STEPS(S)							\
	S(SUBMIT, "submit")	/* taken in, has its tid */			\
	S(SEND, "send")		/* handed to a connection */			\
	S(RESEND, "resend")	/* again, under the same tid */			\
	S(WAIT, "wait")		/* no map, group or connection to send it to */	\
	S(RETRY, "retry")	/* answered "later" */				\
	S(CANCEL, "cancel")	/* the caller gave up */			\
	S(DONE, "done")

/* Life of a request to a metadata server. */
#define NACRE_MDS_STEPS(S)							\
	S(SUBMIT, "submit")							\
	S(SEND, "send")								\
	S(RESEND, "resend")							\
	S(REPLY, "reply")	/* answered, perhaps unsafe */			\
	S(SAFE, "safe")		/* journaled */					\
	S(FORWARD, "forward")	/* another rank is meant */			\
	S(ABORT, "abort")	/* the caller gave up */			\
	S(DONE, "done")

/* What happens to a file's pages. */
#define NACRE_PAGES_STEPS(S)							\
	S(READ, "read")			/* buffered */				\
	S(WRITE, "write")							\
	S(SYNC_READ, "sync_read")	/* no CACHE: at the OSDs */		\
	S(SYNC_WRITE, "sync_write")						\
	S(DIRECT_READ, "direct_read")						\
	S(DIRECT_WRITE, "direct_write")						\
	S(FAULT, "fault")							\
	S(MKWRITE, "mkwrite")							\
	S(ISSUE_READ, "issue_read")	/* netfs fills pages */			\
	S(ISSUE_WRITE, "issue_write")	/* netfs writes pages back */		\
	S(WRITE_BACK, "write_back")	/* all of them, for a revoke */		\
	S(INVALIDATE, "invalidate")						\
	S(SET_SIZE, "set_size")							\
	S(FALLOCATE, "fallocate")						\
	S(FIEMAP, "fiemap")							\
	S(SEEK, "seek")			/* length: for a hole? */

#define NACRE_OSD_STEP_ENUM(name, word) NACRE_OSD_STEP_##name,
#define NACRE_MDS_STEP_ENUM(name, word) NACRE_MDS_STEP_##name,
#define NACRE_PAGES_STEP_ENUM(name, word) NACRE_PAGES_STEP_##name,
enum nacre_osd_step_kind { NACRE_OSD_STEPS(NACRE_OSD_STEP_ENUM) };
enum nacre_mds_step_kind { NACRE_MDS_STEPS(NACRE_MDS_STEP_ENUM) };
enum nacre_pages_step_kind { NACRE_PAGES_STEPS(NACRE_PAGES_STEP_ENUM) };

#endif

#define NACRE_OSD_STEP_WORD(name, word) { NACRE_OSD_STEP_##name, word },
#define NACRE_MDS_STEP_WORD(name, word) { NACRE_MDS_STEP_##name, word },
#define NACRE_PAGES_STEP_WORD(name, word) { NACRE_PAGES_STEP_##name, word },
#define NACRE_NO_WORD { -1, NULL }

TRACE_EVENT(nacre_conn_state,
	TP_PROTO(unsigned int fs, unsigned int role, unsigned int peer, u32 generation,
		 const char *from, const char *event, const char *to, int reason),
	TP_ARGS(fs, role, peer, generation, from, event, to, reason),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(unsigned int, role)
		__field(unsigned int, peer)
		__field(u32, generation)
		__string(from, from)
		__string(event, event)
		__string(to, to)
		__field(int, reason)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->role = role;
		__entry->peer = peer;
		__entry->generation = generation;
		__assign_str(from);
		__assign_str(event);
		__assign_str(to);
		__entry->reason = reason;
	),
	TP_printk("fs=%u %s.%u gen=%u %s --%s--> %s reason=%d",
		  __entry->fs,
		  __print_symbolic(__entry->role, { 2, "mds" }, { 3, "osd" }),
		  __entry->peer, __entry->generation, __get_str(from), __get_str(event),
		  __get_str(to), __entry->reason)
);

TRACE_EVENT(nacre_frame,
	TP_PROTO(unsigned int fs, unsigned int role, unsigned int peer, bool sent,
		 const char *name, u64 seq, u32 body_bytes, u32 data_bytes),
	TP_ARGS(fs, role, peer, sent, name, seq, body_bytes, data_bytes),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(unsigned int, role)
		__field(unsigned int, peer)
		__field(bool, sent)
		__string(name, name)
		__field(u64, seq)
		__field(u32, body_bytes)
		__field(u32, data_bytes)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->role = role;
		__entry->peer = peer;
		__entry->sent = sent;
		__assign_str(name);
		__entry->seq = seq;
		__entry->body_bytes = body_bytes;
		__entry->data_bytes = data_bytes;
	),
	TP_printk("fs=%u %s.%u %s %s seq=%llu body=%u data=%u",
		  __entry->fs,
		  __print_symbolic(__entry->role, { 2, "mds" }, { 3, "osd" }),
		  __entry->peer, __entry->sent ? "out" : "in", __get_str(name),
		  __entry->seq, __entry->body_bytes, __entry->data_bytes)
);

TRACE_EVENT(nacre_osd_io,
	TP_PROTO(unsigned int fs, int step, u64 tid, u64 ino, u64 index, unsigned int code,
		 u64 offset, u64 length, int osd, int result),
	TP_ARGS(fs, step, tid, ino, index, code, offset, length, osd, result),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(int, step)
		__field(u64, tid)
		__field(u64, ino)
		__field(u64, index)
		__field(unsigned int, code)
		__field(u64, offset)
		__field(u64, length)
		__field(int, osd)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->step = step;
		__entry->tid = tid;
		__entry->ino = ino;
		__entry->index = index;
		__entry->code = code;
		__entry->offset = offset;
		__entry->length = length;
		__entry->osd = osd;
		__entry->result = result;
	),
	TP_printk("fs=%u %s tid=%llu object=%llx.%llu code=%u [%llu,+%llu) osd=%d result=%d",
		  __entry->fs,
		  __print_symbolic(__entry->step, NACRE_OSD_STEPS(NACRE_OSD_STEP_WORD) NACRE_NO_WORD),
		  __entry->tid, __entry->ino, __entry->index, __entry->code,
		  __entry->offset, __entry->length, __entry->osd, __entry->result)
);

/* One step of the cap machine of an inode; event and state in its own words. */
TRACE_EVENT(nacre_cap,
	TP_PROTO(unsigned int fs, u64 ino, const char *event, const char *state, u32 issued,
		 u32 held, u32 wanted, u32 used, u32 dirty, u32 flushing, u32 actions),
	TP_ARGS(fs, ino, event, state, issued, held, wanted, used, dirty, flushing, actions),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(u64, ino)
		__string(event, event)
		__string(state, state)
		__field(u32, issued)
		__field(u32, held)
		__field(u32, wanted)
		__field(u32, used)
		__field(u32, dirty)
		__field(u32, flushing)
		__field(u32, actions)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->ino = ino;
		__assign_str(event);
		__assign_str(state);
		__entry->issued = issued;
		__entry->held = held;
		__entry->wanted = wanted;
		__entry->used = used;
		__entry->dirty = dirty;
		__entry->flushing = flushing;
		__entry->actions = actions;
	),
	TP_printk("fs=%u ino=%llx %s -> %s issued=%x held=%x wanted=%x used=%x dirty=%x flushing=%x actions=%x",
		  __entry->fs, __entry->ino, __get_str(event), __get_str(state),
		  __entry->issued, __entry->held, __entry->wanted, __entry->used,
		  __entry->dirty, __entry->flushing, __entry->actions)
);

/* `name` is the message's name in the table. */
TRACE_EVENT(nacre_mds_request,
	TP_PROTO(unsigned int fs, int step, u64 tid, const char *name, u64 ino, u64 applied,
		 int result),
	TP_ARGS(fs, step, tid, name, ino, applied, result),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(int, step)
		__field(u64, tid)
		__string(name, name)
		__field(u64, ino)
		__field(u64, applied)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->step = step;
		__entry->tid = tid;
		__assign_str(name);
		__entry->ino = ino;
		__entry->applied = applied;
		__entry->result = result;
	),
	TP_printk("fs=%u %s tid=%llu %s ino=%llx applied=%llu result=%d",
		  __entry->fs,
		  __print_symbolic(__entry->step, NACRE_MDS_STEPS(NACRE_MDS_STEP_WORD) NACRE_NO_WORD),
		  __entry->tid, __get_str(name), __entry->ino, __entry->applied, __entry->result)
);

TRACE_EVENT(nacre_pages,
	TP_PROTO(unsigned int fs, u64 ino, int step, u64 start, u64 length, long result),
	TP_ARGS(fs, ino, step, start, length, result),
	TP_STRUCT__entry(
		__field(unsigned int, fs)
		__field(u64, ino)
		__field(int, step)
		__field(u64, start)
		__field(u64, length)
		__field(long, result)
	),
	TP_fast_assign(
		__entry->fs = fs;
		__entry->ino = ino;
		__entry->step = step;
		__entry->start = start;
		__entry->length = length;
		__entry->result = result;
	),
	TP_printk("fs=%u ino=%llx %s [%llu,+%llu) result=%ld",
		  __entry->fs, __entry->ino,
		  __print_symbolic(__entry->step,
				   NACRE_PAGES_STEPS(NACRE_PAGES_STEP_WORD) NACRE_NO_WORD),
		  __entry->start, __entry->length, __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kernel
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
