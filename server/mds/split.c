/* SPDX-License-Identifier: GPL-2.0 */
/* Splitting and merging fragments of directories; see split.h. */
#include "change.h"
#include "core.h"
#include "split.h"
#include "protocol/rules/names.h"

#define MOVE_KEYS 60			/* in one request: below NACRE_OSD_OPS_MAX */
#define MOVE_BYTES (192u << 10)
#define AGAIN_MS 5000			/* before scaling: after a failure */

struct mds_split {
	struct mds *mds;
	struct mds_inode *dir;		/* pinned */
	uint32_t aim;			/* fragments when it is done */
	struct mds_fragment moving;	/* what comes or goes */
	uint32_t from, to;		/* objects */
	bool holds;			/* nothing of `moving` is written back */
	bool switched;			/* what remains is to clear */
	bool more;			/* of the list of keys */
	bool overtakes;			/* the next list need not wait for write-backs */
	uint8_t behind[NACRE_DENTRY_KEY_MAX];	/* which the list goes on */
	uint32_t behind_bytes;
	uint64_t begun_ns;
	uint64_t entered_ns;		/* the present callback began */
	uint64_t work_ns;		/* in callbacks before it */
	struct mds_commit commit;
};

static void begin(struct mds *mds, struct mds_inode *dir, uint32_t aim);
static void clear_object(struct mds_split *split);
static void clear_keys(struct mds_split *split);
static void copy(struct mds_split *split);

bool mds_split_holds(const struct mds_dir *dir, uint64_t cookie)
{
	const struct mds_split *split = dir->split;

	return split && split->holds && cookie >= split->moving.first &&
	       cookie <= split->moving.last;
}

void mds_split_free(struct mds_dir *dir)
{
	free(dir->split);
	dir->split = NULL;
}

void mds_split_look(struct mds *mds, struct mds_inode *dir)
{
	uint32_t count = mds_dir_fragments(dir), aim;

	if (mds->state != MDS_ACTIVE || dir->dir->split || dir->stub || !dir->nlink ||
	    mds_now(mds) < dir->dir->split_after_ns)
		return;
	aim = mds_fragment_aim(count, dir->size, mds->config.dir_split);
	if (aim != count)
		begin(mds, dir, aim);
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static void end(struct mds_split *split)
{
	struct mds_inode *dir = split->dir;
	struct mds *mds = split->mds;

	mds_split_free(dir->dir);
	mds_checkpoint_kick(mds);
	mds_caps_settle(mds, dir);
	mds_split_look(mds, dir);
	mds_inode_unpin(mds, dir);
}

static void done(struct mds_split *split)
{
	split->dir->dir->tidy = true;
	end(split);
}

/* What is in the wrong place now stays there for a while. */
static void fail(struct mds_split *split, const char *what, uint32_t result)
{
	struct mds *mds = split->mds;

	log_warn(mds->log, "split", "directory %#llx with %u fragments: %s: result %u",
		 (unsigned long long)split->dir->ino, mds_dir_fragments(split->dir), what, result);
	split->dir->dir->split_after_ns = mds_now(mds) + mds_scaled_ns(mds, AGAIN_MS);
	end(split);
}

/* ---- what it costs -------------------------------------------------------------------------------------------- */

static void enter(struct mds_split *split)
{
	split->entered_ns = mds_now(split->mds);
}

static void leave(struct mds_split *split)
{
	split->work_ns += mds_now(split->mds) - split->entered_ns;
}

static void submit(struct mds_split *split, struct osdc_request *request, osdc_done done)
{
	osdc_submit(request, done, split);
	leave(split);
}

/* Up to the switch: that is what a change can meet with. What is cleared behind it nobody waits for. */
static void measure(const struct mds_split *split)
{
	struct mds_counters *counters = &split->mds->counters;

	stats_longest(&counters->longest_split_us, (mds_now(split->mds) - split->begun_ns) / 1000);
	stats_longest(&counters->longest_split_work_us, split->work_ns / 1000);
}

/* ---- answers ---------------------------------------------------------------------------------------------------- */

/* An answer has come. Is that the end, because the rank or the directory goes? Frees the request then. */
static bool is_over(struct mds_split *split, struct osdc_request *request, struct mds *mds)
{
	enter(split);
	if (mds->state == MDS_ACTIVE && split->dir->nlink)
		return false;
	osdc_request_free(request);
	if (mds->state != MDS_DEAD)
		end(split);
	return true;
}

static struct osdc_request *request_new(struct mds_split *split, uint32_t fragment)
{
	return mds_must(osdc_request_new(split->mds->osdc, NACRE_POOL_META, split->dir->ino,
					 fragment));
}

/* ---- keys of `moving` in an object ---------------------------------------------------------------------------- */

/*
 * Nothing in `moving` is written back at the place that is listed, but what was under way as it began to be held: the
 * list that begins to copy is made behind that. All others overtake what has to do with other keys.
 */
static void list_begin(struct mds_split *split)
{
	nacre_dentry_key_after(split->moving.first - 1, split->behind);
	split->behind_bytes = NACRE_DENTRY_KEY_DIGITS;
	split->more = true;
	split->overtakes = false;
}

static void list(struct mds_split *split, uint32_t fragment, uint16_t flags, osdc_done listed)
{
	struct osdc_request *request = request_new(split, fragment);

	osdc_add(request, NACRE_OSD_OP_KV_LIST, flags, split->behind, split->behind_bytes, NULL, 0,
		 MOVE_BYTES, MOVE_KEYS);
	if (split->overtakes)
		osdc_request_overtakes(request);
	split->overtakes = true;
	submit(split, request, listed);
}

/* Add an operation on each listed key to `request`; how many, or -EBADMSG. */
static int take_keys(struct mds_split *split, const struct osdc_result *read,
		     enum nacre_osd_op_code code, struct osdc_request *request)
{
	struct nacre_reader r = nacre_reader(read->output, read->output_bytes);
	struct nacre_key_value item;
	const uint8_t *name;
	__u32 name_bytes;
	__u64 cookie;
	int count = 0;

	split->more = read->flags & NACRE_OSD_RESULT_MORE;
	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_key_value_desc(), &r, &item) ||
		    nacre_dentry_key_parse(item.key, item.key_bytes, &cookie, &name, &name_bytes))
			return -EBADMSG;
		if (cookie > split->moving.last) {
			split->more = false;
			break;
		}
		osdc_add(request, code, 0, item.key, item.key_bytes, item.value, item.value_bytes,
			 0, 0);
		memcpy(split->behind, item.key, item.key_bytes);
		split->behind_bytes = item.key_bytes;
		count++;
	}
	return count;
}

