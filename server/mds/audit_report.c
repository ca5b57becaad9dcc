/* SPDX-License-Identifier: GPL-2.0 */
/* What an audit has found, and how it is told; see audit.h. */
#include <inttypes.h>
#include "audit_internal.h"

#define KIND_ROW(NAME, text, wrong, doc) { #text, wrong, doc },
static const struct {
	const char *text;
	bool wrong;
	const char *doc;
} kinds[] = { MDS_AUDIT_KINDS(KIND_ROW) };

void audit_found(struct mds_audit *audit, enum mds_audit_kind kind, uint64_t ino, uint32_t pool,
		 uint64_t objects, uint64_t bytes)
{
	struct mds_audit_total *total = &audit->totals[kind];
	struct audit_row *row, key = { 0 };

	total->objects += objects;
	total->bytes += bytes;
	key.key.ino = ino;
	key.key.kind = kind;
	key.key.pool = pool;
	HASH_FIND(hh, audit->rows, &key.key, sizeof(key.key), row);
	if (!row) {
		if (HASH_COUNT(audit->rows) >= MDS_AUDIT_ROWS_MAX) {
			audit->unlisted++;
			return;
		}
		row = mds_zalloc(sizeof(*row));
		row->key = key.key;
		HASH_ADD(hh, audit->rows, key, sizeof(row->key), row);
		total->inodes++;
	}
	row->objects += objects;
	row->bytes += bytes;
}

void audit_rows_free(struct mds_audit *audit)
{
	struct audit_row *row, *next;

	HASH_ITER(hh, audit->rows, row, next) {
		HASH_DEL(audit->rows, row);
		free(row);
	}
}

const struct mds_audit_total *mds_audit_total(const struct mds *mds, enum mds_audit_kind kind)
{
	return &mds->audit->totals[kind];
}

static bool is_right(const struct mds_audit *audit)
{
	int kind;

	for (kind = 0; kind < MDS_AUDIT_KIND_COUNT; kind++)
		if (kinds[kind].wrong && (audit->totals[kind].inodes || audit->totals[kind].objects))
			return false;
	return true;
}

bool mds_audit_is_clean(const struct mds *mds)
{
	return mds->audit && mds->audit->state == AUDIT_DONE && is_right(mds->audit);
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

static const char *state_text(const struct mds_audit *audit)
{
	if (audit->state == AUDIT_RUNNING)
		return "running";
	if (audit->state == AUDIT_STOPPED)
		return "stopped";
	return is_right(audit) ? "clean" : "findings";
}

static void print_rows(const struct mds_audit *audit, int kind, struct admin_answer *answer)
{
	const struct audit_row *row;

	for (row = audit->rows; row; row = row->hh.next)
		if (row->key.kind == (uint32_t)kind)
			admin_print(answer, "%s ino %#" PRIx64 " pool %u objects %" PRIu64 " bytes %" PRIu64 "\n",
				    kinds[kind].text, row->key.ino, row->key.pool, row->objects,
				    row->bytes);
}

void mds_audit_print(const struct mds *mds, struct admin_answer *answer)
{
	const struct mds_audit *audit = mds->audit;
	int kind;

	if (!audit) {
		admin_print(answer, "state none\n");
		return;
	}
	admin_print(answer, "state %s\n", state_text(audit));
	if (audit->listing)
		admin_print(answer, "at pool %u group %u of %u\n", audit->pool,
			    mds_listing_group(audit->listing),
			    mds_listing_cost(audit->mds, audit->pool));
	admin_print(answer, "objects %" PRIu64 "\nentries %" PRIu64 "\nbeing_changed %" PRIu64 "\n",
		    audit->objects, audit->entries, audit->changing);
	for (kind = 0; kind < MDS_AUDIT_KIND_COUNT; kind++)
		if (audit->totals[kind].inodes || audit->totals[kind].objects)
			admin_print(answer, "%s: %s: inodes %" PRIu64 " objects %" PRIu64 " bytes %" PRIu64 "\n",
				    kinds[kind].wrong ? "WRONG" : "well", kinds[kind].doc,
				    audit->totals[kind].inodes, audit->totals[kind].objects,
				    audit->totals[kind].bytes);
	for (kind = 0; kind < MDS_AUDIT_KIND_COUNT; kind++)
		print_rows(audit, kind, answer);
	if (audit->unlisted)
		admin_print(answer, "and %" PRIu64 " more without a line here\n", audit->unlisted);
}

bool mds_audit_command(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct mds *mds = owner;
	int result = 0;

	if (argc > 1 && !strcmp(argv[1], "start")) {
		result = mds_audit_start(mds, NULL, NULL);
	} else if (argc > 1 && !strcmp(argv[1], "stop")) {
		mds_audit_stop(mds);
	} else if (argc > 1) {
		admin_print(answer, "error: audit [start | stop]\n");
		return true;
	}
	if (result == -EALREADY)
		admin_print(answer, "error: an audit is running\n");
	else if (result)
		admin_print(answer, "error: the rank is not active: it is %s\n", mds_state_name(mds->state));
	else
		mds_audit_print(mds, answer);
	return true;
}
