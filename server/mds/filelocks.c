/* SPDX-License-Identifier: GPL-2.0 */
/* The table of file locks: files, owners, ranges and waits in memory. See filelocks.h. */
#include "core.h"

static struct mds_filelock_range *range_of(struct nacre_link *link)
{
	return container_of(link, struct mds_filelock_range, rules.in_file);
}

struct mds_filelock_owner *mds_filelock_owner_of(const struct nacre_filelock_owner *rules)
{
	return container_of(rules, struct mds_filelock_owner, rules);
}

struct mds_filelock_wait *mds_filelock_wait_of(const struct nacre_filelock_waiter *rules)
{
	return container_of(rules, struct mds_filelock_wait, rules);
}

static struct mds_filelock_file *file_of(const struct nacre_filelock_file *rules)
{
	return container_of(rules, struct mds_filelock_file, rules);
}

/* ---- spare ranges -------------------------------------------------------------------------------------- */

/* There are always just enough for one change. */
static void level_spares(struct mds *mds)
{
	struct mds_filelocks *locks = &mds->filelocks;
	struct mds_filelock_range *range;
	struct nacre_link *at;
	int count = 0;

	for (at = locks->spares.next; at != &locks->spares; at = at->next)
		count++;
	mds->counters.filelocks -= (uint64_t)(int64_t)(count - NACRE_FILELOCK_SPARES);
	for (; count < NACRE_FILELOCK_SPARES; count++) {
		range = mds_zalloc(sizeof(*range));
		nacre_link_init(&range->rules.in_owner);
		nacre_link_add_tail(&locks->spares, &range->rules.in_file);
	}
	for (; count > NACRE_FILELOCK_SPARES; count--) {
		range = range_of(locks->spares.next);
		nacre_link_remove(&range->rules.in_file);
		free(range);
	}
}

/* The owner's ranges have changed. */
static void count_ranges(struct nacre_filelock_owner *rules)
{
	struct mds_filelock_owner *owner = mds_filelock_owner_of(rules);

	owner->session->filelock_ranges += rules->held_count - owner->counted;
	owner->counted = rules->held_count;
}

/* What is taken is as old as it is now, whatever it was merged with. */
static void stamp_spares(struct mds *mds)
{
	struct nacre_link *at;

	for (at = mds->filelocks.spares.next; at != &mds->filelocks.spares; at = at->next)
		range_of(at)->since_ns = mds_now(mds);
}

/* ---- files and owners ------------------------------------------------------------------------------------ */

void mds_filelocks_init(struct mds *mds)
{
	nacre_filelocks_init(&mds->filelocks.rules);
	nacre_link_init(&mds->filelocks.spares);
	level_spares(mds);
	mds->counters.filelocks = 0;
}

void mds_filelocks_free(struct mds *mds)
{
	assert(!mds->filelocks.files && !mds->filelocks.owners);
	while (!nacre_link_is_empty(&mds->filelocks.spares)) {
		struct mds_filelock_range *range = range_of(mds->filelocks.spares.next);

		nacre_link_remove(&range->rules.in_file);
		free(range);
	}
}

struct mds_filelock_file *mds_filelock_file_find(struct mds *mds, uint64_t ino)
{
	struct mds_filelock_file *file;

	HASH_FIND(hh, mds->filelocks.files, &ino, sizeof(ino), file);
	return file;
}

struct mds_filelock_file *mds_filelock_file_get(struct mds *mds, uint64_t ino)
{
	struct mds_filelock_file *file = mds_filelock_file_find(mds, ino);

	if (file)
		return file;
	file = mds_zalloc(sizeof(*file));
	nacre_filelock_file_init(&file->rules, &mds->filelocks.rules, ino);
	HASH_ADD(hh, mds->filelocks.files, rules.ino, sizeof(file->rules.ino), file);
	return file;
}

struct mds_filelock_owner *mds_filelock_owner_find(struct mds *mds, const struct mds_session *session,
						   uint64_t id, uint8_t kind)
{
	struct mds_filelock_key key = { session->instance, id, kind };
	struct mds_filelock_owner *owner;

	HASH_FIND(hh, mds->filelocks.owners, &key, sizeof(key), owner);
	return owner;
}

