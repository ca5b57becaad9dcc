/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations of protocol/osd.h, one function each. See exec.h for what they may do.
 */
#ifndef NACRE_SERVER_OSD_OP_H
#define NACRE_SERVER_OSD_OP_H

#include "exec.h"

/* op_data.c: bytes */
uint32_t osd_op_read(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_stat(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_checksum(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_create(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_write(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_write_full(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_zero(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_truncate(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_seek(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_map(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_allocate(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_delete(struct osd_exec *exec, struct osd_op *op);

/* op_clone.c */
uint32_t osd_op_clone(struct osd_exec *exec, struct osd_op *op);

/* op_attr.c: attributes, comparisons, the condition */
uint32_t osd_op_cmpsize(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_cmpxattr(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_if_noxattr(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_getxattr(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_listxattr(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_setxattr(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_rmxattr(struct osd_exec *exec, struct osd_op *op);

/* op_objects.c: which objects the group has */
uint32_t osd_op_objects(struct osd_exec *exec, struct osd_op *op);

/* op_kv.c: key-value pairs */
uint32_t osd_op_kv_get(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_kv_list(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_kv_set(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_kv_rm(struct osd_exec *exec, struct osd_op *op);
uint32_t osd_op_kv_clear(struct osd_exec *exec, struct osd_op *op);

#endif
