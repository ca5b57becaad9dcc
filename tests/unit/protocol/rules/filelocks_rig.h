/* SPDX-License-Identifier: GPL-2.0 */
/* The rules of file locks, and beside them a model: files of 16 bytes with a mode for each owner and byte. */
#ifndef FILELOCKS_RIG_H
#define FILELOCKS_RIG_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "protocol/rules/filelocks.h"

#define RIG_FILES 2
#define RIG_OWNERS 6
#define RIG_BYTES 16

struct rig {
	struct nacre_filelocks all;
	struct nacre_filelock_file files[RIG_FILES];
	struct nacre_filelock_owner owners[RIG_OWNERS];
	unsigned int owner_count;
	struct nacre_link spares;
	__u8 model[RIG_FILES][RIG_OWNERS][RIG_BYTES];	/* mode, 0 = none */
};

struct rig_want {
	unsigned int owner;
	__u8 mode;
	__u64 start, last;
};

void rig_init(struct rig *rig, const __u8 *kinds, unsigned int owners);
void rig_free(struct rig *rig);
/* Something that suits the owner's kind. */
struct rig_want rig_random(const struct rig *rig);
/* With the rules alone. */
int rig_take(struct rig *rig, unsigned int file, const struct nacre_filelock_want *want);
int rig_claim(struct rig *rig, unsigned int file, struct nacre_filelock_want *want);
/* With rules and model, which must agree on the result. */
int rig_set(struct rig *rig, unsigned int file, const struct rig_want *want);
/* A flock of another mode goes. */
void rig_give_up(struct rig *rig, unsigned int file, const struct rig_want *want);
struct nacre_filelock_want rig_rules_want(struct rig *rig, const struct rig_want *want);
/* As rig_set, for the model only. */
void rig_model_take(struct rig *rig, unsigned int file, const struct rig_want *want);
/* Is another owner in the way, by the model? */
int rig_model_conflict(const struct rig *rig, unsigned int file, unsigned int other,
		       const struct rig_want *want);
/* Every byte is as the model says, and the invariant holds. */
void rig_compare(struct rig *rig);
unsigned int rig_ranges(const struct rig *rig, unsigned int file);

#endif
