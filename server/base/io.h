/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam: clock, random numbers, timers, network and disk, as the servers
 * see them. All that is not a function of received bytes comes through here,
 * so that the same server code runs on a machine and in the simulator.
 *
 * One struct io belongs to one thread, which runs its loop; nothing here may be
 * called from another thread. Completions and timers are called from the top
 * of the loop, never from inside a call made here: no recursion. Completion
 * objects are embedded in the caller's structures and stay untouched by the
 * caller until their callback has run.
 *
 * Implementations: loop.h (this machine: on io_uring, or on epoll and libaio),
 * tests/sim/sim_io.c (deterministic).
 */
#ifndef NACRE_IO_H
#define NACRE_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct io;

/* Work for the top of the loop; runs in the order queued. Idle: queued == false. */
struct io_task {
	void (*run)(struct io_task *task);
	struct io_task *next;
	bool queued;
};

/* A timer fires once. Armed: heap_index != 0. */
struct io_timer {
	void (*fire)(struct io_timer *timer);
	uint64_t at_ns;			/* on io_now's clock */
	uint64_t order;			/* breaks ties: first armed fires first */
	size_t heap_index;
};

/* Work that blocks, done by a helper thread; `done` runs at the top of the loop. */
struct io_job {
	void (*work)(struct io_job *job);	/* may block; touches nothing shared */
	void (*done)(struct io_job *job);
	struct io_job *next;
	bool urgent;				/* short, and must not wait behind others */
};

struct io_address {
	uint8_t ip[16];			/* IPv6; IPv4 as ::ffff:a.b.c.d */
	uint16_t port;			/* host order */
};

struct io_stream;
struct io_listener;
struct io_folder;

/* What a byte stream tells its owner. `closed` is the last call, made exactly once. */
struct io_stream_events {
	void (*opened)(void *owner);			/* an io_connect succeeded */
	void (*received)(void *owner, const uint8_t *bytes, size_t length);
							/* bytes valid during the call only */
	void (*closed)(void *owner, int reason);	/* 0 = peer closed, else -errno */
};

/* One gathered send; sends of a stream go out in order. */
struct io_send {
	const struct iovec *iov;	/* caller's, untouched until done */
	unsigned int iov_count;
	void (*done)(struct io_send *send, int result);	/* 0, or -errno when the stream ended */
	struct io_send *next;		/* implementation's */
	size_t sent;			/* implementation's */
};

struct io_file;

enum io_disk_kind {
	IO_DISK_READ,
	IO_DISK_WRITE,
	IO_DISK_SYNC,			/* all finished writes of this file are durable after it */
	IO_DISK_DISCARD,		/* the range need not be kept: what it reads as is undefined. -EOPNOTSUPP: the device knows no such thing */
};

/* One disk operation. Buffers, offsets and lengths are multiples of IO_DISK_ALIGN; only a WRITE's last length may be less (io_file_units). */
#define IO_DISK_ALIGN 4096u

/* What the length of a write is a multiple of (powers of two, at most IO_DISK_ALIGN), and a discard should be aligned to. */
struct io_units {
	uint32_t least;			/* the system refuses less */
	uint32_t sector;		/* the device's physical sector: of one that is written in part it has to read the rest; at least `least` */
	uint32_t discard;		/* what it gives back as a whole, a multiple of IO_DISK_ALIGN, not always a power of two; 0: nothing */
};

struct io_disk {
	enum io_disk_kind kind;
	struct io_file *file;
	const struct iovec *iov;	/* READ, WRITE: caller's, untouched until done */
	unsigned int iov_count;
	uint64_t offset;
	uint64_t length;		/* DISCARD */
	bool sync;			/* WRITE: linked with a SYNC, done when durable */
	void (*done)(struct io_disk *disk, int result);	/* 0 (all of it), or -errno */
	struct io_disk *next;		/* implementation's */
	void *private;			/* implementation's */
};

struct io_ops {
	const char *name;
	uint64_t (*now_ns)(struct io *io);
	uint64_t (*wall_ns)(struct io *io);
	uint64_t (*random)(struct io *io);
	void (*timer_arm)(struct io *io, struct io_timer *timer, uint64_t at_ns);
	void (*timer_cancel)(struct io *io, struct io_timer *timer);
	void (*defer)(struct io *io, struct io_task *task);
	void (*offload)(struct io *io, struct io_job *job);
	int (*listen)(struct io *io, const struct io_address *address,
		      void (*accepted)(void *owner, struct io_stream *stream,
				       const struct io_address *peer),
		      void *owner, struct io_listener **ret_listener);
	int (*listen_path)(struct io *io, const char *path,
			   void (*accepted)(void *owner, struct io_stream *stream,
					    const struct io_address *peer),
			   void *owner, struct io_listener **ret_listener);
	uint16_t (*listener_port)(struct io_listener *listener);
	void (*listener_close)(struct io_listener *listener);
	int (*connect)(struct io *io, const struct io_address *address,
		       const struct io_stream_events *events, void *owner,
		       struct io_stream **ret_stream);
	void (*stream_attach)(struct io_stream *stream, const struct io_stream_events *events,
			      void *owner);
	void (*stream_send)(struct io_stream *stream, struct io_send *send);
	void (*stream_pause)(struct io_stream *stream, bool paused);
	void (*stream_close)(struct io_stream *stream);
	int (*folder_watch)(struct io *io, const char *path, void (*named)(void *owner, const char *name),
			    void *owner, struct io_folder **ret_folder);
	void (*folder_close)(struct io_folder *folder);
	int (*file_open)(struct io *io, const char *path, struct io_file **ret_file);
	uint64_t (*file_bytes)(struct io_file *file);
	struct io_units (*file_units)(const struct io_file *file);
	void (*file_close)(struct io_file *file);
	void (*disk)(struct io *io, struct io_disk *disk);
};

