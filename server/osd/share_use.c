// SPDX-License-Identifier: GPL-2.0
/*
 * What an execution changes of shared blocks. See shares.h.
 */
#include <assert.h>
#include "exec.h"
#include "server/base/mutate.h"

static struct osd_share_use *find_use(const struct osd_view *view, uint64_t block)
{
	uint64_t number = block / OSD_SHARE_BLOCKS;
	struct osd_share_use *use;

	HASH_FIND(hh, view->shares, &number, sizeof(number), use);
	return use;
}

/* References of a block when the run is over: 0, nobody has it. */
static int64_t references(const struct osd_share_use *use, uint64_t block)
{
	uint32_t n = block % OSD_SHARE_BLOCKS;

	return 1 + (int64_t)use->page->more[n] + use->delta[n];
}

/* ---- gathering -------------------------------------------------------------------------- */

/* The page of a block, if it has a record or (`make`) is to have one: *ret_use, NULL if it is of no interest. 0, OSD_MISS, NACRE_E_DAMAGED. */
static uint32_t need_page(struct osd_exec *exec, uint64_t block, bool make, struct osd_share_use **ret_use)
{
	struct osd_shares *shares = &exec->store->shares;
	uint64_t number = block / OSD_SHARE_BLOCKS;
	struct osd_share_use *use = find_use(&exec->view, block);

	*ret_use = use;
	if (use)
		return use->page->loaded ? 0 : OSD_MISS;	/* asked for */
	if (!make && !osd_shares_has_record(shares, number))
		return 0;
	*ret_use = use = mem_zero(1, sizeof(*use));
	use->number = number;
	use->page = osd_share_pin(shares, number);
	HASH_ADD(hh, exec->view.shares, number, sizeof(use->number), use);
	return use->page->loaded ? 0 : osd_exec_need_share(exec, use->page);
}

/* Blocks that gain a reference, or lose one. */
static uint32_t count_runs(struct osd_exec *exec, const struct osd_disk_space *runs, uint32_t count, int32_t delta)
{
	struct osd_share_use *use;
	uint32_t err, missing = 0, i, n;

	for (i = 0; i < count; i++) {
		for (n = 0; n < runs[i].count; n++) {
			err = need_page(exec, runs[i].block + n, delta > 0, &use);
			if (err && err != OSD_MISS)
				return err;
			missing |= err;
			if (!use)
				continue;
			use->delta[(runs[i].block + n) % OSD_SHARE_BLOCKS] += delta;
			use->changes++;
		}
	}
	return missing;
}

/* Blocks that are written, or zeroed in their places: are they the object's alone? */
static uint32_t need_written(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;
	const struct osd_view_chunk *chunk;
	struct osd_share_use *use;
	uint32_t c, i, err, missing = 0;

	for (c = 0; c < OSD_CHUNKS_MAX; c++) {
		chunk = view->chunks[c];
		for (i = 0; chunk && i < OSD_CHUNK_BLOCKS; i++) {
			if (chunk->map.block[i] == OSD_NO_BLOCK ||
			    (!chunk->images[i].bytes && osd_chunk_state(&chunk->map, i) != OSD_BLOCK_UNWRITTEN))
				continue;
			err = need_page(exec, chunk->map.block[i], false, &use);
			if (err && err != OSD_MISS)
				return err;
			missing |= err;
			if (use)
				use->changes++;		/* it may have to go elsewhere */
		}
	}
	return missing;
}

uint32_t osd_shares_gather(struct osd_exec *exec)
{
	struct osd_view *view = &exec->view;
	uint32_t err, missing;

	assert(!view->shares);
	if (!exec->store->shares.record_count && !view->gained_count)
		return 0;
	/* what is gained first: it makes pages, of which what is given up must be counted, too */
	err = count_runs(exec, view->gained, view->gained_count, 1);
	if (err && err != OSD_MISS)
		return err;
	missing = err;
	err = count_runs(exec, view->txn->space, view->txn->space_count, -1);
	if (err && err != OSD_MISS)
		return err;
	missing |= err;
	err = need_written(exec);
	return err ? err : missing;
}

