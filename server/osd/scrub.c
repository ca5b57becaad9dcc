// SPDX-License-Identifier: GPL-2.0
/*
 * Which group is scrubbed when: by hand in the order of asking, else by itself as its time comes, one group at a time,
 * object after object in slices of the names that its members have, no faster than `scrub_bytes_per_s` and not while
 * requests wait. See scrub.h.
 *
 * A group's times are those of the wall clock at which (now - offset) is a multiple of the period, each group with its own
 * offset: nothing is remembered over a restart, and groups do not come all at once.
 */
#include <errno.h>
#include <inttypes.h>
#include <xxhash.h>
#include "object_list.h"
#include "scrub.h"

#define PAGE 256u			/* names of one replica at a time */
#define OBJECT_BYTES 4096u		/* what an object costs beside its bytes */
#define YIELD_NS 5000000u		/* while requests wait … */
#define YIELDS_MAX 20u			/* … but not for ever */
#define ANSWER_MS 2000u
#define TRIES_MAX 8u
#define REPAIRS_MAX 64u			/* objects under repair at a time */

struct scrub_asked {
	TAILQ_ENTRY(scrub_asked) link;
	uint32_t pool, pg;
	bool deep;
};

/* The names that one replica has, behind `after`. */
struct page {
	uint16_t osd;
	struct nacre_rep_listed_object *at;
	uint32_t count;
	bool waits, more;
	uint64_t sent_ns;
	unsigned int tries;
};

struct scrub_run {
	struct osd *osd;
	struct pg *pg;
	bool deep;
	struct scrub_asked *asked;	/* NULL: by itself */
	bool aborted;			/* only our list is awaited */
	struct page pages[NACRE_PG_SLOTS];	/* [0]: ours */
	unsigned int page_count;
	struct osd_list list;
	struct nacre_rep_listed_object after;
	bool begun, last;		/* `after` says something; the slice is the last one */
	struct nacre_rep_listed_object *names;	/* the slice */
	uint32_t count, next;
	struct io_timer pace;
	unsigned int yields;
	uint64_t found_before;
	uint64_t objects, bytes;
};

/* ---- life ------------------------------------------------------------------------------------- */

struct osd_scrub *osd_scrub_create(struct osd *osd)
{
	struct osd_scrub *scrub = mem_zero(1, sizeof(*scrub));

	TAILQ_INIT(&scrub->objects);
	TAILQ_INIT(&scrub->asked);
	scrub->start_wall_ns = io_wall(osd->io);
	return scrub;
}

static void asked_free(struct osd_scrub *scrub, struct scrub_asked *asked)
{
	TAILQ_REMOVE(&scrub->asked, asked, link);
	free(asked);
}

void osd_scrub_free(struct osd *osd)
{
	free(osd->scrub);
	osd->scrub = NULL;
}

static void pages_free(struct scrub_run *run)
{
	unsigned int i;

	for (i = 0; i < run->page_count; i++)
		free(run->pages[i].at);
	memset(run->pages, 0, sizeof(run->pages));
	free(run->names);
	run->names = NULL;
	run->page_count = run->count = run->next = 0;
}

static void run_free(struct scrub_run *run)
{
	pages_free(run);
	free(run);
}

/* Forget the run; what was asked for by hand stays asked for. */
static void run_abort(struct scrub_run *run)
{
	bool listing = run->page_count && run->pages[0].waits;

	run->osd->scrub->run = NULL;
	io_timer_cancel(run->osd->io, &run->pace);
	run->aborted = true;
	if (!listing)
		run_free(run);
}

void osd_scrub_abort(struct pg *pg)
{
	struct osd_scrub *scrub = pg->osd->scrub;
	struct scrub_object *object, *next;

	for (object = TAILQ_FIRST(&scrub->objects); object; object = next) {
		next = TAILQ_NEXT(object, link);
		if (object->pg == pg)
			scrub_object_abort(object);
	}
	if (scrub->run && scrub->run->pg == pg)
		run_abort(scrub->run);
}

