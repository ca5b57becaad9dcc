/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which objects a group has here, page by page in the order of keys: for a member that is asked, for a primary that
 * compares (recover_list.c), and for scrubs.
 */
#ifndef NACRE_SERVER_OSD_OBJECT_LIST_H
#define NACRE_SERVER_OSD_OBJECT_LIST_H

#include "pg.h"

/* The range of a list: behind this object; NULL: from the group's first one on. */
void object_list_range(struct osd_list *list, const struct pg *pg, const struct nacre_rep_listed_object *after);
/* What one pair of the list says. 0 or -EBADMSG. */
int object_list_take(const struct kv_pair *pair, struct nacre_rep_listed_object *ret_object);
/* <0, 0, >0, as keys are ordered. */
int object_list_order(const struct nacre_rep_listed_object *a, const struct nacre_rep_listed_object *b);

#endif