void osd_shares_forget(struct osd_view *view)
{
	struct osd_share_use *use, *next;

	HASH_ITER(hh, view->shares, use, next) {
		HASH_DELETE(hh, view->shares, use);
		osd_share_unpin(use->page);
		free(use);
	}
	free(view->gained);
	view->gained = NULL;
	view->gained_count = 0;
}

/* ---- while it is placed ------------------------------------------------------------------ */

bool osd_view_is_shared(const struct osd_view *view, uint64_t block)
{
	const struct osd_share_use *use = find_use(view, block);

	if (mutate(MUTATE_OSD_CLONE_FORGETS_SHARE))
		return false;
	return use && references(use, block) > 1;
}

void osd_view_unshare(struct osd_view *view, uint64_t block)
{
	struct osd_share_use *use = find_use(view, block);

	if (!use)
		return;
	use->delta[block % OSD_SHARE_BLOCKS]--;
}

void osd_shares_settle(struct osd_view *view)
{
	struct osd_txn *txn = view->txn;
	struct osd_disk_space *old = txn->space;
	uint32_t i, n, count = txn->space_count;
	const struct osd_share_use *use;

	if (!view->shares)
		return;
	txn->space = NULL;
	txn->space_count = txn->space_room = 0;
	for (i = 0; i < count; i++) {
		for (n = 0; n < old[i].count; n++) {
			use = old[i].taken ? NULL : find_use(view, old[i].block + n);
			if (!use || references(use, old[i].block + n) <= 0)
				osd_txn_space(txn, old[i].block + n, 1, old[i].taken);
		}
	}
	free(old);
}

/* Each change of a block adds two runs at most. */
uint64_t osd_shares_bytes(const struct osd_view *view)
{
	const struct osd_share_use *use;
	uint64_t bytes = 0, runs;
	uint32_t n;

	for (use = view->shares; use; use = use->hh.next) {
		runs = 1 + 2ull * use->changes;
		for (n = 1; n < OSD_SHARE_BLOCKS; n++)
			runs += use->page->more[n] != use->page->more[n - 1];
		bytes += 64 + (runs < OSD_SHARE_BLOCKS ? runs : OSD_SHARE_BLOCKS) * sizeof(struct osd_disk_share_wire);
	}
	return bytes;
}

/* ---- the end ----------------------------------------------------------------------------- */

static void commit_page(struct osd_exec *exec, struct osd_share_use *use)
{
	struct osd_share_page *page = use->page;
	struct mem_bytes value = { 0 };
	struct osd_key key;
	bool changed = false;
	int64_t count;
	uint32_t n;

	for (n = 0; n < OSD_SHARE_BLOCKS; n++) {
		count = references(use, n);
		assert(count >= 0);
		if (!use->delta[n] || (!count && !page->more[n]))
			continue;
		if (use->delta[n] < 0 && count)
			osd_txn_rest(exec->view.txn, page->number * OSD_SHARE_BLOCKS + n);
		page->more[n] = count ? (uint32_t)(count - 1) : 0;
		changed = true;
	}
	if (!changed)
		return;
	osd_share_encode(page->more, &value);
	osd_key_share(&key, page->number);
	if (value.length)
		osd_txn_put(exec->view.txn, &key, value.at, value.length);
	else
		osd_txn_delete(exec->view.txn, &key);
	osd_shares_set_record(page->shares, page->number, value.length);
	mem_bytes_free(&value);
}

void osd_shares_commit(struct osd_exec *exec)
{
	struct osd_share_use *use;

	for (use = exec->view.shares; use; use = use->hh.next)
		commit_page(exec, use);
	osd_shares_forget(&exec->view);
}
