// SPDX-License-Identifier: GPL-2.0
/*
 * Mapped files. A fault takes cap references, lets the page cache do its work,
 * and gives them back before it returns; the folio lock, which it returns with,
 * keeps an invalidation out until the page table entry is in place.
 *
 * A page that becomes writable is marked dirty under the caps already: a revoke that
 * comes right after finds it and writes it back (CAP-1).
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include "data.h"

#define FAULT_CAPS (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE)
#define MKWRITE_CAPS (NACRE_CAP_FILE_WRITE | NACRE_CAPS_BUFFERED)

/* A killed task goes back to die; everyone else is told. */
static vm_fault_t fault_error(int err)
{
	return fatal_signal_pending(current) ? VM_FAULT_NOPAGE : vmf_error(err);
}

static vm_fault_t fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;
	u32 got;
	int err;

	err = nacre_caps_get(inode, FAULT_CAPS, 0, 0, &got);
	if (err)
		return fault_error(err);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_FAULT, (u64)vmf->pgoff << PAGE_SHIFT,
			  PAGE_SIZE, 0);
	ret = filemap_fault(vmf);
	nacre_caps_put(inode, got);
	return ret;
}

/* Pages around a fault that are cached already; without a cap at hand ->fault is asked for each. */
static vm_fault_t map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	vm_fault_t ret;
	u32 got;

	if (nacre_caps_try(inode, FAULT_CAPS, 0, 0, &got))
		return 0;
	ret = filemap_map_pages(vmf, start, end);
	nacre_caps_put(inode, got);
	return ret;
}

/*
 * Lock the page of a fault for writing to it: VM_FAULT_LOCKED, or what the fault ends with. No write-back is under way then.
 *
 * A page that was written in part before it was read keeps a note of which part, although all of it has been
 * filled in since. Its write-back uses the note, then drops it: that must be done before
 * the rest of the page can change.
 */
static vm_fault_t lock_for_writing(struct inode *inode, struct folio *folio)
{
	int err;

	for (;;) {
		if (folio_lock_killable(folio))
			return VM_FAULT_NOPAGE;
		if (folio->mapping != inode->i_mapping || folio_wait_writeback_killable(folio)) {
			folio_unlock(folio);
			return VM_FAULT_NOPAGE;
		}
		if (!netfs_folio_info(folio))
			return VM_FAULT_LOCKED;
		folio_unlock(folio);
		err = filemap_write_and_wait_range(inode->i_mapping, folio_pos(folio),
						   folio_pos(folio) + folio_size(folio) - 1);
		if (err)
			return fault_error(err);
	}
}

/*
 * In place of netfs_page_mkwrite, which waits for a frozen file system to thaw where we would hold caps already: a revoke
 * could not be answered for as long as it takes.
 */
static vm_fault_t page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct folio *folio = page_folio(vmf->page);
	u64 end = min_t(u64, ((u64)vmf->pgoff + 1) << PAGE_SHIFT, i_size_read(inode));
	vm_fault_t ret;
	u32 got;
	int err;

	sb_start_pagefault(inode->i_sb);
	err = nacre_flags_forbid(inode, NACRE_INODE_IMMUTABLE);
	if (!err)
		err = nacre_caps_get(inode, MKWRITE_CAPS, NACRE_CAP_FILE_EXCL, end, &got);
	if (err) {
		ret = fault_error(err);
		goto out;
	}
	ret = lock_for_writing(inode, folio);
	if (ret == VM_FAULT_LOCKED) {
		file_update_time(vmf->vma->vm_file);
		folio_mark_dirty(folio);
		nacre_data_modified(inode, folio_pos(folio), folio_size(folio));
	}
	nacre_caps_put(inode, got);
	nacre_trace_pages(inode, NACRE_PAGES_STEP_MKWRITE, (u64)vmf->pgoff << PAGE_SHIFT,
			  PAGE_SIZE, (__force long)ret);
out:
	sb_end_pagefault(inode->i_sb);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = fault,
	.map_pages = map_pages,
	.page_mkwrite = page_mkwrite,
};

int nacre_mmap(struct file *file, struct vm_area_struct *vma)
{
	file_accessed(file);
	vma->vm_ops = &vm_ops;
	return 0;
}
