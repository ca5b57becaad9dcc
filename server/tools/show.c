// SPDX-License-Identifier: GPL-2.0
/* The cluster map in words. See show.h. */
#include <string.h>
#include "plan.h"
#include "pool.h"
#include "show.h"

#define LABEL_BYTES 40

typedef unsigned long long ull;

static const char *const rank_states[] = { "down", "replay", "reconnect", "active" };

static void show_head(FILE *out, const struct nacre_map_view *view)
{
	ull dead = 0;
	struct nacre_map_dead run;

	for (uint32_t i = 0; !nacre_map_dead_at(view, i, &run); i++)
		dead += run.count;
	fprintf(out, "fsid %016llx%016llx\n", (ull)view->fsid_hi, (ull)view->fsid_lo);
	fprintf(out, "map %llu, %llu instances issued, %llu of them dead, fence at map %llu\n",
		(ull)view->epoch, (ull)view->next_instance - 1, dead, (ull)view->fence_epoch);
}

/* "127.0.0.1:7300", or "-" for a daemon that never ran. */
static const char *address_text(uint64_t hi, uint64_t lo, uint16_t port, char *buffer)
{
	struct io_address address = { .port = port };

	if (!port)
		return "-";
	for (int i = 0; i < 8; i++) {
		address.ip[i] = (uint8_t)(hi >> (56 - 8 * i));
		address.ip[8 + i] = (uint8_t)(lo >> (56 - 8 * i));
	}
	return io_address_print(&address, buffer);
}

/* ---- summary -------------------------------------------------------------------------------- */

static bool is_moving(const struct nacre_map_view *view, const struct nacre_map_pool *pool, uint32_t pg)
{
	struct nacre_map_pg row;

	if (nacre_map_pg_at(view, pool->id, pg, &row))
		return false;
	for (int slot = pool->replicas; slot < NACRE_PG_SLOTS; slot++)
		if (nacre_pg_slot(&row, slot) != NACRE_OSD_NONE)
			return true;
	return false;
}

struct show_groups show_count_groups(const struct nacre_map_view *view, uint32_t pool)
{
	struct show_groups groups = { 0 };
	struct nacre_map_pool p;

	if (nacre_map_pool_at(view, pool, &p))
		return groups;
	for (uint32_t pg = 0; pg < p.pg_count; pg++) {
		groups.moving += is_moving(view, &p, pg);
		if (!nacre_map_pg_active(view, pool, pg))
			groups.inactive++;
		else if (nacre_map_pg_alive(view, pool, pg) < p.replicas)
			groups.degraded++;
		else
			groups.active++;
	}
	return groups;
}

static const struct mapaccess_lease *lease_of(const struct mapaccess_lease *leases, size_t count,
					      uint64_t instance)
{
	for (size_t i = 0; i < count; i++)
		if (instance && leases[i].lease.instance == instance)
			return &leases[i];
	return NULL;
}

/* What the map claims and the lease denies. */
static const char *lease_text(const struct mapaccess_lease *lease)
{
	if (!lease)
		return ", no lease";
	return lease->alive ? "" : ", lease run out";
}

static void status_rank(FILE *out, const struct nacre_map_rank *rank,
			const struct mapaccess_lease *lease)
{
	const char *state = rank_states[rank->state <= NACRE_RANK_ACTIVE ? rank->state : 0];
	char text[IO_ADDRESS_TEXT_BYTES];

	fprintf(out, "rank %u %s", rank->rank, state);
	if (rank->state != NACRE_RANK_DOWN)
		fprintf(out, ", %s, instance %llu, incarnation %llu, %s%s",
			lease ? lease->lease.name : "?", (ull)rank->instance, (ull)rank->incarnation,
			address_text(rank->address_hi, rank->address_lo, rank->port, text),
			lease_text(lease));
	fputc('\n', out);
}

static unsigned int groups_of(const struct nacre_map_view *view, uint16_t osd)
{
	unsigned int count = 0;
	struct nacre_map_pool p;
	struct nacre_map_pg row;

	for (uint32_t pool = 0; !nacre_map_pool_at(view, pool, &p); pool++)
		for (uint32_t pg = 0; !nacre_map_pg_at(view, pool, pg, &row); pg++)
			count += nacre_pg_slot_of(&row, osd) >= 0;
	return count;
}

