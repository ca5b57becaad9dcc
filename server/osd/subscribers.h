/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who gets the map from here: once, or every newer one as it comes.
 */
#ifndef NACRE_SERVER_OSD_SUBSCRIBERS_H
#define NACRE_SERVER_OSD_SUBSCRIBERS_H

#include "osd_core.h"

void osd_subscribe(struct osd *osd, struct conn *conn, const struct nacre_map_get *get);
void osd_unsubscribe(struct osd *osd, struct conn *conn);
/* There is a newer map. */
void osd_publish_map(struct osd *osd);
void osd_subscribers_free(struct osd *osd);

#endif
