// SPDX-License-Identifier: GPL-2.0
/*
 * Whole file systems made in a scratch folder: what is there afterwards, what is
 * refused and with which words, that nothing is destroyed unasked, and that fsck finds it clean.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "../base/maps.h"
#include "../base/run.h"
#include "server/osd/kv.h"
#include "server/tools/format.h"
#include "server/tools/fsck.h"
#include "server/tools/mapaccess.h"
#include "server/tools/sections.h"
#include "server/tools/tool.h"

#define DEVICE_BYTES (16 << 20)

static char *folder, config[160], url[160];
static char said[4096];			/* on standard error by the last format() */

static void write_config(const char *text)
{
	FILE *file = fopen(config, "w");

	assert_non_null(file);
	for (; *text; text++)
		if (*text == '@')
			fputs(folder, file);
		else
			fputc(*text, file);
	fclose(file);
}

static void make_device(const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(ftruncate(fd, DEVICE_BYTES), 0);
	close(fd);
}

#define GLOBAL "[global]\nmap_store = dir:@/map\n"
#define MDS "[mds0]\nlisten = 127.0.0.1:0\n"
#define OSD(n) "[osd" #n "]\ndevice = @/d" #n "\nkv_dir = @/k" #n "\n"

static int setup(void **state)
{
	folder = run_folder();
	snprintf(config, sizeof(config), "%s/nacre.conf", folder);
	snprintf(url, sizeof(url), "dir:%s/map", folder);
	write_config(GLOBAL MDS OSD(0) OSD(1) OSD(2));
	make_device("d0");
	make_device("d1");
	make_device("d2");
	tool_name("mkfs.nacre");
	return 0;
}

static int teardown(void **state)
{
	run_folder_remove(folder);
	return 0;
}

/* Runs a part of a tool; what it says on a descriptor goes to `said`. */
static int said_on(int stream, int (*tool)(const void *arg), const void *arg)
{
	char path[160];
	int fd, old = dup(stream), status;
	ssize_t n;

	fflush(NULL);
	snprintf(path, sizeof(path), "%s/said", folder);
	fd = open(path, O_CREAT | O_RDWR | O_TRUNC, 0600);
	dup2(fd, stream);
	status = tool(arg);
	fflush(NULL);
	dup2(old, stream);
	close(old);
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = 0;
	close(fd);
	return status;
}

static int run_format(const void *arg)
{
	return format_run(arg);
}

static int format_with(struct format_options options)
{
	options.config_file = config;
	options.quiet = true;
	return said_on(STDERR_FILENO, run_format, &options);
}

static int format(bool force)
{
	return format_with((struct format_options){ .force = force });
}

static struct cluster_map *newest(void)
{
	struct cluster_map *map = NULL;
	char error[TOOL_ERROR_BYTES];

	assert_int_equal(mapaccess_get(url, &map, error, sizeof(error)), 0);
	return map;
}

