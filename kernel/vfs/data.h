/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The data path, shared by its files: file.c (calls on open files), direct.c
 * (I/O at the OSDs without the page cache), range.c and fiemap.c (bytes that are not sent: fallocate, seek; where there are any),
 * mmap.c (faults), pages.c (the page cache under netfs and under the caps).
 *
 * One rule holds for all of them: a call takes cap references after the inode lock
 * and before folio locks, does its I/O, and gives them back when the OSDs have
 * answered (CAP-1); while it holds them it never waits for the MDS and never
 * faults on user memory (CAP-3).
 */
#ifndef NACRE_KERNEL_VFS_DATA_H
#define NACRE_KERNEL_VFS_DATA_H

#include "../caps/caps.h"
#include "../osd/client.h"
#include "../trace.h"
#include "vfs.h"

/* To keep pages of the file: both, or what the cache holds would not be thrown out in time. */
#define NACRE_CAPS_BUFFERED (NACRE_CAP_FILE_BUFFER | NACRE_CAP_FILE_CACHE)
/* What a writer takes along when it is there: size and times may then be changed here. */
#define NACRE_CAPS_WRITER (NACRE_CAPS_BUFFERED | NACRE_CAP_FILE_EXCL)

/* ---- pages.c ------------------------------------------------------------------------------- */

/* Fill in a request on the object that holds `pos`, for at most `length` bytes of it; io->length says how many. */
void nacre_data_io(struct nacre_osd_io *io, struct inode *inode, u16 code, u64 pos, u64 length);
/* Largest single request of this mount, bytes, a power of two. */
u32 nacre_data_rsize(const struct inode *inode);
u32 nacre_data_wsize(const struct inode *inode);
/* Bytes from `pos` to where a request must end: the next multiple of `chunk`, or the object's end. */
u32 nacre_data_reach(const struct inode *inode, u64 pos, u32 chunk);
/* The file ends at `end` at least, by a write of ours. */
void nacre_data_grow(struct inode *inode, u64 end);
/* Data may lie at the OSDs up to `size`, and is asked for there up to `zero_point`. */
void nacre_data_raise_remote(struct inode *inode, u64 size, u64 zero_point);
/* A write has changed these bytes: room, times, and the flush that tells the rank. Caps are held, the size is raised. */
void nacre_data_modified(struct inode *inode, u64 pos, u64 bytes);

/* ---- small.c ------------------------------------------------------------------------------- */

/* Fill pages of a small file; false: its data is at the OSDs. */
bool nacre_small_fill(struct inode *inode, u64 start, struct iov_iter to);
/*
 * Something is about to be written to this object: the data leaves the inode, if it is there. Returns a request from
 * the reserve for that write, which carries the guard if it can; nacre_small_submit() sends it once it may (INLINE-2).
 */
struct nacre_osd_io *nacre_small_leave(struct inode *inode, u64 index);
void nacre_small_submit(struct inode *inode, struct nacre_osd_io *io);
/* For the `done` of a write that carried the guard, before it tells anybody else. */
void nacre_small_guarded(struct inode *inode, const struct nacre_osd_io *guard);
/* Have the data leave, and wait until it has, killably. FILE_WRITE is held. 0 or -errno. */
int nacre_small_leave_wait(struct inode *inode);
/* For an unmount: 0, or -errno if what guards did is not known, or not journaled. */
int nacre_small_settle(struct nacre_fs *fs);
/*
 * Read a file without CACHE, under FILE_READ: the bytes in the inode count if object 0 has no mark (decision 0003).
 * `length`; 0: the data is at the OSDs; or -errno.
 */
ssize_t nacre_small_look(struct inode *inode, u64 start, size_t length, struct iov_iter *to);

/* ---- ahead.c ------------------------------------------------------------------------------- */

/* The file is opened for reading, by this name: its data, and that of its neighbours, may be had in one request. */
void nacre_small_ahead(struct inode *inode, struct dentry *dentry);

/* ---- file.c -------------------------------------------------------------------------------- */

/*
 * Caps, position and length for a write, with the inode lock held: FILE_WRITE (and what of
 * NACRE_CAPS_WRITER is there); for O_APPEND FILE_EXCL first and then the size. Bytes to write, 0, or
 * -errno; *got is held when it is positive, with room for the first `go` bytes. `again`: the checks
 * were done before.
 */
ssize_t nacre_write_begin(struct kiocb *iocb, struct iov_iter *from, size_t go, bool again, u32 *got);

/* ---- direct.c ------------------------------------------------------------------------------ */

/* Read at the OSDs, for O_DIRECT or because CACHE cannot be had. */
ssize_t nacre_direct_read(struct kiocb *iocb, struct iov_iter *to);
/* Write at the OSDs, inode lock held. `again` as above. */
ssize_t nacre_direct_write_locked(struct kiocb *iocb, struct iov_iter *from, bool again);
int nacre_direct_init(void);
void nacre_direct_exit(void);

/* ---- range.c ------------------------------------------------------------------------------- */

long nacre_fallocate(struct file *file, int mode, loff_t offset, loff_t length);
/* Where from `offset` on the next data is, or hole: -ENXIO behind the end, or if no data follows. */
loff_t nacre_seek(struct inode *inode, loff_t offset, bool hole);
ssize_t nacre_copy_range(struct file *in, loff_t from, struct file *out, loff_t to, size_t length,
			 unsigned int flags);

/* ---- fiemap.c ------------------------------------------------------------------------------ */

int nacre_fiemap(struct inode *inode, struct fiemap_extent_info *info, u64 start, u64 length);

/* ---- mmap.c -------------------------------------------------------------------------------- */

int nacre_mmap(struct file *file, struct vm_area_struct *vma);

static inline void nacre_trace_pages(const struct inode *inode, enum nacre_pages_step_kind step,
				     u64 start, u64 length, long result)
{
	trace_nacre_pages(nacre_inode_fs(inode)->id, nacre_ino(inode), step, start, length,
			  result);
}

#endif
