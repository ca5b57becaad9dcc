/* SPDX-License-Identifier: GPL-2.0 */
/* Reading table and journal at the start of an incarnation; see replay.h. */
#include "change.h"
#include "core.h"
#include "replay.h"
#include "server/base/crc.h"

#define TABLE_KEYS 256
#define TABLE_BYTES (400u << 10)
#define LOADING_MAX 128			/* inodes that are loaded at a time */
#define BATCH_HEADER ((uint32_t)sizeof(struct mds_batch_header_wire))

/* An inode that has to be in memory before clients come. */
struct wanted_inode {
	TAILQ_ENTRY(wanted_inode) link;
	struct mds_load_wait wait;
	struct mds_replay *replay;
	uint64_t ino;
	bool must;			/* the metadata is damaged if it is not there */
};

struct mds_replay {
	struct mds *mds;
	bool found_header;
	struct mds_header header;
	char last_key[MDS_KEY_BYTES];	/* of the table, read so far */
	uint32_t last_key_bytes;
	uint64_t seq;			/* batch looked for */
	uint64_t pos;			/* where it ought to stand */
	uint64_t end_pos;		/* behind the last batch found */
	bool next_object;		/* it is looked for at the start of the object behind that */
	uint64_t events;
	TAILQ_HEAD(, wanted_inode) wanted;	/* to be loaded */
	unsigned int loading;
	bool failed;
};

static void read_table(struct mds_replay *replay);
static void read_journal(struct mds_replay *replay);

void mds_replay_free(struct mds *mds)
{
	struct mds_replay *replay = mds->replay;
	struct wanted_inode *wanted;

	while (replay && (wanted = TAILQ_FIRST(&replay->wanted))) {
		TAILQ_REMOVE(&replay->wanted, wanted, link);
		free(wanted);
	}
	free(replay);
	mds->replay = NULL;
}

static void damaged(struct mds_replay *replay, const char *what)
{
	mds_fail(replay->mds, -EIO, "%s is damaged (batch %llu at %llu)", what,
		 (unsigned long long)replay->seq, (unsigned long long)replay->pos);
}

/* ---- the table --------------------------------------------------------------------------------------------- */

static int take_header(struct mds_replay *replay, const struct nacre_key_value *item)
{
	struct mds_header *header = &replay->header;
	struct mds *mds = replay->mds;

	if (nacre_decode_all(mds_header_desc(), item->value, item->value_bytes, header))
		return -EBADMSG;
	if (header->version < MDS_FORMAT_OLDEST || header->version > MDS_FORMAT_VERSION) {
		log_error(mds->log, "replay", "metadata of version %u, this server knows %u to %u",
			  header->version, MDS_FORMAT_OLDEST, MDS_FORMAT_VERSION);
		return -EBADMSG;
	}
	replay->found_header = true;
	mds->next_ino = mds->lost_inos = header->next_ino;
	if (mds->quotas.next_id < header->next_quota)
		mds->quotas.next_id = header->next_quota;
	mds_ids_set_block(mds, header->block_first, header->block_count);
	return 0;
}

static int take_key(struct mds_replay *replay, const struct nacre_key_value *item)
{
	struct mds *mds = replay->mds;
	struct mds_purge_image purge;
	struct mds_record_key key;

	if (item->key_bytes == strlen(MDS_KEY_HEADER) &&
	    !memcmp(item->key, MDS_KEY_HEADER, item->key_bytes))
		return take_header(replay, item);
	if (mds_record_key_parse(item->key, item->key_bytes, &key))
		return -EBADMSG;
	if (key.kind == MDS_RECORD_PURGE) {
		if (nacre_decode_all(mds_purge_image_desc(), item->value, item->value_bytes, &purge))
			return -EBADMSG;
		if (mds_purge_keep_stored(mds, &purge))
			return 0;
		mds_purge_known(mds, &purge, 0);
	}
	if (key.kind == MDS_RECORD_QUOTA && mds_quota_known(mds, item->value, item->value_bytes, 0))
		return -EBADMSG;
	mds_record_loaded(mds, (enum mds_record_kind)key.kind, key.number);
	if (key.kind == MDS_RECORD_SESSION)
		return mds_session_decode(mds, item->value, item->value_bytes);
	return 0;
}

static int take_keys(struct mds_replay *replay, const struct osdc_result *read)
{
	struct nacre_reader r = nacre_reader(read->output, read->output_bytes);
	struct nacre_key_value item;

	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_key_value_desc(), &r, &item) ||
		    item.key_bytes > sizeof(replay->last_key) || take_key(replay, &item))
			return -EBADMSG;
		memcpy(replay->last_key, item.key, item.key_bytes);
		replay->last_key_bytes = item.key_bytes;
	}
	return 0;
}

