// SPDX-License-Identifier: GPL-2.0
/* Setting quotas and judging their sums; see quotas.h. */
#include <inttypes.h>
#include <string.h>
#include "history.h"
#include "quotas.h"

static const char *const limits_files[] = { "3", "5", "8" };
static const char *const limits_bytes[] = { "4K", "16K", "40K" };
#define MAX_BYTES_MOST (40u << 10)

/* Random numbers of their own, as for inline data: what the other histories do does not change. */
void quotas_begin(struct sim *sim)
{
	struct sim_random random = sim_random_from(sim->options.seed ^ 0x900a5);

	sim->quotas = !sim_below(&random, 3);
	history_may_be_refused(sim->history, sim->quotas);
}

/*
 * A limit may be set below what is there, if there is a quota already: then the sum says nothing. So is it where bytes had no
 * limit for a while, before the first one or after it was lifted.
 */
static void note_limit(struct sim *sim, uint64_t dir, bool of_files, bool lifted)
{
	unsigned int i;

	for (i = 0; i < sim->quota_dir_count; i++)
		if (sim->quota_dirs[i].dir == dir)
			break;
	if (i == sizeof(sim->quota_dirs) / sizeof(sim->quota_dirs[0]))
		return;
	if (i == sim->quota_dir_count) {
		sim->quota_dir_count++;
		sim->quota_dirs[i].dir = dir;
		sim->quota_dirs[i].loose = of_files;
	}
	if (!of_files && lifted)
		sim->quota_dirs[i].loose = true;
}

static bool is_loose(const struct sim *sim, uint64_t dir)
{
	unsigned int i;

	for (i = 0; i < sim->quota_dir_count; i++)
		if (sim->quota_dirs[i].dir == dir)
			return sim->quota_dirs[i].loose;
	return true;
}

void quotas_choose(struct sim *sim, struct client_call *call, uint64_t dir, uint64_t dice)
{
	const char *value = dice % 4 ? (dice & 16 ? limits_files : limits_bytes)[dice / 32 % 3] : "0";

	call->kind = CLIENT_SETXATTR;
	call->ino = dir;
	call->name = dice & 16 ? "nacre.quota.max_files" : "nacre.quota.max_bytes";
	call->value = value;
	call->value_bytes = strlen(value);
	note_limit(sim, dir, dice & 16, dice % 4 == 0);
	sim->quotas_set++;
}

static const struct quotas_inode *find(const struct quotas_inode *inodes, size_t count, uint64_t ino)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (inodes[i].ino == ino)
			return &inodes[i];
	return NULL;
}

static bool is_below(const struct quotas_inode *inodes, size_t count, const struct quotas_inode *at,
		     uint64_t dir)
{
	size_t steps;

	for (steps = 0; at && at->ino != dir && steps <= count; steps++) {
		if (at->parent == dir)
			return true;
		at = find(inodes, count, at->parent);
	}
	return false;
}

void quotas_check(struct sim *sim, uint64_t dir, const struct nacre_quota *quota,
		  const struct quotas_inode *inodes, size_t count)
{
	uint64_t files = 0, bytes = 0;
	size_t i;

	if (quota->dir != dir)
		return;
	for (i = 0; i < count; i++)
		if (is_below(inodes, count, &inodes[i], dir)) {
			files++;
			bytes += inodes[i].size;
		}
	if (files != quota->used_files || bytes != quota->used_bytes)
		sim_fail(sim, "the quota of %" PRIx64 " says %" PRIu64 " files, %" PRIu64 " bytes; there are %" PRIu64
			      ", %" PRIu64, dir, (uint64_t)quota->used_files, (uint64_t)quota->used_bytes, files, bytes);
	/* each empty file may have had its first byte; what a crash of the rank had answered is not refused again */
	if (quota->max_bytes == MAX_BYTES_MOST && !is_loose(sim, dir) && !(sim->options.faults & SIM_FAULT_MDS_CRASH) &&
	    bytes > quota->max_bytes + files)
		sim_fail(sim, "the quota of %" PRIx64 " allows %" PRIu64 " bytes, and there are %" PRIu64, dir,
			 (uint64_t)quota->max_bytes, bytes);
	sim->quotas_judged++;
}