static void assert_said(const char *words)
{
	if (!strstr(said, words))
		fail_msg("\"%s\" is not in: %s", words, said);
	/* one sentence */
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

static void a_file_system_is_made(void **state)
{
	struct cluster_map *map;
	struct nacre_map_osd osd;
	struct stat st;
	char path[160];

	assert_int_equal(format(false), TOOL_OK);
	assert_string_equal(said, "");
	map = newest();
	assert_int_equal(map->view.epoch, 1);
	assert_int_equal(map->view.osd_count, 3);
	assert_int_equal(map->view.pg_count, 96);
	for (uint32_t id = 0; id < 3; id++) {
		nacre_map_osd_at(&map->view, id, &osd);
		assert_true(osd.store_lo && osd.store_hi);
		snprintf(path, sizeof(path), "%s/k%u/CURRENT", folder, id);
		assert_int_equal(stat(path, &st), 0);
	}
	cluster_map_put(map);
}

static void numbers_of_the_arguments_are_taken(void **state)
{
	struct format_options options = { .replicas = 3, .min_size = 1, .pg_count = 8, .ranks = 2 };
	struct nacre_map_pool pool;
	struct cluster_map *map;

	assert_int_equal(format_with(options), TOOL_OK);
	map = newest();
	assert_int_equal(map->view.rank_count, 2);
	assert_int_equal(map->view.pg_count, 12);
	nacre_map_pool_at(&map->view, 1, &pool);
	assert_int_equal(pool.replicas, 3);
	assert_int_equal(pool.min_size, 1);
	cluster_map_put(map);
}

static void a_single_osd_has_one_replica(void **state)
{
	struct nacre_map_pool pool;
	struct cluster_map *map;

	write_config(GLOBAL MDS OSD(0));
	assert_int_equal(format(false), TOOL_OK);
	map = newest();
	nacre_map_pool_at(&map->view, 0, &pool);
	assert_int_equal(pool.replicas, 1);
	cluster_map_put(map);
}

static void what_is_there_is_not_destroyed_unasked(void **state)
{
	struct cluster_map *first, *second;
	char path[160];

	assert_int_equal(format(false), TOOL_OK);
	first = newest();
	assert_int_equal(format(false), TOOL_FAILED);
	assert_said("holds a file system already");
	second = newest();
	assert_int_equal(second->view.fsid_lo, first->view.fsid_lo);
	cluster_map_put(second);
	assert_int_equal(format(true), TOOL_OK);
	second = newest();
	assert_int_not_equal(second->view.fsid_lo, first->view.fsid_lo);
	assert_int_equal(second->view.epoch, 1);
	cluster_map_put(first);
	cluster_map_put(second);
	/* no map, but stores */
	snprintf(path, sizeof(path), "%s/map/map.1", folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(format(false), TOOL_FAILED);
	assert_said("--force destroys it");
	assert_int_equal(format(true), TOOL_OK);
}

static void a_map_that_cannot_be_read_is_not_no_map(void **state)
{
	char path[160];
	int fd;

	assert_int_equal(format(false), TOOL_OK);
	snprintf(path, sizeof(path), "%s/map/map.1", folder);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 100), 1);
	close(fd);
	assert_int_equal(format(false), TOOL_FAILED);
	assert_said("damaged");
	assert_int_equal(format(true), TOOL_OK);
}

/* ---- while daemons run ---------------------------------------------------------------------- */

static void on_lost(void *owner)
{
	*(bool *)owner = true;
}

static void a_daemon_that_runs_is_not_pulled_from_under(void **state)
{
	struct io *io = run_loop();
	struct mapaccess_lease *leases;
	struct mapstore *store;
	const char *fault;
	char error[TOOL_ERROR_BYTES];
	bool lost = false;
	size_t count;

	assert_int_equal(format(false), TOOL_OK);
	assert_int_equal(mapstore_open(io, url, &store, &fault), 0);
	assert_int_equal(mapstore_lease_hold(store, "osd1", 5, 5000000000ull, on_lost, &lost), 0);
	run_ms(io, 20);
	assert_int_equal(format(true), TOOL_FAILED);
	assert_said("osd1 is running");
	cluster_map_put(newest());		/* still there */
	assert_int_equal(mapaccess_leases(url, &leases, &count, error, sizeof(error)), 0);
	assert_int_equal(count, 1);
	assert_string_equal(leases[0].lease.name, "osd1");
	assert_int_equal(leases[0].lease.instance, 5);
	assert_true(leases[0].alive);
	free(leases);
	mapstore_lease_release(store);
	run_ms(io, 20);
	assert_int_equal(format(true), TOOL_OK);
	mapstore_destroy(store);
	run_ms(io, 20);
	loop_destroy(io);
}

/* ---- mistakes ------------------------------------------------------------------------------- */

static void refused(const char *text, const char *words)
{
	char path[160];

	write_config(text);
	assert_int_equal(format(true), TOOL_FAILED);
	assert_said(words);
	snprintf(path, sizeof(path), "%s/k0/CURRENT", folder);
	assert_int_not_equal(access(path, F_OK), 0);	/* nothing was written */
}

static void every_mistake_is_named_before_anything_is_written(void **state)
{
	refused(MDS OSD(0), "needs map_store");
	refused("[global]\nmap_store = ldap:x\n" MDS OSD(0), "ldap:x");
	refused("[global]\nmap_store = dir:@/no/map\n" MDS OSD(0), "/no/map");
	refused(GLOBAL OSD(0), "no [mds0]");
	refused(GLOBAL MDS, "no [osd0]");
	refused(GLOBAL MDS OSD(0) OSD(2), "no [osd1]");
	refused(GLOBAL MDS OSD(0) "colour = blue\n", "colour");
	refused(GLOBAL MDS OSD(0) "[osd1]\nkv_dir = @/k1\n", "[osd1] needs device");
	refused(GLOBAL MDS OSD(0) "[osd1]\ndevice = @/d1\n", "[osd1] needs device and kv_dir");
	refused(GLOBAL MDS OSD(0) "[osd1]\ndevice = @/none\nkv_dir = @/k1\n", "/none: No such file");
	refused(GLOBAL MDS OSD(0) "[osd1]\ndevice = @\nkv_dir = @/k1\n", "neither a file nor");
	refused(GLOBAL MDS OSD(0) "[osd1]\ndevice = @/d0\nkv_dir = @/k1\n", "share a device");
	assert_int_equal(unlink(config), 0);
	assert_int_equal(format(false), TOOL_FAILED);
	assert_said("nacre.conf: No such file");
}

