/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The audit: are the objects in the pools exactly those that the namespace needs? It runs in the background while
 * clients work, and changes nothing.
 *
 *	each pool, each group, page by page ─▶ each object: does its inode exist, does the object belong to it?
 *	                                        └─ a directory's: each entry: is the inode found by its number (backtrace, own object)?
 *
 * What is in memory is newer than what is stored, and wins. Whatever looks wrong is looked at a second time, so that
 * what clients are just changing is no finding. Memory: one page of objects, one of a directory, AUDIT_WIDTH checks,
 * MDS_AUDIT_ROWS_MAX findings with their numbers (all others are only counted).
 */
#ifndef MDS_AUDIT_H
#define MDS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/admin.h"

struct mds;

#define MDS_AUDIT_ROWS_MAX 4096

/* Name, is it wrong?, what it is. */
#define MDS_AUDIT_KINDS(K)							\
	K(LEAKED, leaked, true, "objects of no inode")				\
	K(BEHIND, behind, true, "objects behind the end of their file")		\
	K(UNTRACED, untraced, true, "inodes whose backtrace is missing or wrong")	\
	K(UNSTORED, unstored, true, "inodes that an entry names and that are not stored") \
	K(DAMAGED, damaged, true, "objects and entries that cannot be read")	\
	K(ORPHAN, orphan, false, "objects of inodes without a name, still held")	\
	K(PURGING, purging, false, "objects that are about to be deleted")	\
	K(UNDECLARED, undeclared, false, "objects of numbers that a client was given and has not used yet")

#define MDS_AUDIT_ENUM(NAME, text, wrong, doc) MDS_AUDIT_##NAME,
enum mds_audit_kind {
	MDS_AUDIT_KINDS(MDS_AUDIT_ENUM)
	MDS_AUDIT_KIND_COUNT,
};

struct mds_audit_total {
	uint64_t inodes;		/* with a row */
	uint64_t objects, bytes;	/* of all */
};

/* Begin. `ended` (NULL: nobody) is called from the top of the loop. 0; -EAGAIN: not active; -EALREADY: one runs. */
int mds_audit_start(struct mds *mds, void (*ended)(void *owner), void *owner);
/* Ends it where it is; what it has found is kept. */
void mds_audit_stop(struct mds *mds);
/* Is the last one complete, and was nothing wrong? */
bool mds_audit_is_clean(const struct mds *mds);
const struct mds_audit_total *mds_audit_total(const struct mds *mds, enum mds_audit_kind kind);
/* Where it stands, what it has found. */
void mds_audit_print(const struct mds *mds, struct admin_answer *answer);
/* The admin command: audit [start | stop]. */
bool mds_audit_command(void *owner, int argc, char **argv, struct admin_answer *answer);
void mds_audit_task(struct io_task *task);
void mds_audit_free(struct mds *mds);

#endif