void osd_scrub_stop(struct osd *osd)
{
	struct osd_scrub *scrub = osd->scrub;
	struct scrub_object *object;

	while ((object = TAILQ_FIRST(&scrub->objects)))
		scrub_object_abort(object);
	if (scrub->run)
		run_abort(scrub->run);
	while (!TAILQ_EMPTY(&scrub->asked))
		asked_free(scrub, TAILQ_FIRST(&scrub->asked));
}

static void run_end(struct scrub_run *run)
{
	struct osd *osd = run->osd;
	struct pg *pg = run->pg;
	uint64_t found = osd->scrub->found - run->found_before;

	pg->light_wall_ns = io_wall(osd->io);
	if (run->deep)
		pg->deep_wall_ns = pg->light_wall_ns;
	log_line(osd->log, found ? LOG_WARN : LOG_DEBUG, "scrub",
		  "%u.%u: %s scrub of %" PRIu64 " objects ended, %" PRIu64 " findings", pg->key.pool, pg->key.pg,
		  run->deep ? "deep" : "light", run->objects, found);
	osd->stats.scrubs++;
	if (run->asked) {
		osd->scrub->asked_done++;
		asked_free(osd->scrub, run->asked);
	}
	osd->scrub->run = NULL;
	run_free(run);
}

/* ---- objects, one after another -------------------------------------------------------------------- */

static void go_on(struct scrub_run *run);

static void pace_at(struct scrub_run *run, uint64_t at_ns)
{
	io_timer_arm(run->osd->io, &run->pace, at_ns);
}

static void object_done(struct scrub_object *object)
{
	struct scrub_run *run = object->owner;
	struct osd *osd = run->osd;
	uint64_t bytes = OBJECT_BYTES, most = 0;
	unsigned int i;

	for (i = 0; i < object->count; i++)
		if (object->sides[i].bytes > most)
			most = object->sides[i].bytes;
	bytes += most;
	run->objects++;
	run->bytes += bytes;
	if (run->asked) {
		osd->scrub->asked_objects++;
		osd->scrub->asked_bytes += most;
	}
	run->yields = 0;
	pace_at(run, io_now(osd->io) + bytes * 1000000000u / osd->config.scrub_bytes_per_s);
}

static void pace_fired(struct io_timer *timer)
{
	struct scrub_run *run = (struct scrub_run *)((char *)timer - offsetof(struct scrub_run, pace));

	if (run->osd->request_count && run->yields++ < YIELDS_MAX)
		pace_at(run, io_now(run->osd->io) + YIELD_NS);
	else
		go_on(run);
}

/* ---- names --------------------------------------------------------------------------------------------- */

static int name_order(const void *a, const void *b)
{
	return object_list_order(a, b);
}

/* Up to where all pages know the names: make of them the slice. */
static void make_slice(struct scrub_run *run)
{
	const struct nacre_rep_listed_object *limit = NULL, *last;
	struct nacre_rep_listed_object end = { 0 };
	uint32_t i, n, count = 0;
	struct page *page;

	for (i = 0; i < run->page_count; i++) {
		page = &run->pages[i];
		count += page->count;
		last = page->count ? &page->at[page->count - 1] : NULL;
		if (page->more && last && (!limit || object_list_order(last, limit) < 0))
			limit = last;
	}
	if (limit)
		end = *limit;
	run->names = mem_zero(count, sizeof(*run->names));
	for (i = 0; i < run->page_count; i++)
		for (n = 0; n < run->pages[i].count; n++)
			if (!limit || object_list_order(&run->pages[i].at[n], &end) <= 0)
				run->names[run->count++] = run->pages[i].at[n];
	if (run->count)
		qsort(run->names, run->count, sizeof(*run->names), name_order);
	for (i = n = 0; i < run->count; i++)
		if (!i || object_list_order(&run->names[i], &run->names[n - 1]))
			run->names[n++] = run->names[i];
	run->count = n;
	run->last = !limit;
	run->after = end;
	run->begun = true;
}

