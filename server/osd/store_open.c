// SPDX-License-Identifier: GPL-2.0
/*
 * Opening a store: superblock, state, allocation bitmap, replay of the journal, intents, where blocks are shared;
 * and closing it. Start-up takes as long as device and journal are large, whatever
 * the number of objects.
 *
 * Replay puts each transaction where the first execution had put it: among the
 * unapplied changes and images. Write-back then applies it like any other.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include "refill.h"

#define BACKLOG_BYTES (64ull << 20)
#define CACHE_BYTES (64ull << 20)
#define WRITEBACK_MS 250u
#define DIRECT_BYTES (32u << 10)
#define KEYS_AT_ONCE 1024u
#define CLOSE_POLL_NS 5000000ull

struct osd_open {
	struct osd_store *store;
	struct osd_store_config config;
	struct osd_disk_state state;
	struct mem_buffer *block;
	struct io_disk disk;
	struct iovec iov;
	struct kv_get get;
	struct osd_key key;
	struct osd_list list;		/* of keys of one kind … */
	int (*take)(struct osd_store *store, const struct kv_pair *pair);	/* … what is done with each, 0 or -errno, … */
	void (*keys_taken)(struct osd_open *open);	/* … then, … */
	const char *damaged;		/* … or this is said */
	struct osd_scan scan;
	bool scan_waits;
	bool scanned;			/* to its end */
	struct osd_refill refill;
	char why[640];
};

/* Behind a sentence on damage. */
#define REBUILD "make a new store (mkfs.nacre --osd N --force), which its peers fill"

struct osd_closing {
	struct osd_store *store;
	struct io_timer timer;
	bool drained;
	void (*closed)(void *owner);
	void *owner;
};

/* ---- the end of opening ---------------------------------------------------------------------- */

static void open_end(struct osd_open *open, int result)
{
	struct osd_store *store = open->store;
	char why[sizeof(open->why)];

	memcpy(why, open->why, sizeof(why));
	mem_buffer_put(open->block);
	store->opening = NULL;
	free(open);
	store->calls->opened(store->owner, result, why);
}

static void __attribute__((format(printf, 3, 4)))
refuse(struct osd_open *open, int result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(open->why, sizeof(open->why), format, args);
	va_end(args);
	open_end(open, result);
}

/* ---- keys of one kind ------------------------------------------------------------------------ */

static void keys_listed(struct osd_list *list)
{
	struct osd_open *open = (struct osd_open *)((char *)list - offsetof(struct osd_open, list));
	bool more = list->pairs.more;
	struct kv_pair pair;
	int err = list->result;
	size_t at = 0;

	while (!err && kv_pairs_next(&list->pairs, &at, &pair)) {
		err = open->take(open->store, &pair);
		memcpy(list->first.bytes, pair.key, pair.key_bytes);
		list->first.bytes[pair.key_bytes] = 0;		/* behind it */
		list->first.length = pair.key_bytes + 1;
	}
	mem_bytes_free(&list->pairs.bytes);
	if (err)
		refuse(open, err, "%s", open->damaged);
	else if (more)
		osd_store_list(open->store, list);
	else
		open->keys_taken(open);
}

static void load_keys(struct osd_open *open, char kind, int (*take)(struct osd_store *store, const struct kv_pair *pair),
		      void (*taken)(struct osd_open *open), const char *damaged)
{
	open->take = take;
	open->keys_taken = taken;
	open->damaged = damaged;
	open->list.first = (struct osd_key){ .length = 1, .bytes = { (uint8_t)kind } };
	open->list.end = (struct osd_key){ .length = 1, .bytes = { (uint8_t)(kind + 1) } };
	open->list.count_max = KEYS_AT_ONCE;
	open->list.bytes_max = KEYS_AT_ONCE * 2 * OSD_BITMAP_BYTES;
	open->list.done = keys_listed;
	osd_store_list(open->store, &open->list);
}

/* ---- 6: where blocks are shared ---------------------------------------------------------------- */

