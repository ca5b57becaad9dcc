/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of the model share; tests include caps_model.h only. */
#ifndef NACRE_TEST_CAPS_MODEL_PARTS_H
#define NACRE_TEST_CAPS_MODEL_PARTS_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "caps_model.h"

#define INO 77
#define CLIENT_ID(c) ((__u64)(c) + 100)
#define ATTR_CAPS NACRE_CAPS_AUTH
#define WANT_ATTR_EXCL (NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED | NACRE_CAP_AUTH_EXCL)
#define WANT_ATTR (NACRE_CAP_PIN | NACRE_CAP_AUTH_SHARED)

enum client_event {
	EV_CLIENT_RECEIVES,
	EV_RANK_RECEIVES,
	EV_READ_BEGIN,
	EV_READ_END,
	EV_WRITE_BEGIN,
	EV_WRITE_END,
	EV_WRITTEN_BACK,
	EV_INVALIDATED,
	EV_SET_ATTR,
	EV_FSYNC,
	EV_ASK_CHANGE,
	EV_WANT_READ,
	EV_WANT_WRITE,
	EV_WANT_ATTR,
	EV_WANT_ATTR_EXCL,
	EV_WANT_NOTHING,
	EV_DROP,
	EV_REPEAT,
	EV_RESET,
	EV_PER_CLIENT,
};

/* Queues: caps_model.c. push: 0 when the queue is full. */
int model_push(struct model_queue *q, const struct model_rules *rules,
	       const struct model_message *message);
struct model_message model_pop(struct model_queue *q);

/* A client's cap, and the users of its file: caps_model_client.c. 0: it cannot happen now. */
__u32 model_used_by(const struct model_client *cl);
int model_client_event(struct model *m, const struct model_rules *rules, int c, __u8 kind);
int model_client_receives(struct model *m, const struct model_rules *rules, int c);
int model_want(struct model *m, const struct model_rules *rules, int c, __u32 caps);
int model_send_open(struct model *m, const struct model_rules *rules, int c);
int model_send_change(struct model *m, const struct model_rules *rules, int c);
int model_read_begin(struct model_client *cl);
int model_read_end(struct model *m, const struct model_rules *rules, int c);
int model_write_begin(struct model_client *cl);
int model_write_end(struct model *m, const struct model_rules *rules, int c);
int model_written_back(struct model *m, const struct model_rules *rules, int c);
int model_invalidated(struct model *m, const struct model_rules *rules, int c);
int model_set_attr(struct model *m, const struct model_rules *rules, int c);
int model_ask_change(struct model *m, const struct model_rules *rules, int c);

/* The rank: caps_model_rank.c. */
int model_send_grant(struct model *m, const struct model_rules *rules, int c, __u32 caps);
int model_send_revoke(struct model *m, const struct model_rules *rules, int c);
int model_take_flush(struct model *m, const struct model_rules *rules, int c,
		     const struct model_message *msg);
int model_rank_works(struct model *m, const struct model_rules *rules);
int model_rank_receives(struct model *m, const struct model_rules *rules, int c);
int model_repeat(struct model *m, const struct model_rules *rules, int c);

#endif
