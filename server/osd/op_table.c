// SPDX-License-Identifier: GPL-2.0
/*
 * From the code of an operation to its function.
 */
#include "op.h"

static const osd_op_run table[] = {
	[NACRE_OSD_OP_READ] = osd_op_read,
	[NACRE_OSD_OP_STAT] = osd_op_stat,
	[NACRE_OSD_OP_CHECKSUM] = osd_op_checksum,
	[NACRE_OSD_OP_CMPSIZE] = osd_op_cmpsize,
	[NACRE_OSD_OP_CMPXATTR] = osd_op_cmpxattr,
	[NACRE_OSD_OP_GETXATTR] = osd_op_getxattr,
	[NACRE_OSD_OP_LISTXATTR] = osd_op_listxattr,
	[NACRE_OSD_OP_KV_GET] = osd_op_kv_get,
	[NACRE_OSD_OP_KV_LIST] = osd_op_kv_list,
	[NACRE_OSD_OP_IF_NOXATTR] = osd_op_if_noxattr,
	[NACRE_OSD_OP_OBJECTS] = osd_op_objects,
	[NACRE_OSD_OP_SEEK] = osd_op_seek,
	[NACRE_OSD_OP_MAP] = osd_op_map,
	[NACRE_OSD_OP_CREATE] = osd_op_create,
	[NACRE_OSD_OP_WRITE] = osd_op_write,
	[NACRE_OSD_OP_WRITE_FULL] = osd_op_write_full,
	[NACRE_OSD_OP_ZERO] = osd_op_zero,
	[NACRE_OSD_OP_TRUNCATE] = osd_op_truncate,
	[NACRE_OSD_OP_DELETE] = osd_op_delete,
	[NACRE_OSD_OP_CLONE] = osd_op_clone,
	[NACRE_OSD_OP_SETXATTR] = osd_op_setxattr,
	[NACRE_OSD_OP_RMXATTR] = osd_op_rmxattr,
	[NACRE_OSD_OP_KV_SET] = osd_op_kv_set,
	[NACRE_OSD_OP_KV_RM] = osd_op_kv_rm,
	[NACRE_OSD_OP_KV_CLEAR] = osd_op_kv_clear,
	[NACRE_OSD_OP_ALLOCATE] = osd_op_allocate,
};

osd_op_run osd_op_find(uint16_t code)
{
	return code < sizeof(table) / sizeof(table[0]) ? table[code] : NULL;
}
