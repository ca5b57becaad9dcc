/* SPDX-License-Identifier: GPL-2.0 */
/*
 * File layout: which bytes of which objects a range of a file is.
 *
 * Object `index` of a file holds its bytes [index * object_bytes, +object_bytes).
 * object_bytes is a power of two, so nothing here divides. Absent objects and
 * bytes behind an object's end are holes: zeros. Pure arithmetic.
 */
#ifndef NACRE_RULES_LAYOUT_H
#define NACRE_RULES_LAYOUT_H

#include <linux/types.h>

#define NACRE_OBJECT_BYTES_MIN 4096u
#define NACRE_OBJECT_BYTES_DEFAULT (4u << 20)

/* One object's part of a file range. */
struct nacre_piece {
	__u64 index;		/* object */
	__u64 file_offset;	/* bytes, where the part begins in the file */
	__u32 offset;		/* bytes, where it begins in the object */
	__u32 bytes;		/* its length, at least 1 */
};

/* Is this a possible object_bytes: a power of two from 4 KiB to NACRE_OBJECT_MAX? */
int nacre_layout_valid(__u32 object_bytes);

/* Object that holds the byte at a file offset, and the byte's place in it. */
__u64 nacre_layout_index(__u32 object_bytes, __u64 file_offset);
__u32 nacre_layout_offset(__u32 object_bytes, __u64 file_offset);

/*
 * Take the next object's part off the front of [*file_offset, +*length) and move the range
 * behind it. 1 and *piece, or 0 when nothing is left:
 *
 *	while (nacre_layout_next(object_bytes, &offset, &length, &piece))
 *		...
 *
 * The caller has checked that the range ends at or below NACRE_FILE_MAX.
 */
int nacre_layout_next(__u32 object_bytes, __u64 *file_offset, __u64 *length,
		      struct nacre_piece *piece);

/* Objects that a file of this size may have: indices 0 … count - 1. */
__u64 nacre_layout_objects(__u32 object_bytes, __u64 file_size);

/* Bytes of object `index` that lie below the end of a file of this size. */
__u32 nacre_layout_object_size(__u32 object_bytes, __u64 index, __u64 file_size);

#endif
