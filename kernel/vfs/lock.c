// SPDX-License-Identifier: GPL-2.0
/*
 * File locks. They are not known to other clients yet, so they are refused rather than given
 * where they would not hold, unless the mount says with `locallocks` that this
 * machine's own programs are all there is.
 */
#include <linux/filelock.h>
#include "vfs.h"

int nacre_lock(struct file *file, int command, struct file_lock *lock)
{
	if (!nacre_inode_fs(file_inode(file))->options.locallocks)
		return -ENOLCK;
	if (command == F_GETLK) {
		posix_test_lock(file, lock);
		return 0;
	}
	return locks_lock_file_wait(file, lock);
}

int nacre_flock(struct file *file, int command, struct file_lock *lock)
{
	if (!nacre_inode_fs(file_inode(file))->options.locallocks)
		return -ENOLCK;
	return locks_lock_file_wait(file, lock);
}
