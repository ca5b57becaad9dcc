// SPDX-License-Identifier: GPL-2.0
/* Asking the writer of a file for its size. See report.h. */
#include "core.h"
#include "server/base/mutate.h"

/* ---- whom to ask ---------------------------------------------------------------------------------- */

static bool can_be_asked(const struct mds_cap *cap)
{
	const struct mds_session *session = cap->session;

	return nacre_size_is_written(&cap->rank) && !(cap->claimed_dirty & NACRE_GROUP_FILE) &&
	       mds_session_serves(session) && session->conn && conn_is_open(session->conn) &&
	       (conn_peer_features(session->conn) & NACRE_FEATURE_SIZE_REPORT);
}

/* May this holder know a newer size than the rank? */
static bool may_know(const struct mds_cap *cap)
{
	return nacre_size_may_differ(&cap->rank) || (cap->claimed_dirty & NACRE_GROUP_FILE);
}

/* Writers of the file apart from `session`; 0: there are none, or one of those who may know better cannot be asked. */
static uint32_t writers_of(const struct mds_inode *inode, const struct mds_session *session)
{
	const struct nacre_lock *lock = &inode->locks[nacre_group_index(NACRE_GROUP_FILE)];
	const struct mds_cap *cap;
	uint32_t count = 0;

	if (!S_ISREG(inode->mode) || inode->probe || inode->trim_end || lock->change_pin ||
	    (lock->state != NACRE_LOCK_EXCL && lock->state != NACRE_LOCK_MIX) ||
	    mds_caps_returning(inode, session->instance, NACRE_GROUP_FILE))
		return 0;
	TAILQ_FOREACH(cap, &inode->caps, inode_link) {
		if (cap->session == session || !may_know(cap))
			continue;
		if (!can_be_asked(cap))
			return 0;
		count++;
	}
	return count;
}

/* The one whose report is the file's size. NULL: there is none, or more than one may write, `session`, who asks, among them (rules/size_report.h). */
static const struct mds_cap *writer_of(const struct mds_inode *inode, const struct mds_session *session)
{
	const struct mds_cap *cap, *writer = NULL;

	if (writers_of(inode, session) != 1)
		return NULL;
	TAILQ_FOREACH(cap, &inode->caps, inode_link) {
		if (!may_know(cap))
			continue;
		if (cap->session == session)
			return NULL;
		writer = cap;
	}
	return writer;
}

/* An older request is about to have the lock moved: what it waits for is not prolonged. */
bool mds_report_spares(struct mds *mds, const struct mds_request *request, const struct mds_inode *inode)
{
	return (request->head->flags & NACRE_REQUEST_REPORT) &&
	       request->question.state != NACRE_QUESTION_PLAIN &&
	       !mds_claimed(inode, NACRE_GROUP_FILE, request) && writers_of(inode, request->session);
}

/* ---- asking ----------------------------------------------------------------------------------------- */

static void arm(struct mds *mds)
{
	const struct mds_request *first = TAILQ_FIRST(&mds->waiting_reports);

	if (first)
		io_timer_arm(mds->io, &mds->report_timer,
			     first->since_ns + mds_scaled_ns(mds, mds->config.size_report_ms));
}

/* Requests stand in the order in which they asked. */
static void time_is_over(struct io_timer *timer)
{
	struct mds *mds = container_of(timer, struct mds, report_timer);
	uint64_t limit = mds_scaled_ns(mds, mds->config.size_report_ms), now = mds_now(mds);
	struct mds_request *request;

	if (mds->state == MDS_DEAD)
		return;
	while ((request = TAILQ_FIRST(&mds->waiting_reports)) && now - request->since_ns >= limit) {
		nacre_question_end(&request->question, NACRE_QUESTIONE_LATE);
		mds->counters.size_reports_missed++;
		mds_request_ready(mds, request);
	}
	arm(mds);
}

void mds_report_init(struct mds *mds)
{
	TAILQ_INIT(&mds->waiting_reports);
	mds->report_timer.fire = time_is_over;
}

