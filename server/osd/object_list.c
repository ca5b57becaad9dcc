// SPDX-License-Identifier: GPL-2.0
/* Pages of a group's objects. See object_list.h. */
#include <errno.h>
#include "object_list.h"

void object_list_range(struct osd_list *list, const struct pg *pg, const struct nacre_rep_listed_object *after)
{
	struct nacre_oid oid;

	if (!after) {
		osd_key_group_begin(&list->first, 'O', pg->key.pool, pg->key.pg);
	} else {
		oid = (struct nacre_oid){ after->ino, after->index, after->snap, pg->key.pool };
		osd_key_object(&list->first, pg->key.pg, &oid);
		list->first.bytes[list->first.length++] = 0;	/* behind it */
	}
	osd_key_group_end(&list->end, 'O', pg->key.pool, pg->key.pg);
}

int object_list_take(const struct kv_pair *pair, struct nacre_rep_listed_object *ret_object)
{
	struct osd_onode onode;
	struct nacre_oid oid;
	uint32_t pg;

	if (osd_key_object_parse(pair->key, pair->key_bytes, &pg, &oid) ||
	    osd_onode_decode(&onode, pair->value, pair->value_bytes))
		return -EBADMSG;
	*ret_object = (struct nacre_rep_listed_object){
		.ino = oid.ino,
		.index = oid.index,
		.snap = oid.snap,
		.version = onode.version,
		.interval = onode.version ? onode.interval : 0,
	};
	osd_onode_free(&onode);
	return 0;
}

int object_list_order(const struct nacre_rep_listed_object *a, const struct nacre_rep_listed_object *b)
{
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return a->snap < b->snap ? -1 : a->snap > b->snap;
}
