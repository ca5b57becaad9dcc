/* SPDX-License-Identifier: GPL-2.0 */
/* The walk of the audit over all objects and all directories; see audit.h. */
#include "audit_internal.h"
#include "protocol/rules/names.h"

#define SLICE 256			/* steps in one turn (TIME-1) */
#define PAGE_KEYS 256
#define PAGE_BYTES (128u << 10)

static void kick(struct mds_audit *audit)
{
	mds_defer(audit->mds, &audit->mds->audit_task);
}

bool audit_is_over(const struct mds_audit *audit)
{
	return audit->mds->state == MDS_DEAD || audit->state != AUDIT_RUNNING;
}

/* ---- objects ---------------------------------------------------------------------------------------------- */

static void listed(void *owner)
{
	kick(owner);
}

/* The walk of a pool begins; false: there is no such pool. */
static bool begin_pool(struct mds_audit *audit)
{
	struct mds *mds = audit->mds;

	mds_listing_free(audit->listing);
	audit->listing = NULL;
	if (audit->pool >= member_map(mds->member)->view.pool_count)
		return false;
	audit->listing = mds_listing_new(mds, audit->pool, NACRE_INO_ROOT,
					 UINT64_MAX - NACRE_INO_ROOT, listed, audit);
	return true;
}

static bool begin_object(struct mds_audit *audit)
{
	struct audit_object *object = TAILQ_FIRST(&audit->idle_objects);
	uint64_t ino, index;

	if (!object || !mds_listing_take(audit->listing, &ino, &index))
		return false;
	TAILQ_REMOVE(&audit->idle_objects, object, link);
	*object = (struct audit_object){
		.audit = audit, .pool = audit->pool, .ino = ino, .index = index,
	};
	audit->busy++;
	audit->objects++;
	audit_object_begin(object);
	return true;
}

void audit_object_done(struct audit_object *object)
{
	struct mds_audit *audit = object->audit;

	TAILQ_INSERT_TAIL(&audit->idle_objects, object, link);
	audit->busy--;
	kick(audit);
}

void audit_dir_found(struct audit_object *object)
{
	TAILQ_INSERT_TAIL(&object->audit->dirs, object, link);
	kick(object->audit);
}

/* ---- entries of a directory --------------------------------------------------------------------------------- */

/* The audit ends before they are walked. */
static void drop_dirs(struct mds_audit *audit)
{
	struct audit_object *dir;

	while ((dir = TAILQ_FIRST(&audit->dirs))) {
		TAILQ_REMOVE(&audit->dirs, dir, link);
		audit_object_done(dir);
	}
}

static void page_read(struct osdc_request *request, uint32_t result)
{
	struct mds_audit *audit = osdc_request_owner(request);
	struct audit_object *dir = TAILQ_FIRST(&audit->dirs);
	struct osdc_result read;

	if (audit->mds->state == MDS_DEAD) {
		osdc_request_free(request);
		return;
	}
	audit->dir_asking = false;
	audit->dir_more = false;
	if (audit_is_over(audit)) {
		osdc_request_free(request);
		drop_dirs(audit);
		return;
	}
	if (result) {
		osdc_request_free(request);
		if (result != ENOENT)	/* removed meanwhile */
			audit_found(audit, MDS_AUDIT_DAMAGED, dir->ino, dir->pool, 1, 0);
	} else {
		read = osdc_request_result(request, 0);
		audit->page = request;
		audit->keys = nacre_reader(read.output, read.output_bytes);
		audit->dir_more = read.flags & NACRE_OSD_RESULT_MORE;
	}
	kick(audit);
}

static void read_page(struct mds_audit *audit)
{
	struct audit_object *dir = TAILQ_FIRST(&audit->dirs);
	struct osdc_request *request;

	request = mds_must(osdc_request_new(audit->mds->osdc, dir->pool, dir->ino, dir->index));
	osdc_add(request, NACRE_OSD_OP_KV_LIST, 0, audit->last, audit->last_bytes, NULL, 0,
		 PAGE_BYTES, PAGE_KEYS);
	audit->dir_asking = true;
	osdc_submit(request, page_read, audit);
}

static void end_page(struct mds_audit *audit)
{
	osdc_request_free(audit->page);
	audit->page = NULL;
}

/* An entry as it is stored. False: it cannot be read. */
static bool decode_entry(const struct nacre_key_value *item, struct audit_entry *entry)
{
	struct mds_image image;
	struct mds_entry stored;
	const uint8_t *name;
	__u32 name_bytes;
	__u64 cookie;

	if (nacre_dentry_key_parse(item->key, item->key_bytes, &cookie, &name, &name_bytes) ||
	    nacre_decode_all(mds_entry_desc(), item->value, item->value_bytes, &stored) || !stored.ino)
		return false;
	entry->ino = stored.ino;
	entry->name_bytes = (uint8_t)name_bytes;
	memcpy(entry->name, name, name_bytes);
	entry->primary = stored.image_bytes;
	entry->pool = NACRE_POOL_META;
	if (!entry->primary || S_ISDIR(stored.mode))
		return true;
	if (nacre_decode_all(mds_image_desc(), stored.image, stored.image_bytes, &image))
		return false;
	entry->pool = image.pool;
	return true;
}

