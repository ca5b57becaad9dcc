/* SPDX-License-Identifier: GPL-2.0 */
/* Reading entries and pages of directories; inodes by number are in load_inode.c. See load.h. */
#include "core.h"
#include "load_internal.h"
#include "split.h"
#include "protocol/rules/names.h"

#define SMALL_DIR_ENTRIES 1024		/* such a directory is read whole at the first miss */
#define MISS_SHARE 64			/* a larger one when one of so many entries was read by itself */
#define MEMORY_SHARE 4			/* if it fills no more than this part of the memory for inodes */
#define MISS_SHARE_CROWDED 8		/* while others have to leave for it, whatever its size; see MISS_SHARE */
#define CROWDED_SHARE 16		/* of the memory for inodes: less than that is free */
#define PAGE_KEYS 512
#define PAGE_BYTES (256u << 10)

struct mds_load *load_new(struct mds *mds, enum mds_load_kind kind, struct mds_inode *dir,
			  uint64_t first, uint64_t last)
{
	struct mds_load *load = mds_zalloc(sizeof(*load));

	load->mds = mds;
	load->kind = kind;
	load->dir = dir;
	TAILQ_INIT(&load->waiters);
	TAILQ_INIT(&load->watchers);
	if (dir) {
		TAILQ_INSERT_TAIL(&dir->dir->loads, load, link);
		mds_hold_begin(&load->hold, dir, first, last);
	} else {
		TAILQ_INSERT_TAIL(&mds->inode_loads, load, link);
	}
	mds->counters.loads++;
	return load;
}

void load_end(struct mds_load *load, uint32_t result)
{
	struct mds *mds = load->mds;
	struct mds_load_wait *wait;

	if (load->dir)
		TAILQ_REMOVE(&load->dir->dir->loads, load, link);
	else
		TAILQ_REMOVE(&mds->inode_loads, load, link);
	mds_wake_result(mds, &load->waiters, result == EIDRM ? ESTALE : result);
	while ((wait = TAILQ_FIRST(&load->watchers))) {
		TAILQ_REMOVE(&load->watchers, wait, link);
		wait->done(mds, wait, result);
	}
	if (load->dir) {
		mds_split_look(mds, load->dir);
		mds_hold_end(mds, &load->hold);
	}
	free(load);
}

/* The rank is gone, or the object client gave up: nothing to be told any more. */
bool load_is_dead(struct mds_load *load, struct osdc_request *request)
{
	struct mds_counters *counters = &load->mds->counters;
	uint64_t behind_ns;

	load->request = NULL;
	stats_longest(&counters->longest_load_us, osdc_request_took_ns(request, &behind_ns) / 1000);
	stats_longest(&counters->longest_load_behind_us, behind_ns / 1000);
	if (load->mds->state != MDS_DEAD)
		return false;
	osdc_request_free(request);
	return true;
}

/* ---- putting into memory ------------------------------------------------------------------------------ */

static int install_image(struct mds *mds, uint64_t ino, const uint8_t *bytes, uint32_t length,
			 struct mds_inode **ret_inode)
{
	struct mds_inode *inode = mds_inode_find(mds, ino);
	struct mds_image image;

	*ret_inode = NULL;
	if (inode && !inode->stub)
		return 0;
	if (nacre_decode_all(mds_image_desc(), bytes, length, &image) || image.ino != ino)
		return -EBADMSG;
	if (!inode)
		inode = mds_inode_new(mds, ino);
	if (mds_inode_from_image(mds, inode, &image))
		return -EBADMSG;
	*ret_inode = inode;
	return 0;
}

int mds_load_install(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
		     uint32_t name_bytes, const uint8_t *value, uint32_t value_bytes)
{
	struct mds_dentry *dentry = mds_dentry_find(dir->dir, name, name_bytes);
	struct mds_inode *inode = NULL;
	struct mds_entry entry;

	if (dentry)
		return 0;
	if (nacre_decode_all(mds_entry_desc(), value, value_bytes, &entry) || !entry.ino)
		return -EBADMSG;
	if (entry.image_bytes) {
		if (install_image(mds, entry.ino, entry.image, entry.image_bytes, &inode))
			return -EBADMSG;
		if (!inode)
			return 0;	/* it has moved since; its old entry is on its way out */
	}
	dentry = mds_dentry_get(dir->dir, name, name_bytes);
	if (inode)
		mds_dentry_set_primary(dentry, inode);
	else
		mds_dentry_set_remote(dentry, entry.ino, entry.mode);
	return 0;
}

