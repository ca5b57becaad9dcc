// SPDX-License-Identifier: GPL-2.0
/*
 * Listing folders: empty, of 100,000 entries (ENTRIES= for another number; the other folders have no more either), changed
 * while being read, positions, types and inode numbers. FOLDER= names a folder that holds these entries already, file0 and
 * so on, empty files all.
 */
#include "harness.h"

#include <dirent.h>

static DIR *open_folder(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir)
		test_fail(__FILE__, __LINE__, "opendir %s: %s", path, strerror(errno));
	return dir;
}

/* The kernel lets go of names that nobody uses, if it lets us say so. */
static void forget_dentries(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0)
		return;
	EQUAL(write(fd, "2", 1), 1);
	close(fd);
}

/* Marks what a listing shows of files named file0...; every entry must be known and new. */
static unsigned long mark_listing(const char *path, uint8_t *seen, unsigned long count)
{
	DIR *dir = open_folder(path);
	unsigned long total = 0, number;
	struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		char end;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		EQUAL(sscanf(entry->d_name, "file%lu%c", &number, &end), 1);
		CHECK(number < count);
		if (seen[number]++)
			test_fail(__FILE__, __LINE__, "%s was listed twice", entry->d_name);
		total++;
	}
	EQUAL(errno, 0);
	closedir(dir);
	return total;
}

static void make_many(const char *path, unsigned long count)
{
	char name[64];

	OK(mkdir(path, 0755));
	for (unsigned long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/file%lu", path, i);
		OK(mknod(name, S_IFREG | 0644, 0));
	}
}

TEST(empty_folder)
{
	unsigned int dots = 0;
	struct dirent *entry;
	DIR *dir;

	OK(mkdir("d", 0755));
	dir = open_folder("d");
	while ((entry = readdir(dir))) {
		CHECK(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
		EQUAL(entry->d_type, DT_DIR);
		dots++;
	}
	EQUAL(dots, 2);
	closedir(dir);
}

TEST(types_and_inode_numbers)
{
	struct dirent *entry;
	DIR *dir;

	make_file("file", 1, 1);
	OK(mkdir("folder", 0755));
	OK(symlink("x", "link"));
	OK(mkfifo("fifo", 0644));
	dir = open_folder(".");
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".."))
			continue;
		EQUAL(entry->d_ino, stat_of(entry->d_name).st_ino);
		EQUAL(DTTOIF(entry->d_type), stat_of(entry->d_name).st_mode & S_IFMT);
	}
	closedir(dir);
}

TEST(positions)
{
	enum { COUNT = 500 };
	static long position[COUNT + 2];
	static char names[COUNT + 2][256];
	struct dirent *entry;
	unsigned int n = 0;
	DIR *dir;

	make_many("d", COUNT);
	dir = open_folder("d");
	for (;;) {
		long here = telldir(dir);

		entry = readdir(dir);
		if (!entry)
			break;
		position[n] = here;
		strcpy(names[n++], entry->d_name);
	}
	EQUAL(n, COUNT + 2);
	for (unsigned int i = 0; i < n; i += 13) {
		seekdir(dir, position[i]);
		entry = readdir(dir);
		CHECK(entry && !strcmp(entry->d_name, names[i]));
	}
	rewinddir(dir);
	entry = readdir(dir);
	CHECK(entry && !strcmp(entry->d_name, names[0]));
	closedir(dir);
}

/* Names and inode numbers in their order, as text. */
static void list_into(const char *path, char *text, size_t room)
{
	DIR *dir = open_folder(path);
	struct dirent *entry;
	size_t used = 0;

	while ((errno = 0, entry = readdir(dir))) {
		int length = snprintf(text + used, room - used, "%s %lu %u\n", entry->d_name,
				      (unsigned long)entry->d_ino, entry->d_type);

		CHECK(length > 0 && used + (size_t)length < room);
		used += (size_t)length;
	}
	EQUAL(errno, 0);
	closedir(dir);
}

/*
 * A folder whose entries are all known may be listed from what is known. That is the same, in the same order, as when nothing is:
 * without what was removed while open or has moved away, with what has come.
 */
TEST(listed_from_memory)
{
	static char known[65536], told[65536];
	int fd;

	make_many("d", 300);
	OK(mkdir("d/folder", 0755));
	OK(mkdir("other", 0755));
	fd = OK(open("d/file7", O_RDONLY));
	OK(unlink("d/file7"));
	OK(unlink("d/file8"));
	OK(rename("d/file9", "d/renamed"));
	OK(rename("d/file10", "other/file10"));
	OK(rename("d/file11", "d/file12"));
	OK(link("d/file13", "d/linked"));
	FAILS(access("d/absent", F_OK), ENOENT);
	list_into("d", known, sizeof(known));
	CHECK(strstr(known, "\nrenamed ") && strstr(known, "\nlinked ") && strstr(known, "\nfolder "));
	for (const char *gone = "file7 \0file8 \0file9 \0file10 \0file11 \0absent \0"; *gone; gone += strlen(gone) + 1)
		CHECK(!strstr(known, gone));
	forget_dentries();
	list_into("d", told, sizeof(told));
	CHECK(!strcmp(known, told));
	close(fd);
}

/* So many, or ENTRIES where that is fewer: slow kernels. */
static unsigned int at_most(unsigned int usual)
{
	unsigned long entries = test_setting("ENTRIES", usual);

	return entries < usual ? (unsigned int)entries : usual;
}

