// SPDX-License-Identifier: GPL-2.0
/*
 * Transactions: making, packing, unpacking. See txn.h.
 */
#include <assert.h>
#include <errno.h>
#include "protocol/rules/validate.h"
#include "server/base/crc.h"
#include "txn.h"

struct osd_txn *osd_txn_new(void)
{
	struct osd_txn *txn = mem_zero(1, sizeof(*txn));

	TAILQ_INIT(&txn->changes);
	return txn;
}

void osd_txn_free(struct osd_txn *txn)
{
	struct osd_change *change;
	uint32_t i;

	while ((change = TAILQ_FIRST(&txn->changes))) {
		assert(!change->in_set);
		TAILQ_REMOVE(&txn->changes, change, link);
		free(change);
	}
	for (i = 0; i < txn->image_count; i++)
		mem_buffer_put(txn->images[i].buffer);
	for (i = 0; i < txn->direct_count; i++)
		mem_buffer_put(txn->direct[i].buffer);
	free(txn->images);
	free(txn->direct);
	free(txn->space);
	free(txn->resting);
	mem_bytes_free(&txn->request);
	mem_bytes_free(&txn->entry);
	mem_bytes_free(&txn->packed);
	free(txn);
}

static void add_change(struct osd_txn *txn, struct osd_change *change)
{
	TAILQ_INSERT_TAIL(&txn->changes, change, link);
}

void osd_txn_put(struct osd_txn *txn, const struct osd_key *key, const void *value, size_t length)
{
	add_change(txn, osd_change_new(OSD_CHANGE_PUT, key->bytes, key->length, value,
				       (uint32_t)length));
}

void osd_txn_delete(struct osd_txn *txn, const struct osd_key *key)
{
	add_change(txn, osd_change_new(OSD_CHANGE_DELETE, key->bytes, key->length, NULL, 0));
}

void osd_txn_delete_range(struct osd_txn *txn, const struct osd_key *first,
			  const struct osd_key *end)
{
	add_change(txn, osd_change_new(OSD_CHANGE_DELETE_RANGE, first->bytes, first->length,
				       end->bytes, end->length));
}

void osd_txn_space(struct osd_txn *txn, uint64_t block, uint32_t count, bool taken)
{
	struct osd_disk_space *last = txn->space_count ? &txn->space[txn->space_count - 1] : NULL;

	if (last && last->taken == taken && last->block + last->count == block) {
		last->count += count;
		return;
	}
	if (txn->space_count == txn->space_room) {
		txn->space_room = txn->space_room * 2 + 8;
		txn->space = mem_resize(txn->space, txn->space_room * sizeof(*txn->space));
	}
	txn->space[txn->space_count++] =
		(struct osd_disk_space){ .block = block, .count = count, .taken = taken };
}

void osd_txn_rest(struct osd_txn *txn, uint64_t block)
{
	if (!(txn->resting_count & (txn->resting_count - 1)))	/* room for twice as many, at each power of two */
		txn->resting = mem_resize(txn->resting, (txn->resting_count * 2ull + 1) * sizeof(*txn->resting));
	txn->resting[txn->resting_count++] = block;
}

/* ---- packing --------------------------------------------------------------------- */

static void pack_changes(const struct osd_txn *txn, struct mem_bytes *bytes)
{
	struct osd_disk_change disk;
	struct osd_change *change;

	TAILQ_FOREACH(change, &txn->changes, link) {
		disk = (struct osd_disk_change){
			.kind = change->kind,
			.key = change->bytes,
			.key_bytes = change->key_bytes,
			.value = osd_change_value(change),
			.value_bytes = change->value_bytes,
		};
		osd_disk_append(bytes, osd_disk_change_desc(), &disk);
	}
}

static void pack_images(const struct osd_image *images, uint32_t count, uint16_t flags,
			struct mem_bytes *bytes)
{
	struct osd_disk_image disk;
	uint32_t i;

