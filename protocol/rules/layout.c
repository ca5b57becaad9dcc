// SPDX-License-Identifier: GPL-2.0
/* File layout: shifts and masks, since objects are powers of two. See layout.h. */
#include "layout.h"
#include "../osd.h"

static unsigned int shift_of(__u32 object_bytes)
{
	return (unsigned int)__builtin_ctz(object_bytes);
}

int nacre_layout_valid(__u32 object_bytes)
{
	return object_bytes >= NACRE_OBJECT_BYTES_MIN && object_bytes <= NACRE_OBJECT_MAX &&
	       !(object_bytes & (object_bytes - 1));
}

__u64 nacre_layout_index(__u32 object_bytes, __u64 file_offset)
{
	return file_offset >> shift_of(object_bytes);
}

__u32 nacre_layout_offset(__u32 object_bytes, __u64 file_offset)
{
	return (__u32)file_offset & (object_bytes - 1);
}

int nacre_layout_next(__u32 object_bytes, __u64 *file_offset, __u64 *length,
		      struct nacre_piece *piece)
{
	__u32 room;

	if (!*length)
		return 0;
	piece->index = nacre_layout_index(object_bytes, *file_offset);
	piece->offset = nacre_layout_offset(object_bytes, *file_offset);
	piece->file_offset = *file_offset;
	room = object_bytes - piece->offset;
	piece->bytes = *length < room ? (__u32)*length : room;
	*file_offset += piece->bytes;
	*length -= piece->bytes;
	return 1;
}

__u64 nacre_layout_objects(__u32 object_bytes, __u64 file_size)
{
	if (!file_size)
		return 0;
	return nacre_layout_index(object_bytes, file_size - 1) + 1;
}

__u32 nacre_layout_object_size(__u32 object_bytes, __u64 index, __u64 file_size)
{
	__u64 full = nacre_layout_index(object_bytes, file_size);

	if (index < full)
		return object_bytes;
	return index == full ? nacre_layout_offset(object_bytes, file_size) : 0;
}
