// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-load --verify: a correctness smoke against real servers, without a
 * kernel. One client makes a tree with everything in it, another one checks it,
 * the first changes it, the other checks again. A hook runs between the stages,
 * for a script that kills and restarts servers; both clients go on by themselves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "load.h"
#include "state.h"

#define DIRS 8u
#define FILES 24u			/* in each */

static const uint64_t sizes[] = { 0, 1, 100, 4095, 4096, 4097, 70000, 1 << 20, 5000000 };

struct verify {
	const struct load_options *options;
	struct client *client;		/* who speaks now */
	struct client *maker, *checker;
	char top_name[32];
	uint64_t top, dirs[DIRS];
	uint8_t *bytes, *expected;
	struct client_call call;
	int errors;
};

/* ---- small steps ---------------------------------------------------------------------- */

static struct client_call *prepare(struct verify *v, enum client_call_kind kind, uint64_t ino,
				   const char *name)
{
	memset(&v->call, 0, sizeof(v->call));
	v->call.kind = kind;
	v->call.ino = ino;
	v->call.name = name;
	v->call.mode = 0644;
	return &v->call;
}

static void wrong(struct verify *v, const char *what)
{
	fprintf(stderr, "verify: %s: ino %" PRIx64 " name %s: %s\n",
		client_call_name(v->call.kind), v->call.ino, v->call.name ? v->call.name : "-",
		what);
	v->errors++;
}

static void expect(struct verify *v, int result)
{
	char text[80];

	if (load_call(v->options, v->client, &v->call) == result)
		return;
	snprintf(text, sizeof(text), "errno %d (%s), not %d", -v->call.result,
		 strerror(-v->call.result), -result);
	wrong(v, text);
}

static const char *file_name(char *text, unsigned int file)
{
	/* non-ASCII and long names among them */
	snprintf(text, 256, file % 5 == 3 ? "f\xc3\xbc%u-%0200u" : "file%u", file, file);
	return text;
}

static uint64_t size_of(unsigned int dir, unsigned int file)
{
	return sizes[(dir + file) % (sizeof(sizes) / sizeof(sizes[0]))];
}

static void pattern(uint8_t *bytes, uint64_t size, unsigned int dir, unsigned int file)
{
	uint64_t i;

	for (i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 4096 * 13 + dir * 31 + file * 17);
}

/* ---- making ------------------------------------------------------------------------------ */

static void make_file(struct verify *v, unsigned int dir, unsigned int file)
{
	uint64_t size = size_of(dir, file), ino;
	char name[256];

	prepare(v, CLIENT_CREATE, v->dirs[dir], file_name(name, file))->flags = NACRE_RECORD_EXCL;
	expect(v, 0);
	ino = v->call.attr.ino;
	pattern(v->bytes, size, dir, file);
	prepare(v, CLIENT_WRITE, ino, NULL)->data = v->bytes;
	v->call.length = size;
	expect(v, 0);
	prepare(v, CLIENT_SETXATTR, ino, "user.verify")->value = name;
	v->call.value_bytes = strlen(name);
	expect(v, 0);
	prepare(v, CLIENT_SETATTR, ino, NULL)->set_mask = NACRE_SET_MODE | NACRE_SET_MTIME;
	v->call.mode = 0600 | file;
	v->call.mtime = 1000000000ull * (file + 1);
	expect(v, 0);
	if (file % 7 == 0) {
		prepare(v, CLIENT_FSYNC, ino, NULL);
		expect(v, 0);
	}
	prepare(v, CLIENT_CLOSE, ino, NULL)->flags = NACRE_OPEN_READ | NACRE_OPEN_WRITE;
	expect(v, 0);
}

static void make_tree(struct verify *v)
{
	unsigned int dir, file;
	char name[256];

	v->client = v->maker;
	prepare(v, CLIENT_MKDIR, NACRE_INO_ROOT, v->top_name)->mode = 0755;
	expect(v, 0);
	v->top = v->call.attr.ino;
	for (dir = 0; dir < DIRS && !v->errors; dir++) {
		snprintf(name, sizeof(name), "dir%u", dir);
		prepare(v, CLIENT_MKDIR, v->top, name)->mode = 0755;
		expect(v, 0);
		v->dirs[dir] = v->call.attr.ino;
		for (file = 0; file < FILES && !v->errors; file++)
			make_file(v, dir, file);
		prepare(v, CLIENT_SYMLINK, v->dirs[dir], "symlink")->value = "file0";
		expect(v, 0);
	}
	prepare(v, CLIENT_SYNC, 0, NULL);
	expect(v, 0);
}

/* ---- checking ------------------------------------------------------------------------------- */

static uint64_t find(struct verify *v, uint64_t dir, const char *name)
{
	prepare(v, CLIENT_LOOKUP, dir, name);
	expect(v, 0);
	return v->call.attr.ino;
}

