// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors of the structures at rest, and the keys. See layout.h.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include "server/base/crc.h"
#include "layout.h"
#include "mem.h"
#include "protocol/codec.h"

NACRE_STRUCT_DEFINE(osd_disk_super, OSD_DISK_SUPER_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_state, OSD_DISK_STATE_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_record, OSD_DISK_RECORD_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_txn, OSD_DISK_TXN_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_change, OSD_DISK_CHANGE_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_image, OSD_DISK_IMAGE_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_space, OSD_DISK_SPACE_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_onode, OSD_DISK_ONODE_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_chunk, OSD_DISK_CHUNK_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_run, OSD_DISK_RUN_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_kept, OSD_DISK_KEPT_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_blocks, OSD_DISK_BLOCKS_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_intent, OSD_DISK_INTENT_FIELDS)
NACRE_STRUCT_DEFINE(osd_disk_share, OSD_DISK_SHARE_FIELDS)

/* ---- big-endian numbers in keys ---------------------------------------------- */

static void put_kind(struct osd_key *key, char kind)
{
	key->bytes[0] = (uint8_t)kind;
	key->length = 1;
}

static void put_number(struct osd_key *key, uint64_t value, int bytes)
{
	while (bytes--)
		key->bytes[key->length++] = (uint8_t)(value >> (8 * bytes));
}

static uint64_t take_number(const uint8_t **at, int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *(*at)++;
	return value;
}

void osd_key_state(struct osd_key *key)
{
	put_kind(key, 'S');
}

void osd_key_bitmap(struct osd_key *key, uint64_t chunk)
{
	put_kind(key, 'A');
	put_number(key, chunk, 8);
}

void osd_key_object(struct osd_key *key, uint32_t pg, const struct nacre_oid *oid)
{
	osd_key_group_begin(key, 'O', oid->pool, pg);
	put_number(key, oid->ino, 8);
	put_number(key, oid->index, 8);
	put_number(key, oid->snap, 8);
}

void osd_key_chunk(struct osd_key *key, uint64_t object_id, uint32_t chunk)
{
	put_kind(key, 'B');
	put_number(key, object_id, 8);
	put_number(key, chunk, 2);
}

void osd_key_pair(struct osd_key *key, uint64_t kv_id, const void *name, uint32_t name_bytes)
{
	assert(name_bytes <= NACRE_KEY_MAX);
	put_kind(key, 'K');
	put_number(key, kv_id, 8);
	if (name_bytes)
		memcpy(key->bytes + key->length, name, name_bytes);
	key->length += name_bytes;
}

void osd_key_log(struct osd_key *key, uint32_t pool, uint32_t pg, uint64_t number)
{
	osd_key_group_begin(key, 'L', pool, pg);
	put_number(key, number, 8);
}

void osd_key_kept(struct osd_key *key, uint32_t pool, uint32_t pg, uint64_t number)
{
	osd_key_group_begin(key, 'T', pool, pg);
	put_number(key, number, 8);
}

void osd_key_intent(struct osd_key *key, uint64_t seq, uint32_t index)
{
	put_kind(key, 'I');
	put_number(key, seq, 8);
	put_number(key, index, 4);
}

void osd_key_share(struct osd_key *key, uint64_t page)
{
	put_kind(key, 'R');
	put_number(key, page, 8);
}

void osd_key_group_begin(struct osd_key *key, char kind, uint32_t pool, uint32_t pg)
{
	put_kind(key, kind);
	put_number(key, pool, 4);
	put_number(key, pg, 4);
}

void osd_key_group_end(struct osd_key *key, char kind, uint32_t pool, uint32_t pg)
{
	osd_key_group_begin(key, kind, pool, pg + 1);	/* pg_count is far below 2^32 */
}

void osd_key_group_parse(const uint8_t *bytes, uint32_t *pool, uint32_t *pg)
{
	const uint8_t *at = bytes + 1;

	*pool = (uint32_t)take_number(&at, 4);
	*pg = (uint32_t)take_number(&at, 4);
}

int osd_key_object_parse(const uint8_t *bytes, uint32_t length, uint32_t *pg, struct nacre_oid *oid)
{
	const uint8_t *at = bytes + 1;

	if (length != OSD_KEY_GROUP_BYTES + 24 || bytes[0] != 'O')
		return -EBADMSG;
	oid->pool = (uint32_t)take_number(&at, 4);
	*pg = (uint32_t)take_number(&at, 4);
	oid->ino = take_number(&at, 8);
	oid->index = take_number(&at, 8);
	oid->snap = take_number(&at, 8);
	return 0;
}

int osd_key_chunk_parse(const uint8_t *bytes, uint32_t length, uint32_t *chunk)
{
	const uint8_t *at = bytes + 9;

	*chunk = 0;
	if (length != 11 || bytes[0] != 'B')
		return -EBADMSG;
	*chunk = (uint32_t)take_number(&at, 2);
	return *chunk < OSD_CHUNKS_MAX ? 0 : -EBADMSG;
}

int osd_key_number_parse(const uint8_t *bytes, uint32_t length, uint64_t *number)
{
	const uint8_t *at = bytes + OSD_KEY_GROUP_BYTES;

	if (length != OSD_KEY_GROUP_BYTES + 8)
		return -EBADMSG;
	*number = take_number(&at, 8);
	return 0;
}

static int place_parse(char kind, const uint8_t *bytes, uint32_t length, uint64_t *number)
{
	const uint8_t *at = bytes + 1;

	if (length != 9 || bytes[0] != (uint8_t)kind)
		return -EBADMSG;
	*number = take_number(&at, 8);
	return 0;
}

int osd_key_bitmap_parse(const uint8_t *bytes, uint32_t length, uint64_t *chunk)
{
	return place_parse('A', bytes, length, chunk);
}

int osd_key_share_parse(const uint8_t *bytes, uint32_t length, uint64_t *page)
{
	return place_parse('R', bytes, length, page);
}

/* ---- encoding ------------------------------------------------------------------ */

void osd_disk_append(struct mem_bytes *bytes, const struct nacre_struct *desc, const void *host)
{
	size_t length = nacre_encoded_bytes(desc, host);
	struct nacre_writer w = nacre_writer(mem_append(bytes, length), length);
	int err = nacre_encode(desc, &w, host);

	assert(!err);
	(void)err;
}

void osd_disk_seal(uint8_t *wire, uint32_t wire_bytes)
{
	__le32 crc = nacre_to_le32(crc_of(wire, wire_bytes - 4));

	memcpy(wire + wire_bytes - 4, &crc, 4);
}

int osd_disk_sealed(const uint8_t *wire, uint32_t wire_bytes)
{
	__le32 crc;

	memcpy(&crc, wire + wire_bytes - 4, 4);
	return nacre_le32(crc) == crc_of(wire, wire_bytes - 4);
}