static void too_few_osds_for_the_replicas_are_named(void **state)
{
	assert_int_equal(format_with((struct format_options){ .replicas = 4 }), TOOL_FAILED);
	assert_said("3 OSDs, 4 replicas");
}

static void a_device_that_is_too_small_is_named(void **state)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/d1", folder);
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(format(false), TOOL_FAILED);
	assert_said("too small");
	assert_said("osd1");
}

/* ---- sections ------------------------------------------------------------------------------- */

static void sections_are_found_and_sorted(void **state)
{
	struct sections sections;

	write_config("[global]\n [osd2] \nx = [osd9]\n[mds3]\n[osd0]\n;[osd7]\n#[osd8]\n[osd2]\n[mds1]\n"
		     "[osd]\n[osd1x]\n[osdx]\n[osd11]");
	assert_int_equal(sections_read(config, &sections), 0);
	assert_int_equal(sections.osd_count, 3);
	assert_int_equal(sections.osds[0], 0);
	assert_int_equal(sections.osds[1], 2);
	assert_int_equal(sections.osds[2], 11);
	assert_int_equal(sections.mds_count, 2);
	assert_int_equal(sections.mds[0], 1);
	assert_int_equal(sections.mds[1], 3);
	write_config("[osd1024]\n");
	assert_int_equal(sections_read(config, &sections), -EFBIG);
	write_config("[mds99999]\n");
	assert_int_equal(sections_read(config, &sections), -EFBIG);
	assert_int_equal(sections_read("/nonexistent", &sections), -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- and checked ----------------------------------------------------------------------------- */

static int run_fsck(const void *name)
{
	char error[TOOL_ERROR_BYTES];
	struct config *loaded;
	int status;

	assert_int_equal(config_load(config, name, &loaded, error, sizeof(error)), 0);
	status = fsck_run(loaded, true);
	config_free(loaded);
	return status;
}

static void a_new_store_is_clean(void **state)
{
	assert_int_equal(format(false), TOOL_OK);
	assert_int_equal(said_on(STDOUT_FILENO, run_fsck, "osd1"), FSCK_CLEAN);
	assert_non_null(strstr(said, "objects 0\n"));
	assert_non_null(strstr(said, "osd1: clean\n"));
}

static void a_store_that_cannot_be_checked_is_no_clean_one(void **state)
{
	char error[TOOL_ERROR_BYTES], path[160];
	struct io *io = run_loop();
	struct kv *kv;
	pid_t child;
	int status;

	assert_int_equal(said_on(STDERR_FILENO, run_fsck, "osd1"), FSCK_NOT_MADE);
	assert_said("osd1: RocksDB in");
	assert_int_equal(said_on(STDERR_FILENO, run_fsck, "mds0"), FSCK_NOT_MADE);
	assert_said("mds0: it is no OSD");
	assert_int_equal(format(false), TOOL_OK);
	/* the lock is a process's: another one asks for it */
	snprintf(path, sizeof(path), "%s/k1", folder);
	assert_int_equal(kv_rocksdb_open(io, path, KV_OPEN, &kv, error, sizeof(error)), 0);
	child = fork();
	if (!child)
		_exit(run_fsck("osd1"));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FSCK_NOT_MADE);
	kv_close(kv);
	loop_destroy(io);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_file_system_is_made),
		CASE(numbers_of_the_arguments_are_taken),
		CASE(a_single_osd_has_one_replica),
		CASE(what_is_there_is_not_destroyed_unasked),
		CASE(a_map_that_cannot_be_read_is_not_no_map),
		CASE(a_daemon_that_runs_is_not_pulled_from_under),
		CASE(every_mistake_is_named_before_anything_is_written),
		CASE(too_few_osds_for_the_replicas_are_named),
		CASE(a_device_that_is_too_small_is_named),
		CASE(sections_are_found_and_sorted),
		CASE(a_new_store_is_clean),
		CASE(a_store_that_cannot_be_checked_is_no_clean_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