int mds_load_install_own(struct mds *mds, uint64_t ino, const uint8_t *value, uint32_t value_bytes)
{
	struct mds_inode *inode;

	if (install_image(mds, ino, value, value_bytes, &inode))
		return -EBADMSG;
	if (inode)
		inode->own = inode->own_stored = true;
	return 0;
}

/* ---- one entry ------------------------------------------------------------------------------------------ */

static void entry_read(struct osdc_request *request, uint32_t result)
{
	struct mds_load *load = osdc_request_owner(request);
	struct osdc_result read;

	if (load_is_dead(load, request))
		return;
	read = osdc_request_result(request, 0);
	if (result == ENODATA || result == ENOENT) {
		mds_dentry_get(load->dir->dir, load->name, load->name_bytes);
		result = 0;
	} else if (!result && mds_load_install(load->mds, load->dir, load->name, load->name_bytes,
					       read.output, read.output_bytes)) {
		result = NACRE_E_DAMAGED;
	}
	osdc_request_free(request);
	load_end(load, result);
}

static void read_entry(struct mds_load *load)
{
	uint64_t cookie = mds_name_cookie(load->name, load->name_bytes);
	uint8_t key[NACRE_DENTRY_KEY_MAX];
	uint32_t key_bytes = nacre_dentry_key(cookie, load->name, load->name_bytes, key);

	struct mds_fragment fragment = mds_dir_fragment(load->dir, cookie);

	load->request = mds_must(osdc_request_new(load->mds->osdc, NACRE_POOL_META,
						  load->dir->ino, fragment.index));
	osdc_add(load->request, NACRE_OSD_OP_KV_GET, 0, key, key_bytes, NULL, 0, 0, 0);
	osdc_request_overtakes(load->request);
	osdc_submit(load->request, entry_read, load);
}

/* ---- pages ------------------------------------------------------------------------------------------------ */

static void read_page(struct mds_load *load);

/*
 * Take the keys of a page in; *last is the cookie of the last one. What lies behind the fragment's end is left over
 * from a split, or not yet all there from a merge (split.h).
 */
static int install_page(struct mds_load *load, const struct osdc_result *read, __u64 *last)
{
	struct nacre_reader r = nacre_reader(read->output, read->output_bytes);
	struct nacre_key_value item;

	while (nacre_reader_left(&r)) {
		const uint8_t *name;
		__u32 name_bytes;

		if (nacre_decode(nacre_key_value_desc(), &r, &item) ||
		    nacre_dentry_key_parse(item.key, item.key_bytes, last, &name, &name_bytes))
			return -EBADMSG;
		if (*last > load->last)
			return 0;
		if (mds_load_install(load->mds, load->dir, name, name_bytes, item.value,
				     item.value_bytes))
			return -EBADMSG;
	}
	return 0;
}

static void tell_page(struct mds_load *load, uint64_t end, bool last)
{
	struct mds_request *request;

	TAILQ_FOREACH(request, &load->waiters, wait_link) {
		request->page_loaded = true;
		request->page_after = load->after;
		request->page_end = end;
		request->page_last = last;
	}
}

/* Up to where everything is known after this page: `end` is the cookie of its last key. */
static uint64_t end_of_page(const struct mds_load *load, uint64_t end, bool more)
{
	if (!more || end > load->last)
		return load->last;
	return end > load->after + 1 ? end - 1 : end;	/* more of the last cookie may follow */
}

static void page_read(struct osdc_request *request, uint32_t result)
{
	struct mds_load *load = osdc_request_owner(request);
	__u64 end = load->after;
	struct osdc_result read;
	bool more, last;

	if (load_is_dead(load, request))
		return;
	read = osdc_request_result(request, 0);
	more = !result && (read.flags & NACRE_OSD_RESULT_MORE);
	if (result == ENOENT)
		result = 0;
	else if (!result && install_page(load, &read, &end))
		result = NACRE_E_DAMAGED;
	osdc_request_free(request);
	end = end_of_page(load, end, more);
	last = end == NACRE_COOKIE_END;
	if (!result && load->kind == MDS_LOAD_ALL && !last) {
		load->after = end;
		read_page(load);
		return;
	}
	if (!result && last && (load->kind == MDS_LOAD_ALL || !load->after)) {
		load->dir->dir->complete = true;
		mds_dir_hold_absent(load->dir->dir);
	}
	if (!result && load->kind == MDS_LOAD_PAGE)
		tell_page(load, end, last);
	load_end(load, result);
}

