// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading: each area's own init in the order in which they lean
 * on each other, undone backwards. Nothing else happens here.
 */
#include <linux/module.h>
#include "debugfs.h"
#include "mds/mds.h"
#include "net/conn.h"
#include "osd/client.h"
#include "vfs/data.h"

static int __init nacre_module_init(void)
{
	int err;

	err = nacre_debugfs_init();
	if (err)
		return err;
	err = nacre_net_init();
	if (err)
		goto undo_debugfs;
	err = nacre_osd_init();
	if (err)
		goto undo_net;
	err = nacre_mds_init();
	if (err)
		goto undo_osd;
	err = nacre_direct_init();
	if (err)
		goto undo_mds;
	err = nacre_vfs_init();
	if (err)
		goto undo_direct;
	return 0;

undo_direct:
	nacre_direct_exit();
undo_mds:
	nacre_mds_exit();
undo_osd:
	nacre_osd_exit();
undo_net:
	nacre_net_exit();
undo_debugfs:
	nacre_debugfs_exit();
	return err;
}

static void __exit nacre_module_exit(void)
{
	nacre_vfs_exit();
	nacre_direct_exit();
	nacre_mds_exit();
	nacre_osd_exit();
	nacre_net_exit();
	nacre_debugfs_exit();
}

module_init(nacre_module_init);
module_exit(nacre_module_exit);
MODULE_DESCRIPTION("nacre, a POSIX cluster file system");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("nacre");