static void table_is_read(struct mds_replay *replay)
{
	replay->seq = replay->header.expire_seq;
	replay->pos = replay->end_pos = replay->header.expire_pos;
	replay->mds->checkpoint.header_expire = replay->seq;
	replay->mds->checkpoint.trim_index = replay->pos / MDS_JOURNAL_OBJECT_BYTES;
	read_journal(replay);
}

static void first_header_written(struct mds *mds, uint32_t result)
{
	if (result)
		mds_fail(mds, -EIO, "the first header could not be written: result %u", result);
	else
		table_is_read(mds->replay);
}

/* Nothing is there: a new file system. The header comes first, so that this is decided once. */
static void make_table(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;

	log_info(mds->log, "replay", "an empty metadata pool: a new file system");
	mds->next_ino = mds->lost_inos = NACRE_INO_FIRST(mds->config.rank);
	replay->header.expire_seq = 1;
	mds_header_write(mds, 1, 0, first_header_written);
}

static void table_page_read(struct osdc_request *request, uint32_t result)
{
	struct mds_replay *replay = osdc_request_owner(request);
	struct mds *mds = replay->mds;
	struct osdc_result read;
	bool more, bad;

	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	read = osdc_request_result(request, 0);
	more = !result && (read.flags & NACRE_OSD_RESULT_MORE);
	bad = !result && take_keys(replay, &read);
	osdc_request_free(request);
	if (result && result != ENOENT)
		mds_fail(mds, -EIO, "the table could not be read: result %u", result);
	else if (bad)
		damaged(replay, "the rank's table");
	else if (more)
		read_table(replay);
	else if (replay->found_header)
		table_is_read(replay);
	else
		make_table(replay);
}

static void read_table(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;
	struct osdc_request *request;

	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
					    NACRE_INO_TABLE(mds->config.rank), 0));
	osdc_add(request, NACRE_OSD_OP_KV_LIST, 0, replay->last_key, replay->last_key_bytes, NULL,
		 0, TABLE_BYTES, TABLE_KEYS);
	osdc_submit(request, table_page_read, replay);
}

/* ---- loading what must be there ------------------------------------------------------------------------------ */

static void finish(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;

	if (replay->failed) {
		damaged(replay, "the tree");
		return;
	}
	mds->next_ino += MDS_INO_GAP;
	mds->lost_end = mds->next_ino;
	mds_replay_free(mds);
	mds_reconnect_begin(mds);
}

static void load_more(struct mds_replay *replay);

static void inode_is_loaded(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct wanted_inode *wanted = container_of(wait, struct wanted_inode, wait);
	struct mds_replay *replay = wanted->replay;

	if (result && wanted->must) {
		log_error(mds->log, "replay", "inode %#llx cannot be loaded: result %u",
			  (unsigned long long)wanted->ino, result);
		replay->failed = true;
	}
	free(wanted);
	replay->loading--;
	load_more(replay);
}

static void load_more(struct mds_replay *replay)
{
	struct wanted_inode *wanted;

	while (replay->loading < LOADING_MAX && (wanted = TAILQ_FIRST(&replay->wanted))) {
		TAILQ_REMOVE(&replay->wanted, wanted, link);
		replay->loading++;
		mds_load_inode_for(replay->mds, wanted->ino, &wanted->wait);
	}
	if (!replay->loading)
		finish(replay);
}

static void want_inode(struct mds_replay *replay, uint64_t ino, bool must)
{
	struct wanted_inode *wanted = mds_zalloc(sizeof(*wanted));

	wanted->wait.done = inode_is_loaded;
	wanted->replay = replay;
	wanted->ino = ino;
	wanted->must = must;
	TAILQ_INSERT_TAIL(&replay->wanted, wanted, link);
}

static void load_wanted(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;
	struct mds_inode *inode, *next_inode;
	struct mds_record *record, *next;

	HASH_ITER(hh, mds->inodes, inode, next_inode)
		if (inode->stub)
			want_inode(replay, inode->ino, true);
	HASH_ITER(hh, mds->records, record, next)
		if (record->live && (record->key.kind == MDS_RECORD_ORPHAN ||
				     record->key.kind == MDS_RECORD_WRITERS) &&
		    !mds_inode_find(mds, record->key.number))
			want_inode(replay, record->key.number, false);
	inode = mds_inode_find(mds, NACRE_INO_ROOT);
	if (!inode)
		want_inode(replay, NACRE_INO_ROOT, true);
	load_more(replay);
}

/* The first event of a file system. */
static void make_root(struct mds *mds)
{
	struct mds_inode *root = mds_inode_new(mds, NACRE_INO_ROOT);
	struct mds_change change;

	mds_inode_set_mode(mds, root, S_IFDIR | 0755);
	root->nlink = 2;
	root->own = true;
	root->pool = NACRE_POOL_DATA;
	root->object_bytes = NACRE_OBJECT_BYTES_DEFAULT;
	root->atime = root->mtime = root->ctime = root->btime = io_wall(mds->io);
	root->dir->complete = true;
	mds_change_begin(&change, mds, NULL);
	mds_change_inode(&change, root);
	mds_change_next_ino(&change);
	mds_change_commit(&change);
	mds_journal_flush(mds);
}

