/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the object client: what its files share.
 *
 *	osdc.c		the life of a request from submit to done, maps, instances, barriers
 *	osdc_request.c	a request in the making: operations, inputs, data; results of one answered
 *	osdc_order.c	requests by object and by request id: who may go, what is the oldest
 *	osdc_target.c	which OSD, the connection to it, sending
 *	osdc_reply.c	what an answer means: the end, or later, or with a newer map
 *
 *	submit → QUEUED → BEHIND → READY → PARKED, CONNECTING, LATER ⇄ READY → SENT → DONE
 *
 * Whatever may go is put on the ready list and sent by the work task; whatever
 * has ended is put on the finished list and told by it. So nobody is called back
 * from inside a call.
 */
#ifndef NACRE_OSDC_CORE_H
#define NACRE_OSDC_CORE_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <string.h>
#include "osdc.h"

/*	state, its name in osdc_for_each(), why a request is in it */
#define OSDC_STATES(S)									\
	S(MAKING, "making", "not submitted yet")					\
	S(QUEUED, "queued", "requests_max others are in flight")			\
	S(BEHIND, "behind", "an earlier one on the same object must end first")	\
	S(READY, "ready", "the work task is about to send it")				\
	S(PARKED, "map", "waits for a newer map, an instance, or a primary")		\
	S(CONNECTING, "connecting", "waits for the connection to its OSD")		\
	S(LATER, "later", "its OSD asked to come again, or had no room")		\
	S(SENT, "sent", "waits for the answer")						\
	S(DONE, "done", "ended; its owner is about to be told, or has been")
#define OSDC_STATE_ENUM(NAME, text, why) OSDC_##NAME,
enum osdc_state { OSDC_STATES(OSDC_STATE_ENUM) };

TAILQ_HEAD(osdc_list, osdc_request);
RB_HEAD(osdc_by_object, osdc_request);
RB_HEAD(osdc_by_tid, osdc_request);

/* Pauses, before time_scale. */
#define OSDC_LATER_MS 20		/* the first, doubling … */
#define OSDC_LATER_MAX_MS 1000		/* … up to this; both with a random part */
#define OSDC_ASK_MS 500			/* a newer map is asked for again */
#define OSDC_REDIAL_MS 1000		/* an OSD that refused us is tried again */

struct osdc_target;

struct osdc_request {
	struct osdc *osdc;
	unsigned int references;	/* the owner's, the client's while in flight, one a payload on its way */
	enum osdc_state state;
	TAILQ_ENTRY(osdc_request) age;	/* osdc->all */
	TAILQ_ENTRY(osdc_request) entry; /* in `list` */
	struct osdc_list *list;		/* of its state; NULL: in none */
	RB_ENTRY(osdc_request) object_node;	/* from admission to the end */
	RB_ENTRY(osdc_request) tid_node;	/* from the first send to the end */
	uint64_t seq;			/* order of submission */
	uint64_t submitted_ns, first_sent_ns;
	/* what it is, fixed at submission */
	struct nacre_osd_request body;	/* ops and input point to the buffers below */
	uint8_t ops[NACRE_OSD_OPS_MAX * sizeof(struct nacre_osd_op_wire)];
	unsigned int op_count;
	uint8_t *input;
	size_t input_bytes, input_room;
	struct iovec data[NACRE_OSD_OPS_MAX];	/* each malloc'ed */
	unsigned int data_count;
	uint32_t data_bytes;
	bool writes;
	bool overtakes;			/* a read that goes at once */
	bool by_group;			/* its group is named, not found by its object */
	uint32_t group;
	int error;			/* -errno of the making */
	/* how it fares */
	struct osdc_target *target;	/* CONNECTING, SENT */
	uint64_t need_epoch;		/* an OSD knows so new a map; 0 = any will do */
	uint64_t sent_interval;		/* of its group, when last sent */
	uint64_t sent_instance;		/* ours, when last sent */
	int sent_osd;			/* to whom it was last sent; -1 = never */
	unsigned int attempts;		/* pauses since a map last changed its group */
	struct io_timer timer;		/* LATER */
	/* how it ended */
	uint32_t result;
	struct message *reply;		/* NULL: none came */
	osdc_done done;
	void *owner;
};

