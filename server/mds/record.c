/* SPDX-License-Identifier: GPL-2.0 */
/* Keys of the table object; see record.h. */
#include "core.h"

struct mds_record *mds_record_find(struct mds *mds, enum mds_record_kind kind, uint64_t number)
{
	struct mds_record_key key = { kind, number };
	struct mds_record *record;

	HASH_FIND(hh, mds->records, &key, sizeof(key), record);
	return record;
}

static struct mds_record *record_new(struct mds *mds, enum mds_record_kind kind, uint64_t number)
{
	struct mds_record *record = mds_zalloc(sizeof(*record));

	record->key = (struct mds_record_key){ kind, number };
	record->dirty.kind = MDS_DIRTY_RECORD;
	HASH_ADD(hh, mds->records, key, sizeof(record->key), record);
	return record;
}

void mds_record_set(struct mds *mds, enum mds_record_kind kind, uint64_t number, bool live,
		    uint64_t seq)
{
	struct mds_record *record = mds_record_find(mds, kind, number);
	bool has_value = kind == MDS_RECORD_SESSION || kind == MDS_RECORD_PURGE ||
			 kind == MDS_RECORD_QUOTA;

	if (!record && !live)
		return;
	if (!record)
		record = record_new(mds, kind, number);
	if (record->live == live && !(live && has_value))
		return;
	record->live = live;
	mds_dirty_mark(mds, &record->dirty, seq);
}

void mds_record_loaded(struct mds *mds, enum mds_record_kind kind, uint64_t number)
{
	struct mds_record *record = mds_record_find(mds, kind, number);

	if (!record)
		record = record_new(mds, kind, number);
	record->live = true;
}

void mds_record_forget(struct mds *mds, struct mds_record *record)
{
	assert(mds_dirty_is_clean(&record->dirty));
	HASH_DEL(mds->records, record);
	free(record);
}

void mds_record_trim(struct mds *mds, struct mds_record *record)
{
	if (!record->live && mds_dirty_is_clean(&record->dirty))
		mds_record_forget(mds, record);
}

void mds_record_free_all(struct mds *mds)
{
	struct mds_record *record, *next;

	HASH_ITER(hh, mds->records, record, next) {
		HASH_DEL(mds->records, record);
		free(record);
	}
}

uint32_t mds_record_key_text(const struct mds_record_key *key, char *text)
{
	return (uint32_t)snprintf(text, MDS_KEY_BYTES, "%c%016llx", (char)key->kind,
				  (unsigned long long)key->number);
}

int mds_record_key_parse(const uint8_t *text, uint32_t length, struct mds_record_key *key)
{
	char digits[17] = { 0 };
	char *end;

	if (length != 17 || !memchr("sowpq", text[0], 5))
		return -EBADMSG;
	memcpy(digits, text + 1, 16);
	key->kind = text[0];
	key->number = strtoull(digits, &end, 16);
	return *end ? -EBADMSG : 0;
}
