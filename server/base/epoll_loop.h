/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the epoll driver share.
 *
 *	epoll.c		the loop's waiting: epoll, a timerfd, watched descriptors
 *	epoll_net.c	accepting and streams		aio_disk.c	disk operations
 */
#ifndef NACRE_EPOLL_LOOP_H
#define NACRE_EPOLL_LOOP_H

#include <libaio.h>
#include <sys/epoll.h>
#include "loop_disk.h"
#include "loop_net.h"

#define EPOLL_EVENTS 256		/* of one turn (TIME-1) */

struct aio_disk;

/* Disk operations: those in a kernel context, those with helpers, those that wait. */
struct aio {
	bool open;			/* a file has been opened */
	io_context_t context;
	unsigned int depth;		/* of the context; 0: there is none, helpers do all */
	unsigned int in_flight;		/* in the context */
	struct aio_disk *waiting, **waiting_tail;	/* for the end of the turn, and for room in the context */
	struct aio_disk *due, **due_tail;	/* all under way that are not overdue, oldest first */
	struct io_timer deadline;	/* of the oldest; may fire early */
	struct loop_watch watch;	/* of an eventfd, counting completions */
	uint64_t event_value;
	struct helpers helpers;		/* of disks alone: a database must not hold them up */
};

struct epoll_loop {
	struct loop loop;
	int epoll_fd;
	struct epoll_event events[EPOLL_EVENTS];
	int event_count;		/* reported, not yet led back */
	struct loop_watch timer;	/* of a timerfd */
	uint64_t timer_value;
	uint64_t timer_at_ns;		/* when it fires; UINT64_MAX: it does not */
	uint8_t *buffer;		/* for received bytes, during a call */
	unsigned int buffer_bytes;
	unsigned int entries;		/* wished for the context */
	struct aio aio;
};

static inline struct epoll_loop *epoll_of(struct loop *loop) { return (struct epoll_loop *)loop; }

/* Events of `fd` come to `op`. 0 or -errno. */
int epoll_add(struct loop *loop, int fd, uint32_t events, struct loop_op *op);
void epoll_remove(struct loop *loop, int fd);
int epoll_watch(struct loop *loop, struct loop_watch *watch);

/* epoll_net.c */
struct epoll_listener {
	struct io_listener common;
	struct loop_op op;
	struct io_timer retry;
	struct io_task end;		/* events of this turn may still point to it */
};

struct epoll_stream {
	struct io_stream common;
	struct loop_op op;
	bool readable, writable;	/* as the last edge said, and no call has denied since */
	bool ending;			/* there is an end or an error to be read */
};

int epoll_accept_start(struct io_listener *listener);
void epoll_accept_stop(struct io_listener *listener);
void epoll_listener_exit(struct io_listener *listener);
int epoll_stream_init(struct io_stream *stream, const void *name, unsigned int name_bytes);
void epoll_stream_receive(struct io_stream *stream);
void epoll_stream_send(struct io_stream *stream);
void epoll_stream_quiet(struct io_stream *stream);
bool epoll_stream_idle(const struct io_stream *stream);
void epoll_stream_exit(struct io_stream *stream);

/* aio_disk.c */
int aio_file_init(struct io_file *file);
void aio_disk_start(struct loop_disk *d);
/* Hand over what waits, as far as there is room. */
void aio_submit(struct epoll_loop *e);
void aio_drain(struct epoll_loop *e);
void aio_exit(struct epoll_loop *e);

#endif
