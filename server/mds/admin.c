/* SPDX-License-Identifier: GPL-2.0 */
/* What an administrator can ask the rank, and tell it. */
#include <inttypes.h>
#include "core.h"
#include "protocol/error.h"

STATS_ROWS(counter_rows, MDS_COUNTERS);

static uint64_t age_ms(const struct mds *mds, uint64_t since_ns)
{
	return since_ns ? (mds_now(mds) - since_ns) / 1000000 : 0;
}

void mds_status(struct mds *mds, struct admin_answer *answer)
{
	const struct mds_journal *journal = &mds->journal;

	admin_print(answer, "rank %u\nincarnation %" PRIu64 "\nstate %s\ninstance %" PRIu64 "\n",
		    mds->config.rank, mds->incarnation, mds_state_name(mds->state),
		    mds->instance);
	admin_print(answer, "barrier_epoch %" PRIu64 "\nsessions %" PRIu64 "\ninodes %" PRIu64
			    "\ncaps %" PRIu64 "\nrequests %" PRIu64 "\n",
		    mds->barrier_epoch, mds->counters.sessions, mds->counters.inodes,
		    mds->counters.caps, mds->request_count);
	admin_print(answer, "journal_used %" PRIu64 "\njournal_unwritten %" PRIu64
			    "\ndirty %" PRIu64 "\nwritebacks %u\nleaving %" PRIu64 "\npurges %" PRIu64
			    "\npurges_in_table_only %" PRIu64 "\n",
		    mds_journal_used(mds), journal->pending_bytes, mds->checkpoint.queued,
		    mds->checkpoint.in_flight, mds->leaving_count, mds_purge_count(mds),
		    mds_purge_stored(mds));
}

static bool show_sessions(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct mds *mds = owner;
	struct mds_session *session, *next;

	HASH_ITER(hh, mds->sessions, session, next)
		admin_print(answer,
			    "instance %" PRIu64 " %s state %s %s renewed_ms %" PRIu64 " caps %u requests %u applied %" PRIu64
			    " safe %" PRIu64 " inos %" PRIu64 "\n",
			    session->instance, session->name, mds_session_state_name(session),
			    session->conn ? "connected" : "away",
			    age_ms(mds, session->renewed_ns), session->cap_count,
			    session->request_count, session->applied, session->safe,
			    mds_intervals_total(&session->inos));
	return true;
}

static void show_cap(struct mds *mds, const struct mds_cap *cap, struct admin_answer *answer)
{
	char issued[NACRE_CAPS_TEXT_BYTES], held[NACRE_CAPS_TEXT_BYTES];
	char wanted[NACRE_CAPS_TEXT_BYTES];

	admin_print(answer, "ino %#" PRIx64 " instance %" PRIu64 " issued %s held %s wanted %s seq %u",
		    cap->inode->ino, cap->session->instance, nacre_caps_text(cap->rank.issued, issued),
		    nacre_caps_text(cap->rank.held, held),
		    nacre_caps_text(cap->rank.wanted, wanted), cap->rank.seq);
	if (cap->revoke_first_ns)
		admin_print(answer, " revoking_ms %" PRIu64 " repeats %u",
			    age_ms(mds, cap->revoke_first_ns), cap->repeats);
	admin_print(answer, "\n");
}

/* A lock's group is shown by the first of its bits, as nacre_caps_text() writes it. */
static const char *group_text(uint32_t group, char *text)
{
	nacre_caps_text(nacre_group_shared(group), text);
	return text;
}

/* The locks that somebody moved or waits for, and who waits: "why does nobody get caps on this inode?" */
static void show_locks(const struct mds_inode *inode, struct admin_answer *answer)
{
	char text[NACRE_CAPS_TEXT_BYTES];
	const struct mds_claim *claim;
	int i;

	for (i = 0; i < NACRE_GROUP_COUNT; i++) {
		const struct nacre_lock *lock = &inode->locks[i];

		admin_print(answer, "lock %s %s", group_text(lock->group, text),
			    nacre_machine_state(&nacre_lock_machine, lock->state));
		if (lock->loner)
			admin_print(answer, " of %" PRIu64, (uint64_t)lock->loner);
		if (lock->read_pins || lock->change_pin)
			admin_print(answer, " read_pins %u change_pin %u", lock->read_pins,
				    lock->change_pin);
		TAILQ_FOREACH(claim, &inode->claims, link)
			if (claim->groups & lock->group)
				admin_print(answer, " claimed by %" PRIu64 "/%" PRIu64,
					    claim->request->session->instance,
					    (uint64_t)claim->request->head->tid);
		admin_print(answer, "\n");
	}
	if (inode->probe || inode->trim_end)
		admin_print(answer, "the size is being %s\n", inode->probe ? "found out" : "cut");
}

/*
 * caps [INSTANCE | 0xINO]: all of one client, or all on one inode and its locks; without either, those being revoked
 */
