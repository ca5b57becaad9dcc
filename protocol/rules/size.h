/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File sizes and times when several parties know something about them.
 *
 * A size is only comparable with another of the same truncation: truncate_seq counts the truncations
 * of a file (SIZE-3), the newer one wins whole; within one, sizes only grow. A writer extends only
 * below max_size (SIZE-1). Pure; sizes and offsets in bytes, times in ns, signed, sent as unsigned.
 */
#ifndef NACRE_RULES_SIZE_H
#define NACRE_RULES_SIZE_H

#include <linux/types.h>

/* What one party believes. */
struct nacre_size {
	__u64 size;
	__u64 truncate_size;		/* what the last truncation cut to */
	__u32 truncate_seq;		/* how many there were */
};

enum nacre_size_change {
	NACRE_SIZE_SAME = 0,
	NACRE_SIZE_GREW = 1,
	NACRE_SIZE_CUT = 2,		/* a truncation that was not known: drop pages and zero the edge behind truncate_size */
};

/*
 * The rank takes in a writer's flush. An older truncation's size is ignored, the
 * same one's counts if it is larger; a newer one cannot come from a client that
 * speaks the truth, except one that saw a truncation this rank lost in a crash before it
 * was safe: it wins. GREW, SAME, or CUT.
 */
enum nacre_size_change nacre_size_flush(struct nacre_size *known, __u64 size, __u32 truncate_seq);

/*
 * A client takes in what a rank says. `writes`: it holds a cap under which it may have
 * grown the file (FILE_EXCL, WRITE or BUFFER, or FILE is dirty or flushing): then a smaller
 * size of the same truncation is not news. `is_current`: FILE is among the info's valid groups. A larger size of the same
 * truncation is true for as long as that is the last one, current or not: so who was told it can use it, as Linux does by itself
 * where it looks at sizes before it asks a file system.
 */
enum nacre_size_change nacre_size_learn(struct nacre_size *mine, const struct nacre_size *said,
					int writes, int is_current);

/* The rank truncates: the new size, one truncation more. */
void nacre_size_truncate(struct nacre_size *known, __u64 size);

/*
 * The max_size to grant next to a writer that is about to write up to `wanted` (SIZE-1): enough, and
 * ahead by the file's own size (so a growing file asks a logarithmic number of times), but
 * by at least 16 and at most 1024 objects, so that what must be probed after a crash stays bounded.
 * Rounded up to a whole object; never below max_size, never above NACRE_FILE_MAX.
 */
__u64 nacre_size_next_max(__u64 size, __u64 max_size, __u64 wanted, __u32 object_bytes);

/*
 * How much room a file takes, for st_blocks: an upper bound, so that a file with data never looks empty. A writer
 * adds up the blocks it has written and tells the rank with the next flush; the sum never exceeds the
 * file's size, and a cut takes it down. So a file without holes has its size, and one with holes
 * what was written to it, rewritten blocks perhaps twice.
 */
#define NACRE_BLOCK_BYTES 4096

/*
 * Bytes of the blocks that a write touches, less what the write before it, which ended in block
 * *last_end / NACRE_BLOCK_BYTES - 1, has counted: going on in a block or rewriting it adds nothing.
 * The caller sets *last_end to 0 when the file is cut.
 */
__u64 nacre_size_written(__u64 pos, __u64 bytes, __u64 *last_end);

/* `allocated` and `written` more of a file that is now this long. */
__u64 nacre_size_allocated(__u64 allocated, __u64 written, __u64 size);

/* Should a writer at this end offset ask for more already? (Past the middle of what is left.) */
int nacre_size_should_ask(__u64 size, __u64 max_size, __u64 write_end);

/* The later of two times. */
__u64 nacre_time_later(__u64 a, __u64 b);

/* <0, 0, >0 as a is before, at, after b. */
int nacre_time_compare(__u64 a, __u64 b);

#endif
