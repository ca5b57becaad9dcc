// SPDX-License-Identifier: GPL-2.0
/*
 * The key-value store on RocksDB, through its C interface. RocksDB blocks, so
 * every call is made by a helper thread of the io seam; the loop only hears of
 * results. RocksDB itself allows calls from several threads.
 *
 * One column family, its write-ahead log off: what makes a batch safe is the
 * OSD's own journal (see kv.h). RocksDB may write its memory table out whenever it
 * likes; it does so in the order of the batches, which is all that is asked.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <unistd.h>
#include "kv.h"
#include "layout.h"

#define WRITE_BUFFER_BYTES (32u << 20)
#define BLOCK_CACHE_BYTES (64u << 20)
#define FILTER_BITS 10			/* of a key, in tables: one absent key in a hundred is looked for in vain */
#define MEMORY_FILTER_SHARE 0.02	/* of the write buffer, for the same */

struct kv_rocksdb {
	struct kv kv;
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_block_based_table_options_t *table;
	rocksdb_cache_t *cache;
	rocksdb_readoptions_t *read;
	rocksdb_writeoptions_t *write;
	rocksdb_flushoptions_t *flush;
};

/* ---- in helper threads ---------------------------------------------------------- */

static void work_get(struct io_job *job)
{
	struct kv_get *get = (struct kv_get *)((char *)job - offsetof(struct kv_get, job));
	struct kv_rocksdb *r = (struct kv_rocksdb *)get->kv;
	char *error = NULL;
	size_t length = 0;
	char *value = rocksdb_get(r->db, r->read, (const char *)get->key, get->key_bytes, &length,
				  &error);

	get->value = (uint8_t *)value;
	get->value_bytes = (uint32_t)length;
	get->result = error ? -EIO : value ? 0 : -ENOENT;
	get->error = error;
}

static void work_list(struct io_job *job)
{
	struct kv_list *list = (struct kv_list *)((char *)job - offsetof(struct kv_list, job));
	struct kv_rocksdb *r = (struct kv_rocksdb *)list->kv;
	rocksdb_iterator_t *it = rocksdb_create_iterator(r->db, r->read);
	size_t key_bytes, value_bytes;
	const char *key, *value;
	char *error = NULL;

	for (rocksdb_iter_seek(it, (const char *)list->first, list->first_bytes);
	     rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
		key = rocksdb_iter_key(it, &key_bytes);
		if (kv_compare(key, (uint32_t)key_bytes, list->end, list->end_bytes) >= 0)
			break;
		value = rocksdb_iter_value(it, &value_bytes);
		if (!kv_list_add(list, key, (uint32_t)key_bytes, value, (uint32_t)value_bytes))
			break;
	}
	rocksdb_iter_get_error(it, &error);
	rocksdb_iter_destroy(it);
	list->result = error ? -EIO : 0;
	list->error = error;
}

static void work_apply(struct io_job *job)
{
	struct kv_batch *batch = (struct kv_batch *)((char *)job - offsetof(struct kv_batch, job));
	struct kv_rocksdb *r = (struct kv_rocksdb *)batch->kv;
	rocksdb_writebatch_t *w = rocksdb_writebatch_create();
	struct kv_pair c;
	char *error = NULL;
	uint32_t kind;
	size_t at = 0;

	while (kv_batch_next(batch, &at, &kind, &c)) {
		if (kind == OSD_CHANGE_PUT)
			rocksdb_writebatch_put(w, (const char *)c.key, c.key_bytes,
					       (const char *)c.value, c.value_bytes);
		else if (kind == OSD_CHANGE_DELETE)
			rocksdb_writebatch_delete(w, (const char *)c.key, c.key_bytes);
		else
			rocksdb_writebatch_delete_range(w, (const char *)c.key, c.key_bytes,
							(const char *)c.value, c.value_bytes);
	}
	rocksdb_write(r->db, r->write, w, &error);
	rocksdb_writebatch_destroy(w);
	batch->result = error ? -EIO : 0;
	batch->error = error;
}

static void work_flush(struct io_job *job)
{
	struct kv_flush *flush = (struct kv_flush *)((char *)job - offsetof(struct kv_flush, job));
	struct kv_rocksdb *r = (struct kv_rocksdb *)flush->kv;
	char *error = NULL;

	rocksdb_flush(r->db, r->flush, &error);
	flush->result = error ? -EIO : 0;
	flush->error = error;
}

/* ---- in the loop ------------------------------------------------------------------ */

/* The first failure is the one to tell of. */
static void complain(struct kv *kv, char **error)
{
	if (!kv->complaint)
		kv->complaint = *error;
	else
		free(*error);
	*error = NULL;
}

static void done_get(struct io_job *job)
{
	struct kv_get *get = (struct kv_get *)((char *)job - offsetof(struct kv_get, job));

	complain(get->kv, &get->error);
	get->done(get);
}

static void done_list(struct io_job *job)
{
	struct kv_list *list = (struct kv_list *)((char *)job - offsetof(struct kv_list, job));

	complain(list->kv, &list->error);
	list->done(list);
}