static bool begin_entry(struct mds_audit *audit)
{
	struct audit_entry *entry = TAILQ_FIRST(&audit->idle_entries);
	struct audit_object *dir = TAILQ_FIRST(&audit->dirs);
	struct nacre_key_value item;

	if (!entry)
		return false;
	if (nacre_decode(nacre_key_value_desc(), &audit->keys, &item)) {
		end_page(audit);
		return true;
	}
	audit->last_bytes = item.key_bytes;
	memcpy(audit->last, item.key, item.key_bytes);
	audit->entries++;
	*entry = (struct audit_entry){ .link = entry->link, .audit = audit, .dir = dir->ino };
	if (!decode_entry(&item, entry)) {
		audit_found(audit, MDS_AUDIT_DAMAGED, dir->ino, dir->pool, 0, 0);
		return true;
	}
	TAILQ_REMOVE(&audit->idle_entries, entry, link);
	audit->busy++;
	audit_entry_begin(entry);
	return true;
}

void audit_entry_done(struct audit_entry *entry)
{
	struct mds_audit *audit = entry->audit;

	TAILQ_INSERT_TAIL(&audit->idle_entries, entry, link);
	audit->busy--;
	kick(audit);
}

/* One step in the first of the directories; false: none is possible now. */
static bool walk_dir(struct mds_audit *audit)
{
	struct audit_object *dir = TAILQ_FIRST(&audit->dirs);

	if (!dir || audit->dir_asking)
		return false;
	if (audit->page)
		return begin_entry(audit);
	if (!audit->dir_begun || audit->dir_more) {
		audit->dir_begun = true;
		read_page(audit);
		return false;
	}
	TAILQ_REMOVE(&audit->dirs, dir, link);
	audit->dir_begun = false;
	audit->last_bytes = 0;
	audit_object_done(dir);
	return true;
}

/* ---- from beginning to end ------------------------------------------------------------------------------------- */

static void end(struct mds_audit *audit, enum audit_state state)
{
	struct mds *mds = audit->mds;

	audit->state = state;
	if (!audit->dir_asking)
		drop_dirs(audit);
	log_info(mds->log, "audit", "%s: %llu objects, %llu entries, %s",
		 state == AUDIT_DONE ? "complete" : "stopped", (unsigned long long)audit->objects,
		 (unsigned long long)audit->entries, mds_audit_is_clean(mds) ? "clean" : "see `audit`");
	if (audit->ended)
		audit->ended(audit->owner);
}

void mds_audit_task(struct io_task *task)
{
	struct mds *mds = container_of(task, struct mds, audit_task);
	struct mds_audit *audit = mds->audit;
	unsigned int steps;

	if (!audit || mds->state != MDS_ACTIVE || audit_is_over(audit))
		return;
	for (steps = 0; walk_dir(audit) || begin_object(audit); steps++)
		if (steps == SLICE) {
			kick(audit);
			return;
		}
	if (audit->busy || !mds_listing_ended(audit->listing))
		return;
	audit->pool++;
	if (begin_pool(audit))
		kick(audit);
	else
		end(audit, AUDIT_DONE);
}

/* Is an answer to it under way? */
static bool is_busy(const struct mds_audit *audit)
{
	return audit->busy || (audit->listing && mds_listing_asks(audit->listing));
}

int mds_audit_start(struct mds *mds, void (*ended)(void *owner), void *owner)
{
	struct mds_audit *audit;
	unsigned int i;

	if (mds->state != MDS_ACTIVE)
		return -EAGAIN;
	if (mds->audit && (mds->audit->state == AUDIT_RUNNING || is_busy(mds->audit)))
		return -EALREADY;
	mds_audit_free(mds);
	mds->audit = audit = mds_zalloc(sizeof(*audit));
	audit->mds = mds;
	audit->ended = ended;
	audit->owner = owner;
	TAILQ_INIT(&audit->idle_objects);
	TAILQ_INIT(&audit->idle_entries);
	TAILQ_INIT(&audit->dirs);
	for (i = 0; i < AUDIT_WIDTH; i++) {
		TAILQ_INSERT_TAIL(&audit->idle_objects, &audit->object_room[i], link);
		TAILQ_INSERT_TAIL(&audit->idle_entries, &audit->entry_room[i], link);
	}
	begin_pool(audit);
	kick(audit);
	return 0;
}

void mds_audit_stop(struct mds *mds)
{
	if (mds->audit && mds->audit->state == AUDIT_RUNNING)
		end(mds->audit, AUDIT_STOPPED);
}

void mds_audit_free(struct mds *mds)
{
	struct mds_audit *audit = mds->audit;

	if (!audit)
		return;
	mds_listing_free(audit->listing);
	osdc_request_free(audit->page);
	audit_rows_free(audit);
	free(audit);
	mds->audit = NULL;
}