static void check_attr(struct verify *v, uint64_t ino, unsigned int file, uint64_t size)
{
	prepare(v, CLIENT_GETATTR, ino, NULL);
	expect(v, 0);
	if (v->call.attr.size != size || v->call.attr.mode != (S_IFREG | 0600 | file) ||
	    v->call.attr.mtime != 1000000000ull * (file + 1) || v->call.attr.nlink != 1)
		wrong(v, "size, mode, mtime or nlink differ");
}

static void check_data(struct verify *v, uint64_t ino, uint64_t size)
{
	prepare(v, CLIENT_OPEN, ino, NULL)->flags = NACRE_OPEN_READ;
	expect(v, 0);
	memset(v->bytes, 0xaa, size + 10);
	prepare(v, CLIENT_READ, ino, NULL)->data = v->bytes;
	v->call.length = size + 10;
	expect(v, 0);
	if (v->call.bytes != size || memcmp(v->bytes, v->expected, size))
		wrong(v, "the bytes read are not those written");
	prepare(v, CLIENT_CLOSE, ino, NULL)->flags = NACRE_OPEN_READ;
	expect(v, 0);
}

/* The file that was made as (dir, file), now under this name. */
static void check_file(struct verify *v, uint64_t parent, const char *name, unsigned int dir,
		       unsigned int file)
{
	uint64_t ino = find(v, parent, name), size = size_of(dir, file);
	char original[256], value[256];

	if (v->errors)
		return;
	check_attr(v, ino, file, size);
	pattern(v->expected, size, dir, file);
	check_data(v, ino, size);
	prepare(v, CLIENT_GETXATTR, ino, "user.verify")->data = value;
	v->call.length = sizeof(value);
	expect(v, 0);
	file_name(original, file);
	if (v->call.bytes != strlen(original) || memcmp(value, original, v->call.bytes))
		wrong(v, "the extended attribute differs");
}

static void check_count(struct verify *v, uint64_t dir, size_t count)
{
	char text[64];

	prepare(v, CLIENT_READDIR, dir, NULL);
	expect(v, 0);
	if (v->call.entry_count != count) {
		snprintf(text, sizeof(text), "%zu entries, not %zu", v->call.entry_count, count);
		wrong(v, text);
	}
	client_call_clean(&v->call);
}

static void check_tree(struct verify *v)
{
	unsigned int dir, file;
	uint64_t ino;
	char name[256];

	check_count(v, v->top, DIRS);
	for (dir = 0; dir < DIRS && !v->errors; dir++) {
		check_count(v, v->dirs[dir], FILES + 1);
		for (file = 0; file < FILES && !v->errors; file++)
			check_file(v, v->dirs[dir], file_name(name, file), dir, file);
		ino = find(v, v->dirs[dir], "symlink");
		prepare(v, CLIENT_READLINK, ino, NULL)->data = v->bytes;
		v->call.length = 256;
		expect(v, 0);
		if (v->call.bytes != 5 || memcmp(v->bytes, "file0", 5))
			wrong(v, "the symbolic link differs");
	}
}

/* ---- changing ---------------------------------------------------------------------------------- */

/* Files change places between neighbouring directories; links come and go; errors are the right ones. */
static void change_tree(struct verify *v)
{
	unsigned int dir;
	uint64_t ino;

	for (dir = 0; dir < DIRS && !v->errors; dir++) {
		prepare(v, CLIENT_RENAME, v->dirs[dir], "file0")->ino2 = v->dirs[(dir + 1) % DIRS];
		v->call.name2 = "moved";
		expect(v, 0);
		prepare(v, CLIENT_RENAME, v->dirs[dir], "file1")->ino2 = v->dirs[dir];
		v->call.name2 = "file2";
		expect(v, 0);
		ino = find(v, v->dirs[dir], "file4");
		prepare(v, CLIENT_LINK, v->dirs[(dir + 1) % DIRS], "link")->ino2 = ino;
		expect(v, 0);
		prepare(v, CLIENT_UNLINK, v->dirs[dir], "symlink");
		expect(v, 0);
		prepare(v, CLIENT_UNLINK, v->dirs[dir], "symlink");
		expect(v, -ENOENT);
		prepare(v, CLIENT_RMDIR, v->top, "dir0");
		expect(v, -ENOTEMPTY);
		prepare(v, CLIENT_CREATE, v->dirs[dir], "file5")->flags = NACRE_RECORD_EXCL;
		expect(v, -EEXIST);
		prepare(v, CLIENT_MKDIR, v->dirs[dir], "file5");
		expect(v, -EEXIST);
	}
}

