/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When a client asks for the data of small files before they are opened. Programs like tar and grep -r read the files of a
 * directory one after the other, in the order of its listing; a listing that brings their data along (WANT_DATA) saves an
 * OPEN for each. Who opens the file that comes next, or nearly, is taken for such a program.
 *
 * A guess: whatever is decided here, a read finds out by itself what it has to ask for. Pure; positions
 * are cookies (names.h).
 */
#ifndef NACRE_RULES_AHEAD_H
#define NACRE_RULES_AHEAD_H

#include <linux/types.h>

#define NACRE_AHEAD_GAP 16		/* so many entries may be left out between two that are read */

/* One directory at one client; zero when nothing was read in it. The caller's lock. */
struct nacre_ahead {
	__u64 last;			/* the file opened last; 0 = the beginning */
	__u64 covered;			/* up to here it was asked for */
};

/*
 * A file is opened for reading, in a directory of so many entries; `missing`: its data is in the inode, and not here.
 * Is the data of it and of those behind it to be asked for? Then nacre_ahead_answered() follows.
 */
int nacre_ahead_open(struct nacre_ahead *ahead, __u64 cookie, __u64 entries, int missing);

/* The answer had data up to this cookie; 0: none, and there is no sense in asking on. */
void nacre_ahead_answered(struct nacre_ahead *ahead, __u64 covered);

#endif
