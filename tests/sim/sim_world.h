/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A simulated world: one virtual clock, one queue of what happens next, and
 * the hosts on which daemons and clients live. Everything is single-threaded
 * and a function of the seed.
 *
 * A host is one process on one machine: a struct io for its program, and disks
 * that outlive the program. Crashing a host makes everything that was to be
 * called there vanish without a call; its memory is left to the end of the
 * history (each history runs in a process of its own), as nothing of it may
 * run on. A paused host keeps its state and is called late.
 *
 * sim_io.c implements struct io on this, with sim_net.c and sim_disk.c.
 */
#ifndef NACRE_SIM_WORLD_H
#define NACRE_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/io.h"
#include "sim_random.h"

#define SIM_NS_PER_US 1000ull
#define SIM_NS_PER_MS 1000000ull
#define SIM_NS_PER_S 1000000000ull
#define SIM_HOSTS_MAX 24
#define SIM_NOTES_MAX 4096		/* a power of two */
#define SIM_WATCH_EVENTS 64

/* What goes wrong, and how often. Chances are per million of the thing named. */
#define SIM_FAULTS(F)								\
	F(net_min_us, 20, "shortest time of flight")				\
	F(net_max_us, 300, "usual longest time of flight")			\
	F(net_slow_ppm, 0, "sends that take up to 200 times as long")		\
	F(net_split_ppm, 0, "sends delivered in two pieces")			\
	F(net_drop_ppm, 0, "sends that are lost")				\
	F(net_duplicate_ppm, 0, "sends that arrive twice")			\
	F(net_swap_ppm, 0, "sends overtaken by the next one")			\
	F(net_corrupt_ppm, 0, "sends with a flipped bit")			\
	F(net_reset_ppm, 0, "sends that reset the connection")			\
	F(net_timeout_ms, 15000, "a stream that gets nothing through for so long breaks") \
	F(disk_read_us, 200, "longest disk read")				\
	F(disk_write_us, 60, "longest disk write")				\
	F(disk_sync_us, 900, "longest disk sync")				\
	F(disk_slow_ppm, 0, "disk operations that take up to 100 times as long") \
	F(offload_us, 300, "longest job of a helper thread")			\
	F(store_us, 1500, "longest answer of the map store")			\
	F(store_watch_us, 20000, "longest delay of a map store's watch")

#define SIM_FAULT_FIELD(name, value, doc) uint32_t name;
struct sim_faults {
	SIM_FAULTS(SIM_FAULT_FIELD)
};

struct sim_world;
struct sim_host;
struct sim_file;

/* One thing that will happen; embedded in what it is about. Queued: heap_index != 0. */
struct sim_event {
	void (*run)(struct sim_event *event);
	size_t heap_index;
};

/* One line of the flight recorder. */
struct sim_note {
	uint64_t at_ns;
	const char *host;		/* name, or "world" */
	const char *what;		/* literal */
	uint64_t a, b;
};

struct sim_host {
	struct io io;			/* first: the host's program sees only this */
	struct sim_world *world;
	unsigned int id;
	char name[24];
	struct io_address address;	/* port 0 */
	bool up;
	unsigned int life;		/* counts crashes */
	uint64_t paused_until_ns;	/* world's clock; 0 = runs */
	uint64_t clock_offset_ns;	/* its CLOCK_BOOTTIME is so far ahead of the world's */
	int64_t wall_offset_ns;		/* its idea of the date is wrong by so much */
	uint16_t next_port;
	struct sim_random random;
	struct io_task *tasks, **tasks_tail;
	struct sim_event tasks_event;
	struct io_listener *listeners;
	struct io_stream *streams;
	struct sim_file *files;		/* outlive crashes */
};

struct sim_node;

struct sim_world {
	uint64_t now_ns;
	uint64_t order;			/* of the next queued event; breaks ties */
	uint64_t seed;
	struct sim_random random;
	struct sim_faults faults;
	struct sim_node *heap;		/* [1..heap_count] */
	size_t heap_count, heap_room;
	struct sim_host *hosts[SIM_HOSTS_MAX];
	unsigned int host_count;
	/* until when no byte gets from host a to host b; UINT64_MAX = until healed */
	uint64_t cut_until_ns[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
	uint64_t hash;			/* of all that happened; equal for equal seeds */
	uint64_t events_run;
	struct sim_note notes[SIM_NOTES_MAX];
	uint64_t note_count;
	bool trace;			/* print notes as they come */
	bool stop;			/* set by anyone to leave sim_run() */
	void (*watch)(void *owner);	/* looks on, after every so many events; NULL: nobody does */
	void *watch_owner;
};

struct sim_world *sim_world_create(uint64_t seed);
void sim_world_destroy(struct sim_world *world);

/* Add a host; it is up. Its address is 10.0.0.<id + 1>. */
struct sim_host *sim_host_add(struct sim_world *world, const char *name);
static inline struct sim_host *sim_host_of(struct io *io) { return (struct sim_host *)io; }
static inline struct io *sim_host_io(struct sim_host *host) { return &host->io; }

enum sim_crash {
	SIM_CRASH_KILL,			/* the process dies: finished writes stay, peers get a reset */
	SIM_CRASH_POWER,		/* the machine dies: unsynced writes may be lost or torn, peers hear nothing */
};
void sim_host_crash(struct sim_host *host, enum sim_crash kind);
/* The host can run a new program. */
void sim_host_restart(struct sim_host *host);
/* Nothing runs there for so long; its clocks go on. */
void sim_host_pause(struct sim_host *host, uint64_t duration_ns);

/* No byte passes between two hosts, either way, for so long. */
void sim_partition(struct sim_host *a, struct sim_host *b, uint64_t duration_ns);
/* All partitions and pauses end now. */
void sim_heal(struct sim_world *world);

/* Queue an event on a host (NULL: the world itself) at the world's time; moves it when queued. */
void sim_event_at(struct sim_world *world, struct sim_host *host, struct sim_event *event,
		  uint64_t at_ns);
void sim_event_cancel(struct sim_world *world, struct sim_event *event);
/* The same for an io_timer, whose struct belongs to the host's program. */
void sim_timer_at(struct sim_world *world, struct sim_host *host, struct io_timer *timer,
		  uint64_t at_ns);
void sim_timer_cancel(struct sim_world *world, struct io_timer *timer);
/* Forget all that is queued for a host. */
void sim_events_forget(struct sim_world *world, struct sim_host *host);

/*
 * Run until the clock passes `until_ns`, `stop` is set, or nothing is left to
 * happen. True when stopped.
 */
bool sim_run(struct sim_world *world, uint64_t until_ns);

/* Record what happens: into the hash, the flight recorder, and the trace. `what` is a literal. */
void sim_note(struct sim_world *world, const struct sim_host *host, const char *what, uint64_t a,
	      uint64_t b);
/* Only into the hash. */
void sim_mix(struct sim_world *world, uint64_t value);
/* Print the newest `count` notes to standard error. */
void sim_notes_print(const struct sim_world *world, unsigned int count);

/* sim_io.c: the struct io of a host. */
extern const struct io_ops sim_io_ops;

#endif
