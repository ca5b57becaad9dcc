// SPDX-License-Identifier: GPL-2.0
/*
 * ioctl(2) on open files and folders of a mount: shutting the mount down, with the number and the argument that other file
 * systems have for it (FS_IOC_SHUTDOWN). FIFREEZE and FITHAW are the VFS's; super.c has what they need.
 */
#include <linux/uaccess.h>
#include "vfs.h"

#define NACRE_IOC_SHUTDOWN _IOR('X', 125, u32)

enum {
	NACRE_SHUTDOWN_SYNC,		/* first write everything back */
	NACRE_SHUTDOWN_LOG,		/* first make what was done durable: here that is the same */
	NACRE_SHUTDOWN_NOW,		/* lose what is not written back */
};

/*
 * To the servers this is a client that is lost, and says so: its instance is fenced at once, and sizes of files it was extending are
 * probed (SIZE-2).
 */
static int shut_down(struct super_block *sb, u32 __user *argument)
{
	int err = 0;
	u32 how;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(how, argument))
		return -EFAULT;
	if (how > NACRE_SHUTDOWN_NOW)
		return -EINVAL;
	if (how != NACRE_SHUTDOWN_NOW) {
		down_read(&sb->s_umount);
		err = sync_filesystem(sb);
		up_read(&sb->s_umount);
	}
	if (!err)
		nacre_fs_cut(nacre_fs(sb), "shut down by ioctl");
	return err;
}

long nacre_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case NACRE_IOC_SHUTDOWN:
		return shut_down(file_inode(file)->i_sb, (u32 __user *)argument);
	default:
		return -ENOTTY;
	}
}
