/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The in-memory twin of the key-value store, for simulator and tests: the same
 * asynchrony, and the same loss at a crash. What outlives a crash is struct
 * kv_mem_disk, which belongs to whoever plays the machine.
 */
#ifndef NACRE_SERVER_OSD_KV_MEM_H
#define NACRE_SERVER_OSD_KV_MEM_H

#include "kv.h"

struct kv_mem_disk;

struct kv_mem_disk *kv_mem_disk_create(void);
void kv_mem_disk_destroy(struct kv_mem_disk *disk);

/*
 * The process that had it open is gone without a close: of the batches that were
 * not flushed, the first `keep` survive (a store may write some out by itself),
 * the others are lost. Returns how many there were.
 */
unsigned int kv_mem_disk_crash(struct kv_mem_disk *disk, unsigned int keep);

/* One opener at a time: after kv_close() or kv_mem_disk_crash(). */
struct kv *kv_mem_open(struct io *io, struct kv_mem_disk *disk);

#endif
