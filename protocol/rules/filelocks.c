// SPDX-License-Identifier: GPL-2.0
/* File locks that are held: conflicts, taking, splitting, merging. See filelocks.h; waiting is in filelocks_wait.c. */
#include <linux/errno.h>
#include <linux/string.h>
#include "filelocks.h"

#define for_each_range(range, file)							\
	for (range = range_of((file)->held.next); &range->in_file != &(file)->held;	\
	     range = range_of(range->in_file.next))

static struct nacre_filelock_range *range_of(const struct nacre_link *link)
{
	return nacre_link_entry(link, struct nacre_filelock_range, in_file);
}

/* ---- rings ---------------------------------------------------------------------------------------- */

void nacre_link_init(struct nacre_link *ring)
{
	ring->next = ring;
	ring->prev = ring;
}

int nacre_link_is_empty(const struct nacre_link *ring)
{
	return ring->next == ring;
}

void nacre_link_add_tail(struct nacre_link *ring, struct nacre_link *link)
{
	link->next = ring;
	link->prev = ring->prev;
	ring->prev->next = link;
	ring->prev = link;
}

void nacre_link_remove(struct nacre_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	nacre_link_init(link);
}

/* ---- life ----------------------------------------------------------------------------------------- */

const char *nacre_filelock_check(__u8 kind, __u8 mode, __u64 start, __u64 last)
{
	if (kind < NACRE_FILELOCK_POSIX || kind > NACRE_FILELOCK_FLOCK)
		return "file lock: kind";
	if (mode < NACRE_FILELOCK_READ || mode > NACRE_FILELOCK_UNLOCK)
		return "file lock: mode";
	if (start > last || last > NACRE_FILELOCK_END)
		return "file lock: range";
	if (kind == NACRE_FILELOCK_FLOCK && (start || last != NACRE_FILELOCK_END))
		return "file lock: flock of a part";
	return NULL;
}

void nacre_filelocks_init(struct nacre_filelocks *all)
{
	nacre_link_init(&all->unsettled);
	all->searches = 0;
}

void nacre_filelock_file_init(struct nacre_filelock_file *file, struct nacre_filelocks *all,
			      __u64 ino)
{
	file->all = all;
	file->ino = ino;
	nacre_link_init(&file->held);
	nacre_link_init(&file->waiting);
	nacre_link_init(&file->unsettled);
}

void nacre_filelock_owner_init(struct nacre_filelock_owner *owner, __u64 instance, __u64 id,
			       __u8 kind)
{
	owner->instance = instance;
	owner->id = id;
	owner->kind = kind;
	owner->held_count = 0;
	owner->searched = 0;
	owner->search_next = NULL;
	nacre_link_init(&owner->held);
	nacre_link_init(&owner->waiting);
}

int nacre_filelock_file_ends(struct nacre_filelock_file *file)
{
	if (!nacre_link_is_empty(&file->held) || !nacre_link_is_empty(&file->waiting))
		return 0;
	nacre_link_remove(&file->unsettled);
	return 1;
}

int nacre_filelock_owner_ends(const struct nacre_filelock_owner *owner)
{
	return nacre_link_is_empty(&owner->held) && nacre_link_is_empty(&owner->waiting);
}

/* ---- conflicts ------------------------------------------------------------------------------------- */

/* flock locks do not see the others. */
static int is_apart(__u8 kind_a, __u8 kind_b)
{
	return (kind_a == NACRE_FILELOCK_FLOCK) != (kind_b == NACRE_FILELOCK_FLOCK);
}

static int excludes(const struct nacre_filelock_range *range,
		    const struct nacre_filelock_want *want)
{
	return range->owner != want->owner && range->start <= want->last &&
	       want->start <= range->last && !is_apart(range->owner->kind, want->owner->kind) &&
	       (range->mode == NACRE_FILELOCK_WRITE || want->mode == NACRE_FILELOCK_WRITE);
}

struct nacre_filelock_range *nacre_filelock_conflict(const struct nacre_filelock_file *file,
						     const struct nacre_filelock_want *want)
{
	struct nacre_filelock_range *range;

	if (want->mode == NACRE_FILELOCK_UNLOCK)
		return NULL;
	for_each_range(range, file)
		if (excludes(range, want))
			return range;
	return NULL;
}

/* Ranges of one owner and mode are merged, so one of them has all or none has. */
int nacre_filelock_holds(const struct nacre_filelock_file *file,
			 const struct nacre_filelock_want *want)
{
	struct nacre_filelock_range *range;

	for_each_range(range, file)
		if (range->owner == want->owner && range->mode == want->mode &&
		    range->start <= want->start && want->last <= range->last)
			return 1;
	return 0;
}

/* ---- taking and giving up ---------------------------------------------------------------------------- */

/* An owner who begins to hold something is not polite any more. */
static void unsettle_waits(struct nacre_filelock_owner *owner)
{
	struct nacre_link *at;

	for (at = owner->waiting.next; at != &owner->waiting; at = at->next)
		nacre_filelock_unsettle(nacre_link_entry(at, struct nacre_filelock_waiter, in_owner)->file);
}

static void put_range(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
		      struct nacre_link *spares)
{
	struct nacre_filelock_range *range = range_of(spares->next);

	nacre_link_remove(&range->in_file);
	range->file = file;
	range->owner = want->owner;
	range->start = want->start;
	range->last = want->last;
	range->pid = want->pid;
	range->mode = want->mode;
	nacre_link_add_tail(&file->held, &range->in_file);
	nacre_link_add_tail(&want->owner->held, &range->in_owner);
	want->owner->held_count++;
}