static int take_share(struct osd_store *store, const struct kv_pair *pair)
{
	return osd_shares_note(&store->shares, pair->key, pair->key_bytes);
}

static void shares_taken(struct osd_open *open)
{
	struct osd_store *store = open->store;

	log_info(store->log, "store", "open: %llu objects, %llu of %llu blocks free, %llu transactions replayed, %llu blocks unstable",
		 (unsigned long long)store->object_count, (unsigned long long)store->alloc.free,
		 (unsigned long long)store->alloc.blocks, (unsigned long long)store->stats->replayed,
		 (unsigned long long)store->intents.unstable_blocks);
	open_end(open, 0);
}

/* ---- 5: intents that a crash has left -------------------------------------------------------- */

static int take_intent(struct osd_store *store, const struct kv_pair *pair)
{
	return osd_intents_load(&store->intents, pair->key, pair->key_bytes, pair->value, pair->value_bytes);
}

static void intents_taken(struct osd_open *open)
{
	load_keys(open, 'R', take_share, shares_taken, "the counts of shared blocks in the key-value store are damaged");
}

/* ---- 4: replay --------------------------------------------------------------------------------- */

static bool replay_record(void *owner, struct osd_record *record)
{
	struct osd_open *open = owner;
	struct osd_store *store = open->store;
	struct osd_txn *txn;
	uint32_t i;

	for (txn = record->txns; txn; txn = txn->next) {
		for (i = 0; i < txn->space_count; i++)
			osd_alloc_mark(&store->alloc, &txn->space[i]);
		store->next_id = txn->next_id;
		osd_store_enter(store, txn);
		store->stats->replayed++;
		if (txn->number)
			store->calls->replayed(store->owner, txn);
	}
	open->scan_waits = !store->read_only && store->writeback.queue_images + record->image_bytes >
			   store->backlog_limit;
	osd_writeback_add(&store->writeback, record);
	if (open->scan_waits)
		osd_refill_start(&open->refill);
	return !open->scan_waits;
}

/* Not beside the reading: what the next records say to be committed write-back would forget under its hands. */
void osd_open_resume(struct osd_store *store)
{
	struct osd_open *open = store->opening;

	if (!open->scan_waits || open->refill.running || store->writeback.queue_images > store->backlog_limit / 2)
		return;
	open->scan_waits = false;
	osd_scan_resume(&open->scan);
}

static void refuse_journal(struct osd_open *open, int result)
{
	const struct osd_journal *journal = &open->store->journal;

	if (result == -EBADMSG)
		refuse(open, -EBADMSG, "the journal is damaged: record %llu at offset %llu of the device, which newer ones follow; "
		       REBUILD, (unsigned long long)journal->next_record,
		       (unsigned long long)(journal->offset + journal->head % journal->bytes));
	else
		refuse(open, result, "the journal cannot be read");
}

static void refilled(struct osd_refill *refill, int result)
{
	struct osd_open *open = (struct osd_open *)((char *)refill - offsetof(struct osd_open, refill));

	if (result)
		refuse(open, result, "what a transaction in the journal has written directly cannot be read, or does not match its checksum; "
		       REBUILD);
	else if (!open->scanned)
		osd_open_resume(open->store);
	else
		load_keys(open, 'I', take_intent, intents_taken, "the intents in the key-value store are damaged");
}

static void replay_done(void *owner, int result)
{
	struct osd_open *open = owner;

	open->scanned = true;
	if (result)
		refuse_journal(open, result);
	else if (open->store->read_only)
		refilled(&open->refill, 0);	/* nobody asks for payloads */
	else
		osd_refill_start(&open->refill);
}

static const struct osd_scan_owner replay_calls = { replay_record, replay_done };