static void page_done(struct scrub_run *run)
{
	unsigned int i;

	for (i = 0; i < run->page_count; i++)
		if (run->pages[i].waits)
			return;
	make_slice(run);
	pace_at(run, io_now(run->osd->io));
}

/* A replica cannot say what it has. */
static void cannot_list(struct scrub_run *run, uint16_t osd)
{
	struct scrub_finding finding = {
		.key = { .pool = run->pg->key.pool, .pg = run->pg->key.pg },
		.osd = osd,
		.other = NACRE_OSD_NONE,
		.reason = SCRUB_METADATA,
	};

	scrub_found(run->osd, &finding);
}

static void ours_listed(struct osd_list *list)
{
	struct scrub_run *run = list->owner;
	struct page *page = &run->pages[0];
	struct kv_pair pair;
	int err = list->result;
	size_t at = 0;

	page->waits = false;
	page->more = list->pairs.more;
	if (run->aborted) {
		mem_bytes_free(&list->pairs.bytes);
		run_free(run);
		return;
	}
	page->at = mem_zero(list->pairs.count, sizeof(*page->at));
	while (!err && kv_pairs_next(&list->pairs, &at, &pair))
		err = object_list_take(&pair, &page->at[page->count++]);
	mem_bytes_free(&list->pairs.bytes);
	if (err) {
		page->count = 0;
		page->more = false;
		cannot_list(run, page->osd);
	}
	page_done(run);
}

static void list_theirs(struct scrub_run *run, struct page *page)
{
	struct nacre_rep_list wire = {
		.pool = run->pg->key.pool,
		.pg = run->pg->key.pg,
		.interval = run->pg->interval,
		.ino = run->after.ino,
		.index = run->after.index,
		.snap = run->after.snap,
		.flags = run->begun ? 0 : NACRE_REP_LIST_FIRST,
		.count = PAGE,
	};

	page->waits = true;
	page->tries++;
	page->sent_ns = io_now(run->osd->io);
	osd_peer_send(run->osd, page->osd, NACRE_MSG_REP_LIST, &wire, NULL);
}

static bool is_behind(const struct scrub_run *run, const struct nacre_rep_listed *listed)
{
	struct nacre_rep_listed_object first;

	return !run->begun || !listed->objects_bytes ||
	       (!nacre_array_at(nacre_rep_listed_object_desc(), listed->objects, 0, &first) &&
		object_list_order(&first, &run->after) > 0);
}

void osd_scrub_listed(struct pg *pg, struct pg_member *member, const struct nacre_rep_listed *listed)
{
	struct scrub_run *run = pg->osd->scrub->run;
	struct page *page = NULL;
	uint32_t i;

	for (i = 1; run && run->pg == pg && i < run->page_count; i++)
		if (run->pages[i].osd == member->osd && run->pages[i].waits)
			page = &run->pages[i];
	if (!page || !is_behind(run, listed))	/* or it answers an older question once more */
		return;
	page->waits = false;
	if (listed->result) {
		cannot_list(run, page->osd);
	} else {
		page->count = listed->objects_bytes / sizeof(struct nacre_rep_listed_object_wire);
		page->more = listed->flags & NACRE_REP_LIST_MORE;
		page->at = mem_zero(page->count, sizeof(*page->at));
		for (i = 0; i < page->count; i++)
			nacre_array_at(nacre_rep_listed_object_desc(), listed->objects, i, &page->at[i]);
	}
	page_done(run);
}

