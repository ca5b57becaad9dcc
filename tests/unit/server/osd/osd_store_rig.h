/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An object store on a simulated disk, driven step by step by a test: requests
 * are made from a list of operations, executed, committed and awaited. The disk
 * and the key-value store's memory outlive crashes of the host.
 */
#ifndef NACRE_TESTS_OSD_STORE_RIG_H
#define NACRE_TESTS_OSD_STORE_RIG_H

#include "server/osd/check.h"
#include "server/osd/exec.h"
#include "server/osd/kv_mem.h"
#include "server/osd/store.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_world.h"

#define RIG_FSID_LO 0x1111u
#define RIG_FSID_HI 0x2222u
#define RIG_OSD 3
#define RIG_OBJECT_BYTES (4u << 20)

struct rig {
	struct sim_world *world;
	struct sim_host *host;
	struct sim_file *disk;
	struct kv_mem_disk *keys;
	struct kv *kv;
	struct osd_store *store;
	struct log *log;
	bool opened, closed, failed;
	int open_result;
	char why[256];
	uint64_t journal_bytes;
	uint64_t backlog_bytes;
	uint64_t trim_bytes, pipeline_bytes;
	bool lone_intents;
	bool discard;			/* of what is given back; after 5 ms */
	uint32_t discard_bytes;		/* 0: 4 KiB */
	uint32_t direct_bytes;		/* modes ordered and cow: what is smaller is journaled */
	const struct osd_journal_mode *mode;	/* of the requests to come; NULL: data */
	uint64_t tid;
	uint64_t snap;			/* of the objects of requests to come; 0: the live ones */
	uint64_t submitted, durable;	/* transactions */
	uint64_t replayed;
	uint64_t settled_at;		/* what is numbered is known to be committed when so many were replayed; 0: never */
	bool keep;			/* what the keep hook answers */
	bool read_only;			/* open it like that */
	bool numbered;			/* transactions are a group's, and nobody says that they are committed */
	struct mem_bytes payloads;	/* of those that were written directly, as replay has found them */
};

void rig_create(struct rig *rig, uint64_t seed, uint64_t disk_bytes, uint64_t journal_bytes);
void rig_destroy(struct rig *rig);
/* 0 or the error of formatting. */
int rig_format(struct rig *rig, bool force);
/* Open; the result and rig->why. */
int rig_open(struct rig *rig, uint16_t osd_id, uint64_t fsid_lo);
/* The usual one: 24 MiB, a journal of 4 MiB, made, formatted and open. Fails the test when it cannot be. */
void rig_serve(struct rig *rig);
void rig_close(struct rig *rig);
/* The machine dies; open again. `keep`: unflushed batches of keys that survive. */
void rig_crash(struct rig *rig, enum sim_crash kind, unsigned int keep);
/* Run the world until a condition holds; fails the test when it does not come. */
void rig_until(struct rig *rig, bool (*holds)(struct rig *rig));
/* Let time pass. */
void rig_pass(struct rig *rig, uint64_t ms);

/* A request in the making. */
struct rig_request {
	struct nacre_osd_request head;
	struct mem_bytes ops, input, data;
};

void rig_request(struct rig *rig, struct rig_request *r, uint64_t ino, uint64_t index);
void rig_op(struct rig_request *r, enum nacre_osd_op_code code, uint16_t flags, const void *name,
	    size_t name_bytes, const void *value, size_t value_bytes, uint64_t offset,
	    uint64_t length);
void rig_data_op(struct rig_request *r, enum nacre_osd_op_code code, uint64_t offset,
		 const void *bytes, size_t length);
void rig_request_free(struct rig_request *r);

/* What came of it. */
struct rig_reply {
	uint32_t result, failed_op, result_count;
	struct nacre_osd_result results[NACRE_OSD_OPS_MAX];
	struct mem_bytes output, data;
	uint64_t version;
};

/* Execute, and commit if it changes something; wait: until it is durable. Frees the request. */
uint32_t rig_run(struct rig *rig, struct rig_request *r, struct rig_reply *reply, bool wait);
void rig_reply_free(struct rig_reply *reply);

/* What a check finds in the closed store, which stays closed. */
struct rig_found {
	char first[256];		/* fault, if there is one */
	struct osd_check_counts counts;
	uint64_t replayed;
};
/* The number of faults. */
uint64_t rig_check(struct rig *rig, bool deep, struct rig_found *found);
/* The machine dies, its store is checked for faults, of which there must be none, and opened. */
void rig_crash_and_check(struct rig *rig, enum sim_crash kind, unsigned int keep);

/* ---- objects of one byte's value ---- */

/* Write that value. The result. */
uint32_t rig_put(struct rig *rig, uint64_t ino, uint64_t offset, size_t length, uint8_t value, bool wait);
/* The one value that all bytes have: -1 if they differ, -2 if they cannot be read, -3 if there are not so many. */
int rig_value(struct rig *rig, uint64_t ino, uint64_t offset, size_t length);
/* Make an object a copy, in rig->snap, of another one's live state or snapshot. The result. */
uint32_t rig_clone(struct rig *rig, uint64_t to, uint64_t from, uint64_t from_snap, bool wait);
/* An operation on a range. The result. */
uint32_t rig_range(struct rig *rig, uint64_t ino, enum nacre_osd_op_code code, uint16_t flags, uint64_t offset, uint64_t length,
		   bool wait);
/* Where block `n` of an object that is in memory is. */
uint64_t rig_place(struct rig *rig, uint64_t ino, uint32_t n);

#endif