static void journal_is_read(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;

	log_info(mds->log, "replay", "%llu events of batches %llu to %llu replayed",
		 (unsigned long long)replay->events,
		 (unsigned long long)replay->header.expire_seq,
		 (unsigned long long)replay->seq - 1);
	mds_journal_start(mds, replay->seq, replay->end_pos);
	mds_quotas_ready(mds);
	if (replay->seq == 1 && !mds_inode_find(mds, NACRE_INO_ROOT))
		make_root(mds);
	load_wanted(replay);
}

/* ---- the journal ------------------------------------------------------------------------------------------------ */

static int replay_batch(struct mds_replay *replay, const uint8_t *bytes,
			const struct mds_batch_header *header)
{
	struct nacre_reader r = nacre_reader(bytes + BATCH_HEADER, header->body_bytes);
	struct mds_event event;
	uint32_t i;

	for (i = 0; i < header->events; i++) {
		if (nacre_decode(mds_event_desc(), &r, &event) ||
		    mds_replay_event(replay->mds, &event, header->seq))
			return -EBADMSG;
		replay->events++;
	}
	return nacre_reader_left(&r) ? -EBADMSG : 0;
}

/* The batch that is looked for, if it begins here: its length, 0 if it does not, or -EBADMSG. */
static int64_t take_batch(struct mds_replay *replay, const uint8_t *bytes, uint64_t left)
{
	struct nacre_reader r = nacre_reader(bytes, left);
	struct mds_batch_header header;
	uint64_t length;

	if (nacre_decode(mds_batch_header_desc(), &r, &header) ||
	    header.magic != MDS_BATCH_MAGIC || header.seq != replay->seq)
		return 0;
	length = BATCH_HEADER + (uint64_t)header.body_bytes;
	if (length > left || crc_of(bytes + 8, length - 8) != header.crc ||
	    replay_batch(replay, bytes, &header))
		return -EBADMSG;
	return (int64_t)length;
}

/* Take all batches that stand in this piece one behind the other. */
static int take_batches(struct mds_replay *replay, const uint8_t *bytes, uint64_t length)
{
	uint64_t at = 0;

	for (;;) {
		int64_t taken = take_batch(replay, bytes + at, length - at);

		if (taken <= 0)
			return (int)taken;
		mds_journal_replayed(replay->mds, replay->seq, replay->pos);
		replay->seq++;
		replay->pos += (uint64_t)taken;
		replay->end_pos = replay->pos;
		replay->next_object = false;
		at += (uint64_t)taken;
	}
}

static void journal_read(struct osdc_request *request, uint32_t result)
{
	struct mds_replay *replay = osdc_request_owner(request);
	struct mds *mds = replay->mds;
	uint64_t before = replay->seq;
	struct osdc_result read;
	int bad = 0;

	if (mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	read = osdc_request_result(request, 0);
	if (!result)
		bad = take_batches(replay, read.data, read.data_bytes);
	osdc_request_free(request);
	if (result && result != ENOENT) {
		mds_fail(mds, -EIO, "the journal could not be read: result %u", result);
	} else if (bad) {
		damaged(replay, "the journal");
	} else if (replay->next_object && replay->seq == before) {
		journal_is_read(replay);
	} else {
		/* a batch that did not fit here stands at the start of the next object */
		replay->next_object = true;
		if (replay->pos % MDS_JOURNAL_OBJECT_BYTES)
			replay->pos += MDS_JOURNAL_OBJECT_BYTES -
				       replay->pos % MDS_JOURNAL_OBJECT_BYTES;
		read_journal(replay);
	}
}

static void read_journal(struct mds_replay *replay)
{
	struct mds *mds = replay->mds;
	uint64_t offset = replay->pos % MDS_JOURNAL_OBJECT_BYTES;
	struct osdc_request *request;

	request = mds_must(osdc_request_new(mds->osdc, NACRE_POOL_META,
					    NACRE_INO_JOURNAL(mds->config.rank),
					    replay->pos / MDS_JOURNAL_OBJECT_BYTES));
	osdc_add(request, NACRE_OSD_OP_READ, 0, NULL, 0, NULL, 0, offset,
		 MDS_JOURNAL_OBJECT_BYTES - offset);
	osdc_submit(request, journal_read, replay);
}

void mds_replay_begin(struct mds *mds)
{
	mds_set_state(mds, MDS_REPLAYING);
	mds->replay = mds_zalloc(sizeof(*mds->replay));
	mds->replay->mds = mds;
	TAILQ_INIT(&mds->replay->wanted);
	read_table(mds->replay);
}