/* Keys are listed: submit `code` for each of them at `fragment`, if there are any. False: there are none. */
static bool apply_list(struct mds_split *split, struct osdc_request *listed, uint32_t result,
		       enum nacre_osd_op_code code, uint32_t fragment, osdc_done applied)
{
	struct osdc_result read = osdc_request_result(listed, 0);
	struct osdc_request *request = request_new(split, fragment);
	int count = result ? 0 : take_keys(split, &read, code, request);

	osdc_request_free(listed);
	if (count > 0) {
		if (code == NACRE_OSD_OP_KV_SET)
			split->mds->counters.moved_entries += (uint64_t)count;
		submit(split, request, applied);
		return true;
	}
	osdc_request_free(request);
	if (count < 0 || (result && result != ENOENT)) {
		fail(split, "its keys cannot be listed", result ? result : NACRE_E_DAMAGED);
		return true;
	}
	return false;
}

/* ---- clear ------------------------------------------------------------------------------------------------------ */

static void cleared(struct mds_split *split)
{
	if (split->switched)
		done(split);
	else
		copy(split);
}

static void object_deleted(struct osdc_request *request, uint32_t result)
{
	struct mds_split *split = osdc_request_owner(request);

	if (is_over(split, request, split->mds))
		return;
	osdc_request_free(request);
	if (result)
		fail(split, "a merged fragment stays", result);
	else
		clear_keys(split);
}

/* The object behind the last fragment. */
static void clear_object(struct mds_split *split)
{
	struct osdc_request *request = request_new(split, mds_dir_fragments(split->dir));

	osdc_add(request, NACRE_OSD_OP_DELETE, NACRE_OSD_OPF_QUIET, NULL, 0, NULL, 0, 0, 0);
	submit(split, request, object_deleted);
}

static void keys_to_clear_listed(struct osdc_request *request, uint32_t result);

static void keys_cleared(struct osdc_request *request, uint32_t result)
{
	struct mds_split *split = osdc_request_owner(request);

	if (is_over(split, request, split->mds))
		return;
	osdc_request_free(request);
	if (result)
		fail(split, "entries that moved stay", result);
	else if (split->more)
		list(split, mds_fragment_source(mds_dir_fragments(split->dir) - 1),
		     NACRE_OSD_OPF_NAMES, keys_to_clear_listed);
	else
		cleared(split);
}

static void keys_to_clear_listed(struct osdc_request *request, uint32_t result)
{
	struct mds_split *split = osdc_request_owner(request);
	uint32_t source = mds_fragment_source(mds_dir_fragments(split->dir) - 1);

	if (!is_over(split, request, split->mds) &&
	    !apply_list(split, request, result, NACRE_OSD_OP_KV_RM, source, keys_cleared))
		cleared(split);
}

