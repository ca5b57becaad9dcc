/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the `dir:` store: what mapstore_dir.c (maps), dir_lease.c (leases and
 * offices) and dir_file.c (files) share.
 *
 *	PATH/map.EPOCH		an encoded map behind a header with its checksum
 *	PATH/lease.NAME		a claim: who is alive, until when
 *	PATH/office.NAME.TERM	a claim: who holds an office; the highest term counts
 *	PATH/.new.*		a file being written; left over after a crash
 */
#ifndef NACRE_MAPSTORE_DIR_H
#define NACRE_MAPSTORE_DIR_H

#include <limits.h>
#include <stdio.h>
#include "mapstore.h"

#define DIR_BOOT_ID_BYTES 40

int mapstore_dir_open(struct io *io, const char *folder, struct mapstore **ret_store);

/* ---- files ---------------------------------------------------------------------------------- */

#define DIR_PATH_BYTES 1024

/* "FOLDER/name" in the caller's buffer. 0 or -ENAMETOOLONG. */
int dir_path(char path[DIR_PATH_BYTES], const char *folder, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* All bytes of a file, malloc'ed. 0, -errno; -EFBIG above `limit`. */
int dir_read(const char *path, size_t limit, uint8_t **ret_bytes, size_t *ret_length);
/* A new file of these two pieces, durable before it returns; `path` must not exist. */
int dir_write_new(const char *path, const void *head, size_t head_bytes, const void *bytes,
		  size_t length);
int dir_sync(const char *folder);
/*
 * Numbers behind a prefix ("map.") among a folder's names: lowest and highest, 0 = none.
 */
int dir_range(const char *folder, const char *prefix, uint64_t *ret_lowest, uint64_t *ret_highest);

/* ---- claims --------------------------------------------------------------------------------- */

/* What a lease or an office says of its holder. Written in place, one line. */
struct dir_claim {
	char name[32];			/* of the daemon */
	uint64_t instance;
	uint64_t stamp_ns;		/* CLOCK_BOOTTIME of the last renewal */
	uint64_t term_ns;
	bool released;
	char boot[DIR_BOOT_ID_BYTES];	/* the clock's machine run */
	struct fill fill;		/* a lease's; unknown where the line has none */
};

/* 0; -ENOENT; -EBADMSG: not a claim, or torn. */
int dir_claim_read(const char *path, struct dir_claim *claim);
/* Overwrite the claim behind a descriptor. 0 or -errno. */
int dir_claim_write(int fd, const struct dir_claim *claim);
/*
 * Write a new file for a claim and lock it; the lock tells others that the holder's process lives.
 * A descriptor, and the file's path, which the caller links or renames into place; or -errno.
 */
int dir_claim_create(const char *folder, const struct dir_claim *claim,
		     char ret_path[DIR_PATH_BYTES]);
/* Stands at this moment: not released, not run out, of this boot. */
bool dir_claim_stands(const struct dir_claim *claim, uint64_t now_ns);
/* Does its holder's process run? */
bool dir_claim_has_holder(const char *path);
/* Is the file behind the descriptor still the one at `path`? */
bool dir_claim_in_place(int fd, const char *path);
/* A claim of ours, from now. */
void dir_claim_stamp(struct dir_claim *claim);

/* ---- leases and offices --------------------------------------------------------------------- */

/* A member's lease, and how it is kept. */
struct dir_lease {
	struct io *io;
	const char *folder;
	struct dir_claim claim;
	char path[DIR_PATH_BYTES];
	int fd;				/* locked; -1: none */
	uint64_t valid_until_ns;	/* by the last renewal that reached the file, margin taken off */
	bool held;
	bool busy;			/* a renewal is with a helper */
	void (*lost)(void *owner);
	void *owner;
	struct io_timer renew, expire;
	struct io_job job;
	struct dir_claim written;	/* what the helper writes */
	int result;			/* of it */
	void (*idle)(void *idle_owner);	/* after every end of the job */
	void *idle_owner;
};

int dir_lease_hold(struct dir_lease *lease, const char *name, uint64_t instance, uint64_t term_ns,
		   void (*lost)(void *owner), void *owner);
bool dir_lease_valid(const struct dir_lease *lease);
void dir_lease_tell(struct dir_lease *lease, struct fill fill);
void dir_lease_release(struct dir_lease *lease);
/* Stop for good; `idle` follows if a helper is still at work. */
void dir_lease_stop(struct dir_lease *lease);
/* Read all leases of a folder; *ret_leases is malloc'ed. */
int dir_leases_read(const char *folder, struct mapstore_lease **ret_leases, size_t *ret_count);

/* Standing for an office: only who has a valid lease is a candidate. */
struct dir_office {
	struct io *io;
	const char *folder;
	const struct dir_lease *lease;
	char name[32];
	struct dir_claim claim;
	char path[DIR_PATH_BYTES];	/* of the claim held */
	int fd;				/* of it; -1: not held */
	bool holds, busy, stopped;
	uint64_t valid_until_ns;
	void (*elected)(void *owner, bool holds);
	void *owner;
	struct io_timer look;
	struct io_job job;
	int result;			/* of the look: 0 = ours, -EBUSY = another's, -errno */
	void (*idle)(void *idle_owner);	/* after every end of the job */
	void *idle_owner;
};

void dir_office_stand(struct dir_office *office, const char *name, uint64_t term_ns,
		      void (*elected)(void *owner, bool holds), void *owner);
void dir_office_stop(struct dir_office *office);

#endif