/* One OSD that we talk to: made at the first request, gone when it leaves the map. */
struct osdc_target {
	TAILQ_ENTRY(osdc_target) entry;	/* osdc->targets */
	struct osdc *osdc;
	uint16_t id;
	uint64_t instance;		/* as the map says */
	struct io_address address;
	struct conn *conn;		/* NULL: refused; the timer dials again */
	struct osdc_list pending;	/* CONNECTING */
	struct osdc_list sent;		/* SENT, in that order */
	struct io_timer timer;
};

struct osdc {
	struct io *io;
	struct msgr *msgr;
	uint32_t time_scale_percent;
	unsigned int requests_max;
	struct cluster_map *map;	/* NULL: none yet */
	uint64_t instance, barrier;
	uint64_t last_tid, last_seq;
	unsigned int admitted;
	struct osdc_list all;		/* from submit to done, oldest first */
	struct osdc_list queued, ready, parked, finished;
	struct osdc_by_object by_object;
	struct osdc_by_tid by_tid;
	TAILQ_HEAD(, osdc_target) targets;
	struct osdc_target *target_of[NACRE_MAP_OSDS_MAX];
	struct io_task work;
	bool telling;			/* owners are being called: one may destroy us */
	bool dead;			/* destroyed; freed at the end of the task */
	/* asking for maps */
	void (*want_map)(void *owner, uint64_t epoch);
	void *want_owner;
	uint64_t wanted_epoch;		/* 0, or what somebody here waits for */
	uint64_t asked_epoch;		/* asked for last … */
	bool fenced;			/* an OSD, or the map, says that our instance is dead */
	struct io_timer ask_timer;	/* … and again when this fires */
};

/* osdc.c */
uint64_t osdc_scaled_ns(const struct osdc *osdc, uint64_t ms);
/* Change the state and the list that goes with it; NULL: in none. */
void osdc_move(struct osdc_request *request, enum osdc_state state, struct osdc_list *list);
void osdc_make_ready(struct osdc_request *request);
/* Try again after a pause that grows. */
void osdc_make_later(struct osdc_request *request);
/* Wait for a map; `epoch` is what to ask the owner for, 0: nothing. */
void osdc_park(struct osdc_request *request, uint64_t epoch);
void osdc_want(struct osdc *osdc, uint64_t epoch);
/* It has ended: out of everything; the owner is told from the top of the loop. */
void osdc_finish(struct osdc_request *request, uint32_t result);

/* osdc_request.c */
void osdc_request_get(struct osdc_request *request);
void osdc_request_put(struct osdc_request *request);
/* Is it one that an OSD will take? 0 or -errno. */
int osdc_request_check(struct osdc_request *request);

/* osdc_order.c */
/* Take a request in; true: it may go at once. */
bool osdc_order_enter(struct osdc_request *request);
/* Take it out; those behind it that may go now become ready. */
void osdc_order_leave(struct osdc_request *request);
/* Give it a request id, at its first send. */
void osdc_tid_assign(struct osdc_request *request);
/* Every id below this one is finished. */
uint64_t osdc_tid_oldest(struct osdc *osdc);
struct osdc_request *osdc_tid_find(struct osdc *osdc, uint64_t tid);

/* osdc_target.c */
/* Send it, or leave it where it waits for what is missing. */
void osdc_go(struct osdc_request *request);
/* Has the new map moved it: another primary, another interval? */
bool osdc_is_moved(const struct osdc_request *request);
/* Drop connections of OSDs that left or are others now; their requests become ready. */
void osdc_targets_follow_map(struct osdc *osdc);
/* Drop all connections; requests become ready. */
void osdc_targets_drop(struct osdc *osdc);

/* osdc_reply.c */
void osdc_reply(struct osdc_target *target, struct message *message);

#endif
