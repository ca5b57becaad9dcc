// SPDX-License-Identifier: GPL-2.0
/*
 * Folders and files below /sys/kernel/debug/nacre; see debugfs.h and fault.h.
 * Who has something to show hands over a function; nothing here looks into
 * other areas' structures.
 */
#include <linux/debugfs.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include "debugfs.h"
#include "fault.h"
#include "nacre.h"

static struct dentry *root;
static DEFINE_IDA(ids);

atomic_t nacre_faults[NACRE_FAULT_COUNT];

typedef void (*show_function)(struct seq_file *m, struct nacre_fs *fs);

/* An open file: which function shows which client. */
struct view {
	show_function show;
	struct nacre_fs *fs;
};

static int view_show(struct seq_file *m, void *v)
{
	struct view *view = m->private;

	view->show(m, view->fs);
	return 0;
}

static int view_open(struct inode *inode, struct file *file)
{
	struct view *view = kmalloc(sizeof(*view), GFP_KERNEL);
	int err;

	if (!view)
		return -ENOMEM;
	view->show = (show_function)inode->i_private;
	view->fs = d_inode(file->f_path.dentry->d_parent)->i_private;
	err = single_open(file, view_show, view);
	if (err)
		kfree(view);
	return err;
}

static int view_release(struct inode *inode, struct file *file)
{
	kfree(((struct seq_file *)file->private_data)->private);
	return single_release(inode, file);
}

static const struct file_operations view_ops = {
	.owner = THIS_MODULE,
	.open = view_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = view_release,
};

void nacre_debugfs_file(struct nacre_fs *fs, const char *name, show_function show)
{
	debugfs_create_file(name, 0444, fs->debugfs, (void *)show, &view_ops);
}

int nacre_debugfs_create(struct nacre_fs *fs)
{
	char name[16];
	int id = ida_alloc_min(&ids, 1, GFP_KERNEL);

	if (id < 0)
		return id;
	fs->id = id;
	snprintf(name, sizeof(name), "%d", id);
	fs->debugfs = debugfs_create_dir(name, root);
	/* Without debugfs everything works but these files. */
	if (!IS_ERR(fs->debugfs))
		d_inode(fs->debugfs)->i_private = fs;
	nacre_debugfs_file(fs, "stats", nacre_stats_show);
	return 0;
}

void nacre_debugfs_destroy(struct nacre_fs *fs)
{
	if (!fs->id)
		return;
	debugfs_remove(fs->debugfs);
	fs->debugfs = NULL;
	ida_free(&ids, fs->id);
	fs->id = 0;
}

/* ---- fault points -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *doc;
} fault_rows[] = {
#define NACRE_FAULT_ROW(name, doc) { #name, doc },
	NACRE_FAULTS(NACRE_FAULT_ROW)
};

static int faults_show(struct seq_file *m, void *v)
{
	int i;

	for (i = 0; i < NACRE_FAULT_COUNT; i++)
		seq_printf(m, "%s %d\t# %s\n", fault_rows[i].name,
			   atomic_read(&nacre_faults[i]), fault_rows[i].doc);
	return 0;
}

static int faults_open(struct inode *inode, struct file *file)
{
	return single_open(file, faults_show, NULL);
}

/* "NAME COUNT": strike that often. */
static ssize_t faults_write(struct file *file, const char __user *from, size_t length,
			    loff_t *pos)
{
	char line[64], name[32];
	int i, count;

	if (length >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, from, length))
		return -EFAULT;
	line[length] = 0;
	if (sscanf(line, "%31s %d", name, &count) != 2 || count < 0)
		return -EINVAL;
	for (i = 0; i < NACRE_FAULT_COUNT; i++) {
		if (strcmp(fault_rows[i].name, name))
			continue;
		atomic_set(&nacre_faults[i], count);
		return length;
	}
	return -ENOENT;
}

static const struct file_operations faults_ops = {
	.owner = THIS_MODULE,
	.open = faults_open,
	.read = seq_read,
	.write = faults_write,
	.llseek = seq_lseek,
	.release = single_release,
};

int nacre_debugfs_init(void)
{
	root = debugfs_create_dir("nacre", NULL);
	debugfs_create_file("faults", 0644, root, NULL, &faults_ops);
	return 0;
}

void nacre_debugfs_exit(void)
{
	debugfs_remove(root);
	ida_destroy(&ids);
}