static void list_all(struct scrub_run *run)
{
	struct pg *pg = run->pg;
	unsigned int i;

	pages_free(run);
	run->page_count = 1;
	run->pages[0] = (struct page){ .osd = run->osd->id, .waits = true };
	for (i = 0; i < NACRE_PG_SLOTS; i++)
		if (scrub_member_counts(pg, &pg->members[i]))
			run->pages[run->page_count++].osd = pg->members[i].osd;
	for (i = 1; i < run->page_count; i++)
		list_theirs(run, &run->pages[i]);
	memset(&run->list, 0, sizeof(run->list));
	object_list_range(&run->list, pg, run->begun ? &run->after : NULL);
	run->list.count_max = PAGE;
	run->list.bytes_max = 16u << 20;
	run->list.done = ours_listed;
	run->list.owner = run;
	osd_store_list(run->osd->store, &run->list);
}

static void go_on(struct scrub_run *run)
{
	const struct nacre_rep_listed_object *name;
	struct osd_object_key key;

	if (run->next == run->count && run->begun && run->last) {
		run_end(run);
	} else if (run->next == run->count) {
		list_all(run);
	} else {
		name = &run->names[run->next++];
		key = (struct osd_object_key){ name->ino, name->index, name->snap, run->pg->key.pool, run->pg->key.pg };
		scrub_object_start(run->pg, &key, run->deep, false, object_done, run);
	}
}

/* ---- when ------------------------------------------------------------------------------------------------ */

static void run_begin(struct pg *pg, bool deep, struct scrub_asked *asked)
{
	struct osd *osd = pg->osd;
	struct scrub_run *run = mem_zero(1, sizeof(*run));

	run->osd = osd;
	run->pg = pg;
	run->deep = deep;
	run->asked = asked;
	run->pace.fire = pace_fired;
	run->found_before = osd->scrub->found;
	osd->scrub->run = run;
	go_on(run);
}

/* Has the group's time come since it was scrubbed last? */
static bool is_due(const struct pg *pg, uint32_t period_s, uint64_t last_wall_ns)
{
	const struct osd *osd = pg->osd;
	uint64_t period_ns = (uint64_t)period_s * 1000000000u;
	uint64_t offset = period_ns ? XXH64(&pg->key, sizeof(pg->key), 0) % period_ns : 0;

	if (last_wall_ns < osd->scrub->start_wall_ns)
		last_wall_ns = osd->scrub->start_wall_ns;
	return period_ns && (io_wall(osd->io) + offset) / period_ns > (last_wall_ns + offset) / period_ns;
}

static void begin_due(struct osd *osd)
{
	struct pg *pg, *next;

	HASH_ITER(hh, osd->pgs, pg, next) {
		if (pg->state != PG_ACTIVE)
			continue;
		if (is_due(pg, osd->config.scrub_deep_s, pg->deep_wall_ns))
			run_begin(pg, true, NULL);
		else if (is_due(pg, osd->config.scrub_light_s, pg->light_wall_ns))
			run_begin(pg, false, NULL);
		if (osd->scrub->run)
			return;
	}
}

/* The first group that was asked for and can be scrubbed now; those whose primary is elsewhere by now are its. */
static void begin_asked(struct osd *osd)
{
	struct scrub_asked *asked, *next;
	struct pg *pg;

	for (asked = TAILQ_FIRST(&osd->scrub->asked); asked; asked = next) {
		next = TAILQ_NEXT(asked, link);
		pg = pg_find(osd, asked->pool, asked->pg);
		if (!pg || !pg->primary) {
			osd->scrub->asked_done++;
			asked_free(osd->scrub, asked);
		} else if (pg->state == PG_ACTIVE) {
			run_begin(pg, asked->deep, asked);
			return;
		}
	}
}

/* Members that have not said what they have. */
static void list_again(struct scrub_run *run)
{
	uint64_t late_ns = osd_scaled_ns(run->osd, ANSWER_MS);
	struct page *page;
	unsigned int i;

	for (i = 1; i < run->page_count; i++) {
		page = &run->pages[i];
		if (!page->waits || io_now(run->osd->io) < page->sent_ns + late_ns)
			continue;
		if (page->tries < TRIES_MAX && scrub_member_counts(run->pg, pg_member_of(run->pg, page->osd))) {
			list_theirs(run, page);
			continue;
		}
		page->waits = false;	/* its objects are looked for by our names only */
		page_done(run);
		return;
	}
}

