/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writing dirty things into their objects: entries of one directory together, records of the table
 * together, own inodes and backtraces one by one. Each request is atomic; several are not, and need not
 * be: the journal keeps what is not written.
 */
#include "core.h"
#include "split.h"
#include "writeback.h"
#include "protocol/rules/names.h"

#define BATCH_OPS 60			/* below NACRE_OSD_OPS_MAX */
#define BATCH_BYTES (384u << 10)	/* below the room for inputs */
#define ENTRIES_LOOKED 240		/* entries looked at to fill a batch */
#define RECORDS_LOOKED 1024		/* items passed over in search of more records */

struct writeback {
	struct mds *mds;
	struct mds_inode *dir;		/* of entries; pinned */
	struct mds_inode *inode;	/* of an own inode or a backtrace; pinned */
	uint64_t seq;			/* batch of the newest change in it */
	struct osdc_request *sealed;	/* waits for that batch */
	struct mds_commit commit;	/* then */
	TAILQ_ENTRY(writeback) link;	/* checkpoint.sealed */
	unsigned int count;
	struct mds_dirty *items[BATCH_OPS];
};

/*
 * What every request changes (the entry of a directory in use, the record of a session) always has a change that is not
 * journaled; but then the journal could never be trimmed. When it has become long, the value as it is now is sealed,
 * and goes as soon as the batch is safe that it comes from.
 */
static bool is_to_be_sealed(const struct mds *mds, const struct mds_dirty *dirty)
{
	return mds_journal_is_safe(&mds->journal, dirty->since) &&
	       mds_journal_used(mds) > mds->config.journal_bytes / 2;
}

static bool is_journaled(struct mds *mds, const struct mds_dirty *dirty)
{
	if (mds_journal_is_safe(&mds->journal, dirty->last) || is_to_be_sealed(mds, dirty))
		return true;
	mds_journal_flush(mds);
	return false;
}

/* A truncation must be found in the journal until it has been carried out (truncate.c). */
static bool is_held_back(const struct mds_inode *inode)
{
	return inode && inode->trim_end;
}

static bool may_go(struct mds *mds, const struct mds_dirty *dirty, const struct mds_inode *inode)
{
	return !dirty->writing && is_journaled(mds, dirty) && !is_held_back(inode);
}

/* ---- the answer ------------------------------------------------------------------------------------------- */

static void end_item(struct mds *mds, struct mds_dirty *dirty, bool written)
{
	struct mds_dentry *dentry;
	struct mds_record *record;

	switch (dirty->kind) {
	case MDS_DIRTY_ENTRY:
		dentry = container_of(dirty, struct mds_dentry, dirty);
		if (!written)
			mds_dentry_unwritten(dentry);
		mds_dirty_end(mds, dirty, written);
		if (dentry->inode)
			mds_inode_leaves(mds, dentry->inode);
		mds_dentry_trim(mds, dentry);
		break;
	case MDS_DIRTY_RECORD:
		record = container_of(dirty, struct mds_record, dirty);
		mds_dirty_end(mds, dirty, written);
		if (record->live && record->key.kind == MDS_RECORD_PURGE)
			mds_purge_written(mds, record);
		else
			mds_record_trim(mds, record);
		break;
	default:
		mds_dirty_end(mds, dirty, written);
		break;
	}
}

static void written(struct osdc_request *request, uint32_t result)
{
	struct writeback *wb = osdc_request_owner(request);
	struct mds *mds = wb->mds;
	uint64_t behind_ns;
	unsigned int i;

	stats_longest(&mds->counters.longest_writeback_us,
		      osdc_request_took_ns(request, &behind_ns) / 1000);
	osdc_request_free(request);
	if (mds->state == MDS_DEAD) {
		free(wb);
		return;
	}
	mds->checkpoint.in_flight--;
	for (i = 0; i < wb->count; i++)
		end_item(mds, wb->items[i], !result);
	if (wb->dir) {
		wb->dir->dir->writing--;
		mds_caps_settle(mds, wb->dir);
		mds_inode_unpin(mds, wb->dir);
	}
	if (wb->inode) {
		mds_inode_leaves(mds, wb->inode);
		mds_caps_settle(mds, wb->inode);
		mds_inode_unpin(mds, wb->inode);
	}
	if (!TAILQ_EMPTY(&mds->waiting_room) && !mds_journal_is_full(mds))
		mds_wake(mds, &mds->waiting_room);
	free(wb);
	if (result && result != ENOSPC)
		mds_fail(mds, -EIO, "write-back failed: result %u", result);
	else if (result)
		log_warn(mds->log, "checkpoint", "no space to write back, trying again later");
	else
		mds_checkpoint_kick(mds);
}