static void replay_flushed(struct io_disk *disk, int result)
{
	struct osd_open *open = (struct osd_open *)((char *)disk - offsetof(struct osd_open, disk));
	struct osd_store *store = open->store;

	if (result) {
		refuse(open, result, "the device cannot be flushed");
		return;
	}
	osd_journal_begin(&store->journal, &open->state);
	osd_writeback_begin(&store->writeback, &open->state);
	store->next_id = open->state.next_id;
	store->object_count = open->state.objects;
	osd_scan_start(&open->scan, &store->journal, open->state.applied_seq, &replay_calls, open);
}

/*
 * A process that died may have left records on their way that are read well now and that a loss of power would
 * still take, and what is written from here on goes by them: they are made durable first.
 */
static void replay(struct osd_open *open)
{
	memset(&open->disk, 0, sizeof(open->disk));
	open->disk.kind = IO_DISK_SYNC;
	open->disk.file = open->store->file;
	open->disk.done = replay_flushed;
	io_disk_submit(open->store->io, &open->disk);
}

/* ---- 3: the allocation bitmap --------------------------------------------------------------------- */

static int take_bitmap(struct osd_store *store, const struct kv_pair *pair)
{
	uint64_t chunk;
	int err = osd_key_bitmap_parse(pair->key, pair->key_bytes, &chunk);

	return err ? err : osd_alloc_load(&store->alloc, chunk, pair->value, pair->value_bytes);
}

static void load_bitmaps(struct osd_open *open)
{
	load_keys(open, 'A', take_bitmap, replay, "the allocation bitmap in the key-value store is damaged");
}

/* ---- 2: the state ------------------------------------------------------------------------------------ */

static void super_upgraded(struct io_disk *disk, int result)
{
	struct osd_open *open = (struct osd_open *)((char *)disk - offsetof(struct osd_open, disk));

	if (result)
		refuse(open, result, "the superblock cannot be written");
	else
		load_bitmaps(open);
}

/* What is written from now on an older program would take for damage: it is to refuse the store by its version. */
static void upgrade_super(struct osd_open *open)
{
	struct osd_disk_super *super = &open->store->super;
	struct nacre_writer w = nacre_writer(open->block->bytes, OSD_BLOCK_BYTES);

	log_info(open->store->log, "store", "the device has format version %u, and becomes version %u",
		 super->version, OSD_DISK_VERSION);
	super->version = OSD_DISK_VERSION;
	memset(open->block->bytes, 0, OSD_BLOCK_BYTES);
	nacre_encode(osd_disk_super_desc(), &w, super);
	osd_disk_seal(open->block->bytes, sizeof(struct osd_disk_super_wire));
	memset(&open->disk, 0, sizeof(open->disk));
	open->disk.kind = IO_DISK_WRITE;
	open->disk.file = open->store->file;
	open->disk.iov = &open->iov;
	open->disk.iov_count = 1;
	open->disk.sync = true;
	open->disk.done = super_upgraded;
	io_disk_submit(open->store->io, &open->disk);
}

static void state_read(struct kv_get *get)
{
	struct osd_open *open = (struct osd_open *)((char *)get - offsetof(struct osd_open, get));
	struct osd_disk_super *super = &open->store->super;
	int err = get->result;

	if (!err)
		err = nacre_decode_all(osd_disk_state_desc(), get->value, get->value_bytes,
				       &open->state);
	free(get->value);
	if (err == -ENOENT)
		refuse(open, -EINVAL, "the key-value store is empty: it does not belong to this device");
	else if (err)
		refuse(open, err, "the state in the key-value store is damaged%s%s; " REBUILD,
		       open->store->kv->complaint ? ": " : "",
		       open->store->kv->complaint ? open->store->kv->complaint : "");
	else if (open->state.store_lo != super->store_lo || open->state.store_hi != super->store_hi)
		refuse(open, -EINVAL, "the key-value store belongs to another device");
	else if (super->version != OSD_DISK_VERSION && !open->store->read_only)
		upgrade_super(open);
	else
		load_bitmaps(open);
}

static void read_state(struct osd_open *open)
{
	osd_key_state(&open->key);
	open->get.key = open->key.bytes;
	open->get.key_bytes = open->key.length;
	open->get.done = state_read;
	kv_get(open->store->kv, &open->get);
}

