// SPDX-License-Identifier: GPL-2.0
/*
 * Names and paths: lengths at and past the limit, bytes that are no text, depth, and the errors that a path can give.
 */
#include "harness.h"

#include <dirent.h>
#include <limits.h>

/* A name of that many bytes, all but its end the same. */
static const char *long_name(size_t bytes, char last)
{
	static char name[600];

	memset(name, 'n', bytes);
	name[bytes - 1] = last;
	name[bytes] = '\0';
	return name;
}

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int count = 0;
	struct dirent *entry;

	CHECK(dir);
	errno = 0;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	EQUAL(errno, 0);
	closedir(dir);
	return count;
}

TEST(name_of_255_bytes)
{
	char first[256], second[256];

	strcpy(first, long_name(255, 'a'));
	strcpy(second, long_name(255, 'b'));
	make_file(first, 10, 1);
	OK(mkdir(second, 0755));
	check_file(first, 10, 1);
	CHECK(S_ISDIR(stat_of(second).st_mode));
	EQUAL(count_entries("."), 2);
	OK(rename(first, long_name(255, 'c')));
	CHECK(!exists(first));
	check_file(long_name(255, 'c'), 10, 1);
	OK(unlink(long_name(255, 'c')));
	OK(rmdir(second));
	EQUAL(count_entries("."), 0);
}

TEST(name_of_256_bytes_is_refused)
{
	const char *name = long_name(256, 'x');

	FAILS(open(name, O_CREAT | O_WRONLY, 0644), ENAMETOOLONG);
	FAILS(mkdir(name, 0755), ENAMETOOLONG);
	FAILS(symlink("target", name), ENAMETOOLONG);
	FAILS(access(name, F_OK), ENAMETOOLONG);
	make_file("f", 1, 1);
	FAILS(rename("f", name), ENAMETOOLONG);
	FAILS(link("f", name), ENAMETOOLONG);
}

TEST(names_that_are_not_ascii)
{
	static const char *const names[] = {
		"\xc3\xa9t\xc3\xa9", "e\xcc\x81t\xc3\xa9", /* the same word, composed and not: two names */
		"\xe6\xbc\xa2\xe5\xad\x97", "\xf0\x9f\x90\x9a", "\xff\xfe\x80", "\x01\x02\x7f", " ", "a b",
		"new\nline", "back\\slash", "*?[", "-rf", "...", "UPPER", "upper",
	};
	unsigned int count = sizeof(names) / sizeof(names[0]);

	for (unsigned int i = 0; i < count; i++)
		make_file(names[i], i + 1, i);
	EQUAL(count_entries("."), count);
	for (unsigned int i = 0; i < count; i++)
		check_file(names[i], i + 1, i);
	for (unsigned int i = 0; i < count; i++)
		OK(unlink(names[i]));
	EQUAL(count_entries("."), 0);
}

TEST(every_byte_in_a_name)
{
	char name[2] = "";

	for (int byte = 1; byte < 256; byte++) {
		name[0] = (char)byte;
		if (byte != '/' && byte != '.')
			make_file(name, 0, 0);
	}
	EQUAL(count_entries("."), 253);
}

TEST(deep_path)
{
	enum { DEPTH = 200 };

	for (int i = 0; i < DEPTH; i++) {
		OK(mkdir("deep", 0755));
		OK(chdir("deep"));
	}
	make_file("bottom", 5000, 7);
	check_file("bottom", 5000, 7);
	for (int i = 0; i < DEPTH; i++) {
		CHECK(S_ISDIR(stat_of("..").st_mode));
		OK(chdir(".."));
	}
	CHECK(exists("deep/deep/deep"));
}

TEST(path_of_4095_bytes)
{
	char path[PATH_MAX];
	size_t used = 0;

	/* 255 bytes and a slash, 15 times, then a name that fills the rest */
	for (int i = 0; i < 15; i++) {
		used += (size_t)sprintf(path + used, "%s", long_name(255, 'd'));
		OK(mkdir(path, 0755));
		path[used++] = '/';
	}
	while (used < PATH_MAX - 1)
		path[used++] = 'f';
	path[used] = '\0';
	EQUAL(strlen(path), PATH_MAX - 1);
	make_file(path, 3, 3);
	check_file(path, 3, 3);
}

TEST(symlinks_of_every_size)
{
	static const size_t sizes[] = { 1, 59, 60, 255, 1023, 4000, 4095 };
	char target[PATH_MAX], got[PATH_MAX + 1];

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(target, 't', sizes[i]);
		target[sizes[i]] = '\0';
		OK(symlink(target, "link"));
		EQUAL(stat_of("link").st_size, sizes[i]);
		EQUAL(readlink("link", got, sizeof(got)), sizes[i]);
		CHECK(memcmp(got, target, sizes[i]) == 0);
		OK(unlink("link"));
	}
	memset(target, 't', PATH_MAX - 1);
	FAILS(symlink("", "link"), ENOENT);
}

TEST(symlinks_are_followed)
{
	OK(mkdir("dir", 0755));
	make_file("dir/file", 100, 1);
	OK(symlink("dir", "to_dir"));
	OK(symlink("to_dir/file", "to_file"));
	check_file("to_dir/file", 100, 1);
	CHECK(S_ISLNK(stat_of("to_file").st_mode));
	OK(symlink("loop", "loop"));
	FAILS(open("loop", O_RDONLY), ELOOP);
	FAILS(open("to_file", O_RDONLY | O_NOFOLLOW), ELOOP);
	OK(symlink("nowhere", "dangling"));
	FAILS(open("dangling", O_RDONLY), ENOENT);
	OK(close((int)OK(open("dangling", O_CREAT | O_WRONLY, 0644))));
	CHECK(exists("nowhere"));
}

TEST(errors_of_paths)
{
	make_file("file", 1, 1);
	OK(mkdir("dir", 0755));
	make_file("dir/inner", 1, 1);
	FAILS(open("file/x", O_RDONLY), ENOTDIR);
	FAILS(open("none/x", O_CREAT | O_WRONLY, 0644), ENOENT);
	FAILS(open("dir", O_WRONLY), EISDIR);
	FAILS(open("file", O_CREAT | O_EXCL | O_WRONLY, 0644), EEXIST);
	FAILS(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	FAILS(mkdir("file", 0755), EEXIST);
	FAILS(mkdir("dir", 0755), EEXIST);
	FAILS(rmdir("dir"), ENOTEMPTY);
	FAILS(rmdir("file"), ENOTDIR);
	FAILS(rmdir("none"), ENOENT);
	FAILS(unlink("dir"), EISDIR);
	FAILS(unlink("none"), ENOENT);
	FAILS(rmdir("dir/."), EINVAL);
	FAILS(symlink("t", "file"), EEXIST);
	FAILS(link("none", "l"), ENOENT);
	FAILS(link("dir", "l"), EPERM);
}

TEST(negative_lookups_turn_positive)
{
	for (int i = 0; i < 50; i++) {
		CHECK(!exists("x"));
		make_file("x", 1, 1);
		CHECK(exists("x"));
		OK(unlink("x"));
		CHECK(!exists("x"));
		OK(mkdir("x", 0755));
		CHECK(S_ISDIR(stat_of("x").st_mode));
		OK(rmdir("x"));
	}
}