	for (i = 0; i < count; i++) {
		disk = (struct osd_disk_image){
			.block = images[i].block,
			.object_block = (uint16_t)images[i].object_block,
			.image_flags = flags,
			.crc = images[i].crc,
		};
		osd_disk_append(bytes, osd_disk_image_desc(), &disk);
	}
}

void osd_txn_pack(struct osd_txn *txn)
{
	struct mem_bytes changes = { 0 }, images = { 0 }, space = { 0 };
	struct osd_disk_txn disk = {
		.seq = txn->seq,
		.next_id = txn->next_id,
		.number = txn->number,
		.committed = txn->committed,
		.pool = txn->pool,
		.pg = txn->pg,
		.objects_more = txn->objects_more,
		.objects_less = txn->objects_less,
		.request = txn->request.at,
		.request_bytes = (uint32_t)txn->request.length,
		.entry = txn->entry.at,
		.entry_bytes = (uint32_t)txn->entry.length,
	};
	uint32_t i;

	pack_changes(txn, &changes);
	pack_images(txn->images, txn->image_count, 0, &images);
	pack_images(txn->direct, txn->direct_count, OSD_IMAGE_DIRECT, &images);
	for (i = 0; i < txn->space_count; i++)
		osd_disk_append(&space, osd_disk_space_desc(), &txn->space[i]);
	disk.changes = changes.at;
	disk.changes_bytes = (uint32_t)changes.length;
	disk.images = images.at;
	disk.images_bytes = (uint32_t)images.length;
	disk.space = space.at;
	disk.space_bytes = (uint32_t)space.length;
	txn->packed.length = 0;
	osd_disk_append(&txn->packed, osd_disk_txn_desc(), &disk);
	mem_bytes_free(&changes);
	mem_bytes_free(&images);
	mem_bytes_free(&space);
}

/* ---- unpacking --------------------------------------------------------------------- */

static int unpack_changes(struct osd_txn *txn, const struct osd_disk_txn *disk)
{
	struct nacre_reader r = nacre_reader(disk->changes, disk->changes_bytes);
	struct osd_disk_change change;

	while (nacre_reader_left(&r)) {
		if (nacre_decode(osd_disk_change_desc(), &r, &change) ||
		    change.kind < OSD_CHANGE_PUT || change.kind > OSD_CHANGE_DELETE_RANGE ||
		    change.key_bytes > OSD_KEY_MAX)
			return -EBADMSG;
		add_change(txn, osd_change_new(change.kind, change.key, change.key_bytes,
					       change.value, change.value_bytes));
	}
	return 0;
}

/* One image from the record. 0 or -EBADMSG. */
static int unpack_image(struct osd_txn *txn, const struct osd_disk_image *disk,
			struct mem_buffer *buffer, const uint8_t **at, const uint8_t *end)
{
	bool direct = disk->image_flags & OSD_IMAGE_DIRECT;
	struct osd_image *image = direct ? &txn->direct[txn->direct_count] : &txn->images[txn->image_count];

	image->block = disk->block;
	image->object_block = disk->object_block;
	image->crc = disk->crc;
	if (direct) {
		txn->direct_count++;
		txn->unread = true;
		return 0;
	}
	if (end - *at < OSD_BLOCK_BYTES || crc_of(*at, OSD_BLOCK_BYTES) != disk->crc)
		return -EBADMSG;
	image->bytes = *at;
	image->buffer = mem_buffer_get(buffer);
	*at += OSD_BLOCK_BYTES;
	txn->image_count++;
	return 0;
}

static int unpack_images(struct osd_txn *txn, const struct osd_disk_txn *disk,
			 struct mem_buffer *buffer, const uint8_t **at, const uint8_t *end)
{
	int count = nacre_array_count(osd_disk_image_desc(), disk->images_bytes);
	struct osd_disk_image image;
	int i;