/* ---- 1: the superblock --------------------------------------------------------------------------------- */

/* True if it is refused. */
static bool refuse_super(struct osd_open *open, const struct osd_disk_super *super, bool sealed)
{
	const struct osd_store_config *config = &open->config;
	uint64_t bytes = io_file_bytes(config->io, config->file);

	if (super->magic != OSD_SUPER_MAGIC)
		refuse(open, -EINVAL, "the device is not formatted: run mkfs.nacre");
	else if (super->version < OSD_DISK_OLDEST || super->version > OSD_DISK_VERSION)
		refuse(open, -EPROTONOSUPPORT, "the device has format version %u, this program knows versions %u to %u",
		       super->version, OSD_DISK_OLDEST, OSD_DISK_VERSION);
	else if (!sealed || super->block_bytes != OSD_BLOCK_BYTES)
		refuse(open, -EINVAL, "the superblock is damaged: its checksum does not match; " REBUILD);
	else if (!config->read_only &&
		 (super->fsid_lo != config->fsid_lo || super->fsid_hi != config->fsid_hi))
		refuse(open, -EINVAL, "the device belongs to file system %016llx%016llx, not to %016llx%016llx",
		       (unsigned long long)super->fsid_hi, (unsigned long long)super->fsid_lo,
		       (unsigned long long)config->fsid_hi, (unsigned long long)config->fsid_lo);
	else if (super->osd_id != config->osd_id)
		refuse(open, -EINVAL, "the device belongs to osd%u, not to osd%u", super->osd_id,
		       config->osd_id);
	else if (bytes < super->device_bytes)
		refuse(open, -EINVAL, "the device has shrunk from %llu to %llu bytes",
		       (unsigned long long)super->device_bytes, (unsigned long long)bytes);
	else
		return false;
	return true;
}

static void super_read(struct io_disk *disk, int result)
{
	struct osd_open *open = (struct osd_open *)((char *)disk - offsetof(struct osd_open, disk));
	uint8_t *bytes = open->block->bytes;
	struct nacre_reader r = nacre_reader(bytes, sizeof(struct osd_disk_super_wire));
	struct osd_store *store = open->store;
	bool sealed = osd_disk_sealed(bytes, sizeof(struct osd_disk_super_wire));

	if (result) {
		refuse(open, result, "the superblock cannot be read");
		return;
	}
	if (nacre_decode(osd_disk_super_desc(), &r, &store->super))
		memset(&store->super, 0, sizeof(store->super));
	if (refuse_super(open, &store->super, sealed))
		return;
	osd_alloc_init(&store->alloc, store->super.data_blocks);
	osd_shares_init(&store->shares, store->super.data_blocks);
	osd_discard_init(&store->discard, store, &open->config);
	osd_journal_init(&store->journal, store->io, store->file, &store->super,
			 &osd_store_journal_calls, store);
	osd_journal_set_unit(&store->journal, open->config.journal_unit);
	if (open->config.pipeline_bytes)
		store->journal.pipeline_bytes = open->config.pipeline_bytes;
	store->journal.bytes_written = &store->stats->bytes_journal;
	store->journal.flushes = &store->stats->flushes;
	read_state(open);
}