static void drop_range(struct nacre_filelock_range *range, struct nacre_link *spares)
{
	range->owner->held_count--;
	nacre_link_remove(&range->in_owner);
	nacre_link_remove(&range->in_file);
	nacre_link_add_tail(spares, &range->in_file);
}

/* What lies in the range goes; a range that is cut in the middle becomes two. */
static void cut_range(struct nacre_filelock_file *file, struct nacre_filelock_range *range,
		      __u64 start, __u64 last, struct nacre_link *spares)
{
	struct nacre_filelock_want rest = { range->owner, last + 1, range->last, range->pid, range->mode };
	int has_left = range->start < start, has_right = last < range->last;

	if (has_left && has_right)
		put_range(file, &rest, spares);
	if (has_left)
		range->last = start - 1;
	else if (has_right)
		range->start = last + 1;
	else
		drop_range(range, spares);
}

static int touches(const struct nacre_filelock_range *range, __u64 start, __u64 last)
{
	/* No range ends above NACRE_FILELOCK_END, so nothing wraps here. */
	return range->start <= last + 1 && start <= range->last + 1;
}

/* The owner's last word on this range. */
static void replace(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
		    struct nacre_link *spares)
{
	struct nacre_filelock_want whole = *want;
	struct nacre_link *at, *next;

	for (at = file->held.next; at != &file->held; at = next) {
		struct nacre_filelock_range *range = range_of(at);

		next = at->next;
		if (range->owner != want->owner || !touches(range, want->start, want->last))
			continue;
		if (range->mode == want->mode) {
			if (range->start < whole.start)
				whole.start = range->start;
			if (range->last > whole.last)
				whole.last = range->last;
			drop_range(range, spares);
		} else if (range->start <= want->last && want->start <= range->last) {
			cut_range(file, range, want->start, want->last, spares);
		}
	}
	if (want->mode != NACRE_FILELOCK_UNLOCK)
		put_range(file, &whole, spares);
}

void nacre_filelock_give_up(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
			    struct nacre_link *spares)
{
	struct nacre_filelock_want none = *want;

	if (want->owner->kind != NACRE_FILELOCK_FLOCK || nacre_filelock_holds(file, want))
		return;
	none.mode = NACRE_FILELOCK_UNLOCK;
	replace(file, &none, spares);
	nacre_filelock_unsettle(file);
}

static void put(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
		struct nacre_link *spares)
{
	int held_nothing = nacre_link_is_empty(&want->owner->held);

	replace(file, want, spares);
	nacre_filelock_unsettle(file);
	if (held_nothing)
		unsettle_waits(want->owner);
}

int nacre_filelock_take(struct nacre_filelock_file *file, const struct nacre_filelock_want *want,
			struct nacre_link *spares)
{
	nacre_filelock_give_up(file, want, spares);
	if (nacre_filelock_conflict(file, want))
		return -EAGAIN;
	put(file, want, spares);
	return 0;
}

/* ---- claims ------------------------------------------------------------------------------------------ */

static struct nacre_filelock_range *first_conflict(const struct nacre_filelock_file *file,
						   const struct nacre_filelock_want *want)
{
	struct nacre_filelock_range *range, *first = NULL;

	for_each_range(range, file)
		if (excludes(range, want) && (!first || range->start < first->start))
			first = range;
	return first;
}

int nacre_filelock_claim(struct nacre_filelock_file *file, struct nacre_filelock_want *want,
			 struct nacre_link *spares)
{
	struct nacre_filelock_range *other = first_conflict(file, want);
	struct nacre_filelock_want part = *want;

	if (!other) {
		put(file, want, spares);
		return 0;
	}
	if (other->mode == want->mode)
		return -EAGAIN;
	if (other->start > want->start)
		part.start = other->start;
	if (other->last < want->last)
		part.last = other->last;
	if (other->mode == NACRE_FILELOCK_WRITE) {
		/* the other one was giving it up */
		part.owner = other->owner;
		part.pid = other->pid;
		part.mode = NACRE_FILELOCK_READ;
		put(file, &part, spares);
		return 1;
	}
	/* this one was: what lies before stays as it is */
	if (part.start > want->start) {
		part.last = part.start - 1;
		part.start = want->start;
	} else {
		part.mode = NACRE_FILELOCK_READ;
	}
	put(file, &part, spares);
	want->start = part.last + 1;
	return part.last < want->last;
}

/* ---- invariants -------------------------------------------------------------------------------------- */

static const char *check_pair(const struct nacre_filelock_range *a,
			      const struct nacre_filelock_range *b)
{
	struct nacre_filelock_want want = { b->owner, b->start, b->last, b->pid, b->mode };

	if (excludes(a, &want))
		return "two owners hold what excludes each other";
	if (a->owner != b->owner)
		return NULL;
	if (a->start <= b->last && b->start <= a->last)
		return "an owner holds a byte twice";
	if (a->mode == b->mode && touches(a, b->start, b->last))
		return "an owner's ranges touch and are not merged";
	return NULL;
}

const char *nacre_filelock_invariant(const struct nacre_filelock_file *file)
{
	const struct nacre_filelock_range *a, *b;
	const char *broken;
	struct nacre_link *at;

	for_each_range(a, file) {
		if (a->start > a->last || a->last > NACRE_FILELOCK_END)
			return "an empty range";
		for (at = a->in_file.next; at != &file->held; at = at->next) {
			b = range_of(at);
			broken = check_pair(a, b);
			if (broken)
				return broken;
		}
	}
	if (!nacre_link_is_empty(&file->unsettled))
		return NULL;
	for (at = file->waiting.next; at != &file->waiting; at = at->next)
		if (!nacre_filelock_is_blocked(nacre_link_entry(at, struct nacre_filelock_waiter, in_file)))
			return "somebody waits though nobody is in the way";
	return NULL;
}