/* ---- making requests ---------------------------------------------------------------------------------------- */

static struct writeback *writeback_new(struct mds *mds)
{
	struct writeback *wb = mds_zalloc(sizeof(*wb));

	wb->mds = mds;
	return wb;
}

static void add_item(struct writeback *wb, struct mds_dirty *dirty)
{
	wb->seq = dirty->last > wb->seq ? dirty->last : wb->seq;
	mds_dirty_begin(wb->mds, dirty);
	wb->items[wb->count++] = dirty;
	wb->mds->counters.writeback_items++;
}

static void seal_is_safe(struct mds *mds, struct mds_commit *commit)
{
	struct writeback *wb = container_of(commit, struct writeback, commit);

	TAILQ_REMOVE(&mds->checkpoint.sealed, wb, link);
	if (wb->dir)
		wb->dir->dir->sealed--;
	osdc_submit(wb->sealed, written, wb);
}

static void seal(struct writeback *wb, struct osdc_request *request)
{
	struct mds *mds = wb->mds;

	mds->counters.sealed++;
	wb->sealed = request;
	wb->commit.done = seal_is_safe;
	if (wb->dir)
		wb->dir->dir->sealed++;
	TAILQ_INSERT_TAIL(&mds->checkpoint.sealed, wb, link);
	mds_journal_on_safe(mds, wb->seq, &wb->commit);
	mds_journal_flush(mds);
}

void mds_writeback_free_sealed(struct mds *mds)
{
	struct writeback *wb;

	while ((wb = TAILQ_FIRST(&mds->checkpoint.sealed))) {
		TAILQ_REMOVE(&mds->checkpoint.sealed, wb, link);
		mds_journal_forget(mds, &wb->commit);
		osdc_request_free(wb->sealed);
		free(wb);
	}
}

static void submit(struct writeback *wb, struct osdc_request *request)
{
	wb->mds->checkpoint.in_flight++;
	wb->mds->counters.writeback_requests++;
	if (mds_journal_is_safe(&wb->mds->journal, wb->seq))
		osdc_submit(request, written, wb);
	else
		seal(wb, request);
}

static uint32_t encode_inode(struct mds *mds, struct mds_inode *inode, uint8_t *room)
{
	struct mds_writer_wire writers[MDS_WRITERS_MAX];
	struct nacre_writer w = nacre_writer(room, MDS_SCRATCH_BYTES);
	struct mds_image image;

	mds_inode_to_image(inode, &image, writers);
	if (nacre_encode(mds_image_desc(), &w, &image))
		assert(!"an inode that cannot be encoded");
	return (uint32_t)nacre_writer_bytes(&w);
}

/* The value of an entry in mds->scratch; its length. */
static uint32_t encode_entry(struct mds *mds, struct mds_dentry *dentry)
{
	struct nacre_writer w = nacre_writer(mds->scratch, MDS_SCRATCH_BYTES);
	struct mds_entry entry = { .ino = dentry->ino, .mode = dentry->mode };

	if (dentry->inode) {
		entry.image_bytes = encode_inode(mds, dentry->inode, mds->scratch2);
		entry.image = mds->scratch2;
	}
	if (nacre_encode(mds_entry_desc(), &w, &entry))
		assert(!"an entry that cannot be encoded");
	return (uint32_t)nacre_writer_bytes(&w);
}