static void status_osd(FILE *out, const struct nacre_map_view *view, const struct nacre_map_osd *osd,
		       const struct mapaccess_lease *lease)
{
	char text[IO_ADDRESS_TEXT_BYTES];

	fprintf(out, "osd%u %s%s", osd->id, osd->flags & NACRE_OSD_UP ? "up" : "down",
		osd->flags & NACRE_OSD_IN ? "" : ", out");
	if (osd->flags & NACRE_OSD_UP)
		fprintf(out, ", instance %llu, %s%s", (ull)osd->instance,
			address_text(osd->address_hi, osd->address_lo, osd->port, text),
			lease_text(lease));
	fprintf(out, ", %u groups", groups_of(view, osd->id));
	if (osd->weight != MAPEDIT_WEIGHT_ONE)
		fprintf(out, ", weight %.2f", (double)osd->weight / MAPEDIT_WEIGHT_ONE);
	if (osd->flags & NACRE_OSD_UP && lease && lease->lease.fill.state != FILL_UNKNOWN)
		fprintf(out, ", %u %% used", fill_percent(&lease->lease.fill));
	if (osd->flags & NACRE_OSD_UP && lease && lease->lease.fill.state >= FILL_NEARLY)
		fprintf(out, ": %s", fill_name(lease->lease.fill.state));
	fputc('\n', out);
}

static bool has_rank(const struct nacre_map_view *view, uint64_t instance)
{
	struct nacre_map_rank rank;

	for (uint32_t i = 0; !nacre_map_rank_at(view, i, &rank); i++)
		if (rank.state != NACRE_RANK_DOWN && rank.instance == instance)
			return true;
	return false;
}

static void status_standbys(FILE *out, const struct nacre_map_view *view,
			    const struct mapaccess_lease *leases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (leases[i].alive && !strncmp(leases[i].lease.name, "mds", 3) &&
		    !has_rank(view, leases[i].lease.instance))
			fprintf(out, "%s standby, instance %llu\n", leases[i].lease.name,
				(ull)leases[i].lease.instance);
}

/* "pool 0 (metadata)" */
static const char *label(uint32_t pool, char text[LABEL_BYTES])
{
	const char *name = pool_name(pool);

	snprintf(text, LABEL_BYTES, "pool %u%s%s%s", pool, *name ? " (" : "", name, *name ? ")" : "");
	return text;
}

/* ---- waiting for room ----------------------------------------------------------------------- */

/* The map, and the leases that go with it. */
struct scene {
	const struct nacre_map_view *view;
	const struct mapaccess_lease *leases;
	size_t lease_count;
};

static enum fill_state fill_of(const struct scene *scene, const struct nacre_map_osd *osd)
{
	const struct mapaccess_lease *lease = lease_of(scene->leases, scene->lease_count, osd->instance);

	return lease ? lease->lease.fill.state : FILL_UNKNOWN;
}

/* Are there others for this group, and all of them too full to be given it? */
static bool others_lack_room(const struct scene *scene, const struct nacre_map_pg *group, enum fill_state too_full)
{
	struct nacre_map_osd osd;
	bool found = false;

	for (uint32_t i = 0; !nacre_map_osd_at(scene->view, i, &osd); i++) {
		if (!(osd.flags & NACRE_OSD_UP) || !mapedit_takes_data(&osd) || nacre_pg_slot_of(group, (uint16_t)i) >= 0)
			continue;
		if (fill_of(scene, &osd) < too_full)
			return false;
		found = true;
	}
	return found;
}

/* Does somebody's place in it wait for room: on its OSD, or on any other, as its OSD is to have it no more? */
static bool waits_for_room(const struct scene *scene, const struct nacre_map_pg *group, int slot)
{
	bool in_sync = group->in_sync >> slot & 1;
	struct nacre_map_osd osd;

	if (!nacre_map_osd_at(scene->view, nacre_pg_slot(group, slot), &osd) && mapedit_takes_data(&osd))
		return !in_sync && osd.flags & NACRE_OSD_UP && fill_of(scene, &osd) == FILL_FULL;
	/* what is lost is made anew on one that is nearly full, too */
	return others_lack_room(scene, group, in_sync ? FILL_NEARLY : FILL_FULL);
}

static unsigned int count_waiting(const struct scene *scene, uint32_t pool)
{
	unsigned int count = 0;
	struct nacre_map_pool p;
	struct nacre_map_pg group;

	if (nacre_map_pool_at(scene->view, pool, &p))
		return 0;
	for (uint32_t pg = 0; !nacre_map_pg_at(scene->view, pool, pg, &group); pg++) {
		bool waits = false;

		for (int slot = 0; slot < p.replicas; slot++)
			waits |= waits_for_room(scene, &group, slot);
		count += waits;
	}
	return count;
}

static void status_pool(FILE *out, const struct scene *scene, uint32_t pool)
{
	struct show_groups groups = show_count_groups(scene->view, pool);
	unsigned int waiting = count_waiting(scene, pool);
	char text[LABEL_BYTES];

	fprintf(out, "%s: %u groups active, %u degraded, %u inactive, %u moving", label(pool, text), groups.active,
		groups.degraded, groups.inactive, groups.moving);
	if (waiting)
		fprintf(out, ", %u waiting for room", waiting);
	fputc('\n', out);
}

/* ---- status --------------------------------------------------------------------------------- */

