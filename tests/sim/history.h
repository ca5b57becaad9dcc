/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What clients did and saw, and whether one file system could have answered so.
 * Each call becomes events on registers (register.h): names, modes, one extended
 * attribute, sizes, and cells of file data. A client's life ends by crash or eviction;
 * its changes that were not yet acknowledged as safe, or synced, then become
 * *maybe*; everything else must hold to the end of the history.
 */
#ifndef NACRE_SIM_HISTORY_H
#define NACRE_SIM_HISTORY_H

#include "register.h"
#include "tests/client/client.h"

#define CELL_BYTES 256u			/* file data is written and read in these */
#define CELLS_MAX 160u			/* of one file */
#define SIM_OBJECT_BYTES (16u << 10)	/* of file data: small, so that files have several */
#define NAMES_MAX 16u

struct history;

struct history *history_create(void);
/* There are quotas: EDQUOT and EXDEV are right answers, at any time. */
void history_may_be_refused(struct history *history, bool quotas);
void history_destroy(struct history *history);

/* A name from the workload's small set; its number stands for it. */
extern const char *const history_names[NAMES_MAX];
unsigned int history_name_number(const char *name);

/* A client begins to live; returns the life. */
uint32_t history_born(struct history *history);
/*
 * It is over, and `client` (still readable) is asked what was safe. Calls that
 * are under way will not be ended.
 */
void history_died(struct history *history, uint32_t life, const struct client *client);

/* A call begins; number for history_end(). The call's inputs stay until then. */
uint32_t history_begin(struct history *history, uint32_t life, const struct client_call *call,
		       uint64_t now_ns);
/* It ended. NULL, or what is wrong with the answer itself. */
const char *history_end(struct history *history, uint32_t number, uint64_t now_ns);

/* The offset of an append before it is known: one that never got so far has written nothing. */
#define HISTORY_NOT_PLACED UINT64_MAX

/* Fill a buffer for a write of this call: cells that say who wrote them, and where. */
void history_fill(uint32_t number, uint64_t offset, void *data, size_t length);

/* Check all registers; true when all have an order. Otherwise prints the first that has none. */
bool history_check(struct history *history, FILE *out);

struct history_counts {
	uint64_t calls, answered, failed, maybe, registers, events;
};
struct history_counts history_counts(const struct history *history);

#endif