static void check_changed(struct verify *v)
{
	unsigned int dir;
	uint64_t ino;

	for (dir = 0; dir < DIRS && !v->errors; dir++) {
		check_file(v, v->dirs[(dir + 1) % DIRS], "moved", dir, 0);
		check_file(v, v->dirs[dir], "file2", dir, 1);
		prepare(v, CLIENT_LOOKUP, v->dirs[dir], "file0");
		expect(v, -ENOENT);
		ino = find(v, v->dirs[dir], "file4");
		if (find(v, v->dirs[(dir + 1) % DIRS], "link") != ino)
			wrong(v, "a hard link leads elsewhere");
		prepare(v, CLIENT_GETATTR, ino, NULL);
		expect(v, 0);
		if (v->call.attr.nlink != 2)
			wrong(v, "nlink of a file with two names is not 2");
		check_count(v, v->dirs[dir], FILES);
	}
}

/* Both clients write the same file in turns, and each sees the other's last word. */
static void take_turns(struct verify *v)
{
	char text[32], seen[32];
	struct client *writer;
	unsigned int turn;
	uint64_t ino;

	v->client = v->maker;
	prepare(v, CLIENT_CREATE, v->top, "turns");
	expect(v, 0);
	ino = v->call.attr.ino;
	v->client = v->checker;
	prepare(v, CLIENT_OPEN, ino, NULL)->flags = NACRE_OPEN_READ | NACRE_OPEN_WRITE;
	expect(v, 0);
	for (turn = 0; turn < 40 && !v->errors; turn++) {
		writer = turn % 2 ? v->maker : v->checker;
		v->client = writer;
		snprintf(text, sizeof(text), "this is turn number %5u", turn);
		prepare(v, CLIENT_WRITE, ino, NULL)->data = text;
		v->call.length = strlen(text);
		v->call.offset = turn * 1000;
		expect(v, 0);
		v->client = writer == v->maker ? v->checker : v->maker;
		prepare(v, CLIENT_READ, ino, NULL)->data = seen;
		v->call.length = sizeof(seen);
		v->call.offset = turn * 1000;
		expect(v, 0);
		if (v->call.bytes != strlen(text) || memcmp(seen, text, strlen(text)))
			wrong(v, "the other client's write is not seen");
	}
}

/* ---- removing ------------------------------------------------------------------------------------- */

static void remove_dir(struct verify *v, uint64_t parent, const char *name, uint64_t dir)
{
	struct client_entry *entries;
	size_t i, count;

	prepare(v, CLIENT_READDIR, dir, NULL);
	expect(v, 0);
	entries = v->call.entries;
	count = v->call.entry_count;
	for (i = 0; i < count && !v->errors; i++) {
		if (S_ISDIR(entries[i].mode)) {
			remove_dir(v, dir, entries[i].name, entries[i].ino);
			continue;
		}
		prepare(v, CLIENT_UNLINK, dir, entries[i].name);
		expect(v, 0);
	}
	for (i = 0; i < count; i++)
		free(entries[i].name);
	free(entries);
	prepare(v, CLIENT_RMDIR, parent, name);
	expect(v, 0);
}

/* ---- stages ---------------------------------------------------------------------------------------- */

static void stage(struct verify *v, const char *name, struct client *client,
		  void (*run)(struct verify *v))
{
	if (v->errors)
		return;
	v->client = client;
	run(v);
	printf("verify: %-28s %s\n", name, v->errors ? "WRONG" : "good");
	fflush(stdout);
}

/* The hook may take its time; the ring does not turn meanwhile. */
static void hook(struct verify *v)
{
	if (!v->options->hook || v->errors)
		return;
	printf("verify: hook: %s\n", v->options->hook);
	fflush(stdout);
	if (system(v->options->hook)) {
		fprintf(stderr, "verify: the hook failed\n");
		v->errors++;
	}
}

static void run_stages(struct verify *v)
{
	stage(v, "make a tree", v->maker, make_tree);
	stage(v, "the other client reads it", v->checker, check_tree);
	hook(v);
	stage(v, "it is still the same", v->checker, check_tree);
	stage(v, "rename, link, unlink", v->maker, change_tree);
	stage(v, "the other client sees it", v->checker, check_changed);
	hook(v);
	stage(v, "it is still so", v->maker, check_changed);
	stage(v, "write and read in turns", v->maker, take_turns);
	if (v->options->keep || v->errors)
		return;
	v->client = v->maker;
	remove_dir(v, NACRE_INO_ROOT, v->top_name, v->top);
}

int verify_run(const struct load_options *options)
{
	struct verify v = { .options = options };

	snprintf(v.top_name, sizeof(v.top_name), "verify.%d", (int)getpid());
	v.bytes = client_alloc(8 << 20);
	v.expected = client_alloc(8 << 20);
	v.maker = load_mount(options, "maker");
	v.checker = v.maker ? load_mount(options, "checker") : NULL;
	if (v.checker) {
		run_stages(&v);
		if (load_unmount(options, v.checker) || load_unmount(options, v.maker)) {
			fprintf(stderr, "verify: unmount failed\n");
			v.errors++;
		}
	} else {
		v.errors++;
	}
	free(v.bytes);
	free(v.expected);
	printf("verify: %s\n", v.errors ? "FAILED" : "all good");
	return v.errors ? 1 : 0;
}