void show_status(FILE *out, const struct cluster_map *map, const struct mapaccess_lease *leases,
		 size_t lease_count)
{
	const struct nacre_map_view *view = &map->view;
	struct scene scene = { view, leases, lease_count };
	struct nacre_map_rank rank;
	struct nacre_map_osd osd;

	show_head(out, view);
	for (uint32_t i = 0; !nacre_map_rank_at(view, i, &rank); i++)
		status_rank(out, &rank, lease_of(leases, lease_count, rank.instance));
	status_standbys(out, view, leases, lease_count);
	for (uint32_t i = 0; !nacre_map_osd_at(view, i, &osd); i++)
		status_osd(out, view, &osd, lease_of(leases, lease_count, osd.instance));
	for (uint32_t i = 0; i < view->pool_count; i++)
		status_pool(out, &scene, i);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void map_pools(FILE *out, const struct nacre_map_view *view)
{
	struct nacre_map_pool p;
	char text[LABEL_BYTES];

	for (uint32_t i = 0; !nacre_map_pool_at(view, i, &p); i++) {
		fprintf(out, "%s: %u groups, %u replicas, min_size %u, journal %s, objects of %u bytes",
			label(p.id, text), p.pg_count, p.replicas, p.min_size,
			plan_journal_modes[p.journal_mode < PLAN_JOURNAL_MODES ? p.journal_mode : 0],
			p.object_bytes);
		if (p.direct_units)
			fprintf(out, ", direct from %u", p.direct_units * NACRE_DIRECT_UNIT);
		if (p.inline_units)
			fprintf(out, ", inline up to %u", p.inline_units * NACRE_INLINE_UNIT);
		fprintf(out, "\n");
	}
}

static void map_osds(FILE *out, const struct nacre_map_view *view)
{
	char text[IO_ADDRESS_TEXT_BYTES];
	struct nacre_map_osd o;

	for (uint32_t i = 0; !nacre_map_osd_at(view, i, &o); i++)
		fprintf(out, "osd%u: %s, %s, instance %llu, %s, weight %.2f, domain %u, store %016llx%016llx\n",
			o.id, o.flags & NACRE_OSD_UP ? "up" : "down",
			o.flags & NACRE_OSD_IN ? "in" : "out", (ull)o.instance,
			address_text(o.address_hi, o.address_lo, o.port, text), o.weight / 65536.0,
			o.domain, (ull)o.store_hi, (ull)o.store_lo);
}

static void map_ranks(FILE *out, const struct nacre_map_view *view)
{
	char text[IO_ADDRESS_TEXT_BYTES];
	struct nacre_map_subtree s;
	struct nacre_map_rank r;

	for (uint32_t i = 0; !nacre_map_rank_at(view, i, &r); i++)
		fprintf(out, "rank %u: %s, instance %llu, %s, incarnation %llu\n", r.rank,
			rank_states[r.state <= NACRE_RANK_ACTIVE ? r.state : 0], (ull)r.instance,
			address_text(r.address_hi, r.address_lo, r.port, text), (ull)r.incarnation);
	for (uint32_t i = 0; !nacre_map_subtree_at(view, i, &s); i++)
		fprintf(out, "subtree of inode %#llx: rank %u\n", (ull)s.ino, s.rank);
}

static void map_dead(FILE *out, const struct nacre_map_view *view)
{
	struct nacre_map_dead run;

	for (uint32_t i = 0; !nacre_map_dead_at(view, i, &run); i++) {
		fprintf(out, "dead: %llu", (ull)run.first);
		if (run.count > 1)
			fprintf(out, " to %llu", (ull)(run.first + run.count - 1));
		fputc('\n', out);
	}
}

/* "group 1.17: osd2* osd0 (osd1), interval 9": the primary has a star, those in brackets lag. */
static void map_group(FILE *out, const struct nacre_map_view *view, uint32_t pool, uint32_t pg)
{
	int primary = nacre_map_primary(view, pool, pg);
	struct nacre_map_pg g;

	if (nacre_map_pg_at(view, pool, pg, &g))
		return;
	fprintf(out, "group %u.%u:", pool, pg);
	for (int slot = 0; slot < NACRE_PG_SLOTS; slot++) {
		uint16_t osd = nacre_pg_slot(&g, slot);

		if (osd == NACRE_OSD_NONE)
			continue;
		fprintf(out, g.in_sync & 1u << slot ? " osd%u%s" : " (osd%u%s)", osd,
			osd == primary ? "*" : "");
	}
	fprintf(out, ", interval %llu%s\n", (ull)g.interval,
		nacre_map_pg_active(view, pool, pg) ? "" : ", inactive");
}

void show_map(FILE *out, const struct cluster_map *map)
{
	const struct nacre_map_view *view = &map->view;
	struct nacre_map_pool p;

	show_head(out, view);
	fprintf(out, "features %#llx\n", (ull)view->features);
	map_pools(out, view);
	map_osds(out, view);
	map_ranks(out, view);
	map_dead(out, view);
	for (uint32_t i = 0; !nacre_map_pool_at(view, i, &p); i++)
		for (uint32_t pg = 0; pg < p.pg_count; pg++)
			map_group(out, view, i, pg);
}
