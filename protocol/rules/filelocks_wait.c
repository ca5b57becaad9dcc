// SPDX-License-Identifier: GPL-2.0
/* File locks that are waited for: the queue, who can go on, deadlocks. See filelocks.h. */
#include <linux/string.h>
#include "filelocks.h"

static struct nacre_filelock_waiter *waiter_in_file(const struct nacre_link *link)
{
	return nacre_link_entry(link, struct nacre_filelock_waiter, in_file);
}

static struct nacre_filelock_waiter *waiter_in_owner(const struct nacre_link *link)
{
	return nacre_link_entry(link, struct nacre_filelock_waiter, in_owner);
}

/* ---- the queue ------------------------------------------------------------------------------------- */

void nacre_filelock_unsettle(struct nacre_filelock_file *file)
{
	nacre_link_remove(&file->unsettled);
	nacre_link_add_tail(&file->all->unsettled, &file->unsettled);
}

void nacre_filelock_queue(struct nacre_filelock_file *file, struct nacre_filelock_waiter *waiter,
			  const struct nacre_filelock_want *want, __u64 id)
{
	waiter->file = file;
	waiter->owner = want->owner;
	waiter->start = want->start;
	waiter->last = want->last;
	waiter->id = id;
	waiter->pid = want->pid;
	waiter->mode = want->mode;
	nacre_link_add_tail(&file->waiting, &waiter->in_file);
	nacre_link_add_tail(&want->owner->waiting, &waiter->in_owner);
	nacre_filelock_unsettle(file);
}

void nacre_filelock_unqueue(struct nacre_filelock_waiter *waiter)
{
	nacre_link_remove(&waiter->in_file);
	nacre_link_remove(&waiter->in_owner);
	/* who was polite to it may go on */
	nacre_filelock_unsettle(waiter->file);
}

void nacre_filelock_waiter_wants(const struct nacre_filelock_waiter *waiter,
				 struct nacre_filelock_want *want)
{
	*want = (struct nacre_filelock_want){ waiter->owner, waiter->start, waiter->last,
					      waiter->pid, waiter->mode };
}

static int is_before(const struct nacre_filelock_waiter *first,
		     const struct nacre_filelock_waiter *waiter)
{
	return first->owner != waiter->owner && first->start <= waiter->last &&
	       waiter->start <= first->last &&
	       (first->owner->kind == NACRE_FILELOCK_FLOCK) ==
	       (waiter->owner->kind == NACRE_FILELOCK_FLOCK) &&
	       (first->mode == NACRE_FILELOCK_WRITE || waiter->mode == NACRE_FILELOCK_WRITE);
}

int nacre_filelock_is_blocked(const struct nacre_filelock_waiter *waiter)
{
	struct nacre_filelock_want want;
	struct nacre_link *at;

	nacre_filelock_waiter_wants(waiter, &want);
	if (nacre_filelock_conflict(waiter->file, &want))
		return 1;
	if (!nacre_link_is_empty(&waiter->owner->held))
		return 0;
	for (at = waiter->file->waiting.next; at != &waiter->in_file; at = at->next)
		if (is_before(waiter_in_file(at), waiter))
			return 1;
	return 0;
}

struct nacre_filelock_waiter *nacre_filelocks_grantable(struct nacre_filelocks *all)
{
	struct nacre_link *at;

	while (!nacre_link_is_empty(&all->unsettled)) {
		struct nacre_filelock_file *file = nacre_link_entry(all->unsettled.next,
								    struct nacre_filelock_file, unsettled);

		for (at = file->waiting.next; at != &file->waiting; at = at->next)
			if (!nacre_filelock_is_blocked(waiter_in_file(at)))
				return waiter_in_file(at);
		nacre_link_remove(&file->unsettled);
	}
	return NULL;
}

/* ---- deadlocks -------------------------------------------------------------------------------------- */

/* The owners still to be looked at, each once a search. */
struct search {
	__u64 number;
	struct nacre_filelock_owner *first;
	const struct nacre_filelock_owner *target;
	int found;
};

/* All that hold what is wanted. Only POSIX locks have owners that wait for locks of their own. */
static void look_at(struct search *search, const struct nacre_filelock_file *file,
		    const struct nacre_filelock_want *want)
{
	struct nacre_link *at;

	for (at = file->held.next; at != &file->held; at = at->next) {
		struct nacre_filelock_range *range =
			nacre_link_entry(at, struct nacre_filelock_range, in_file);
		struct nacre_filelock_owner *owner = range->owner;

		if (owner == want->owner || owner->kind != NACRE_FILELOCK_POSIX ||
		    owner->searched == search->number || range->start > want->last ||
		    want->start > range->last || (range->mode != NACRE_FILELOCK_WRITE &&
						  want->mode != NACRE_FILELOCK_WRITE))
			continue;
		search->found |= owner == search->target;
		owner->searched = search->number;
		owner->search_next = search->first;
		search->first = owner;
	}
}

int nacre_filelock_deadlocks(struct nacre_filelock_file *file,
			     const struct nacre_filelock_want *want)
{
	struct search search = { .number = ++file->all->searches, .target = want->owner };
	struct nacre_link *at;

	if (want->owner->kind != NACRE_FILELOCK_POSIX)
		return 0;
	look_at(&search, file, want);
	while (search.first && !search.found) {
		struct nacre_filelock_owner *owner = search.first;

		search.first = owner->search_next;
		for (at = owner->waiting.next; at != &owner->waiting; at = at->next) {
			struct nacre_filelock_waiter *waiter = waiter_in_owner(at);
			struct nacre_filelock_want next;

			nacre_filelock_waiter_wants(waiter, &next);
			look_at(&search, waiter->file, &next);
		}
	}
	return search.found;
}

struct nacre_filelock_waiter *nacre_filelock_deadlocked(struct nacre_filelock_owner *owner)
{
	struct nacre_link *at;

	for (at = owner->waiting.next; at != &owner->waiting; at = at->next) {
		struct nacre_filelock_waiter *waiter = waiter_in_owner(at);
		struct nacre_filelock_want want;

		nacre_filelock_waiter_wants(waiter, &want);
		if (nacre_filelock_deadlocks(waiter->file, &want))
			return waiter;
	}
	return NULL;
}
