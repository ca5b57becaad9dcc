// SPDX-License-Identifier: GPL-2.0
/* Silent corruption and the scrubs that must find it. See rot.h. */
#include <inttypes.h>
#include "rot.h"
#include "sim_disk.h"
#include "server/osd/scrub.h"

#define EVERY_MAX_NS (3 * SIM_NS_PER_S)
#define LOOK_NS (50 * SIM_NS_PER_MS)
#define CALM_NS (4 * SIM_NS_PER_S)	/* behind the last fault: leases have run out, members are back */
#define BLOCKS_MAX 4u			/* rotten at a time */
#define SCRUB_LIMIT_NS (300 * SIM_NS_PER_S)

static uint64_t dice(struct sim *sim, uint64_t sides)
{
	return sim_below(&sim->rot_random, sides);
}

bool rot_is_there(const struct sim *sim)
{
	return sim->rot_state != SIM_ROT_NONE;
}

/* Rot in a block that is being overwritten in place when power goes looks like what the loss has left of it (decision 0016). */
bool rot_bears_faults(const struct sim *sim)
{
	return !rot_is_there(sim) || (sim->min_size > 1 && !sim->lone_intents);
}

/* ---- may it be? ------------------------------------------------------------------------------- */

static bool group_is_clean(const struct pg *pg)
{
	const struct pg_member *member;
	int slot;

	if (pg->slot < 0)
		return true;		/* it is elsewhere now */
	if (!pg->primary)
		return pg->state == PG_REPLICA;
	for (slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		member = &pg->members[slot];
		if (member->osd != NACRE_OSD_NONE && (!member->up || !member->in_sync || !member->in_set))
			return false;
	}
	return pg->state == PG_ACTIVE;
}

/* Every OSD serves, and every replica is in sync. */
static bool is_clean(struct sim *sim)
{
	struct pg *pg, *next;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++) {
		if (!sim->osds[i].osd || !sim->osds[i].serving)
			return false;
		HASH_ITER(hh, sim->osds[i].osd->pgs, pg, next)
			if (!group_is_clean(pg))
				return false;
	}
	return true;
}

/* ---- rot ------------------------------------------------------------------------------------------ */

struct place {
	struct osd_object *object;
	uint32_t chunk, block;
	unsigned int seen;		/* of those that could have been chosen */
};

static void consider(struct sim *sim, struct osd_store *store, struct osd_object *object, struct place *place)
{
	const struct osd_chunk *map;
	uint32_t c, i;

	if (!object->loaded || !object->exists || !object->onode.version)
		return;
	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		map = object->chunks[c];
		for (i = 0; map && i < OSD_CHUNK_BLOCKS; i++) {
			if (osd_chunk_state(map, i) != OSD_BLOCK_WRITTEN || osd_images_find(&store->images, map->block[i]))
				continue;
			if (!dice(sim, ++place->seen)) {
				place->object = object;
				place->chunk = c;
				place->block = i;
			}
		}
	}
}

/* One bit, of a block or of its checksum. */
static void spoil(struct sim *sim, struct osd_store *store, const struct place *place)
{
	struct osd_chunk *map = place->object->chunks[place->chunk];
	uint64_t at = store->super.data_offset + map->block[place->block] * OSD_BLOCK_BYTES;
	uint8_t byte;

	sim->rotted++;
	sim_note(sim->world, NULL, "rot of object, block", place->object->key.ino,
		 place->chunk * OSD_CHUNK_BLOCKS + place->block);
	if (!dice(sim, 4)) {
		map->crc[place->block] ^= 1u << dice(sim, 32);
		return;
	}
	at += dice(sim, dice(sim, 2) ? OSD_BLOCK_BYTES : 300);
	sim_disk_peek((struct sim_file *)store->file, at, &byte, 1);
	byte ^= (uint8_t)(1u << dice(sim, 8));
	sim_disk_poke((struct sim_file *)store->file, at, &byte, 1);
}

/* On one OSD; mostly of files' data, where it would be seen best. */
static void rot(struct sim *sim)
{
	struct osd_store *store = sim->osds[dice(sim, SIM_OSDS)].osd->store;
	unsigned int count = 1 + (unsigned int)dice(sim, BLOCKS_MAX);
	bool any = !dice(sim, 4);
	struct osd_object *object, *next;
	struct place place;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)	/* two faults at once would be one too many */
		sim_disk_fail_next(sim->osds[i].host, false);
	while (count--) {
		memset(&place, 0, sizeof(place));
		HASH_ITER(hh, store->objects.all, object, next)
			if (any || object->key.pool == NACRE_POOL_DATA)
				consider(sim, store, object, &place);
		if (!place.object)
			return;
		sim->rot_state = SIM_ROT_UNSEEN;
		spoil(sim, store, &place);
	}
}

