// SPDX-License-Identifier: GPL-2.0
/* Which map store a URL means. See mapstore.h. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mapstore_dir.h"

static int parse(const char *url, const char **ret_folder, const char **ret_error)
{
	if (!strncmp(url, "etcd:", 5)) {
		*ret_error = "etcd: is not built in, use dir:PATH";
		return -EINVAL;
	}
	if (strncmp(url, "dir:", 4)) {
		*ret_error = "a map store is dir:PATH";
		return -EINVAL;
	}
	if (url[4] != '/') {
		*ret_error = "dir: wants an absolute path";
		return -EINVAL;
	}
	*ret_folder = url + 4;
	return 0;
}

int mapstore_open(struct io *io, const char *url, struct mapstore **ret_store,
		  const char **ret_error)
{
	const char *folder;
	int err = parse(url, &folder, ret_error);

	if (err)
		return err;
	err = mapstore_dir_open(io, folder, ret_store);
	if (err)
		*ret_error = strerror(-err);
	return err;
}

static int find_live(const char *folder, char *ret_busy, size_t busy_bytes)
{
	struct mapstore_lease *leases = NULL;
	size_t count;
	int err = dir_leases_read(folder, &leases, &count);

	for (size_t i = 0; !err && i < count; i++)
		if (!leases[i].released && !leases[i].gone) {
			snprintf(ret_busy, busy_bytes, "%s", leases[i].name);
			err = -EBUSY;
		}
	free(leases);
	return err;
}

/* Only names that the store gives itself. */
static bool is_ours(const char *name)
{
	return !strncmp(name, "map.", 4) || !strncmp(name, "lease.", 6) ||
	       !strncmp(name, "office.", 7) || !strncmp(name, ".new.", 5);
}

int mapstore_erase(const char *url, char *ret_busy, size_t busy_bytes)
{
	char path[DIR_PATH_BYTES];
	const char *folder, *error;
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	int err;

	err = parse(url, &folder, &error);
	if (!err)
		err = find_live(folder, ret_busy, busy_bytes);
	if (err)
		return err;
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		if (!is_ours(entry->d_name) || dir_path(path, folder, "%s", entry->d_name))
			continue;
		found = true;
		if (unlink(path) && errno != ENOENT)
			err = -errno;
	}
	closedir(dir);
	if (!err)
		err = dir_sync(folder);
	return err ? err : found ? 0 : -ENOENT;
}
