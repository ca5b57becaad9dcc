/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside of caps/: one way to step an inode's machine, and one worker per inode that
 * does what a step asks for. Nothing outside the folder includes this.
 */
#ifndef NACRE_CAPS_INTERNAL_H
#define NACRE_CAPS_INTERNAL_H

#include "caps.h"
#include "../mds/mds.h"

#define CAPS_FLUSH_AGE_MS 5000		/* dirty attributes go out at this age */
#define CAPS_FLUSH_TICK_MS 1000		/* how often ages are looked at */
#define CAPS_FLUSH_BATCH 256ull		/* inodes flushed while sending is held once … */
#define CAPS_FLUSH_BYTES 65536		/* … in messages of so many bytes at most */
#define CAPS_RELEASE_DELAY_MS 1000	/* releases wait so long for company … */
#define CAPS_RELEASE_BATCH 512		/* … or for so many */
#define CAPS_CLAIM_BATCH 4096		/* claims in one part of SESSION_RECONNECT */
#define CAPS_ASK_AGAIN_MS 100		/* before asking again for caps that others have */
#define CAPS_RETRY_MS 50		/* before write-back that left dirty pages is tried again */

/* What the worker has to do beside the machine's actions; bits of nacre_inode.cap_todo. */
enum caps_todo {
	CAPS_TODO_SIZE = 0x10000,	/* apply a truncation that the rank told of */
	CAPS_TODO_PRUNE = 0x20000,	/* no name is left: let the dcache go of it */
	CAPS_TODO_MAX_SIZE = 0x40000,	/* ask for a larger max_size */
	CAPS_TODO_SYNC = 0x80000,	/* somebody waits for the flush: have it journaled at once */
};

/* Actions that end in a CAP_UPDATE. */
#define CAPS_TODO_SEND (NACRE_CAPA_ANSWER | NACRE_CAPA_FLUSH | NACRE_CAPA_REFLUSH | \
			NACRE_CAPA_WANT | CAPS_TODO_MAX_SIZE)
/* Data bits: whoever holds a reference on one may still touch pages. */
#define CAPS_DATA (NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ | NACRE_CAP_FILE_WRITE | \
		   NACRE_CAP_FILE_BUFFER)

/* step.c */

/* Step the machine under cap_lock; what it asks for is added to cap_todo. Result of the machine. */
int caps_step_locked(struct nacre_inode *ni, struct nacre_cap_event *event);
/* Have cap_todo worked off, if anything is in it. Without cap_lock; takes i_lock. */
void caps_kick(struct inode *inode);
/* caps_step_locked and caps_kick. */
int caps_step(struct inode *inode, struct nacre_cap_event *event);
u32 caps_used_locked(struct nacre_inode *ni);
/* Bits that are wanted because they are held. */
u32 caps_kept_locked(const struct nacre_inode *ni);
bool caps_usable_locked(struct nacre_inode *ni, u32 bits);
void caps_take_locked(struct nacre_inode *ni, u32 bits);

/* flush.c */

/* nacre_caps_mark_dirty under the lock. -EINVAL: the session was killed, and what was changed is lost with it. */
int caps_dirty_locked(struct nacre_inode *ni, u32 groups);

/* An atime that nobody was told of becomes dirty. */
void caps_dirty_accessed_locked(struct nacre_inode *ni);
/* Has the inode anything to say that may be said now? */
bool caps_has_to_say(struct nacre_inode *ni);
/* Send what cap_todo asks for, in one CAP_UPDATE where possible. Sending is held (mds.h). */
void caps_send_todo(struct inode *inode);
/* Send all that is flushing, under the ids it has. Sending is held. */
void caps_send_flushing(struct inode *inode);
/* Unlink from the list of dirty inodes if nothing is dirty or flushing any more. */
void caps_clean(struct inode *inode);
void caps_flush_work(struct work_struct *work);

/* small.c */

/* The inline data in an info, for caps_small_told_locked(); NULL = none. Does not fail. */
struct nacre_small_bytes *caps_small_read(const struct nacre_inode_info *info);
/* Are our bytes newer than the rank's? To be asked before a grant is stepped. */
bool caps_small_is_newer_locked(const struct nacre_inode *ni);
/* An info of a regular file, of which *bytes are taken if they count. */
void caps_small_told_locked(struct nacre_inode *ni, const struct nacre_inode_info *info, bool ours,
			    struct nacre_small_bytes **bytes);
void caps_small_cut_locked(struct nacre_inode *ni, u64 size);
/* The cap's machine has taken a step. */
void caps_small_stepped_locked(struct nacre_inode *ni);
void caps_small_lost_locked(struct nacre_inode *ni);
void caps_small_evict_locked(struct nacre_inode *ni);
/* A flush of FILE gets its number, is sent (a reference to be put after that, or NULL), and is journaled. */
void caps_small_numbered_locked(struct nacre_inode *ni, u64 flush_id);
struct nacre_small_bytes *caps_small_fill_locked(struct nacre_inode *ni,
						 struct nacre_cap_update *update);
void caps_small_flushed_locked(struct nacre_inode *ni, u64 flush_id);

/* batch.c: all but the buffer while sending is held */

/* Memory for batches, one after the other; the caller's, to be freed with kvfree(). NULL: there is none. */
void *caps_batch_buffer(void);
/* Without a buffer no batch is opened, and all goes on. */
void caps_batch_begin(struct nacre_fs *fs, void *buffer);
/* Is a batch open, and has taken the update in? Else it is to be sent alone, now. */
bool caps_batch_add(struct nacre_fs *fs, const struct nacre_cap_update *update);
void caps_batch_end(struct nacre_fs *fs);

/* work.c */
void caps_inode_work(struct work_struct *work);

/* renew.c */
void caps_queue_release(struct nacre_fs *fs, u64 ino, const struct nacre_cap_ref *ref);
void caps_release_work(struct work_struct *work);
void caps_drop_releases(struct nacre_fs *fs);

#endif
