// SPDX-License-Identifier: GPL-2.0
/* What scrubs have found: the last findings, in words, and what an operator can ask and start. See scrub.h. */
#include <inttypes.h>
#include <stdio.h>
#include "scrub.h"

#define SCRUB_REASON_TEXT(NAME, text, doc) text,
static const char *const reason_names[] = { SCRUB_REASONS(SCRUB_REASON_TEXT) };

const char *scrub_reason_name(enum scrub_reason reason)
{
	return reason_names[reason];
}

/* "group 1.5 object 1/3e9.2 offset 4096 length 4096 osd2 checksum, repaired from osd0" */
static void put_words(const struct scrub_finding *finding, char *text, size_t room)
{
	const struct osd_object_key *key = &finding->key;
	char object[80], range[64] = "", other[48] = "";

	if (key->ino)
		snprintf(object, sizeof(object), "object %u/%" PRIx64 ".%" PRIx64, key->pool, key->ino, key->index);
	else
		snprintf(object, sizeof(object), "list of objects");
	if (finding->length)
		snprintf(range, sizeof(range), " offset %" PRIu64 " length %" PRIu64, finding->offset, finding->length);
	if (finding->repaired)
		snprintf(other, sizeof(other), ", repaired from osd%u", finding->other);
	else if (finding->other != NACRE_OSD_NONE)
		snprintf(other, sizeof(other), " differs from osd%u, not repaired", finding->other);
	else
		snprintf(other, sizeof(other), ", not repaired");
	snprintf(text, room, "group %u.%u %s%s osd%u %s%s", key->pool, key->pg, object, range, finding->osd,
		 reason_names[finding->reason], other);
}

void scrub_found(struct osd *osd, const struct scrub_finding *finding)
{
	struct osd_scrub *scrub = osd->scrub;
	struct scrub_finding *kept = &scrub->findings[scrub->found % SCRUB_FINDINGS_MAX];
	char text[320];

	*kept = *finding;
	kept->number = ++scrub->found;
	kept->wall_ns = io_wall(osd->io);
	osd->stats.scrub_findings++;
	osd->stats.scrub_unrepaired += !finding->repaired;
	put_words(kept, text, sizeof(text));
	log_warn(osd->log, "scrub", "%s", text);
}

/* ---- the admin socket ----------------------------------------------------------------------------- */

/* Those behind `after` that are still remembered. */
static void print_findings(const struct osd *osd, uint64_t after, struct admin_answer *answer)
{
	const struct osd_scrub *scrub = osd->scrub;
	const struct scrub_finding *finding;
	char text[320];
	uint64_t n;

	if (scrub->found > SCRUB_FINDINGS_MAX && after < scrub->found - SCRUB_FINDINGS_MAX) {
		after = scrub->found - SCRUB_FINDINGS_MAX;
		admin_print(answer, "(those up to %" PRIu64 " are not remembered)\n", after);
	}
	for (n = after; n < scrub->found; n++) {
		finding = &scrub->findings[n % SCRUB_FINDINGS_MAX];
		put_words(finding, text, sizeof(text));
		admin_print(answer, "%" PRIu64 " at %" PRIu64 " %s\n", finding->number,
			    finding->wall_ns / 1000000000u, text);
	}
}

static void start(struct osd *osd, const char *group, bool deep, struct admin_answer *answer)
{
	const struct pg *only = NULL;
	uint32_t pool, number;
	char rest;

	if (group) {
		if (sscanf(group, "%u.%u%c", &pool, &number, &rest) == 2)
			only = pg_find(osd, pool, number);
		if (!only || !only->primary) {
			admin_print(answer, "error: %s is no group whose primary is here\n", group);
			return;
		}
	}
	admin_print(answer, "groups %u\n", osd_scrub_ask(osd, only, deep));
}

bool osd_scrub_command(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct osd *osd = owner;
	bool deep = argc > 2 && !strcmp(argv[2], "deep");
	int used = 2 + deep;

	if (argc < 2 || (argc == 2 && !strcmp(argv[1], "status")))
		osd_scrub_status(osd, answer);
	else if (!strcmp(argv[1], "report") && argc <= 3)
		print_findings(osd, argc > 2 ? strtoull(argv[2], NULL, 10) : 0, answer);
	else if (strcmp(argv[1], "start") || argc > used + 1)
		admin_print(answer, "error: scrub [status], scrub start [deep] [POOL.GROUP], or scrub report [NUMBER]\n");
	else if (!osd->serving)
		admin_print(answer, "error: it does not serve yet\n");
	else
		start(osd, argc > used ? argv[used] : NULL, deep, answer);
	return true;
}
