// SPDX-License-Identifier: GPL-2.0
/* See filelocks_rig.h. */
#include "../cmocka_all.h"
#include "filelocks_rig.h"

static struct nacre_filelock_range *range_of(struct nacre_link *link)
{
	return nacre_link_entry(link, struct nacre_filelock_range, in_file);
}

void rig_init(struct rig *rig, const __u8 *kinds, unsigned int owners)
{
	unsigned int i;

	memset(rig, 0, sizeof(*rig));
	nacre_filelocks_init(&rig->all);
	for (i = 0; i < RIG_FILES; i++)
		nacre_filelock_file_init(&rig->files[i], &rig->all, i + 1);
	for (i = 0; i < owners; i++)
		nacre_filelock_owner_init(&rig->owners[i], 1, i, kinds[i]);
	rig->owner_count = owners;
	nacre_link_init(&rig->spares);
}

static void free_ring(struct nacre_link *ring)
{
	while (!nacre_link_is_empty(ring)) {
		struct nacre_filelock_range *range = range_of(ring->next);

		nacre_link_remove(&range->in_file);
		free(range);
	}
}

void rig_free(struct rig *rig)
{
	unsigned int i;

	for (i = 0; i < RIG_FILES; i++)
		free_ring(&rig->files[i].held);
	free_ring(&rig->spares);
}

struct rig_want rig_random(const struct rig *rig)
{
	struct rig_want want = { .owner = (unsigned int)random() % rig->owner_count };

	want.mode = (__u8)(NACRE_FILELOCK_READ + random() % 3);
	want.start = (__u64)random() % RIG_BYTES;
	want.last = want.start + (__u64)random() % (RIG_BYTES - want.start);
	if (rig->owners[want.owner].kind == NACRE_FILELOCK_FLOCK) {
		want.start = 0;
		want.last = RIG_BYTES - 1;
	}
	return want;
}

struct nacre_filelock_want rig_rules_want(struct rig *rig, const struct rig_want *want)
{
	return (struct nacre_filelock_want){ &rig->owners[want->owner], want->start, want->last, 1,
					     want->mode };
}

static void add_spares(struct rig *rig)
{
	struct nacre_link *at = rig->spares.next;
	int i;

	for (i = 0; i < NACRE_FILELOCK_SPARES; i++, at = at->next)
		if (at == &rig->spares) {
			struct nacre_filelock_range *range = calloc(1, sizeof(*range));

			nacre_link_init(&range->in_owner);
			nacre_link_add_tail(&rig->spares, &range->in_file);
			at = rig->spares.prev;
		}
}

int rig_take(struct rig *rig, unsigned int file, const struct nacre_filelock_want *want)
{
	add_spares(rig);
	return nacre_filelock_take(&rig->files[file], want, &rig->spares);
}

int rig_claim(struct rig *rig, unsigned int file, struct nacre_filelock_want *want)
{
	add_spares(rig);
	return nacre_filelock_claim(&rig->files[file], want, &rig->spares);
}

/* ---- the model ------------------------------------------------------------------------------------------- */

static int is_flock(const struct rig *rig, unsigned int owner)
{
	return rig->owners[owner].kind == NACRE_FILELOCK_FLOCK;
}

int rig_model_conflict(const struct rig *rig, unsigned int file, unsigned int other,
		       const struct rig_want *want)
{
	__u64 byte;

	if (other == want->owner || is_flock(rig, other) != is_flock(rig, want->owner))
		return 0;
	for (byte = want->start; byte <= want->last; byte++) {
		__u8 held = rig->model[file][other][byte];

		if (held && (held == NACRE_FILELOCK_WRITE || want->mode == NACRE_FILELOCK_WRITE))
			return 1;
	}
	return 0;
}

void rig_model_take(struct rig *rig, unsigned int file, const struct rig_want *want)
{
	__u8 mode = want->mode == NACRE_FILELOCK_UNLOCK ? 0 : want->mode;

	memset(&rig->model[file][want->owner][want->start], mode, want->last - want->start + 1);
}

static void model_give_up(struct rig *rig, unsigned int file, const struct rig_want *want)
{
	struct rig_want none = *want;

	none.mode = NACRE_FILELOCK_UNLOCK;
	if (is_flock(rig, want->owner) && rig->model[file][want->owner][0] != want->mode)
		rig_model_take(rig, file, &none);
}

void rig_give_up(struct rig *rig, unsigned int file, const struct rig_want *want)
{
	struct nacre_filelock_want rules = rig_rules_want(rig, want);

	add_spares(rig);
	nacre_filelock_give_up(&rig->files[file], &rules, &rig->spares);
	model_give_up(rig, file, want);
}

static int model_set(struct rig *rig, unsigned int file, const struct rig_want *want)
{
	unsigned int other;

	model_give_up(rig, file, want);
	for (other = 0; other < rig->owner_count && want->mode != NACRE_FILELOCK_UNLOCK; other++)
		if (rig_model_conflict(rig, file, other, want))
			return -EAGAIN;
	rig_model_take(rig, file, want);
	return 0;
}

int rig_set(struct rig *rig, unsigned int file, const struct rig_want *want)
{
	struct nacre_filelock_want rules = rig_rules_want(rig, want);
	int result = rig_take(rig, file, &rules);

	assert_int_equal(result, model_set(rig, file, want));
	return result;
}

/* ---- comparing ------------------------------------------------------------------------------------------- */

static void compare_file(struct rig *rig, unsigned int file)
{
	__u8 held[RIG_OWNERS][RIG_BYTES] = { 0 };
	struct nacre_link *at, *ring = &rig->files[file].held;
	unsigned int in_files = 0;

	for (at = ring->next; at != ring; at = at->next, in_files++) {
		struct nacre_filelock_range *range = range_of(at);

		assert_true(range->last < RIG_BYTES);
		memset(&held[range->owner - rig->owners][range->start], range->mode,
		       range->last - range->start + 1);
	}
	assert_memory_equal(held, rig->model[file], sizeof(held));
	assert_null(nacre_filelock_invariant(&rig->files[file]));
}

void rig_compare(struct rig *rig)
{
	unsigned int i, in_files = 0, of_owners = 0;
	struct nacre_link *at;

	for (i = 0; i < RIG_FILES; i++) {
		compare_file(rig, i);
		in_files += rig_ranges(rig, i);
	}
	for (i = 0; i < rig->owner_count; i++)
		for (at = rig->owners[i].held.next; at != &rig->owners[i].held; at = at->next)
			of_owners++;
	assert_int_equal(in_files, of_owners);
}

unsigned int rig_ranges(const struct rig *rig, unsigned int file)
{
	const struct nacre_link *at, *ring = &rig->files[file].held;
	unsigned int count = 0;

	for (at = ring->next; at != ring; at = at->next)
		count++;
	return count;
}