static void read_page(struct mds_load *load)
{
	struct mds_fragment fragment = mds_dir_fragment(load->dir, load->after + 1);
	uint8_t key[NACRE_DENTRY_KEY_DIGITS];

	nacre_dentry_key_after(load->after, key);
	load->last = fragment.last;
	load->request = mds_must(osdc_request_new(load->mds->osdc, NACRE_POOL_META,
						  load->dir->ino, fragment.index));
	osdc_add(load->request, NACRE_OSD_OP_KV_LIST, 0, key, load->after ? sizeof(key) : 0, NULL,
		 0, PAGE_BYTES, PAGE_KEYS);
	osdc_request_overtakes(load->request);
	osdc_submit(load->request, page_read, load);
}

/* ---- what others ask for ------------------------------------------------------------------------------------ */

static bool is_crowded(const struct mds *mds)
{
	return mds->counters.inodes > mds->config.cache_inodes - mds->config.cache_inodes / CROWDED_SHARE;
}

/*
 * A page has hundreds of entries: reading all costs far less than has been spent on single ones. But what comes in drives others
 * out when memory is full, and as soon as one has gone its directory is not whole any more: directories in use in turn would each
 * be read again and again for one entry of theirs.
 */
static bool is_worth_all(const struct mds *mds, const struct mds_inode *dir)
{
	if (dir->stub)
		return false;
	if (is_crowded(mds) && dir->size > MISS_SHARE_CROWDED)
		return dir->dir->misses >= dir->size / MISS_SHARE_CROWDED &&
		       dir->size <= mds->config.cache_inodes / MEMORY_SHARE;
	return dir->size <= SMALL_DIR_ENTRIES ||
	       (dir->dir->misses >= dir->size / MISS_SHARE &&
		dir->size <= mds->config.cache_inodes / MEMORY_SHARE);
}

static struct mds_load *load_entry(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
				   uint32_t name_bytes)
{
	uint64_t cookie = mds_name_cookie(name, name_bytes);
	struct mds_load *load;

	TAILQ_FOREACH(load, &dir->dir->loads, link)
		if (load->kind == MDS_LOAD_ALL ||
		    (load->kind == MDS_LOAD_ENTRY && load->name_bytes == name_bytes &&
		     !memcmp(load->name, name, name_bytes)))
			return load;
	if (is_worth_all(mds, dir)) {
		dir->dir->misses = 0;
		load = load_new(mds, MDS_LOAD_ALL, dir, 0, NACRE_COOKIE_END);
		read_page(load);
		return load;
	}
	dir->dir->misses++;
	load = load_new(mds, MDS_LOAD_ENTRY, dir, cookie, cookie);
	load->name_bytes = (uint8_t)name_bytes;
	memcpy(load->name, name, name_bytes);
	read_entry(load);
	return load;
}

struct mds_waitlist *mds_load_entry(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
				    uint32_t name_bytes)
{
	return &load_entry(mds, dir, name, name_bytes)->waiters;
}

void mds_load_entry_for(struct mds *mds, struct mds_inode *dir, const uint8_t *name,
			uint32_t name_bytes, struct mds_load_wait *wait)
{
	struct mds_load *load = load_entry(mds, dir, name, name_bytes);

	TAILQ_INSERT_TAIL(&load->watchers, wait, link);
}

struct mds_waitlist *mds_load_page(struct mds *mds, struct mds_inode *dir, uint64_t after)
{
	struct mds_load *load;

	TAILQ_FOREACH(load, &dir->dir->loads, link)
		if (load->kind == MDS_LOAD_PAGE && load->after == after)
			return &load->waiters;
	load = load_new(mds, MDS_LOAD_PAGE, dir, after ? after + 1 : 0,
			mds_dir_fragment(dir, after + 1).last);
	load->after = after;
	read_page(load);
	return &load->waiters;
}

static void free_loads(struct mds *mds, struct mds_loads *loads)
{
	struct mds_load *load;

	while ((load = TAILQ_FIRST(loads))) {
		TAILQ_REMOVE(loads, load, link);
		osdc_request_free(load->attributes);
		free(load);
	}
}

void mds_load_free_all(struct mds *mds)
{
	struct mds_inode *inode, *next;

	HASH_ITER(hh, mds->inodes, inode, next)
		if (inode->dir)
			free_loads(mds, &inode->dir->loads);
	free_loads(mds, &mds->inode_loads);
}
