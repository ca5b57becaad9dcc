/* SPDX-License-Identifier: GPL-2.0 */
/* Which handler serves which request: one row each. */
#include "core.h"
#include "ops.h"

static const struct mds_op ops[] = {
	{ NACRE_MSG_LOOKUP, 0, mds_op_lookup },
	{ NACRE_MSG_GETATTR, 0, mds_op_getattr },
	{ NACRE_MSG_OPEN, 0, mds_op_open },
	{ NACRE_MSG_READDIR, 0, mds_op_readdir },
	{ NACRE_MSG_STATFS, 0, mds_op_statfs },
	{ NACRE_MSG_QUOTA, 0, mds_op_quota },
	{ NACRE_MSG_SYNC, 0, mds_op_sync },
	{ NACRE_MSG_FILELOCK, 0, mds_op_filelock },
	{ NACRE_MSG_CREATE, NACRE_RECORD_CREATE, mds_op_create },
	{ NACRE_MSG_MKDIR, NACRE_RECORD_MKDIR, mds_op_make },
	{ NACRE_MSG_MKNOD, NACRE_RECORD_MKNOD, mds_op_make },
	{ NACRE_MSG_SYMLINK, NACRE_RECORD_SYMLINK, mds_op_make },
	{ NACRE_MSG_LINK, NACRE_RECORD_LINK, mds_op_link },
	{ NACRE_MSG_UNLINK, NACRE_RECORD_UNLINK, mds_op_unlink },
	{ NACRE_MSG_RMDIR, NACRE_RECORD_RMDIR, mds_op_rmdir },
	{ NACRE_MSG_RENAME, NACRE_RECORD_RENAME, mds_op_rename },
	{ NACRE_MSG_SETATTR, NACRE_RECORD_SETATTR, mds_op_setattr },
	{ NACRE_MSG_SETXATTR, NACRE_RECORD_SETXATTR, mds_op_setxattr },
	{ NACRE_MSG_RMXATTR, NACRE_RECORD_RMXATTR, mds_op_rmxattr },
	{ NACRE_MSG_TMPFILE, NACRE_RECORD_TMPFILE, mds_op_tmpfile },
};

const struct mds_op *mds_op_find(uint16_t type)
{
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i].type == type)
			return &ops[i];
	return NULL;
}