/* Whoever goes to and fro in a folder has been there before: that costs a few listings, not one for each position. */
TEST_SECONDS(positions_in_random_order, 600)
{
	enum { MOST = 3000, SEEKS = 400 };
	static long position[MOST + 2];
	static char names[MOST + 2][256];
	unsigned int count = at_most(MOST), n = 0;
	unsigned long before, sent;
	struct dirent *entry;
	uint64_t random = 7;
	DIR *dir;

	make_many("d", count);
	dir = open_folder("d");
	for (position[0] = telldir(dir); (entry = readdir(dir)); position[++n] = telldir(dir)) {
		CHECK(n < count + 2);
		strcpy(names[n], entry->d_name);
	}
	EQUAL(n, count + 2);
	before = test_statistic("mds_requests");
	for (unsigned int i = 0; i < SEEKS; i++) {
		/* behind the first position: there a listing begins anew */
		unsigned int at = 1 + random_next(&random) % (n - 1);

		seekdir(dir, position[at]);
		entry = readdir(dir);
		CHECK(entry && !strcmp(entry->d_name, names[at]));
	}
	sent = test_statistic("mds_requests") - before;
	test_note("%u positions of %u entries cost %lu requests", SEEKS, count, sent);
	CHECK(sent <= SEEKS / 10);
	closedir(dir);
}

/* What a reader has passed over by seeking is there all the same, also for a machine that has forgotten it. */
TEST_SECONDS(passed_over, 600)
{
	enum { MOST = 4000 };
	unsigned int count = at_most(MOST), n = 0;
	struct dirent *entry;
	char name[64];
	long late = 0;
	DIR *dir;
	int fd;

	make_many("d", count);
	dir = open_folder("d");
	while ((entry = readdir(dir)))
		if (++n == count - 10)
			late = telldir(dir);
	closedir(dir);
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "2", 1) != 1)
		test_skip("caches cannot be dropped");
	OK(close(fd));
	dir = open_folder("d");
	for (unsigned int i = 0; i < 10; i++)
		CHECK(readdir(dir));
	seekdir(dir, late);
	while (readdir(dir))
		;
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "d/file%u", i);
		CHECK(exists(name));
	}
	closedir(dir);
}

/* An empty folder has one position only: there, too, whoever begins anew sees what was made since. */
TEST(begun_anew)
{
	struct dirent *entry;
	unsigned int found = 0;
	DIR *dir;

	OK(mkdir("d", 0755));
	dir = open_folder("d");
	while (readdir(dir))
		;
	OK(mknod("d/file", S_IFREG | 0644, 0));
	rewinddir(dir);
	while ((errno = 0, entry = readdir(dir)))
		found += !strcmp(entry->d_name, "file");
	EQUAL(errno, 0);
	EQUAL(found, 1);
	closedir(dir);
}

TEST(removed_while_reading)
{
	unsigned int count = at_most(3000), removed = 0;
	struct dirent *entry;
	DIR *dir;

	make_many("d", count);
	dir = open_folder("d");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		OK(unlinkat(dirfd(dir), entry->d_name, 0));
		removed++;
	}
	closedir(dir);
	EQUAL(removed, count);
	OK(rmdir("d"));
}

TEST(changed_while_reading)
{
	enum { MOST = 2000 };
	static uint8_t seen[MOST];
	unsigned int count = at_most(MOST), number, step = 0;
	struct dirent *entry;
	char name[64];
	DIR *dir;

	make_many("d", count);
	dir = open_folder("d");
	while ((entry = readdir(dir))) {
		if (sscanf(entry->d_name, "file%u", &number) == 1 && number < count) {
			EQUAL(seen[number], 0);
			seen[number] = 1;
		}
		if (step++ % 10 == 0) {
			snprintf(name, sizeof(name), "d/new%u", step);
			OK(mknod(name, S_IFREG | 0644, 0));
		}
	}
	closedir(dir);
	for (unsigned int i = 0; i < count; i++) /* whoever was there all the time is listed once */
		EQUAL(seen[i], 1);
}

/* Each entry is what it was made as. */
static void check_types(const char *path)
{
	DIR *dir = open_folder(path);
	struct dirent *entry;
	struct stat st;

	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		OK(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		EQUAL(st.st_mode, S_IFREG | 0644);
		EQUAL(st.st_ino, entry->d_ino);
		EQUAL(st.st_size, 0);
	}
	closedir(dir);
}

TEST_SECONDS(folder_of_many, 1500)
{
	unsigned long count = test_setting("ENTRIES", 100000), gap = test_setting("GAP", 2), left = count;
	const char *folder = getenv("FOLDER") ? getenv("FOLDER") : "d";
	uint8_t *seen = calloc(count, 1);
	char name[300];

	if (!getenv("FOLDER"))
		make_many("d", count);
	EQUAL(mark_listing(folder, seen, count), count);
	check_types(folder);
	for (unsigned long i = 0; i < count; i += gap, left--) {
		snprintf(name, sizeof(name), "%s/file%lu", folder, i);
		OK(unlink(name));
	}
	memset(seen, 0, count);
	EQUAL(mark_listing(folder, seen, count), left);
	for (unsigned long i = 0; i < count; i++)
		EQUAL(seen[i], i % gap != 0);
	FAILS(rmdir(folder), ENOTEMPTY);
}