struct mds_filelock_owner *mds_filelock_owner_get(struct mds *mds, struct mds_session *session,
						  uint64_t id, uint8_t kind)
{
	struct mds_filelock_owner *owner = mds_filelock_owner_find(mds, session, id, kind);

	if (owner)
		return owner;
	owner = mds_zalloc(sizeof(*owner));
	owner->key = (struct mds_filelock_key){ session->instance, id, kind };
	owner->session = session;
	nacre_filelock_owner_init(&owner->rules, session->instance, id, kind);
	TAILQ_INSERT_TAIL(&session->filelock_owners, owner, session_link);
	HASH_ADD(hh, mds->filelocks.owners, key, sizeof(owner->key), owner);
	return owner;
}

void mds_filelock_tidy(struct mds *mds, struct mds_filelock_file *file,
		       struct mds_filelock_owner *owner)
{
	if (file && nacre_filelock_file_ends(&file->rules)) {
		HASH_DEL(mds->filelocks.files, file);
		free(file);
	}
	if (owner && nacre_filelock_owner_ends(&owner->rules)) {
		TAILQ_REMOVE(&owner->session->filelock_owners, owner, session_link);
		HASH_DEL(mds->filelocks.owners, owner);
		free(owner);
	}
}

/* ---- changes ------------------------------------------------------------------------------------------------ */

void mds_filelocks_recount(struct mds *mds)
{
	struct mds_filelock_owner *owner, *next;

	HASH_ITER(hh, mds->filelocks.owners, owner, next)
		count_ranges(&owner->rules);
}

int mds_filelock_take(struct mds *mds, struct mds_filelock_file *file,
		      const struct nacre_filelock_want *want)
{
	int result;

	stamp_spares(mds);
	result = nacre_filelock_take(&file->rules, want, &mds->filelocks.spares);
	level_spares(mds);
	count_ranges(want->owner);
	return result;
}

int mds_filelock_claim(struct mds *mds, struct mds_filelock_file *file,
		       const struct nacre_filelock_want *want)
{
	struct nacre_filelock_want left = *want;
	int result;

	do {
		stamp_spares(mds);
		result = nacre_filelock_claim(&file->rules, &left, &mds->filelocks.spares);
		level_spares(mds);
	} while (result > 0);
	count_ranges(want->owner);
	return result;
}

struct mds_filelock_wait *mds_filelock_queue(struct mds *mds, struct mds_filelock_file *file,
					     const struct nacre_filelock_want *want, uint64_t id)
{
	struct mds_filelock_wait *wait = mds_zalloc(sizeof(*wait));
	struct mds_session *session = mds_filelock_owner_of(want->owner)->session;

	nacre_filelock_give_up(&file->rules, want, &mds->filelocks.spares);
	level_spares(mds);
	count_ranges(want->owner);
	nacre_filelock_queue(&file->rules, &wait->rules, want, id);
	wait->since_ns = mds_now(mds);
	session->filelock_waits++;
	mds->counters.filelock_waits++;
	return wait;
}

void mds_filelock_wait_end(struct mds *mds, struct mds_filelock_wait *wait)
{
	nacre_filelock_unqueue(&wait->rules);
	mds_filelock_owner_of(wait->rules.owner)->session->filelock_waits--;
	mds->counters.filelock_waits--;
	free(wait);
}

static void end_wait(struct mds *mds, struct mds_filelock_wait *wait, uint32_t result)
{
	struct mds_session *session = mds_filelock_owner_of(wait->rules.owner)->session;
	struct nacre_filelock_granted granted = {
		.ino = wait->rules.file->ino, .waiter = wait->rules.id, .result = result,
	};
	bool *told = wait->granted;

	mds_filelock_wait_end(mds, wait);
	if (told)
		*told = true;
	else
		mds_session_send(mds, session, NACRE_MSG_FILELOCK_GRANTED, &granted);
}

void mds_filelocks_end_deadlocks(struct mds *mds, struct nacre_filelock_owner *owner)
{
	struct nacre_filelock_waiter *waiter;

	while ((waiter = nacre_filelock_deadlocked(owner)))
		end_wait(mds, mds_filelock_wait_of(waiter), EDEADLK);
}

void mds_filelocks_settle(struct mds *mds)
{
	struct nacre_filelock_waiter *waiter;

	while ((waiter = nacre_filelocks_grantable(&mds->filelocks.rules))) {
		struct mds_filelock_file *file = file_of(waiter->file);
		struct nacre_filelock_want want;
		int result;

		nacre_filelock_waiter_wants(waiter, &want);
		end_wait(mds, mds_filelock_wait_of(waiter), 0);
		result = mds_filelock_take(mds, file, &want);
		assert(!result);
		mds_filelocks_end_deadlocks(mds, want.owner);
	}
}