void osd_scrub_tick(struct osd *osd)
{
	struct osd_scrub *scrub = osd->scrub;
	struct scrub_object *object, *next;

	for (object = TAILQ_FIRST(&scrub->objects); object; object = next) {
		next = TAILQ_NEXT(object, link);
		scrub_object_tick(object);
	}
	if (scrub->run)
		list_again(scrub->run);
	if (!scrub->run)
		begin_asked(osd);
	if (!scrub->run && !osd->recoveries)
		begin_due(osd);
}

/* Is it asked for already, and not begun? */
static bool is_asked(const struct osd_scrub *scrub, const struct pg *pg, bool deep)
{
	const struct scrub_asked *asked;

	TAILQ_FOREACH(asked, &scrub->asked, link)
		if (asked->pool == pg->key.pool && asked->pg == pg->key.pg && asked->deep == deep &&
		    (!scrub->run || scrub->run->asked != asked))
			return true;
	return false;
}

static void ask_one(struct osd_scrub *scrub, const struct pg *pg, bool deep)
{
	struct scrub_asked *asked = mem_zero(1, sizeof(*asked));

	asked->pool = pg->key.pool;
	asked->pg = pg->key.pg;
	asked->deep = deep;
	TAILQ_INSERT_TAIL(&scrub->asked, asked, link);
	scrub->asked_groups++;
}

unsigned int osd_scrub_ask(struct osd *osd, const struct pg *only, bool deep)
{
	struct osd_scrub *scrub = osd->scrub;
	struct pg *pg, *next;
	unsigned int count = 0;

	if (TAILQ_EMPTY(&scrub->asked))
		scrub->asked_groups = scrub->asked_done = scrub->asked_objects = scrub->asked_bytes = 0;
	HASH_ITER(hh, osd->pgs, pg, next) {
		if (!pg->primary || (only && pg != only))
			continue;
		if (!is_asked(scrub, pg, deep))
			ask_one(scrub, pg, deep);
		count++;
	}
	return count;
}

bool osd_scrub_has_room(const struct osd *osd)
{
	return osd->scrub->object_count < REPAIRS_MAX;
}

void osd_scrub_repair(struct pg *pg, const struct osd_object_key *key)
{
	struct scrub_object *object;

	if (pg->osd->failed)
		return;
	TAILQ_FOREACH(object, &pg->osd->scrub->objects, link)
		if (object->exclusive && object->pg == pg && !memcmp(&object->key, key, sizeof(*key))) {
			/* who ran beside the one for whom it is done waits now, too, and stands before it */
			object_hold_first(&object->hold);
			return;
		}
	scrub_object_start(pg, key, true, true, NULL, NULL);
}

void osd_scrub_status(struct osd *osd, struct admin_answer *answer)
{
	const struct osd_scrub *scrub = osd->scrub;
	const struct scrub_run *run = scrub->run;

	if (run)
		admin_print(answer, "scrub %u.%u %s, %" PRIu64 " objects, %" PRIu64 " bytes\n", run->pg->key.pool,
			    run->pg->key.pg, run->deep ? "deep" : "light", run->objects, run->bytes);
	else
		admin_print(answer, "scrub none\n");
	admin_print(answer, "scrub_asked %" PRIu64 "\nscrub_done %" PRIu64 "\nscrub_objects %" PRIu64
		    "\nscrub_bytes %" PRIu64 "\nscrub_found %" PRIu64 "\n", scrub->asked_groups, scrub->asked_done,
		    scrub->asked_objects, scrub->asked_bytes, scrub->found);
}