/* ---- scrubs ------------------------------------------------------------------------------------------ */

static bool is_scrubbed(struct sim *sim)
{
	const struct osd_scrub *scrub;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++) {
		scrub = sim->osds[i].osd ? sim->osds[i].osd->scrub : NULL;
		if (!scrub || scrub->run || !TAILQ_EMPTY(&scrub->asked) || !TAILQ_EMPTY(&scrub->objects))
			return false;
	}
	return true;
}

static uint64_t found_now(const struct sim *sim)
{
	uint64_t found = 0;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)
		found += sim->osds[i].osd->scrub->found;
	return found;
}

static void ask_all(struct sim *sim)
{
	unsigned int i;

	sim->rot_found = found_now(sim);
	for (i = 0; i < SIM_OSDS; i++) {
		sim->rot_instances[i] = sim->osds[i].osd->instance;
		osd_scrub_ask(sim->osds[i].osd, NULL, true);
	}
}

/* Are they the OSDs that were asked? Others have forgotten it. */
static bool are_the_same(const struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++)
		if (sim->osds[i].osd->instance != sim->rot_instances[i])
			return false;
	return true;
}

/* Scrub until nothing is found; a first scrub finds, the next one must not. */
static void turn(struct sim *sim)
{
	bool clean = is_clean(sim);

	if (sim->rot_state == SIM_ROT_UNSEEN && clean) {
		ask_all(sim);
		sim->rot_state = SIM_ROT_SCRUBBED;
	} else if (sim->rot_state == SIM_ROT_SCRUBBED && clean && is_scrubbed(sim)) {
		if (are_the_same(sim) && found_now(sim) == sim->rot_found)
			sim->rot_state = SIM_ROT_NONE;
		else
			ask_all(sim);
	}
}

static void run_rot(struct sim_event *event)
{
	struct sim *sim = (struct sim *)((char *)event - offsetof(struct sim, rot_event));
	uint64_t wait_ns = LOOK_NS;

	if (sim->draining)
		return;
	if (rot_is_there(sim)) {
		turn(sim);
	} else {
		if (sim->world->now_ns > sim->troubled_until_ns + CALM_NS && is_clean(sim))
			rot(sim);
		wait_ns = dice(sim, EVERY_MAX_NS);	/* time to read it */
	}
	sim_event_at(sim->world, NULL, event, sim->world->now_ns + wait_ns);
}

void rot_begin(struct sim *sim)
{
	sim->rot_random = sim_random_from(sim->options.seed ^ 0x20773);
	sim->rots = !dice(sim, 3);
	sim->rot_event.run = run_rot;
	if (sim->rots)
		sim_event_at(sim->world, NULL, &sim->rot_event, sim->world->now_ns + dice(sim, EVERY_MAX_NS));
}

static bool is_gone(struct sim *sim)
{
	turn(sim);
	return !rot_is_there(sim);
}

void rot_at_end(struct sim *sim)
{
	sim_event_cancel(sim->world, &sim->rot_event);
	if (!sim_until(sim, is_clean, SCRUB_LIMIT_NS, "to have all replicas in sync"))
		return;
	/* what rots on one OSD must be right on another: one at a time */
	if (rot_is_there(sim) && !sim_until(sim, is_gone, SCRUB_LIMIT_NS, "to be scrubbed"))
		return;
	if (sim->rots)
		rot(sim);
	if (sim->rot_state == SIM_ROT_NONE)
		sim->rot_state = SIM_ROT_UNSEEN;	/* there is nothing: a scrub must say so */
	if (sim_until(sim, is_gone, SCRUB_LIMIT_NS, "to be scrubbed"))
		rot_check(sim);
}

void rot_check(struct sim *sim)
{
	const struct scrub_finding *finding;
	const struct osd_scrub *scrub;
	unsigned int i;

	for (i = 0; i < SIM_OSDS; i++) {
		scrub = sim->osds[i].osd ? sim->osds[i].osd->scrub : NULL;
		if (!scrub || !scrub->found)
			continue;
		finding = &scrub->findings[(scrub->found - 1) % SCRUB_FINDINGS_MAX];
		/* what a disk would not read once counts, too */
		if (!sim->rotted && !sim->osds[finding->osd].disk_failed)
			sim_fail(sim, "a scrub calls object %u/%" PRIx64 ".%" PRIx64 " of osd%u wrong (%s), and nothing is",
				 finding->key.pool, finding->key.ino, finding->key.index, finding->osd,
				 scrub_reason_name(finding->reason));
		if (sim->osds[i].osd->stats.scrub_unrepaired)
			sim_fail(sim, "a scrub has not repaired what another has right: object %u/%" PRIx64 ".%" PRIx64
				 " of osd%u (%s)", finding->key.pool, finding->key.ino, finding->key.index, finding->osd,
				 scrub_reason_name(finding->reason));
	}
}