/* The first member of every implementation. */
struct io {
	const struct io_ops *ops;
};

/* Nanoseconds that never go back and count sleep (CLOCK_BOOTTIME). */
static inline uint64_t io_now(struct io *io) { return io->ops->now_ns(io); }
/* Nanoseconds since 1970, for timestamps only. */
static inline uint64_t io_wall(struct io *io) { return io->ops->wall_ns(io); }
static inline uint64_t io_random(struct io *io) { return io->ops->random(io); }

/* Arm (or move) a timer; a time in the past fires at the next turn. */
static inline void io_timer_arm(struct io *io, struct io_timer *timer, uint64_t at_ns)
{
	io->ops->timer_arm(io, timer, at_ns);
}
/* Harmless when not armed. */
static inline void io_timer_cancel(struct io *io, struct io_timer *timer)
{
	io->ops->timer_cancel(io, timer);
}
/* Harmless when already queued. */
static inline void io_defer(struct io *io, struct io_task *task) { io->ops->defer(io, task); }
static inline void io_offload(struct io *io, struct io_job *job) { io->ops->offload(io, job); }

/*
 * Listen on a TCP address (port 0: any). An accepted stream delivers nothing
 * until io_stream_attach() names its owner, which `accepted` must do or close it.
 * 0 or -errno.
 */
static inline int io_listen(struct io *io, const struct io_address *address,
			    void (*accepted)(void *, struct io_stream *, const struct io_address *),
			    void *owner, struct io_listener **ret_listener)
{
	return io->ops->listen(io, address, accepted, owner, ret_listener);
}
/* The same on a UNIX socket (mode 0600; a stale socket file is replaced). */
static inline int io_listen_path(struct io *io, const char *path,
				 void (*accepted)(void *, struct io_stream *,
						  const struct io_address *),
				 void *owner, struct io_listener **ret_listener)
{
	return io->ops->listen_path(io, path, accepted, owner, ret_listener);
}
static inline uint16_t io_listener_port(struct io *io, struct io_listener *listener)
{
	return io->ops->listener_port(listener);
}
static inline void io_listener_close(struct io *io, struct io_listener *listener)
{
	io->ops->listener_close(listener);
}
/* Begin to connect; `opened` or `closed` follows. */
static inline int io_connect(struct io *io, const struct io_address *address,
			     const struct io_stream_events *events, void *owner,
			     struct io_stream **ret_stream)
{
	return io->ops->connect(io, address, events, owner, ret_stream);
}
static inline void io_stream_attach(struct io *io, struct io_stream *stream,
				    const struct io_stream_events *events, void *owner)
{
	io->ops->stream_attach(stream, events, owner);
}
static inline void io_stream_send(struct io *io, struct io_stream *stream, struct io_send *send)
{
	io->ops->stream_send(stream, send);
}
/* Stop or go on delivering received bytes (back-pressure). */
static inline void io_stream_pause(struct io *io, struct io_stream *stream, bool paused)
{
	io->ops->stream_pause(stream, paused);
}
/* Ends the stream; pending sends end with -ECANCELED, then `closed` follows. */
static inline void io_stream_close(struct io *io, struct io_stream *stream)
{
	io->ops->stream_close(stream);
}

/*
 * Tell of every name that appears in a folder; an empty name: some may have been missed. 0, or -errno: whoever
 * wants to know has to look (NULL in ops: the same).
 */
static inline int io_folder_watch(struct io *io, const char *path,
				  void (*named)(void *owner, const char *name), void *owner,
				  struct io_folder **ret_folder)
{
	return io->ops->folder_watch ?
	       io->ops->folder_watch(io, path, named, owner, ret_folder) : -ENOSYS;
}
/* NULL is harmless. */
static inline void io_folder_close(struct io *io, struct io_folder *folder)
{
	if (folder)
		io->ops->folder_close(folder);
}

/* Open a file or block device for direct I/O. At start-up only: it may block. 0 or -errno. */
static inline int io_file_open(struct io *io, const char *path, struct io_file **ret_file)
{
	return io->ops->file_open(io, path, ret_file);
}
static inline uint64_t io_file_bytes(struct io *io, struct io_file *file)
{
	return io->ops->file_bytes(file);
}
static inline struct io_units io_file_units(struct io *io, const struct io_file *file)
{
	return io->ops->file_units(file);
}
static inline void io_file_close(struct io *io, struct io_file *file)
{
	io->ops->file_close(file);
}
static inline void io_disk_submit(struct io *io, struct io_disk *disk) { io->ops->disk(io, disk); }

/* Parse "1.2.3.4", "1.2.3.4:7270", "[::1]:7270"; the default port where none is named. 0 or -EINVAL. */
int io_address_parse(const char *text, uint16_t default_port, struct io_address *ret_address);
/* Print it, at most 56 bytes with the terminator; returns buffer. */
#define IO_ADDRESS_TEXT_BYTES 56
const char *io_address_print(const struct io_address *address, char *buffer);

#endif
