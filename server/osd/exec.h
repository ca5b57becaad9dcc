/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Executing a compound request on one object.
 *
 * Operations (op_*.c) are plain functions on a view of the object (view.h). What they
 * need and is not in memory they name (osd_exec_want_*) and return OSD_MISS; it is loaded,
 * and the whole request runs again from its first operation. Nothing leaves the view
 * before all have succeeded, so a failing operation leaves nothing behind.
 *
 *	run ──MISS──▶ loading ──▶ run … ──▶ done ──▶ commit (changes) or drop
 *	  └──the blocks that are free are barred──▶ waiting ──▶ run …
 *
 * A caller lets no two executions that may change an object run at once, nor
 * one that changes beside one that reads (request.c). Between `done` and commit
 * nothing else runs.
 */
#ifndef NACRE_SERVER_OSD_EXEC_H
#define NACRE_SERVER_OSD_EXEC_H

#include "journal_mode.h"
#include "protocol/error.h"
#include "protocol/rules/validate.h"
#include "store.h"
#include "view.h"

#define OSD_MISS UINT32_MAX		/* as a result: something has to be loaded first */
#define OSD_OUTPUT_MAX ((1u << 19) - 1024)	/* bytes of output of one reply */

struct osd_load;

struct osd_exec {
	/* What to do: the caller's, untouched until the end. */
	struct osd_store *store;
	const struct osd_journal_mode *mode;
	const struct nacre_osd_request *request;
	const uint8_t *data;		/* its data payload */
	uint32_t pg;
	uint32_t pg_count;		/* of the pool: CLONE stays in its group */
	uint32_t object_bytes;		/* of the pool: SIZE-3 */
	uint32_t direct_blocks;		/* of the pool: see view.h */
	bool resolved;			/* judged already by a primary: some of the reserve may be used */
	/* Instead of the request's operations: changes the view. 0, OSD_MISS, or an error. */
	uint32_t (*body)(struct osd_exec *exec);
	void (*done)(struct osd_exec *exec);	/* when osd_exec_start() returned false */
	void *owner;
	/* What came of it. */
	uint32_t result;		/* 0, errno or error.h */
	uint32_t failed_op;
	uint32_t result_count;
	struct nacre_osd_result results[NACRE_OSD_OPS_MAX];
	struct mem_bytes output;
	struct mem_bytes read_data;
	uint64_t version;		/* of the object before it */
	bool writes;			/* the request has operations that change */
	bool condition_met;		/* what is behind an IF_NOXATTR was carried out */
	bool device_failed;		/* a block could not be read; it counts as one with a bad checksum */
	/* Its own. */
	struct osd_view view;
	uint64_t taken_mask;		/* bit i: operation i changes, and was not skipped */
	struct osd_load *loads;		/* finished ones are kept: blocks, values, lists */
	unsigned int loading;
	uint32_t load_error;
	bool running;
	bool placed;			/* blocks were taken for it */
	bool wants_space;		/* it could be placed if less were barred */
	struct osd_space_wait space_wait;
};

/* Begin; the fields above are set, all others zero. True: it is done already, done() is not called. */
bool osd_exec_start(struct osd_exec *exec);

/*
 * After success: turn the changes into a transaction and make them the object's
 * state. The caller adds what is its own and submits it at once.
 * number, interval: the object's new version.
 */
struct osd_txn *osd_exec_commit(struct osd_exec *exec, uint64_t number, uint64_t interval);
/* The request with only the operations that changed something, and the data they use. */
void osd_exec_resolved(const struct osd_exec *exec, struct mem_bytes *ret_request,
		       struct mem_bytes *ret_data);
/* Free what it holds; drops changes that were not committed. Not while loading. */
void osd_exec_end(struct osd_exec *exec);

/* ---- for operations ------------------------------------------------------------------- */

/* One operation, about to run. */
struct osd_op {
	const struct nacre_osd_op *wire;
	const uint8_t *name;
	const uint8_t *value;
	const uint8_t *data;
	struct nacre_osd_result *result;
	uint32_t skip;			/* IF_NOXATTR: operations to leave out after it */
};

/* 0, OSD_MISS, or the error that ends the request. */
typedef uint32_t (*osd_op_run)(struct osd_exec *exec, struct osd_op *op);
osd_op_run osd_op_find(uint16_t code);

/* Add to the output, counting it to the operation's result. False: it does not fit. */
bool osd_exec_output(struct osd_exec *exec, struct osd_op *op, const void *bytes, size_t length);

/* ---- loads: exec_load.c ----------------------------------------------------------------- */

/* Metadata of an object, so that object->loaded. */
uint32_t osd_exec_need_object(struct osd_exec *exec, struct osd_object *object);
/* object->chunks[chunk], which the onode says exists. */
uint32_t osd_exec_need_chunk(struct osd_exec *exec, struct osd_object *object, uint32_t chunk);
/* The bytes of a block, checked. 0, OSD_MISS or NACRE_E_CHECKSUM. */
uint32_t osd_exec_need_block(struct osd_exec *exec, uint64_t block, uint32_t crc,
			     const uint8_t **ret_bytes);
/* What stands under a key, beside the view's own changes. 0 (value NULL: nothing) or OSD_MISS. */
uint32_t osd_exec_need_value(struct osd_exec *exec, const struct osd_key *key,
			     const uint8_t **ret_value, uint32_t *ret_bytes);
/* Pairs of [first, end), likewise. 0 or OSD_MISS. */
uint32_t osd_exec_need_list(struct osd_exec *exec, const struct osd_key *first,
			    const struct osd_key *end, uint32_t count_max, uint32_t bytes_max,
			    const struct kv_pairs **ret_pairs);
/* A pinned page of shared blocks, so that page->loaded. Asked for once in a run. 0, OSD_MISS or NACRE_E_DAMAGED. */
uint32_t osd_exec_need_share(struct osd_exec *exec, struct osd_share_page *page);
/* Begin all loads that were asked for. */
void osd_exec_load(struct osd_exec *exec);
void osd_exec_loads_free(struct osd_exec *exec);
/* exec.c: the last load has come. */
void osd_exec_loaded(struct osd_exec *exec);

#endif
