// SPDX-License-Identifier: GPL-2.0
/* Merging sizes and times. See size.h. */
#include "size.h"
#include "layout.h"
#include "../mds.h"

#define AHEAD_OBJECTS_MIN 16
#define AHEAD_OBJECTS_MAX 1024

static enum nacre_size_change grow(struct nacre_size *known, __u64 size)
{
	if (size <= known->size)
		return NACRE_SIZE_SAME;
	known->size = size;
	return NACRE_SIZE_GREW;
}

enum nacre_size_change nacre_size_flush(struct nacre_size *known, __u64 size, __u32 truncate_seq)
{
	if (truncate_seq < known->truncate_seq)
		return NACRE_SIZE_SAME;
	if (truncate_seq == known->truncate_seq)
		return grow(known, size);
	known->truncate_seq = truncate_seq;
	known->truncate_size = size;
	known->size = size;
	return NACRE_SIZE_CUT;
}

enum nacre_size_change nacre_size_learn(struct nacre_size *mine, const struct nacre_size *said,
					int writes, int is_current)
{
	if (said->truncate_seq < mine->truncate_seq)
		return NACRE_SIZE_SAME;
	if (said->truncate_seq > mine->truncate_seq) {
		*mine = *said;
		return NACRE_SIZE_CUT;
	}
	if (writes || said->size > mine->size)
		return grow(mine, said->size);
	if (!is_current || said->size == mine->size)
		return NACRE_SIZE_SAME;
	/* We believed in a size that nobody flushed: a write of ours that failed. */
	mine->size = said->size;
	return NACRE_SIZE_CUT;
}

void nacre_size_truncate(struct nacre_size *known, __u64 size)
{
	known->size = size;
	known->truncate_size = size;
	known->truncate_seq++;
}

__u64 nacre_size_next_max(__u64 size, __u64 max_size, __u64 wanted, __u32 object_bytes)
{
	__u64 least = (__u64)object_bytes * AHEAD_OBJECTS_MIN;
	__u64 most = (__u64)object_bytes * AHEAD_OBJECTS_MAX;
	__u64 ahead = size;
	__u64 next;

	if (wanted > NACRE_FILE_MAX)
		wanted = NACRE_FILE_MAX;
	if (ahead < least)
		ahead = least;
	if (ahead > most)
		ahead = most;
	next = (wanted > size ? wanted : size) + ahead;
	next = (next + object_bytes - 1) & ~((__u64)object_bytes - 1);
	if (next > NACRE_FILE_MAX)
		next = NACRE_FILE_MAX;
	return next > max_size ? next : max_size;
}

static __u64 whole_blocks(__u64 bytes)
{
	return (bytes + NACRE_BLOCK_BYTES - 1) & ~(__u64)(NACRE_BLOCK_BYTES - 1);
}

__u64 nacre_size_written(__u64 pos, __u64 bytes, __u64 *last_end)
{
	__u64 from = pos & ~(__u64)(NACRE_BLOCK_BYTES - 1);
	__u64 end = whole_blocks(pos + bytes);

	if (*last_end == from + NACRE_BLOCK_BYTES)
		from = *last_end;
	*last_end = end;
	return end - from;
}

__u64 nacre_size_allocated(__u64 allocated, __u64 written, __u64 size)
{
	__u64 most = whole_blocks(size);

	return written < most && allocated < most - written ? allocated + written : most;
}

int nacre_size_should_ask(__u64 size, __u64 max_size, __u64 write_end)
{
	if (write_end >= max_size)
		return 1;
	return write_end > size && write_end - size >= (max_size - size) / 2;
}

int nacre_time_compare(__u64 a, __u64 b)
{
	if (a == b)
		return 0;
	return (__s64)a < (__s64)b ? -1 : 1;
}

__u64 nacre_time_later(__u64 a, __u64 b)
{
	return nacre_time_compare(a, b) >= 0 ? a : b;
}