	if (count < 0)
		return -EBADMSG;
	txn->images = mem_zero((size_t)count, sizeof(*txn->images));
	txn->direct = mem_zero((size_t)count, sizeof(*txn->direct));
	for (i = 0; i < count; i++)
		if (nacre_array_at(osd_disk_image_desc(), disk->images, (uint32_t)i, &image) ||
		    (image.image_flags & ~OSD_IMAGE_DIRECT) ||
		    unpack_image(txn, &image, buffer, at, end))
			return -EBADMSG;
	return 0;
}

static int unpack_space(struct osd_txn *txn, const struct osd_disk_txn *disk)
{
	int count = nacre_array_count(osd_disk_space_desc(), disk->space_bytes);
	struct osd_disk_space space;
	int i;

	if (count < 0)
		return -EBADMSG;
	for (i = 0; i < count; i++) {
		if (nacre_array_at(osd_disk_space_desc(), disk->space, (uint32_t)i, &space) ||
		    space.taken > 1)
			return -EBADMSG;
		osd_txn_space(txn, space.block, space.count, space.taken);
	}
	return 0;
}

int osd_txn_unpack(struct nacre_reader *r, struct mem_buffer *buffer, const uint8_t **images,
		   const uint8_t *images_end, struct osd_txn **ret_txn)
{
	struct osd_txn *txn = osd_txn_new();
	struct osd_disk_txn disk;

	if (nacre_decode(osd_disk_txn_desc(), r, &disk) || unpack_changes(txn, &disk) ||
	    unpack_images(txn, &disk, buffer, images, images_end) || unpack_space(txn, &disk)) {
		osd_txn_free(txn);
		return -EBADMSG;
	}
	txn->seq = disk.seq;
	txn->next_id = disk.next_id;
	txn->number = disk.number;
	txn->committed = disk.committed;
	txn->pool = disk.pool;
	txn->pg = disk.pg;
	txn->objects_more = disk.objects_more;
	txn->objects_less = disk.objects_less;
	mem_append_bytes(&txn->request, disk.request, disk.request_bytes);
	mem_append_bytes(&txn->entry, disk.entry, disk.entry_bytes);
	*ret_txn = txn;
	return 0;
}

/* ---- the payload, from the images ------------------------------------------------------ */

/* Copy what an image holds of [offset, +length) of the object. */
static void payload_from(const struct osd_image *image, uint64_t offset, uint64_t length,
			 uint8_t *bytes)
{
	uint64_t begin = (uint64_t)image->object_block * OSD_BLOCK_BYTES;
	uint64_t end = begin + OSD_BLOCK_BYTES;
	uint64_t from = begin > offset ? begin : offset;
	uint64_t to = end < offset + length ? end : offset + length;

	if (from < to && image->bytes)
		memcpy(bytes + (from - offset), image->bytes + (from - begin), to - from);
}

void osd_txn_payload(const struct osd_txn *txn, struct mem_bytes *ret_data)
{
	struct nacre_osd_cursor cursor;
	struct nacre_osd_request request;
	struct nacre_osd_step step;
	uint64_t offset;
	uint8_t *bytes;
	uint32_t i;

	if (nacre_decode_all(nacre_osd_request_desc(), txn->request.at, txn->request.length,
			     &request))
		return;
	nacre_osd_cursor(&cursor, &request);
	while (nacre_osd_next(&cursor, &step)) {
		if (step.op.code != NACRE_OSD_OP_WRITE && step.op.code != NACRE_OSD_OP_WRITE_FULL)
			continue;
		if (!step.op.length)
			continue;	/* the inline data of an empty file */
		offset = step.op.code == NACRE_OSD_OP_WRITE ? step.op.offset : 0;
		bytes = mem_append(ret_data, step.op.length);
		memset(bytes, 0, step.op.length);
		for (i = 0; i < txn->image_count; i++)
			payload_from(&txn->images[i], offset, step.op.length, bytes);
		for (i = 0; i < txn->direct_count; i++)
			payload_from(&txn->direct[i], offset, step.op.length, bytes);
	}
}