static void ask(struct mds *mds, struct mds_request *request, const struct mds_inode *inode)
{
	const struct mds_cap *writer = writer_of(inode, request->session);
	struct nacre_size_ask message = { .ino = inode->ino, .ask_id = request->number,
					  .cap_id = writer->rank.cap_id, .cap_gen = writer->rank.gen };

	nacre_question_asked(&request->question, request->number);
	mds->counters.size_asks++;
	mds_session_send(mds, writer->session, NACRE_MSG_SIZE_ASK, &message);
}

static bool is_current(const struct mds_inode *inode, const struct mds_request *request)
{
	uint64_t client = request->session->instance;

	return !inode->probe && !inode->trim_end &&
	       nacre_lock_can_read(&inode->locks[nacre_group_index(NACRE_GROUP_FILE)], client) &&
	       !mds_caps_returning(inode, client, NACRE_GROUP_FILE);
}

int req_report(struct mds *mds, struct mds_request *request, struct mds_inode *inode)
{
	struct nacre_question *question = &request->question;
	int result;

	if (inode->probe || inode->trim_end)
		nacre_question_end(question, NACRE_QUESTIONE_CUT);	/* SIZE-2, SIZE-3 */
	if (question->state == NACRE_QUESTION_HEARD)
		return 0;
	if (is_current(inode, request) || question->state != NACRE_QUESTION_NEW ||
	    !mds_report_spares(mds, request, inode) || !writer_of(inode, request->session))
		return req_read(mds, request, inode, NACRE_GROUP_FILE);
	if (mutate(MUTATE_SIZE_UNASKED)) {
		question->state = NACRE_QUESTION_HEARD;
		return 0;
	}
	ask(mds, request, inode);
	result = mds_request_park(mds, request, &mds->waiting_reports, MDS_WAIT_REPORT, inode->ino);
	if (TAILQ_FIRST(&mds->waiting_reports) == request)
		arm(mds);
	return result;
}

void mds_report_fill(const struct mds_request *request, struct nacre_inode_info *info)
{
	if (request->question.state != NACRE_QUESTION_HEARD || info->valid & NACRE_GROUP_FILE)
		return;
	info->info_flags |= NACRE_INFO_REPORTED;
	info->allocated = nacre_size_allocated(info->allocated, request->question.written, info->size);
}

/* ---- hearing ---------------------------------------------------------------------------------------- */

static struct mds_request *asker(struct mds *mds, const struct nacre_size_report *report)
{
	struct mds_request *request;

	TAILQ_FOREACH(request, &mds->waiting_reports, wait_link)
		if (request->number == report->ask_id && request->wait_ino == report->ino)
			return request;
	return NULL;	/* too late, or nobody's */
}

void mds_report_take(struct mds *mds, struct mds_session *session, struct message *message)
{
	const struct nacre_size_report *report = &message->host.size_report;
	struct mds_inode *inode = mds_inode_peek(mds, report->ino);
	struct mds_cap *cap = inode ? mds_cap_find(inode, session) : NULL;
	struct mds_request *request = inode ? asker(mds, report) : NULL;
	struct nacre_size known;
	__u32 actions;

	if (request) {
		/* the lock is not where it was, or the journal takes no more: the question is not answered by this */
		if (!writer_of(inode, request->session) || mds_journal_is_full(mds))
			cap = NULL;
		known = (struct nacre_size){ inode->size, inode->truncate_size, inode->truncate_seq };
		if (nacre_question_report(&request->question, cap ? &cap->rank : NULL, &known, report, &actions))
			mds_cap_take_report(mds, cap, report);
		if (request->question.state == NACRE_QUESTION_PLAIN)
			mds->counters.size_reports_missed++;
		if (request->question.state == NACRE_QUESTION_HEARD)
			mds->counters.size_reports++;
		if (actions & NACRE_QUESTIONA_WAKE)
			mds_request_ready(mds, request);
	}
	message_put(message);
}
