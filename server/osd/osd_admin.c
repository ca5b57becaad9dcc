// SPDX-License-Identifier: GPL-2.0
/*
 * What an operator can ask an object server: state, groups, space, requests with
 * their ages. Counters are registered beside the commands.
 */
#include <inttypes.h>
#include <string.h>
#include "pg.h"
#include "request.h"
#include "scrub.h"

static uint64_t age_ms(const struct osd *osd, uint64_t since_ns)
{
	uint64_t now_ns = io_now(osd->io);

	return now_ns > since_ns ? (now_ns - since_ns) / 1000000 : 0;
}

static const char *life(const struct osd *osd)
{
	if (osd->ending != OSD_RUNS)
		return "ending";
	if (!osd->store_open)
		return "opening its store";
	return osd->serving ? "serving" : "joining";
}

/* How far the device has been told of free blocks. */
static void print_discard(const struct osd *osd, struct admin_answer *answer)
{
	const struct osd_discard *discard = &osd->store->discard;
	uint64_t unit = (uint64_t)discard->unit * OSD_BLOCK_BYTES;

	admin_print(answer, "discard %s\ndiscard_unit %" PRIu64 "\ntrim_asked %" PRIu64 "\ntrim_done %" PRIu64
		    "\ntrim_at %" PRIu64 "\ntrim_end %" PRIu64 "\ntrim_bytes %" PRIu64 "\n",
		    osd_discard_name(discard), unit, discard->asked, discard->done,
		    discard->all ? discard->at * unit : 0, discard->units * unit, discard->all_bytes);
}

void osd_status(struct osd *osd, struct admin_answer *answer)
{
	uint64_t by_state[PG_RECOVERING + 1] = { 0 }, left = 0;
	struct fill fill;
	struct pg *pg, *next;
	unsigned int i;

	HASH_ITER(hh, osd->pgs, pg, next) {
		by_state[pg->state]++;
		left += pg_recovery_left(pg);
	}
	admin_print(answer, "osd %u\nstate %s\ninstance %" PRIu64 "\nmap_epoch %" PRIu64 "\n",
		    osd->id, life(osd), osd->instance, osd->map ? (uint64_t)osd->map->view.epoch : 0);
	for (i = 0; i <= PG_RECOVERING; i++)
		admin_print(answer, "groups_%s %" PRIu64 "\n", pg_state_name(i), by_state[i]);
	admin_print(answer, "requests %u\nrecoveries %u\nobjects_to_send %" PRIu64 "\n",
		    osd->request_count, osd->recoveries, left);
	osd_scrub_status(osd, answer);
	if (!osd->store_open)
		return;
	fill = osd_fill(osd);
	admin_print(answer, "bytes_total %" PRIu64 "\nbytes_free %" PRIu64 "\nused_percent %u\nfill %s\nobjects %" PRIu64 "\n",
		    fill.bytes_total, fill.bytes_free, fill_percent(&fill), fill_name(fill.state), osd_store_space(osd->store).objects);
	admin_print(answer, "journal_bytes %" PRIu64 "\njournal_used %" PRIu64 "\nbacklog_bytes %" PRIu64 "\n",
		    osd->store->journal.bytes, osd_journal_used(&osd->store->journal),
		    osd->store->images.count * OSD_BLOCK_BYTES);
	print_discard(osd, answer);
}

static void print_member(const struct pg *pg, int slot, struct admin_answer *answer)
{
	const struct pg_member *member = &pg->members[slot];

	if (member->osd == NACRE_OSD_NONE)
		return;
	admin_print(answer, "  osd%u %s %s", member->osd, member->up ? "up" : "down",
		    member->in_sync ? "in_sync" : "behind");
	if (pg->primary)
		admin_print(answer, " durable %" PRIu64 "%s%s", member->acked,
			    member->recovery ? " catching up" : "", member->no_room ? " is full" : "");
	admin_print(answer, "\n");
}

static bool command_pgs(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct osd *osd = owner;
	struct pg *pg, *next;
	int slot;

	HASH_ITER(hh, osd->pgs, pg, next) {
		admin_print(answer, "%u.%u %s for_ms %" PRIu64 " interval %" PRIu64 " log %" PRIu64
			    "-%" PRIu64 " durable %" PRIu64 " committed %" PRIu64 " to_send %" PRIu64 "\n",
			    pg->key.pool, pg->key.pg, pg_state_name(pg->state),
			    age_ms(osd, pg->state_ns), pg->interval, pglog_first(&pg->log), pg->last,
			    pg->durable, pg->committed, pg_recovery_left(pg));
		for (slot = 0; slot < NACRE_PG_SLOTS; slot++)
			print_member(pg, slot, answer);
	}
	return true;
}

static bool command_objects(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct osd *osd = owner;

	if (!osd->store_open) {
		admin_print(answer, "error: the store is not open yet\n");
		return true;
	}
	admin_print(answer, "objects %" PRIu64 "\nin_memory %" PRIu64 "\nmemory_bytes %" PRIu64 "\n",
		    osd->store->object_count, osd->store->objects.count, osd->store->objects.bytes);
	return true;
}

static bool command_requests(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct osd_client *client, *next;
	struct request *request;
	struct osd *osd = owner;

	HASH_ITER(hh, osd->clients, client, next)
		TAILQ_FOREACH(request, &client->requests, client_link)
			admin_print(answer, "instance %" PRIu64 " tid %" PRIu64 " object %u/%" PRIx64 ".%" PRIx64
				    " group %u %s age_ms %" PRIu64 "\n", client->instance,
				    (uint64_t)request->wire->tid, request->wire->pool,
				    (uint64_t)request->wire->ino, (uint64_t)request->wire->index,
				    request->wire->pg, request_state_name(request->state),
				    age_ms(osd, request->message->received_ns));
	return true;
}

static bool command_trim(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	bool start = argc == 2 && !strcmp(argv[1], "start");
	struct osd *osd = owner;

	if (argc > 2 || (argc == 2 && !start && strcmp(argv[1], "status"))) {
		admin_print(answer, "error: trim [status], or trim start\n");
	} else if (!osd->serving) {
		admin_print(answer, "error: it does not serve yet\n");
	} else {
		if (start)
			osd_discard_ask(&osd->store->discard);
		print_discard(osd, answer);
	}
	return true;
}

static const struct {
	const char *name, *doc;
	admin_command command;
} commands[] = {
	{ "pgs", "every group held here, with its members", command_pgs },
	{ "objects", "how many, and how many are in memory", command_objects },
	{ "requests", "requests under way, with their ages", command_requests },
	{ "scrub", "[status] | start [deep] [POOL.GROUP] | report [NUMBER]: compare replicas, repair", osd_scrub_command },
	{ "trim", "[status] | start: tell the device of all blocks that are free", command_trim },
};

int osd_admin_register(struct osd *osd, struct admin *admin)
{
	const struct stats_set *sets[] = { &osd->stats_set, &osd->store_stats_set,
					   msgr_stats(osd->msgr), msgr_received_stats(osd->msgr),
					   msgr_sent_stats(osd->msgr) };
	int err = 0;
	size_t i;

	for (i = 0; !err && i < sizeof(commands) / sizeof(commands[0]); i++)
		err = admin_register(admin, commands[i].name, commands[i].doc, commands[i].command,
				     osd);
	for (i = 0; !err && i < sizeof(sets) / sizeof(sets[0]); i++)
		err = admin_register_stats(admin, sets[i]);
	return err;
}