static void done_apply(struct io_job *job)
{
	struct kv_batch *batch = (struct kv_batch *)((char *)job - offsetof(struct kv_batch, job));

	complain(batch->kv, &batch->error);
	batch->done(batch);
}

static void done_flush(struct io_job *job)
{
	struct kv_flush *flush = (struct kv_flush *)((char *)job - offsetof(struct kv_flush, job));

	complain(flush->kv, &flush->error);
	flush->done(flush);
}

static void begin(struct kv *kv, struct io_job *job, void (*work)(struct io_job *job),
		  void (*done)(struct io_job *job))
{
	job->work = work;
	job->done = done;
	io_offload(kv->io, job);
}

static void rocks_get(struct kv *kv, struct kv_get *get)
{
	get->kv = kv;
	begin(kv, &get->job, work_get, done_get);
}

static void rocks_list(struct kv *kv, struct kv_list *list)
{
	list->kv = kv;
	begin(kv, &list->job, work_list, done_list);
}

static void rocks_apply(struct kv *kv, struct kv_batch *batch)
{
	batch->kv = kv;
	begin(kv, &batch->job, work_apply, done_apply);
}

static void rocks_flush(struct kv *kv, struct kv_flush *flush)
{
	flush->kv = kv;
	begin(kv, &flush->job, work_flush, done_flush);
}

static void rocks_close(struct kv *kv)
{
	struct kv_rocksdb *r = (struct kv_rocksdb *)kv;

	if (r->db) {
		rocksdb_cancel_all_background_work(r->db, 1);
		rocksdb_close(r->db);
	}
	rocksdb_flushoptions_destroy(r->flush);
	rocksdb_writeoptions_destroy(r->write);
	rocksdb_readoptions_destroy(r->read);
	rocksdb_block_based_options_destroy(r->table);
	rocksdb_cache_destroy(r->cache);
	rocksdb_options_destroy(r->options);
	free(r->kv.complaint);
	free(r);
}

static const struct kv_ops rocks_ops = {
	.name = "rocksdb",
	.get = rocks_get,
	.list = rocks_list,
	.apply = rocks_apply,
	.flush = rocks_flush,
	.close = rocks_close,
};

static void set_options(struct kv_rocksdb *r, bool create)
{
	r->options = rocksdb_options_create();
	r->table = rocksdb_block_based_options_create();
	r->cache = rocksdb_cache_create_lru(BLOCK_CACHE_BYTES);
	r->read = rocksdb_readoptions_create();
	r->write = rocksdb_writeoptions_create();
	r->flush = rocksdb_flushoptions_create();
	rocksdb_block_based_options_set_block_cache(r->table, r->cache);
	/* every object that is made is asked for first, and is not there */
	rocksdb_block_based_options_set_filter_policy(r->table,
						      rocksdb_filterpolicy_create_bloom_full(FILTER_BITS));
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(r->options, MEMORY_FILTER_SHARE);
	rocksdb_options_set_memtable_whole_key_filtering(r->options, 1);
	rocksdb_options_set_block_based_table_factory(r->options, r->table);
	rocksdb_options_set_create_if_missing(r->options, create);
	rocksdb_options_set_error_if_exists(r->options, create);
	rocksdb_options_set_write_buffer_size(r->options, WRITE_BUFFER_BYTES);
	rocksdb_options_set_max_background_jobs(r->options, 2);
	rocksdb_options_set_keep_log_file_num(r->options, 2);
	rocksdb_options_set_paranoid_checks(r->options, 1);
	rocksdb_options_set_compression(r->options, rocksdb_no_compression);
	rocksdb_readoptions_set_verify_checksums(r->read, 1);
	rocksdb_writeoptions_disable_WAL(r->write, 1);
	rocksdb_flushoptions_set_wait(r->flush, 1);
}

/* The process that has the database open, by the lock that RocksDB takes; 0 = none. */
static pid_t user_of(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char file[PATH_MAX];
	pid_t pid = 0;
	int fd;

	snprintf(file, sizeof(file), "%s/LOCK", path);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	close(fd);
	return pid;
}

int kv_rocksdb_open(struct io *io, const char *path, enum kv_open how, struct kv **ret_kv, char *error,
		    size_t error_bytes)
{
	pid_t user = how == KV_READ_ONLY ? user_of(path) : 0;
	struct kv_rocksdb *r;
	char *why = NULL;

	if (user) {
		snprintf(error, error_bytes, "RocksDB in %s is in use: process %d has it open", path, user);
		return -EBUSY;
	}
	r = mem_zero(1, sizeof(*r));
	r->kv.ops = &rocks_ops;
	r->kv.io = io;
	set_options(r, how == KV_CREATE);
	if (how == KV_READ_ONLY)
		r->db = rocksdb_open_for_read_only(r->options, path, 0, &why);
	else
		r->db = rocksdb_open(r->options, path, &why);
	if (!r->db) {
		snprintf(error, error_bytes, "RocksDB in %s cannot be opened: %s", path, why);
		free(why);
		rocks_close(&r->kv);
		return -EIO;
	}
	*ret_kv = &r->kv;
	return 0;
}
