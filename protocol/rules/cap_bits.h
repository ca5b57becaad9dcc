/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic on cap bits and cap groups, shared by the client's machine, the rank's
 * machine and the lock table. The bits themselves are in protocol/caps.h. Pure.
 */
#ifndef NACRE_RULES_CAP_BITS_H
#define NACRE_RULES_CAP_BITS_H

#include "../caps.h"

#define NACRE_GROUP_COUNT 5

/* Place of a group (one bit of nacre_cap_group) in tables: 0 AUTH … 4 DIR; -1 for none or several. */
int nacre_group_index(__u32 group);

/* The group at a place. */
__u32 nacre_group_at(int index);

/* All cap bits of the groups in a mask. */
__u32 nacre_group_caps(__u32 groups);

/* SHARED bits, and EXCL bits (DIRX for DIR), of the groups in a mask. */
__u32 nacre_group_shared(__u32 groups);
__u32 nacre_group_excl(__u32 groups);

/* Groups of which the mask has any bit. PIN belongs to none. */
__u32 nacre_caps_groups(__u32 caps);

/*
 * Cap bits under which the values of these groups may have been changed by their holder:
 * EXCL; for FILE also WRITE and BUFFER (a shared writer extends the file).
 * While a group is dirty or flushing, none of these may be given back without its values (CAP-1).
 */
__u32 nacre_group_cover(__u32 groups);

/*
 * Bits of `mine` that exclude a bit of `theirs`, another client's, on the same inode; 0 = they get
 * along. EXCL (DIRX) excludes every bit of its group; WRITE and BUFFER exclude SHARED, CACHE
 * and BUFFER of others, and the other way round. WRITE and READ get along.
 */
__u32 nacre_caps_conflict(__u32 mine, __u32 theirs);

/* Short form for traces: "pAsxLsXsFsxcrwbDsx"-like, in a buffer of NACRE_CAPS_TEXT_BYTES; returns it. */
#define NACRE_CAPS_TEXT_BYTES 32
const char *nacre_caps_text(__u32 caps, char text[NACRE_CAPS_TEXT_BYTES]);

#endif
