/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of a loop share: its state, and what a driver has to do.
 *
 *	loop.c		turns: completions → tasks → timers → hand over and wait; signals
 *	loop_create.c	which driver; life and death
 *	helpers.c	blocking jobs		sockets.c	addresses, options, names
 *	listener.c	listening		stream.c	byte streams
 *	disk.c		files and the life of a disk operation
 *	folder.c	names that appear in folders
 *
 *	uring*.c	the driver on io_uring	epoll*.c aio_disk.c	the driver on epoll and libaio
 *
 * The common half owns states, queues and whom to call; a driver only starts what the system has
 * to do and leads the results back. One thread; only helpers.c knows others.
 */
#ifndef NACRE_LOOP_CORE_H
#define NACRE_LOOP_CORE_H

#include <pthread.h>
#include "io.h"
#include "loop.h"
#include "stats.h"
#include "timers.h"

#define container(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

struct loop;
struct loop_disk;

/* What a completion is led back to: its address is the user data of a submission or a registration. */
struct loop_op {
	/* io_uring: a completion's result and flags. epoll: the events. */
	void (*complete)(struct loop *loop, struct loop_op *op, int result, unsigned int flags);
};

/* A descriptor that is looked after for as long as there is a loop: eventfd, signalfd, inotify. */
struct loop_watch {
	int fd;
	void *buffer;			/* it is read to here: `bytes`, whole; NULL: `ready` reads itself */
	unsigned int bytes;
	void (*ready)(struct loop *loop, struct loop_watch *watch);
	void (*ended)(struct loop_watch *watch);	/* unwatched: it may be freed */
	/* the driver's */
	struct loop_op op;
	struct io_task end;
	bool ending;
};

#define LOOP_COUNTERS(C)							\
	C(turns, "turns of the loop, a system call each at least")		\
	C(longest_turn_us, "longest turn, from one wait to the next, in microseconds")	\
	C(longest_turn_cpu_us, "the same in CPU time of the thread: without what other threads had of the CPU") \
	C(completions, "completions seen")					\
	C(longest_disk_us, "longest disk operation, its flush included")	\
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
	C(disk_helped, "steps of disk operations that a helper thread had to do")	\
	C(jobs, "blocking jobs done by helper threads")
STATS_STRUCT(loop_counters, LOOP_COUNTERS);

/* ---- helper threads ------------------------------------------------------------------------- */

struct helpers_queue {
	struct helpers *helpers;
	pthread_cond_t more;
	struct io_job *head, **tail;	/* helpers->lock */
};

struct helpers {
	struct loop *loop;
	uint64_t *counter;		/* of jobs done */
	pthread_t *threads;		/* NULL: not started */
	unsigned int count;
	pthread_mutex_t lock;		/* protects the queues, `done` and `stop` */
	struct helpers_queue todo, urgent;
	struct io_job *done, **done_tail;
	bool stop;
	struct loop_watch watch;	/* of an eventfd, written by helpers when `done` is not empty */
	uint64_t event_value;
};

/* `count` threads, and one more for urgent jobs only where wanted. 0 or -errno. */
int helpers_start(struct helpers *helpers, struct loop *loop, unsigned int count, bool urgent,
		  uint64_t *counter);
/* Harmless when not started. Jobs already given are done and their `done` called. */
void helpers_stop(struct helpers *helpers);
void helpers_give(struct helpers *helpers, struct io_job *job);
/* True: no helper had begun with it, and none will; its `done` is not called. */
bool helpers_take_back(struct helpers *helpers, struct io_job *job);
void loop_offload(struct io *io, struct io_job *job);

/* ---- the driver ----------------------------------------------------------------------------- */

struct loop_driver {
	const char *name;
	size_t loop_bytes, listener_bytes, stream_bytes, disk_bytes;	/* each begins with the common one */

	int (*init)(struct loop *loop, const struct loop_config *config);
	/* End what is under way, so that the system writes into no memory that is freed. */
	void (*drain)(struct loop *loop);
	/* The last call; also after an init that failed. */
	void (*exit)(struct loop *loop);

	/* Lead completions back, a bounded number (TIME-1). */
	void (*complete)(struct loop *loop);
	/* Hand over what was prepared; wait for a completion until io_now is `until_ns`; 0: do not wait. */
	void (*wait)(struct loop *loop, uint64_t until_ns);
	int (*watch)(struct loop *loop, struct loop_watch *watch);
	void (*unwatch)(struct loop *loop, struct loop_watch *watch);	/* its `ended` follows */

	/* Begin to accept (loop_listener_took() gets each socket). */
	int (*accept_start)(struct io_listener *listener);
	/* It has been shut down: no more. loop_listener_free(), at once or when the system is done with it. */
	void (*accept_stop)(struct io_listener *listener);
	void (*listener_exit)(struct io_listener *listener);	/* its descriptor is closed next; may be NULL */

	/* A new stream's own half. `name`: connect to it (loop_stream_connected() follows). 0 or -errno. */
	int (*stream_init)(struct io_stream *stream, const void *name, unsigned int name_bytes);
	/* Go on with receiving (loop_stream_received()) and with sending; from the stream's task. */
	void (*stream_receive)(struct io_stream *stream);
	void (*stream_send)(struct io_stream *stream);
	/* It is paused, or has ended: no more is to be received. */
	void (*stream_quiet)(struct io_stream *stream);
	/* Nothing of an ended stream is left with the system. */
	bool (*stream_idle)(const struct io_stream *stream);
	void (*stream_exit)(struct io_stream *stream);	/* its descriptor is closed next; may be NULL */

	int (*file_init)(struct io_file *file);
	void (*file_exit)(struct io_file *file);		/* may be NULL */
	/* Begin an operation that is filled in; loop_disk_finish() ends it. */
	void (*disk_start)(struct loop_disk *d);
};

extern const struct loop_driver uring_driver, epoll_driver;

/* ---- the loop ------------------------------------------------------------------------------- */

struct loop {
	struct io io;
	struct io_ops ops;		/* of io, with the driver's name */
	const struct loop_driver *driver;
	const char *fallback;		/* why not io_uring; NULL: nobody wonders */
	struct loop_counters counters;
	struct stats_set stats;
	struct timers timers;
	struct io_task *tasks, **tasks_tail;
	uint64_t random_state[4];
	bool stopping;
	bool dying;			/* being destroyed: nobody is called back */
	uint32_t time_scale_percent;
	uint64_t deadline_ns;		/* of disk operations, scaled */
	struct io_stream *streams;
	struct io_listener *listeners;
	struct io_folder *folders;
	struct io_file *files;
	struct loop_disk *disk_spare;
	struct helpers helpers;
	/* signals */
	struct loop_watch signals;	/* fd -1: not asked for */
	void (*on_signal)(void *owner, int signal);
	void *signal_owner;
	uint8_t signal_buffer[128];
};

static inline struct loop *loop_of(struct io *io) { return (struct loop *)io; }

extern const struct io_ops loop_ops;
extern const struct stats_row loop_counter_rows[];
void loop_defer(struct io *io, struct io_task *task);

int loop_folder_watch(struct io *io, const char *path, void (*named)(void *owner, const char *name),
		      void *owner, struct io_folder **ret_folder);
void loop_folder_close(struct io_folder *folder);

/* Open streams, listeners, folders, files, spare operations: at the loop's end. */
void loop_streams_free(struct loop *loop);
void loop_listeners_free(struct loop *loop);
void loop_folders_free(struct loop *loop);
void loop_disk_free(struct loop *loop);

#endif
