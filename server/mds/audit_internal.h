/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the audit share: audit.c walks, audit_object.c judges objects, audit_entry.c judges entries,
 * audit_report.c keeps what was found.
 */
#ifndef MDS_AUDIT_INTERNAL_H
#define MDS_AUDIT_INTERNAL_H

#include "audit.h"
#include "core.h"
#include "listing.h"

#define AUDIT_WIDTH 16			/* objects, and entries, looked at together */

struct mds_audit;

/* One object that is being judged; a directory's stays until its entries are. */
struct audit_object {
	TAILQ_ENTRY(audit_object) link;	/* audit->idle_objects or ->dirs */
	struct mds_audit *audit;
	uint32_t pool;
	uint64_t ino, index;
	bool loaded;			/* its inode was looked for in the store */
	bool sized;			/* `bytes` is known: this is the second look */
	uint32_t load_result;
	uint64_t bytes;
	struct mds_load_wait wait;
};

/* One entry of a directory, as it is stored. */
struct audit_entry {
	TAILQ_ENTRY(audit_entry) link;	/* audit->idle_entries */
	struct mds_audit *audit;
	uint64_t dir, ino;
	uint32_t pool;			/* where the attribute is that leads to the inode */
	bool primary;			/* a backtrace, else an own inode */
	bool again;			/* what memory says is compared: the second look */
	uint8_t name_bytes;
	uint8_t name[NACRE_NAME_MAX];
	struct mds_load_wait wait;
};

struct audit_row {
	struct { uint64_t ino; uint32_t kind, pool; } key;
	uint64_t objects, bytes;
	UT_hash_handle hh;
};

enum audit_state { AUDIT_RUNNING, AUDIT_DONE, AUDIT_STOPPED };

struct mds_audit {
	struct mds *mds;
	enum audit_state state;
	void (*ended)(void *owner);
	void *owner;

	uint32_t pool;			/* being walked */
	struct mds_listing *listing;	/* of it */
	TAILQ_HEAD(, audit_object) idle_objects;
	unsigned int busy;		/* objects and entries that are not idle */
	struct audit_object object_room[AUDIT_WIDTH];

	TAILQ_HEAD(, audit_object) dirs;	/* whose entries are to be walked; the first is */
	bool dir_begun;
	bool dir_asking;		/* for a page of it */
	bool dir_more;			/* pages follow */
	struct osdc_request *page;	/* NULL: none to take from */
	struct nacre_reader keys;	/* of it, not taken yet */
	uint32_t last_bytes;		/* key behind which the next page begins */
	uint8_t last[NACRE_KEY_MAX];
	TAILQ_HEAD(, audit_entry) idle_entries;
	struct audit_entry entry_room[AUDIT_WIDTH];

	uint64_t objects, entries;	/* looked at */
	uint64_t changing;		/* entries not judged, as they are about to be written */
	struct mds_audit_total totals[MDS_AUDIT_KIND_COUNT];
	struct audit_row *rows;
	uint64_t unlisted;		/* findings without a row */
};

/* Judge; ends with audit_object_done() or audit_dir_found(). */
void audit_object_begin(struct audit_object *object);
void audit_object_done(struct audit_object *object);
void audit_dir_found(struct audit_object *object);
/* Judge an entry as it was read; ends with audit_entry_done(). */
void audit_entry_begin(struct audit_entry *entry);
void audit_entry_done(struct audit_entry *entry);

void audit_found(struct mds_audit *audit, enum mds_audit_kind kind, uint64_t ino, uint32_t pool,
		 uint64_t objects, uint64_t bytes);
void audit_rows_free(struct mds_audit *audit);
/* The rank has ended, or this audit: nothing more is to be asked. */
bool audit_is_over(const struct mds_audit *audit);

#endif
