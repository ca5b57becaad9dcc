// SPDX-License-Identifier: GPL-2.0
/*
 * Comparing all objects of a group with those of a member whose log does not meet
 * ours: both lists are in the order of keys, a page of theirs at a time beside pages
 * of ours. What changes here meanwhile is added by its write (recover.c).
 */
#include <errno.h>
#include "object_list.h"
#include "recover.h"

#define PAGE 2048u

/* One side: its page, where we are in it, and whether there is more behind. */
struct side {
	struct nacre_rep_listed_object *at;
	uint32_t count, next;
	bool more, waits;
	struct nacre_rep_listed_object last;	/* of the pages so far */
	bool begun;
};

struct recovery_compare {
	struct pg_recovery *recovery;	/* NULL: it has ended; the list under way is the last reference */
	struct side ours, theirs;
	struct osd_list list;
};

static void go_on(struct recovery_compare *compare);

static void compare_free(struct recovery_compare *compare)
{
	free(compare->ours.at);
	free(compare->theirs.at);
	free(compare);
}

void recovery_compare_end(struct pg_recovery *recovery)
{
	struct recovery_compare *compare = recovery->compare;

	if (!compare)
		return;
	recovery->compare = NULL;
	compare->recovery = NULL;
	if (!compare->ours.waits)
		compare_free(compare);
}

static void side_fill(struct side *side, uint32_t count, bool more)
{
	side->at = mem_resize(side->at, count * sizeof(*side->at));
	side->count = count;
	side->next = 0;
	side->more = more;
	side->waits = false;
	side->begun = true;
}

/* ---- our page ------------------------------------------------------------------------------------ */

static void ours_listed(struct osd_list *list)
{
	struct recovery_compare *compare = list->owner;
	struct side *side = &compare->ours;
	struct kv_pair pair;
	uint32_t n = 0;
	size_t at = 0;
	int err = list->result;

	side_fill(side, list->pairs.count, list->pairs.more);
	while (!err && compare->recovery && kv_pairs_next(&list->pairs, &at, &pair)) {
		if (object_list_take(&pair, &side->at[n++]))
			err = -EBADMSG;
	}
	mem_bytes_free(&list->pairs.bytes);
	if (!compare->recovery)
		compare_free(compare);
	else if (err)
		pg_recovery_end(compare->recovery->pg, compare->recovery->member,
				"our own objects cannot be listed");
	else
		go_on(compare);
}

static void list_ours(struct recovery_compare *compare)
{
	struct pg *pg = compare->recovery->pg;
	struct side *side = &compare->ours;
	struct osd_list *list = &compare->list;

	side->waits = true;
	object_list_range(list, pg, side->begun ? &side->last : NULL);
	list->count_max = PAGE;
	list->bytes_max = 16u << 20;
	list->done = ours_listed;
	list->owner = compare;
	osd_store_list(pg->osd->store, list);
}

/* ---- their page ------------------------------------------------------------------------------------ */

static void list_theirs(struct recovery_compare *compare)
{
	struct pg_recovery *recovery = compare->recovery;
	struct pg *pg = recovery->pg;
	struct side *side = &compare->theirs;
	struct nacre_rep_list wire = {
		.pool = pg->key.pool,
		.pg = pg->key.pg,
		.interval = pg->interval,
		.ino = side->last.ino,
		.index = side->last.index,
		.snap = side->last.snap,
		.flags = side->begun ? 0 : NACRE_REP_LIST_FIRST,
		.count = PAGE,
	};

	side->waits = true;
	if (!osd_peer_send(pg->osd, recovery->member->osd, NACRE_MSG_REP_LIST, &wire, NULL))
		pg_recovery_end(pg, recovery->member, "it cannot be asked for its objects");
}

void pg_recovery_listed(struct pg *pg, struct pg_member *member,
			const struct nacre_rep_listed *listed)
{
	struct recovery_compare *compare = member->recovery->compare;
	uint32_t i, count;

	if (!compare || !compare->theirs.waits)
		return;
	if (listed->result) {
		pg_recovery_end(pg, member, "it cannot list its objects");
		return;
	}
	count = listed->objects_bytes / sizeof(struct nacre_rep_listed_object_wire);
	side_fill(&compare->theirs, count, listed->flags & NACRE_REP_LIST_MORE);
	for (i = 0; i < count; i++)
		nacre_array_at(nacre_rep_listed_object_desc(), listed->objects, i,
			       &compare->theirs.at[i]);
	go_on(compare);
}

/* ---- side by side -------------------------------------------------------------------------------------- */

static struct nacre_rep_listed_object *side_now(struct side *side)
{
	return side->next < side->count ? &side->at[side->next] : NULL;
}

static void side_step(struct side *side)
{
	side->last = side->at[side->next++];
}

static void add(struct recovery_compare *compare, const struct nacre_rep_listed_object *object)
{
	struct pg *pg = compare->recovery->pg;
	struct osd_object_key key = { object->ino, object->index, object->snap, pg->key.pool,
				      pg->key.pg };

	recovery_add(compare->recovery, &key);
}

/* Compare as far as both pages go. True: to the end of both. */
static bool compare_pages(struct recovery_compare *compare)
{
	struct nacre_rep_listed_object *ours, *theirs;
	int order;

	for (;;) {
		ours = side_now(&compare->ours);
		theirs = side_now(&compare->theirs);
		if ((!ours && compare->ours.more) || (!theirs && compare->theirs.more))
			return false;
		if (!ours && !theirs)
			return true;
		order = !ours ? 1 : !theirs ? -1 : object_list_order(ours, theirs);
		if (order || ours->version != theirs->version || ours->interval != theirs->interval)
			add(compare, order <= 0 ? ours : theirs);
		if (order <= 0)
			side_step(&compare->ours);
		if (order >= 0)
			side_step(&compare->theirs);
	}
}

static void go_on(struct recovery_compare *compare)
{
	struct pg_recovery *recovery = compare->recovery;

	if (compare->ours.waits || compare->theirs.waits)
		return;
	if (compare_pages(compare)) {
		recovery_compare_end(recovery);
		recovery_compared(recovery);
		return;
	}
	if (!side_now(&compare->ours) && compare->ours.more)
		list_ours(compare);
	else
		list_theirs(compare);
}

void recovery_compare_start(struct pg_recovery *recovery)
{
	struct recovery_compare *compare = mem_zero(1, sizeof(*compare));

	compare->recovery = recovery;
	recovery->compare = compare;
	compare->ours.more = compare->theirs.more = true;
	go_on(compare);
}
