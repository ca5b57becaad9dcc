/* SPDX-License-Identifier: GPL-2.0 */
/* File locks and the life of sessions: claims to a new incarnation, the end, who is in others' way; and the list. */
#include <inttypes.h>
#include "core.h"
#include "server/base/mutate.h"

/* ---- claims ----------------------------------------------------------------------------------------------- */

static void claim(struct mds *mds, struct mds_session *session, const struct nacre_filelock *lock)
{
	struct mds_filelock_file *file = mds_filelock_file_get(mds, lock->ino);
	struct mds_filelock_owner *owner = mds_filelock_owner_get(mds, session, lock->owner, lock->kind);
	struct nacre_filelock_want want = { &owner->rules, lock->start, lock->last, lock->pid,
					    lock->lock_mode };

	if (mds_filelock_claim(mds, file, &want))
		log_warn(mds->log, "filelocks", "client %" PRIu64 " declares a lock on %#" PRIx64 " that another one holds",
			 session->instance, (uint64_t)lock->ino);
	mds_filelock_tidy(mds, file, owner);
}

/* FLOCK-2: all claims are in before the first request is served. */
void mds_filelocks_claims(struct mds *mds, struct mds_session *session,
			  const struct nacre_session_filelocks *part)
{
	int i, count = nacre_array_count(nacre_filelock_desc(), part->locks_bytes);
	struct nacre_filelock lock;

	for (i = 0; i < count && !mutate(MUTATE_MDS_FORGET_LOCKS); i++)
		if (!nacre_array_at(nacre_filelock_desc(), part->locks, (uint32_t)i, &lock))
			claim(mds, session, &lock);
	mds_filelocks_recount(mds);
}

/* ---- the end ------------------------------------------------------------------------------------------------ */

static void drop_owner(struct mds *mds, struct mds_filelock_owner *owner)
{
	struct nacre_filelock_want all = { &owner->rules, 0, NACRE_FILELOCK_END, 0, NACRE_FILELOCK_UNLOCK };

	while (!nacre_link_is_empty(&owner->rules.waiting))
		mds_filelock_wait_end(mds, mds_filelock_wait_of(nacre_link_entry(
				owner->rules.waiting.next, struct nacre_filelock_waiter, in_owner)));
	while (!nacre_link_is_empty(&owner->rules.held)) {
		struct nacre_filelock_range *range = nacre_link_entry(
			owner->rules.held.next, struct nacre_filelock_range, in_owner);

		mds_filelock_take(mds, container_of(range->file, struct mds_filelock_file, rules), &all);
	}
}

void mds_filelocks_drop_session(struct mds *mds, struct mds_session *session)
{
	struct mds_filelock_owner *owner;
	struct mds_filelock_file *file, *next;

	if (TAILQ_EMPTY(&session->filelock_owners))
		return;
	/* FLOCK-1: first all of it goes, then others go on */
	while ((owner = TAILQ_FIRST(&session->filelock_owners))) {
		drop_owner(mds, owner);
		mds_filelock_tidy(mds, NULL, owner);
	}
	assert(!session->filelock_ranges && !session->filelock_waits);
	if (mds->state != MDS_DEAD)
		mds_filelocks_settle(mds);
	HASH_ITER(hh, mds->filelocks.files, file, next)
		mds_filelock_tidy(mds, file, NULL);
}

/* ---- in the way ------------------------------------------------------------------------------------------------ */

static bool hinders_in(const struct mds_filelock_file *file, uint64_t instance)
{
	const struct nacre_link *at;

	for (at = file->rules.waiting.next; at != &file->rules.waiting; at = at->next) {
		struct nacre_filelock_waiter *waiter =
			nacre_link_entry(at, struct nacre_filelock_waiter, in_file);
		struct nacre_filelock_range *range;
		struct nacre_filelock_want want;

		nacre_filelock_waiter_wants(waiter, &want);
		range = nacre_filelock_conflict(&file->rules, &want);
		if (range && range->owner->instance == instance && waiter->owner->instance != instance)
			return true;
	}
	return false;
}

bool mds_filelocks_hinders(struct mds *mds, const struct mds_session *session)
{
	struct mds_filelock_file *file, *next;

	if (!session->filelock_ranges)
		return false;
	HASH_ITER(hh, mds->filelocks.files, file, next)
		if (hinders_in(file, session->instance))
			return true;
	return false;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static void show_one(struct mds *mds, const struct nacre_filelock_owner *owner, const char *how,
		     uint8_t mode, uint64_t start, uint64_t last, uint32_t pid, uint64_t since_ns,
		     struct admin_answer *answer)
{
	static const char *const kinds[] = { "?", "posix", "ofd", "flock" };

	admin_print(answer, "  %s %s %s %" PRIu64 "-", how, kinds[owner->kind & 3],
		    mode == NACRE_FILELOCK_WRITE ? "write" : "read", start);
	if (last == NACRE_FILELOCK_END)
		admin_print(answer, "end");
	else
		admin_print(answer, "%" PRIu64, last);
	admin_print(answer, " instance %" PRIu64 " owner %" PRIx64 " pid %u age_ms %" PRIu64 "\n",
		    (uint64_t)owner->instance, (uint64_t)owner->id, pid,
		    (mds_now(mds) - since_ns) / 1000000);
}

static void show_file(struct mds *mds, const struct mds_filelock_file *file,
		      struct admin_answer *answer)
{
	const struct nacre_link *at;

	admin_print(answer, "ino %#" PRIx64 "\n", (uint64_t)file->rules.ino);
	for (at = file->rules.held.next; at != &file->rules.held; at = at->next) {
		const struct mds_filelock_range *range =
			container_of(at, struct mds_filelock_range, rules.in_file);

		show_one(mds, range->rules.owner, "held", range->rules.mode, range->rules.start,
			 range->rules.last, range->rules.pid, range->since_ns, answer);
	}
	for (at = file->rules.waiting.next; at != &file->rules.waiting; at = at->next) {
		const struct mds_filelock_wait *wait =
			container_of(at, struct mds_filelock_wait, rules.in_file);

		show_one(mds, wait->rules.owner, "waits", wait->rules.mode, wait->rules.start,
			 wait->rules.last, wait->rules.pid, wait->since_ns, answer);
	}
}

bool mds_filelocks_show(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	uint64_t ino = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	struct mds_filelock_file *file, *next;
	struct mds *mds = owner;

	HASH_ITER(hh, mds->filelocks.files, file, next)
		if (!ino || file->rules.ino == ino)
			show_file(mds, file, answer);
	return true;
}
