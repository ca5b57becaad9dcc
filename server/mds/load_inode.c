/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finding an inode by its number:
 *
 *	attributes of (META, ino, 0) ──"inode"──▶ an own inode: done
 *	        │ none                └──"backtrace"──┐ (a directory)
 *	        ▼                                     ▼
 *	backtrace of (data pool, ino, 0), each pool ─▶ parent in memory ─▶ its entry in memory ─▶ is it this inode?
 *
 * A backtrace is written lazily, but never later than the journal forgets the change of place. So either it is
 * right, or the inode is in memory and nobody comes here.
 */
#include "core.h"
#include "load_internal.h"

static void read_attributes(struct mds_load *load);

static void entry_is_there(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct mds_load *load = container_of(wait, struct mds_load, step);
	struct mds_inode *inode = mds_inode_find(mds, load->ino);

	if (!result && (!inode || inode->stub))
		result = ESTALE;
	load_end(load, result);
}

static void parent_is_there(struct mds *mds, struct mds_load_wait *wait, uint32_t result)
{
	struct mds_load *load = container_of(wait, struct mds_load, step);
	struct mds_inode *dir = mds_inode_find(mds, load->trace.parent);

	if (result || !dir || !dir->dir || dir->stub) {
		load_end(load, result && result != EIDRM ? result : ESTALE);
		return;
	}
	load->step.done = entry_is_there;
	if (dir->dir->complete || mds_dentry_find(dir->dir, load->name, load->name_bytes))
		entry_is_there(mds, wait, 0);
	else
		mds_load_entry_for(mds, dir, load->name, load->name_bytes, wait);
}

static void follow_backtrace(struct mds_load *load, const uint8_t *bytes, uint32_t length)
{
	struct mds *mds = load->mds;
	struct mds_inode *dir;

	if (nacre_decode_all(mds_backtrace_desc(), bytes, length, &load->trace) ||
	    load->trace.ino != load->ino || !load->trace.parent) {
		load_end(load, NACRE_E_DAMAGED);
		return;
	}
	load->name_bytes = (uint8_t)load->trace.name_bytes;
	memcpy(load->name, load->trace.name, load->name_bytes);
	load->step.done = parent_is_there;
	dir = mds_inode_find(mds, load->trace.parent);
	/* of a stub it is not known in which object an entry lies */
	if (dir && dir->dir && !dir->stub)
		parent_is_there(mds, &load->step, 0);
	else
		mds_load_inode_for(mds, load->trace.parent, &load->step);
}

/* The object has attributes: an own inode, a backtrace, or neither. Returns false for neither. */
static bool take_attributes(struct mds_load *load, const struct osdc_result *read)
{
	struct nacre_reader r = nacre_reader(read->output, read->output_bytes);
	struct nacre_key_value item, trace = { 0 };

	while (nacre_reader_left(&r)) {
		if (nacre_decode(nacre_key_value_desc(), &r, &item))
			break;
		if (item.key_bytes == strlen(MDS_ATTR_INODE) &&
		    !memcmp(item.key, MDS_ATTR_INODE, item.key_bytes)) {
			int bad = mds_load_install_own(load->mds, load->ino, item.value,
						       item.value_bytes);

			load_end(load, bad ? NACRE_E_DAMAGED : 0);
			return true;
		}
		if (item.key_bytes == strlen(MDS_ATTR_BACKTRACE) &&
		    !memcmp(item.key, MDS_ATTR_BACKTRACE, item.key_bytes))
			trace = item;
	}
	if (!trace.value_bytes)
		return false;
	follow_backtrace(load, trace.value, trace.value_bytes);
	return true;
}

/* The attributes of its object are read, and the inode is not to be purged. */
static void use_attributes(struct mds_load *load, struct osdc_request *request, uint32_t result)
{
	struct cluster_map *map = member_map(load->mds->member);
	struct osdc_result read = osdc_request_result(request, 0);
	bool found = !result && take_attributes(load, &read);

	osdc_request_free(request);
	if (found)
		return;
	if (result && result != ENOENT)
		load_end(load, result);
	else if (++load->pool < map->view.pool_count)
		read_attributes(load);
	else
		load_end(load, ESTALE);
}

/* The table has been asked whether it is to be purged. */
static void purge_read(struct osdc_request *request, uint32_t result)
{
	struct mds_load *load = osdc_request_owner(request);
	struct osdc_request *attributes = load->attributes;
	uint32_t attributes_result = load->attributes_result;

	load->attributes = NULL;
	if (load_is_dead(load, request)) {
		osdc_request_free(attributes);
		return;
	}
	osdc_request_free(request);
	if (result == ENOENT || result == ENODATA) {
		use_attributes(load, attributes, attributes_result);
		return;
	}
	osdc_request_free(attributes);
	load_end(load, result ? result : EIDRM);
}

/* Behind its attributes: what these say may be what was left when its last name went. */
static void read_purge(struct mds_load *load)
{
	struct mds_record_key key = { MDS_RECORD_PURGE, load->ino };
	char text[MDS_KEY_BYTES];

	load->request = mds_must(osdc_request_new(load->mds->osdc, NACRE_POOL_META,
						  NACRE_INO_TABLE(load->mds->config.rank), 0));
	osdc_add(load->request, NACRE_OSD_OP_KV_GET, 0, text, mds_record_key_text(&key, text), NULL,
		 0, 0, 0);
	osdc_submit(load->request, purge_read, load);
}

static void attributes_read(struct osdc_request *request, uint32_t result)
{
	struct mds_load *load = osdc_request_owner(request);

	if (load_is_dead(load, request))
		return;
	if (mds_purge_has(load->mds, load->ino)) {
		osdc_request_free(request);
		load_end(load, EIDRM);
	} else if (mds_purge_stored(load->mds)) {
		load->attributes = request;
		load->attributes_result = result;
		read_purge(load);
	} else {
		use_attributes(load, request, result);
	}
}

static void read_attributes(struct mds_load *load)
{
	load->request = mds_must(osdc_request_new(load->mds->osdc, load->pool, load->ino, 0));
	osdc_add(load->request, NACRE_OSD_OP_LISTXATTR, 0, NULL, 0, NULL, 0, 0, 0);
	osdc_submit(load->request, attributes_read, load);
}

static struct mds_load *load_inode(struct mds *mds, uint64_t ino)
{
	struct mds_load *load;

	TAILQ_FOREACH(load, &mds->inode_loads, link)
		if (load->ino == ino)
			return load;
	load = load_new(mds, MDS_LOAD_INODE, NULL, 0, 0);
	load->ino = ino;
	load->pool = NACRE_POOL_META;
	read_attributes(load);
	return load;
}

struct mds_waitlist *mds_load_inode(struct mds *mds, uint64_t ino)
{
	return &load_inode(mds, ino)->waiters;
}

void mds_load_inode_for(struct mds *mds, uint64_t ino, struct mds_load_wait *wait)
{
	struct mds_load *load = load_inode(mds, ino);

	TAILQ_INSERT_TAIL(&load->watchers, wait, link);
}
