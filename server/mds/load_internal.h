/* SPDX-License-Identifier: GPL-2.0 */
/* Between load.c and load_inode.c. */
#ifndef MDS_LOAD_INTERNAL_H
#define MDS_LOAD_INTERNAL_H

#include "load.h"

struct osdc_request;

/* Of entries: with cookies first … last of `dir`. */
struct mds_load *load_new(struct mds *mds, enum mds_load_kind kind, struct mds_inode *dir,
			  uint64_t first, uint64_t last);
/* Wake everybody and free it. */
void load_end(struct mds_load *load, uint32_t result);
/* An answer has come: is the rank dead? Then the request is freed. */
bool load_is_dead(struct mds_load *load, struct osdc_request *request);

#endif