int osd_store_open(const struct osd_store_config *config, struct osd_store **ret_store)
{
	struct osd_store *store = mem_zero(1, sizeof(*store));
	struct osd_open *open = mem_zero(1, sizeof(*open));

	store->io = config->io;
	store->file = config->file;
	store->kv = config->kv;
	store->log = config->log;
	store->stats = config->stats ? config->stats : &store->own_stats;
	store->calls = config->calls;
	store->owner = config->owner;
	store->read_only = config->read_only;
	store->backlog_limit = config->backlog_bytes ? config->backlog_bytes : BACKLOG_BYTES;
	store->opening = open;
	osd_objects_init(&store->objects, config->cache_bytes ? config->cache_bytes : CACHE_BYTES);
	osd_direct_init(&store->direct, store);
	osd_intents_init(&store->intents, store);
	store->intents.alone = config->lone_intents;
	store->direct_blocks = ((config->direct_bytes ? config->direct_bytes : DIRECT_BYTES) +
				OSD_BLOCK_BYTES - 1) / OSD_BLOCK_BYTES;
	osd_writeback_init(&store->writeback, store,
			   config->writeback_ms ? config->writeback_ms : WRITEBACK_MS);
	store->writeback.trim_bytes = config->trim_bytes;
	open->store = store;
	open->config = *config;
	open->refill.store = store;
	open->refill.done = refilled;
	open->block = mem_buffer_new(OSD_BLOCK_BYTES);
	open->iov = (struct iovec){ open->block->bytes, OSD_BLOCK_BYTES };
	open->disk.kind = IO_DISK_READ;
	open->disk.file = store->file;
	open->disk.iov = &open->iov;
	open->disk.iov_count = 1;
	open->disk.done = super_read;
	*ret_store = store;
	io_disk_submit(store->io, &open->disk);
	return 0;
}

/* ---- closing ---------------------------------------------------------------------------------------------- */

/* Transactions that never became durable leave the sets before the journal frees them. */
static void forget_waiting(struct osd_store *store)
{
	struct osd_image *image, *next;
	struct osd_change *change;

	/* Everything goes: what order the sets are emptied in makes no difference. */
	HASH_ITER(hh, store->images.newest, image, next)
		HASH_DELETE(hh, store->images.newest, image);
	while ((change = RB_ROOT(&store->changes)))
		osd_changes_leave(&store->changes, change);
	osd_journal_fini(&store->journal);
}

void osd_store_abandon(struct osd_store *store)
{
	if (store->closing) {
		io_timer_cancel(store->io, &store->closing->timer);
		free(store->closing);
	}
	if (store->opening) {
		mem_buffer_put(store->opening->block);
		mem_buffer_put(store->opening->scan.window);
		if (store->opening->refill.running)
			mem_buffer_put(store->opening->refill.read.buffer);
		free(store->opening);
	}
	forget_waiting(store);
	osd_writeback_fini(&store->writeback);
	osd_objects_fini(&store->objects);
	osd_intents_fini(&store->intents);
	osd_discard_fini(&store->discard);
	osd_alloc_fini(&store->alloc);
	osd_shares_fini(&store->shares);
	kv_close(store->kv);
	io_file_close(store->io, store->file);
	free(store);
}

static void drained(struct osd_store *store)
{
	store->closing->drained = true;
	store->writeback.idle = NULL;
}

/* Closing is rare and slow: look every few milliseconds how far it is. */
static void close_poll(struct io_timer *timer)
{
	struct osd_closing *closing = (struct osd_closing *)((char *)timer -
							     offsetof(struct osd_closing, timer));
	struct osd_store *store = closing->store;
	void (*closed)(void *owner) = closing->closed;
	void *owner = closing->owner;

	if (!store->failed && !store->journal.waiting && !store->journal.writing &&
	    !closing->drained && !store->writeback.idle)
		osd_writeback_drain(&store->writeback, drained);
	if ((!closing->drained && !store->failed) || store->loads ||
	    osd_writeback_busy(&store->writeback) || osd_discard_is_busy(&store->discard)) {
		io_timer_arm(store->io, timer, io_now(store->io) + CLOSE_POLL_NS);
		return;
	}
	osd_store_abandon(store);
	closed(owner);
}

void osd_store_close(struct osd_store *store, void (*closed)(void *owner), void *owner)
{
	struct osd_closing *closing = mem_zero(1, sizeof(*closing));

	closing->store = store;
	closing->closed = closed;
	closing->drained = store->read_only;
	closing->owner = owner;
	closing->timer.fire = close_poll;
	store->closing = closing;
	io_timer_arm(store->io, &closing->timer, io_now(store->io));
}
