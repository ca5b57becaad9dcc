/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /sys/kernel/debug/nacre: a folder per client with lists of what it is doing,
 * and the switches of the fault points.
 */
#ifndef NACRE_DEBUGFS_H
#define NACRE_DEBUGFS_H

struct nacre_fs;
struct seq_file;

int nacre_debugfs_init(void);
void nacre_debugfs_exit(void);

/* Give the client its small number (fs->id) and its folder with `stats`. 0, -ENOMEM, -ENOSPC. */
int nacre_debugfs_create(struct nacre_fs *fs);
/* No show function runs after it returns. */
void nacre_debugfs_destroy(struct nacre_fs *fs);
/* One more file in the folder. */
void nacre_debugfs_file(struct nacre_fs *fs, const char *name,
			void (*show)(struct seq_file *m, struct nacre_fs *fs));

#endif