/* Keys of the last fragment in the one that it came from. */
static void clear_keys(struct mds_split *split)
{
	uint32_t count = mds_dir_fragments(split->dir);

	if (count == 1) {
		cleared(split);
		return;
	}
	split->moving = mds_fragment_at(count, count - 1);
	list_begin(split);
	list(split, mds_fragment_source(count - 1), NACRE_OSD_OPF_NAMES, keys_to_clear_listed);
}

/* ---- switch ------------------------------------------------------------------------------------------------------ */

/* Journal the directory's image, then `done`. */
static void journal_count(struct mds_split *split, uint32_t count,
			  void (*done)(struct mds *mds, struct mds_commit *commit))
{
	struct mds_change change;

	split->dir->fragments = count;
	mds_change_begin(&change, split->mds, NULL);
	change.unseen = true;
	mds_change_inode(&change, split->dir);
	split->commit.done = done;
	mds_journal_on_safe(split->mds, mds_change_commit(&change), &split->commit);
	mds_journal_flush(split->mds);
	leave(split);
}

static void switch_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct mds_split *split = container_of(commit, struct mds_split, commit);

	measure(split);
	enter(split);
	split->holds = false;
	split->switched = true;
	mds_checkpoint_kick(mds);
	if (mds->state != MDS_ACTIVE)
		end(split);
	else
		clear_object(split);
}

static void switch_over(struct mds_split *split)
{
	struct mds *mds = split->mds;

	if (split->aim > mds_dir_fragments(split->dir))
		mds->counters.splits++;
	else
		mds->counters.merges++;
	log_debug(mds->log, "split", "directory %#llx, %llu entries: %u fragments",
		  (unsigned long long)split->dir->ino, (unsigned long long)split->dir->size,
		  split->aim);
	journal_count(split, split->aim, switch_is_safe);
}

/* ---- copy -------------------------------------------------------------------------------------------------------- */

static void keys_to_copy_listed(struct osdc_request *request, uint32_t result);

static void keys_copied(struct osdc_request *request, uint32_t result)
{
	struct mds_split *split = osdc_request_owner(request);

	if (is_over(split, request, split->mds))
		return;
	osdc_request_free(request);
	if (result)
		fail(split, "entries cannot be copied", result);
	else if (split->more)
		list(split, split->from, 0, keys_to_copy_listed);
	else
		switch_over(split);
}

static void keys_to_copy_listed(struct osdc_request *request, uint32_t result)
{
	struct mds_split *split = osdc_request_owner(request);

	if (!is_over(split, request, split->mds) &&
	    !apply_list(split, request, result, NACRE_OSD_OP_KV_SET, split->to, keys_copied))
		switch_over(split);
}

/* What was sealed has been submitted (writeback.c). */
static void submitted(struct mds *mds, struct mds_commit *commit)
{
	struct mds_split *split = container_of(commit, struct mds_split, commit);

	enter(split);
	if (mds->state != MDS_ACTIVE || !split->dir->nlink)
		end(split);
	else
		list(split, split->from, 0, keys_to_copy_listed);
}

/*
 * Write-backs under way are done before the list is made: requests on one object keep their order (osdc.h). Those that
 * wait for a batch are submitted first.
 */
static void copy(struct mds_split *split)
{
	uint32_t count = mds_dir_fragments(split->dir);
	uint32_t last = split->aim > count ? count : count - 1;
	struct mds *mds = split->mds;

	split->moving = mds_fragment_at(last + 1, last);
	split->from = split->aim > count ? mds_fragment_source(last) : last;
	split->to = split->aim > count ? last : mds_fragment_source(last);
	split->holds = true;
	split->dir->dir->tidy = false;
	list_begin(split);
	if (!split->dir->dir->sealed) {
		list(split, split->from, 0, keys_to_copy_listed);
		return;
	}
	split->commit.done = submitted;
	mds_journal_on_safe(mds, mds_journal_open_seq(mds), &split->commit);
	mds_journal_flush(mds);
	leave(split);
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

static void first_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct mds_split *split = container_of(commit, struct mds_split, commit);

	enter(split);
	if (mds->state != MDS_ACTIVE || !split->dir->nlink)
		end(split);
	else
		copy(split);
}

static void begin(struct mds *mds, struct mds_inode *dir, uint32_t aim)
{
	struct mds_split *split = mds_zalloc(sizeof(*split));

	split->mds = mds;
	split->dir = dir;
	split->aim = aim;
	split->begun_ns = mds_now(mds);
	enter(split);
	dir->dir->split = split;
	mds_inode_pin(dir);
	/* from now on there may be a second object, which has to be deleted with the directory */
	if (!dir->fragments)
		journal_count(split, 1, first_is_safe);
	else if (dir->dir->tidy)
		copy(split);
	else
		clear_object(split);
}
