/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between member.c (transactions) and member_pull.c (objects, lists, logs): one
 * message of the primary while it is dealt with.
 */
#ifndef NACRE_SERVER_OSD_MEMBER_JOB_H
#define NACRE_SERVER_OSD_MEMBER_JOB_H

#include "exec.h"
#include "pg.h"

struct member_job {
	struct pg *pg;
	struct message *message;	/* counted */
	uint64_t interval;		/* in which it came */
	struct nacre_osd_request request;	/* what is executed */
	struct osd_exec exec;
	void (*executed)(struct member_job *job);
};

bool member_job_valid(const struct member_job *job);
void member_job_end(struct member_job *job);
void member_send_done(struct pg *pg, struct conn *conn, uint64_t interval, uint64_t number,
		      uint32_t result);

/* ---- member_pull.c ---- */

/* Prepare REP_OBJECT for execution; false: it is refused. */
bool member_begin_object(struct member_job *job);
void member_take_log(struct member_job *job);
void member_list(struct pg *pg, struct message *message);

#endif
