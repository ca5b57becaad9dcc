/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the io_uring implementation share: the ring, the operation
 * that a completion is led back to, and the lists of what is open.
 *
 *	uring.c		the loop: completions → tasks → timers → submit and wait
 *	uring_net.c	sockets and listeners		uring_stream.c	byte streams
 *	uring_disk.c	files and block devices		uring_helpers.c	blocking jobs
 *	uring_folder.c	names that appear in folders
 *
 * One thread; only uring_helpers.c knows others.
 */
#ifndef NACRE_URING_RING_H
#define NACRE_URING_RING_H

#include <liburing.h>
#include <pthread.h>
#include "io.h"
#include "stats.h"
#include "timers.h"
#include "uring.h"

struct uring;

/* One submission; its address is the completion's user data. */
struct uring_op {
	void (*complete)(struct uring *u, struct uring_op *op, int result, unsigned int flags);
};

#define URING_COUNTERS(C)							\
	C(turns, "turns of the loop, a system call each")			\
	C(completions, "completions seen")					\
	C(net_received_bytes, "bytes received from sockets")			\
	C(net_sent_bytes, "bytes sent to sockets")				\
	C(net_accepted, "connections accepted")					\
	C(net_starved, "receives that found no free buffer")			\
	C(disk_reads, "disk reads")						\
	C(disk_bytes_read, "bytes read from disk")				\
	C(disk_writes, "disk writes")						\
	C(disk_bytes_written, "bytes written to disk")				\
	C(disk_syncs, "disk flushes, alone or linked to a write")		\
	C(disk_discards, "ranges given back")					\
	C(disk_overdue, "disk operations that passed their deadline")		\
	C(jobs, "blocking jobs done by helper threads")
STATS_STRUCT(uring_counters, URING_COUNTERS);

#define URING_FILES 16			/* registered files at most */

struct uring_queue {
	struct uring_helpers *helpers;
	pthread_cond_t more;
	struct io_job *head, **tail;	/* helpers->lock */
};

struct uring_helpers {
	pthread_t *threads;		/* the first takes urgent jobs only */
	unsigned int count;
	pthread_mutex_t lock;		/* protects the queues, `done` and `stop` */
	struct uring_queue todo, urgent;
	struct io_job *done, **done_tail;
	bool stop;
	int event_fd;			/* written by helpers when `done` is not empty */
	uint64_t event_value;
	struct uring_op event_op;
};

struct uring {
	struct io io;
	struct io_uring ring;
	struct uring_counters counters;
	struct stats_set stats;
	struct timers timers;
	struct io_task *tasks, **tasks_tail;
	uint64_t random_state[4];
	uint32_t time_scale_percent;
	size_t in_flight;		/* operations whose last completion has not come */
	bool stopping;
	bool dying;			/* being destroyed: nobody is called back */
	/* receive buffers, provided to the kernel */
	struct io_uring_buf_ring *buffer_ring;
	size_t buffer_ring_bytes;
	uint8_t *buffers;
	unsigned int buffer_count, buffer_bytes;
	struct io_stream *streams;
	struct io_listener *listeners;
	struct io_folder *folders;
	/* disk */
	struct io_file *files[URING_FILES];
	bool files_registered;
	struct __kernel_timespec disk_deadline;
	struct uring_op deadline_op;
	struct uring_disk *disk_free;	/* spare ones */
	struct uring_helpers helpers;
	/* signals */
	int signal_fd;
	void (*on_signal)(void *owner, int signal);
	void *signal_owner;
	struct uring_op signal_op;
	uint8_t signal_buffer[128];
};

static inline struct uring *uring_of(struct io *io) { return (struct uring *)io; }

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

/* A submission entry that completes into `op`; never NULL. */
struct io_uring_sqe *uring_sqe(struct uring *u, struct uring_op *op);
/* Make room for `count` entries that must go in together (a chain of links). */
void uring_sqe_reserve(struct uring *u, unsigned int count);
/* Cancel what was submitted with `op`, if it is still under way. */
void uring_cancel(struct uring *u, struct uring_op *op);
void uring_defer(struct io *io, struct io_task *task);

/* uring_net.c */
int uring_listen(struct io *io, const struct io_address *address,
		 void (*accepted)(void *, struct io_stream *, const struct io_address *),
		 void *owner, struct io_listener **ret_listener);
int uring_listen_path(struct io *io, const char *path,
		      void (*accepted)(void *, struct io_stream *, const struct io_address *),
		      void *owner, struct io_listener **ret_listener);
uint16_t uring_listener_port(struct io_listener *listener);
void uring_listener_close(struct io_listener *listener);
void uring_listeners_free(struct uring *u);
/* A connected socket's options: no delay, notice dead peers. */
void uring_socket_options(const struct uring *u, int fd);
union uring_sockaddr;
int uring_socket_for(const struct io_address *address, union uring_sockaddr *ret_name,
		     socklen_t *ret_length);

/* uring_stream.c */
struct io_stream *uring_stream_create(struct uring *u, int fd);
int uring_connect(struct io *io, const struct io_address *address,
		  const struct io_stream_events *events, void *owner,
		  struct io_stream **ret_stream);
void uring_stream_attach(struct io_stream *stream, const struct io_stream_events *events,
			 void *owner);
void uring_stream_send(struct io_stream *stream, struct io_send *send);
void uring_stream_pause(struct io_stream *stream, bool paused);
void uring_stream_close(struct io_stream *stream);
void uring_streams_free(struct uring *u);
void uring_buffer_recycle(struct uring *u, unsigned int id);

/* uring_folder.c */
int uring_folder_watch(struct io *io, const char *path, void (*named)(void *owner, const char *name),
		       void *owner, struct io_folder **ret_folder);
void uring_folder_close(struct io_folder *folder);
void uring_folders_free(struct uring *u);

/* uring_disk.c */
int uring_file_open(struct io *io, const char *path, struct io_file **ret_file);
uint64_t uring_file_bytes(struct io_file *file);
void uring_file_close(struct io_file *file);
void uring_disk_submit(struct io *io, struct io_disk *disk);
void uring_deadline_passed(struct uring *u, struct uring_op *op, int result, unsigned int flags);
void uring_disk_free(struct uring *u);

/* uring_helpers.c */
int uring_helpers_start(struct uring *u, unsigned int count);
void uring_helpers_stop(struct uring *u);
void uring_offload(struct io *io, struct io_job *job);

#endif
