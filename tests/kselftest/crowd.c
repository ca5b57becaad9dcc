// SPDX-License-Identifier: GPL-2.0
/*
 * More files than somebody likes to remember: a tree is walked again and again as find does it, every name listed and every
 * file asked for its attributes, and behind each walk some files are read and written anew, others each time. Every listing
 * is whole, every size and every byte is what was written last. How long the longest call of each kind took is printed, and
 * not judged.
 *
 * FOLDER= is a folder of folders of files, which may be rewritten (else the test makes one of FILES=), SECONDS= says how
 * long to go on after the first walk, REWRITES= how many files are rewritten after each.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <dirent.h>
#include <time.h>

enum { PATH_BYTES = 64, CONTENT_BYTES = 1500, PER_FOLDER = 500 };

struct file {
	char path[PATH_BYTES];
	unsigned int version;		/* of its content; 0: as it was found */
	off_t size;
	unsigned long seen;		/* in this walk */
};

/* Calls of one kind, in this walk. */
struct calls {
	const char *what;
	unsigned long count;
	double longest_ms;
};

static struct file *files;		/* in the order of their paths */
static size_t file_count, file_room;
static unsigned long walk;
static struct calls listings, stats, reads, writes;
static double deadline_ms;

static double now_ms(void)
{
	struct timespec now;

	OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void count_call(struct calls *calls, double began_ms)
{
	double took = now_ms() - began_ms;

	calls->count++;
	if (took > calls->longest_ms)
		calls->longest_ms = took;
}

static void report(struct calls *calls)
{
	printf(" %lu %s, longest %.1f ms;", calls->count, calls->what, calls->longest_ms);
	calls->count = 0;
	calls->longest_ms = 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

/* The first walk takes files as they are, the others have to find these and no more. */
static void saw(const char *path, off_t size)
{
	struct file key = { .version = 0 }, *file;

	CHECK(strlen(path) < PATH_BYTES);
	if (walk == 1) {
		if (file_count == file_room) {
			file_room = file_room ? 2 * file_room : 1024;
			files = realloc(files, file_room * sizeof(*files));
			CHECK(files);
		}
		file = &files[file_count++];
		*file = (struct file){ .size = size, .seen = walk };
		strcpy(file->path, path);
		return;
	}
	strcpy(key.path, path);
	file = bsearch(&key, files, file_count, sizeof(*files), compare_paths);
	if (!file || file->seen == walk)
		test_fail(__FILE__, __LINE__, "%s is %s", path, file ? "listed twice" : "new");
	if (size != file->size)
		test_fail(__FILE__, __LINE__, "%s has %lld bytes and not %lld", path, (long long)size,
			  (long long)file->size);
	file->seen = walk;
}

static bool is_time(void)
{
	return walk > 1 && now_ms() > deadline_ms;
}

/* All of one folder, or what there is time for. */
static void walk_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	char path[2 * PATH_BYTES];
	struct dirent *entry;
	struct stat st;
	double began;

	CHECK(dir && strlen(folder) < PATH_BYTES);
	while (!is_time()) {
		began = now_ms();
		errno = 0;
		entry = readdir(dir);
		EQUAL(errno, 0);
		count_call(&listings, began);
		if (!entry)
			break;
		if (entry->d_name[0] == '.')
			continue;
		CHECK(strlen(entry->d_name) < PATH_BYTES);
		sprintf(path, "%s/%s", folder, entry->d_name);
		began = now_ms();
		OK(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		count_call(&stats, began);
		if (S_ISREG(st.st_mode))
			saw(path, st.st_size);
	}
	OK(closedir(dir));
}

static void walk_all(void)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	size_t seen = 0, i;

	walk++;
	CHECK(dir);
	while (!is_time() && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && S_ISDIR(stat_of(entry->d_name).st_mode))
			walk_folder(entry->d_name);
	OK(closedir(dir));
	if (walk == 1)
		qsort(files, file_count, sizeof(*files), compare_paths);
	for (i = 0; i < file_count; i++)
		seen += files[i].seen == walk;
	if (!is_time())
		EQUAL(seen, file_count);
}

/* What it held must still be there; then it holds something else. */
static void rewrite(struct file *file)
{
	char content[CONTENT_BYTES], found[CONTENT_BYTES + 1];
	uint64_t seed = (uint64_t)(file - files) * 1000;
	size_t bytes = 1 + (file->version * 977 + seed) % CONTENT_BYTES;
	double began = now_ms();
	int fd = OK(open(file->path, O_RDWR));

	if (file->version) {
		EQUAL(pread(fd, found, sizeof(found), 0), file->size);
		EQUAL(pattern_compare(found, (size_t)file->size, 0, seed + file->version), -1);
		count_call(&reads, began);
	}
	pattern_fill(content, bytes, 0, seed + ++file->version);
	began = now_ms();
	OK(ftruncate(fd, 0));
	EQUAL(pwrite(fd, content, bytes, 0), bytes);
	OK(close(fd));
	count_call(&writes, began);
	file->size = (off_t)bytes;
}

/* Each in two walks in turn: the second one reads what the first wrote. */
static void rewrite_some(unsigned long count)
{
	size_t first = (walk / 2) * count, i;

	for (i = 0; i < count; i++)
		rewrite(&files[(first + i) * 7919 % file_count]);
}

static void make_tree(unsigned long count)
{
	char path[PATH_BYTES];
	unsigned long i;

	for (i = 0; i < count; i++) {
		if (i % PER_FOLDER == 0) {
			sprintf(path, "d%lu", i / PER_FOLDER);
			OK(mkdir(path, 0755));
		}
		sprintf(path, "d%lu/f%lu", i / PER_FOLDER, i);
		OK(close((int)OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644))));
	}
}

TEST_SECONDS(walked_and_rewritten, 3600)
{
	unsigned long rewrites = test_setting("REWRITES", 200);

	listings.what = "entries listed";
	stats.what = "stats";
	reads.what = "files read";
	writes.what = "files rewritten";
	if (getenv("FOLDER"))
		OK(chdir(getenv("FOLDER")));
	else
		make_tree(test_setting("FILES", 2000));
	do {
		walk_all();
		CHECK(file_count);
		if (walk == 1)
			deadline_ms = now_ms() + (double)test_setting("SECONDS", 2) * 1e3;
		rewrite_some(rewrites);
		printf("# walk %lu of %zu files:", walk, file_count);
		report(&listings);
		report(&stats);
		report(&reads);
		report(&writes);
		printf("\n");
		fflush(stdout);
	} while (!is_time());
}