static uint32_t add_entry(struct osdc_request *request, struct mds *mds, struct mds_dentry *dentry)
{
	uint8_t key[NACRE_DENTRY_KEY_MAX];
	uint32_t key_bytes = nacre_dentry_key(dentry->cookie, dentry->name, dentry->name_bytes, key);
	uint32_t value_bytes = 0;

	if (dentry->ino) {
		value_bytes = encode_entry(mds, dentry);
		osdc_add(request, NACRE_OSD_OP_KV_SET, 0, key, key_bytes, mds->scratch, value_bytes,
			 0, 0);
	} else {
		osdc_add(request, NACRE_OSD_OP_KV_RM, 0, key, key_bytes, NULL, 0, 0, 0);
	}
	return key_bytes + value_bytes;
}

static bool entry_may_go(struct mds *mds, const struct mds_dentry *dentry)
{
	return !mds_split_holds(dentry->dir, dentry->cookie) &&
	       may_go(mds, &dentry->dirty, dentry->inode);
}

/* Entries of one fragment, on their way into its object. */
struct entries_batch {
	struct writeback *wb;
	struct osdc_request *request;
	unsigned int looked;
	uint32_t bytes;
};

/* Put dirty entries with cookies first … last in, as far as they may go and there is room. */
static void add_entries(struct entries_batch *batch, struct mds_dir *dir, uint64_t first,
			uint64_t last)
{
	struct mds_dentry *dentry = mds_dentry_dirty_from(dir, first), *next;
	struct mds *mds = batch->wb->mds;

	for (; dentry && dentry->cookie <= last; dentry = next) {
		next = RB_NEXT(mds_dirty_entries, &dir->dirty, dentry);
		if (batch->wb->count == BATCH_OPS || ++batch->looked > ENTRIES_LOOKED ||
		    batch->bytes > BATCH_BYTES - NACRE_VALUE_MAX / 2)
			break;
		if (!entry_may_go(mds, dentry))
			continue;
		batch->bytes += add_entry(batch->request, mds, dentry);
		mds_dentry_written(dentry);
		add_item(batch->wb, &dentry->dirty);
	}
}

/* From `oldest` on to the end of its fragment, then those before it. */
static bool write_entries(struct mds *mds, struct mds_dentry *oldest)
{
	struct mds_dir *dir = oldest->dir;
	struct mds_fragment fragment = mds_dir_fragment(dir->inode, oldest->cookie);
	struct entries_batch batch = { .bytes = 0 };
	uint64_t cookie = oldest->cookie;

	if (!entry_may_go(mds, oldest))
		return false;
	batch.wb = writeback_new(mds);
	batch.wb->dir = dir->inode;
	batch.request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META, dir->inode->ino,
						  fragment.index));
	add_entries(&batch, dir, cookie, fragment.last);
	if (fragment.first < cookie)
		add_entries(&batch, dir, fragment.first, cookie - 1);
	mds_inode_pin(dir->inode);
	dir->writing++;
	submit(batch.wb, batch.request);
	return true;
}

static bool write_own(struct mds *mds, struct mds_inode *inode)
{
	struct osdc_request *request;
	struct writeback *wb;
	uint32_t length;

	if (!may_go(mds, &inode->own_dirty, inode))
		return false;
	if (!inode->own) {
		mds_dirty_drop(mds, &inode->own_dirty);
		return true;
	}
	wb = writeback_new(mds);
	wb->inode = inode;
	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META, inode->ino, 0));
	length = encode_inode(mds, inode, mds->scratch);
	osdc_add(request, NACRE_OSD_OP_SETXATTR, 0, MDS_ATTR_INODE, strlen(MDS_ATTR_INODE),
		 mds->scratch, length, 0, 0);
	add_item(wb, &inode->own_dirty);
	inode->own_stored = true;
	mds_inode_pin(inode);
	submit(wb, request);
	return true;
}

