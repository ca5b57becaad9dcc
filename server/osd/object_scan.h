/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One object as it stands in this store: what its metadata says, a hash of its keys, and each of its blocks read from the
 * device and compared with its checksum. For scrubs (scrub.h), at the primary and at its members.
 *
 * In steps: one chunk of 256 KiB, or one page of keys, at a time is in memory. Nothing keeps the object as it is meanwhile
 * but the primary, which holds it; a member may take a newer write when that hold has been lost. So a block is called bad
 * only if object and map are still those that it was read for, and otherwise the whole scan says nothing: `unstable`.
 * What is still in the journal only is not at rest yet, and taken for right.
 */
#ifndef NACRE_SERVER_OSD_OBJECT_SCAN_H
#define NACRE_SERVER_OSD_OBJECT_SCAN_H

#include "exec.h"
#include "pg.h"

struct osd_object_scan {
	/* The caller's. */
	struct pg *pg;
	struct osd_object_key key;
	bool deep;
	void (*done)(struct osd_object_scan *scan);	/* once; perhaps before osd_object_scan_start() returns */
	void *owner;
	/* What came of it. */
	uint32_t result;		/* 0, or why nothing can be said */
	bool unstable, exists;
	bool cut;			/* there are more bad ranges */
	uint64_t version, interval, size;
	uint64_t head, keys, data;	/* hashes, see nacre_rep_scrubbed */
	uint64_t bytes;			/* read from the device */
	struct nacre_osd_extent bad[NACRE_REP_SCRUB_BAD_MAX];
	uint32_t bad_count;
	/* Its own. */
	int step;
	uint64_t group_interval;
	struct osd_object *object;	/* pinned */
	uint32_t chunk, block;		/* next */
	uint32_t run_max;		/* blocks read at once */
	struct osd_chunk map;		/* of `chunk`, as it was */
	struct mem_bytes op, last_key;
	struct nacre_osd_request request;
	struct osd_exec exec;
	struct osd_block_read read;
};

/* Zeroed but for the caller's fields. The group counts as executing until done(). */
void osd_object_scan_start(struct osd_object_scan *scan);

/*
 * For a body of an execution: the bytes of whole blocks, if the object stands at this version, with zeros behind its end,
 * as what the execution has read. 0, OSD_MISS, EAGAIN (another version), NACRE_E_CHECKSUM.
 */
uint32_t osd_repair_read(struct osd_exec *exec, uint64_t version, uint64_t interval, uint64_t offset, uint32_t length);
/*
 * Likewise: put the right bytes of whole blocks in. Version and size stay. 0, OSD_MISS, EAGAIN.
 */
uint32_t osd_repair_view(struct osd_exec *exec, uint64_t version, uint64_t interval, uint64_t offset,
			 uint32_t length, const uint8_t *bytes);

#endif
