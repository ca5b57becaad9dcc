/* SPDX-License-Identifier: GPL-2.0 */
/* The requests that took longest, and why; see slowest.h. */
#include <inttypes.h>
#include "core.h"

#define KEPT 16

struct mds_slow {
	uint16_t type;
	uint64_t instance, tid, ino;
	uint64_t ended_ns, took_ns;
	struct mds_spent spent;
	struct mds_meanwhile meanwhile;
};

/* Longest first. */
struct mds_slowest {
	unsigned int count;
	struct mds_slow kept[KEPT];
};

void mds_slowest_init(struct mds *mds)
{
	mds->slowest = mds_zalloc(sizeof(*mds->slowest));
}

void mds_slowest_free(struct mds *mds)
{
	free(mds->slowest);
}

void mds_slowest_forget(struct mds *mds)
{
	mds->slowest->count = 0;
}

/* ---- one request ------------------------------------------------------------------------------------------ */

static struct mds_meanwhile counted(const struct mds *mds)
{
#define COUNTED(name) .name = mds->counters.name,
	return (struct mds_meanwhile){ MDS_MEANWHILE(COUNTED) };
}

static struct mds_meanwhile difference(const struct mds_meanwhile *now,
				       const struct mds_meanwhile *before)
{
#define DIFFERENCE(name) .name = now->name - before->name,
	return (struct mds_meanwhile){ MDS_MEANWHILE(DIFFERENCE) };
}

void mds_spent_begin(struct mds *mds, struct mds_request *request)
{
	request->spent.before = counted(mds);
}

void mds_spent_park(struct mds *mds, struct mds_request *request)
{
	request->spent.since_ns = mds_now(mds);
	request->spent.waits[request->wait]++;
}

void mds_spent_ready(struct mds *mds, struct mds_request *request)
{
	uint64_t now = mds_now(mds);

	request->spent.waited_ns[request->wait] += now - request->spent.since_ns;
	request->spent.since_ns = now;
}

void mds_spent_run(struct mds *mds, struct mds_request *request)
{
	request->spent.turn_ns += mds_now(mds) - request->spent.since_ns;
}

void mds_spent_end(struct mds *mds, struct mds_request *request)
{
	struct mds_slowest *slowest = mds->slowest;
	uint64_t now = mds_now(mds), took = now - request->message->received_ns;
	struct mds_meanwhile after = counted(mds);
	unsigned int at = slowest->count;

	stats_longest(&mds->counters.longest_request_us, took / 1000);
	if (at == KEPT && took <= slowest->kept[--at].took_ns)
		return;
	for (; at && slowest->kept[at - 1].took_ns < took; at--)
		slowest->kept[at] = slowest->kept[at - 1];
	slowest->count += slowest->count < KEPT;
	slowest->kept[at] = (struct mds_slow){
		.type = request->op->type,
		.instance = request->session->instance,
		.tid = request->head->tid,
		.ino = request->wait_ino,
		.ended_ns = now,
		.took_ns = took,
		.spent = request->spent,
		.meanwhile = difference(&after, &request->spent.before),
	};
}

/* ---- for people ------------------------------------------------------------------------------------------- */

const char *mds_wait_text(enum mds_wait wait)
{
#define WAIT_TEXT(name, doc) [MDS_WAIT_##name] = doc,
	static const char *const texts[] = { MDS_WAITS(WAIT_TEXT) };

	return texts[wait];
}

static void show_one(struct mds *mds, const struct mds_slow *slow, struct admin_answer *answer)
{
	int wait;

	admin_print(answer, "%s instance %" PRIu64 " tid %" PRIu64 " ino %#" PRIx64 " took_ms %.1f ago_s %.1f\n",
		    nacre_message_find(slow->type)->name, slow->instance, slow->tid, slow->ino,
		    (double)slow->took_ns / 1e6, (double)(mds_now(mds) - slow->ended_ns) / 1e9);
	for (wait = 0; wait < MDS_WAIT_KINDS; wait++)
		if (slow->spent.waits[wait])
			admin_print(answer, "  %.1f ms for %s (%u times)\n",
				    (double)slow->spent.waited_ns[wait] / 1e6,
				    mds_wait_text((enum mds_wait)wait), slow->spent.waits[wait]);
	admin_print(answer, "  %.1f ms for its turn, meanwhile:", (double)slow->spent.turn_ns / 1e6);
#define SHOW(name) admin_print(answer, " " #name " %" PRIu64, slow->meanwhile.name);
	MDS_MEANWHILE(SHOW)
	admin_print(answer, "\n");
}

void mds_slowest_show(struct mds *mds, struct admin_answer *answer)
{
	unsigned int i;

	for (i = 0; i < mds->slowest->count; i++)
		show_one(mds, &mds->slowest->kept[i], answer);
}