static bool write_trace(struct mds *mds, struct mds_inode *inode)
{
	struct nacre_writer w = nacre_writer(mds->scratch, MDS_SCRATCH_BYTES);
	struct mds_backtrace trace = { .ino = inode->ino };
	struct osdc_request *request;
	struct writeback *wb;

	if (!may_go(mds, &inode->trace_dirty, NULL))
		return false;
	if (!inode->home) {
		mds_dirty_drop(mds, &inode->trace_dirty);
		return true;
	}
	trace.parent = inode->home->dir->inode->ino;
	trace.name = inode->home->name;
	trace.name_bytes = inode->home->name_bytes;
	nacre_encode(mds_backtrace_desc(), &w, &trace);
	wb = writeback_new(mds);
	wb->inode = inode;
	request = mds_must(osdc_request_new(mds->osdc,
					    mds_inode_is_dir(inode) ? NACRE_POOL_META : inode->pool,
					    inode->ino, 0));
	osdc_add(request, NACRE_OSD_OP_SETXATTR, 0, MDS_ATTR_BACKTRACE, strlen(MDS_ATTR_BACKTRACE),
		 mds->scratch, nacre_writer_bytes(&w), 0, 0);
	add_item(wb, &inode->trace_dirty);
	mds_inode_pin(inode);
	submit(wb, request);
	return true;
}

/* ---- records -------------------------------------------------------------------------------------------------- */

/* The value of a live record in mds->scratch; its length. */
static uint32_t encode_record(struct mds *mds, const struct mds_record *record)
{
	struct mds_session *session;

	switch (record->key.kind) {
	case MDS_RECORD_SESSION:
		session = mds_session_find(mds, record->key.number);
		assert(session);
		return mds_session_encode(session, mds->scratch, MDS_SESSION_IMAGE_ROOM);
	case MDS_RECORD_PURGE:
		return mds_purge_encode(mds, record->key.number, mds->scratch);
	case MDS_RECORD_QUOTA:
		return mds_quota_encode(mds, record->key.number, mds->scratch);
	default:
		mds->scratch[0] = 1;
		return 1;
	}
}

static uint32_t add_record(struct osdc_request *request, struct mds *mds, struct mds_record *record)
{
	char key[MDS_KEY_BYTES];
	uint32_t key_bytes = mds_record_key_text(&record->key, key);
	uint32_t value_bytes = 0;

	if (record->live) {
		value_bytes = encode_record(mds, record);
		osdc_add(request, NACRE_OSD_OP_KV_SET, 0, key, key_bytes, mds->scratch, value_bytes,
			 0, 0);
	} else {
		osdc_add(request, NACRE_OSD_OP_KV_RM, 0, key, key_bytes, NULL, 0, 0, 0);
	}
	return key_bytes + value_bytes;
}

static bool write_records(struct mds *mds, struct mds_dirty *first)
{
	struct mds_dirty *dirty, *next;
	struct osdc_request *request;
	unsigned int looked = 0;
	struct writeback *wb;
	uint32_t bytes = 0;

	if (!may_go(mds, first, NULL))
		return false;
	wb = writeback_new(mds);
	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
					    NACRE_INO_TABLE(mds->config.rank), 0));
	for (dirty = first; dirty && looked < RECORDS_LOOKED; dirty = next, looked++) {
		next = TAILQ_NEXT(dirty, link);
		if (wb->count == BATCH_OPS || bytes > BATCH_BYTES - NACRE_VALUE_MAX)
			break;
		if (dirty->kind != MDS_DIRTY_RECORD || !may_go(mds, dirty, NULL))
			continue;
		bytes += add_record(request, mds, container_of(dirty, struct mds_record, dirty));
		add_item(wb, dirty);
	}
	submit(wb, request);
	return true;
}

bool mds_writeback_start(struct mds *mds, struct mds_dirty *dirty)
{
	switch (dirty->kind) {
	case MDS_DIRTY_ENTRY:
		return write_entries(mds, container_of(dirty, struct mds_dentry, dirty));
	case MDS_DIRTY_OWN:
		return write_own(mds, container_of(dirty, struct mds_inode, own_dirty));
	case MDS_DIRTY_TRACE:
		return write_trace(mds, container_of(dirty, struct mds_inode, trace_dirty));
	case MDS_DIRTY_RECORD:
		return write_records(mds, dirty);
	}
	return false;
}
