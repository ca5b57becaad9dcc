/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the OSDs of one placement group: replication of numbered
 * transactions, and reconciliation when the set changes.
 *
 * The primary gives each mutating request the next `number` of the group's
 * log, sends it to all in-sync members, and answers the client when all have
 * made it durable. Every message names the interval (map.h); one of another
 * interval is refused with WRONG_INTERVAL, which makes the sender look at its
 * map. Replicas judge the primary by its interval, never the client.
 */
#ifndef NACRE_REPLICA_H
#define NACRE_REPLICA_H

#include "wire.h"
#include "osd.h"

#define NACRE_PG_HEAD(F)						\
	F(32, pool, "pool")						\
	F(32, pg, "placement group in the pool")			\
	F(64, interval, "epoch at which the sender's interval began")

/* primary → member: make transaction `number` durable. Data payload as in the request. */
#define NACRE_REP_APPLY_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, number, "position in the group's log")			\
	F(64, committed, "every number up to this is durable on all in-sync members") \
	T(transaction, (1 << 19) + 4096, "nacre_osd_request as the primary resolved it") \
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_apply, NACRE_REP_APPLY_FIELDS, 40);

#define NACRE_REP_DONE_FIELDS(F, R, T)					\
	NACRE_PG_HEAD(F)						\
	F(64, number, "made durable, with all before it")		\
	F(32, result, "0, or why not")					\
	R(32, reserved0)
NACRE_STRUCT(nacre_rep_done, NACRE_REP_DONE_FIELDS, 32);

#define NACRE_REPLICA_STRUCTS(S)				\
	S(nacre_rep_apply, NACRE_REP_APPLY_FIELDS)		\
	S(nacre_rep_done, NACRE_REP_DONE_FIELDS)

#endif