static bool show_caps(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	uint64_t number = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	struct mds *mds = owner;
	struct mds_session *session = mds_session_find(mds, number);
	struct mds_inode *inode = mds_inode_find(mds, number);
	const struct mds_cap *cap;

	if (argc < 2)
		TAILQ_FOREACH(cap, &mds->revoking, revoke_link)
			show_cap(mds, cap, answer);
	else if (argv[1][0] == '0' && inode) {
		TAILQ_FOREACH(cap, &inode->caps, inode_link)
			show_cap(mds, cap, answer);
		show_locks(inode, answer);
	} else if (session)
		TAILQ_FOREACH(cap, &session->caps, session_link)
			show_cap(mds, cap, answer);
	else
		admin_print(answer, "no such session or inode in memory: %s\n", argv[1]);
	return true;
}

static bool show_requests(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	const struct mds_request *request;
	struct mds *mds = owner;

	TAILQ_FOREACH(request, &mds->requests, all_link)
		admin_print(answer,
			    "instance %" PRIu64 " tid %" PRIu64 " %s age_ms %" PRIu64 " waits_ms %" PRIu64
			    " for %s ino %#" PRIx64 "\n",
			    request->session->instance, (uint64_t)request->head->tid,
			    nacre_message_find(request->op->type)->name,
			    age_ms(mds, request->message->received_ns),
			    age_ms(mds, request->since_ns), mds_wait_text(request->wait),
			    request->wait_ino);
	return true;
}

/* slowest [forget] */
static bool slowest(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	if (argc > 1 && !strcmp(argv[1], "forget"))
		mds_slowest_forget(owner);
	else
		mds_slowest_show(owner, answer);
	return true;
}

/* journal [hold | release | writeback] */
static bool journal(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct mds *mds = owner;
	const struct mds_journal *journal = &mds->journal;

	if (argc > 1 && !strcmp(argv[1], "hold"))
		mds_journal_hold(mds, true);
	else if (argc > 1 && !strcmp(argv[1], "release"))
		mds_journal_hold(mds, false);
	else if (argc > 1 && !strcmp(argv[1], "writeback"))
		mds_checkpoint_force(mds);
	else if (argc > 1)
		admin_print(answer, "journal [hold | release | writeback]\n");
	admin_print(answer, "safe_seq %" PRIu64 "\nnext_seq %" PRIu64 "\nend_pos %" PRIu64
			    "\nexpire_seq %" PRIu64 "\nunwritten_bytes %" PRIu64 "\nheld %d\n",
		    journal->safe_seq, journal->next_seq, journal->end_pos,
		    mds_checkpoint_expire(mds), journal->pending_bytes, journal->held);
	return true;
}

static bool evict(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	uint64_t instance = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	struct mds *mds = owner;
	struct mds_session *session = mds_session_find(mds, instance);

	if (!session) {
		admin_print(answer, "no session of instance %s\n", argc > 1 ? argv[1] : "?");
		return true;
	}
	mds_evict(mds, session, "by an administrator");
	admin_print(answer, "instance %" PRIu64 " is being evicted\n", instance);
	return true;
}

int mds_admin_register(struct mds *mds, struct admin *admin)
{
	static const struct {
		const char *name;
		const char *doc;
		admin_command command;
	} commands[] = {
		{ "sessions", "clients: state, lease, caps, apply numbers", show_sessions },
		{ "caps", "caps being revoked; of an INSTANCE; on an inode 0xINO", show_caps },
		{ "requests", "requests under way, with age and what they wait for", show_requests },
		{ "slowest", "requests that took longest, what they waited for and what went on; forget", slowest },
		{ "journal", "where it stands; hold, release, writeback", journal },
		{ "filelocks", "file locks that clients hold and wait for; on an inode 0xINO", mds_filelocks_show },
		{ "quotas", "quotas of directory trees: limits, use, what is reserved", mds_quotas_show },
		{ "evict", "put the client INSTANCE out", evict },
		{ "audit", "objects compared with inodes: where it stands; start, stop", mds_audit_command },
	};
	unsigned int i;
	int result = 0;

	mds->admin = admin;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]) && !result; i++)
		result = admin_register(admin, commands[i].name, commands[i].doc,
					commands[i].command, mds);
	mds->stats = (struct stats_set){
		.area = "mds", .rows = counter_rows,
		.values = (uint64_t *)&mds->counters,
		.count = sizeof(counter_rows) / sizeof(counter_rows[0]),
	};
	if (!result)
		result = admin_register_stats(admin, &mds->stats);
	if (!result)
		result = admin_register_stats(admin, msgr_stats(mds->msgr));
	if (!result)
		result = admin_register_stats(admin, msgr_received_stats(mds->msgr));
	if (!result)
		result = admin_register_stats(admin, msgr_sent_stats(mds->msgr));
	return result;
}

void mds_admin_unregister(struct mds *mds)
{
	if (!mds->admin)
		return;
	admin_unregister(mds->admin, mds);
	admin_unregister(mds->admin, &mds->stats);
	admin_unregister(mds->admin, msgr_stats(mds->msgr));
	admin_unregister(mds->admin, msgr_received_stats(mds->msgr));
	admin_unregister(mds->admin, msgr_sent_stats(mds->msgr));
}
