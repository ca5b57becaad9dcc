/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is to be purged and has to wait. A job is a record of the table. Those that are there and not begun need not
 * be in memory too: beyond a window they are dropped, and read again, in the order of inodes, when the window has room. So a million
 * removed files cost the rank no memory, and a restart finds them where they are.
 *
 * Jobs that journal or write-back still need stay, and numbers (INO-1), which are few. How many are stored is only
 * counted: when all of the table was read and had none, there are none.
 */
#include "core.h"
#include "purge_internal.h"

#define WINDOW_SHARE 16			/* of the limit of inodes: so many jobs stay in memory */
#define WINDOW_MIN 64
#define LIST_KEYS 256
#define LIST_BYTES (64u << 10)

static uint64_t window(const struct mds *mds)
{
	return mds->config.cache_inodes / WINDOW_SHARE + WINDOW_MIN;
}

uint64_t mds_purge_stored(const struct mds *mds)
{
	return mds->purger->stored;
}

bool mds_purge_keep_stored(struct mds *mds, const struct mds_purge_image *image)
{
	if (image->count > 1 || mds->purger->count < window(mds))
		return false;
	mds->purger->stored++;
	return true;
}

void mds_purge_written(struct mds *mds, struct mds_record *record)
{
	struct purge_job *job = purge_find(mds, record->key.number);

	if (!record->live || !mds_dirty_is_clean(&record->dirty) || !job || job->begun ||
	    job->failures || job->image.count > 1 || mds->purger->count <= window(mds))
		return;
	purge_free_job(mds->purger, job);
	mds_record_forget(mds, record);
	mds->purger->stored++;
}

/* ---- back into memory ----------------------------------------------------------------------------------------- */

/* -EBADMSG; 1: it is no purge, there are no more. */
static int take(struct mds *mds, const struct nacre_key_value *item)
{
	struct mds_purger *purger = mds->purger;
	struct mds_purge_image image;
	struct mds_record_key key;

	if (item->key_bytes && item->key[0] != MDS_RECORD_PURGE)
		return 1;
	if (mds_record_key_parse(item->key, item->key_bytes, &key) ||
	    nacre_decode_all(mds_purge_image_desc(), item->value, item->value_bytes, &image))
		return -EBADMSG;
	purger->behind = key.number;
	/* a record in memory is newer: its job is there, or done */
	if (mds_record_find(mds, MDS_RECORD_PURGE, key.number))
		return 0;
	mds_purge_known(mds, &image, 0);
	mds_record_loaded(mds, MDS_RECORD_PURGE, key.number);
	purger->taken++;
	purger->stored -= purger->stored > 0;
	return 0;
}

static int take_page(struct mds *mds, const struct osdc_result *page, bool *ret_last)
{
	struct nacre_reader r = nacre_reader(page->output, page->output_bytes);
	struct nacre_key_value item;
	int result = 0;

	while (!result && nacre_reader_left(&r))
		result = nacre_decode(nacre_key_value_desc(), &r, &item) ? -EBADMSG :
									   take(mds, &item);
	*ret_last = result == 1 || !(page->flags & NACRE_OSD_RESULT_MORE);
	return result < 0 ? result : 0;
}

static void listed(struct osdc_request *request, uint32_t result)
{
	struct mds *mds = osdc_request_owner(request);
	struct mds_purger *purger = mds->purger;
	struct osdc_result page;
	bool last = false;

	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	purger->listing = false;
	page = osdc_request_result(request, 0);
	if (result)
		log_warn(mds->log, "purge", "the table could not be read: result %u", result);
	else if (take_page(mds, &page, &last))
		mds_fail(mds, -EIO, "what is to be purged is damaged");
	osdc_request_free(request);
	if (last && !purger->taken)
		purger->stored = 0;
	if (last)
		purger->behind = purger->taken = 0;
	if (!result)
		mds_purge_kick(mds);	/* else with the next sweep */
}

void purge_refill(struct mds *mds)
{
	struct mds_purger *purger = mds->purger;
	struct mds_record_key key = { MDS_RECORD_PURGE, purger->behind };
	struct osdc_request *request;
	char behind[MDS_KEY_BYTES];

	if (!purger->stored || purger->listing || purger->count > window(mds) / 2)
		return;
	purger->listing = true;
	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
					    NACRE_INO_TABLE(mds->config.rank), 0));
	osdc_add(request, NACRE_OSD_OP_KV_LIST, 0, behind, mds_record_key_text(&key, behind), NULL, 0,
		 LIST_BYTES, LIST_KEYS);
	osdc_submit(request, listed, mds);
}
