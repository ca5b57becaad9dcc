// SPDX-License-Identifier: GPL-2.0
/*
 * Images of blocks not yet at their place. See images.h.
 */
#include <assert.h>
#include "images.h"

struct osd_image *osd_images_find(const struct osd_images *set, uint64_t block)
{
	struct osd_image *image;

	HASH_FIND(hh, set->newest, &block, sizeof(block), image);
	return image;
}

void osd_images_enter(struct osd_images *set, struct osd_image *image)
{
	struct osd_image *old = osd_images_find(set, image->block);

	if (old) {
		HASH_DELETE(hh, set->newest, old);
		old->newer = image;
		image->older = old;
	}
	HASH_ADD(hh, set->newest, block, sizeof(image->block), image);
	set->count++;
}

void osd_images_leave(struct osd_images *set, struct osd_image *image)
{
	assert(!image->older);
	if (image->newer)
		image->newer->older = NULL;
	else
		HASH_DELETE(hh, set->newest, image);
	set->count--;
}

void osd_images_freed(struct osd_images *set, uint64_t block, uint64_t seq)
{
	struct osd_image *image = osd_images_find(set, block);

	if (image)
		image->freed_seq = seq;
}

bool osd_image_needed(const struct osd_image *image, uint64_t seq)
{
	if (image->newer && image->newer->seq <= seq)
		return false;
	return !image->freed_seq || image->freed_seq > seq;
}
