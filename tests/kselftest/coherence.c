// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients on one file system take turns: after each operation of the one, the next call of the other sees it.
 *
 *   coherence serve DIR PORT            one side; waits for the other
 *   coherence join DIR ADDRESS PORT     the other side
 *
 * Both sides draw the same operations from one generator and keep the same model of what the folder holds. In turns
 * one acts, says so over the socket, and the other compares the whole folder with the model by path, by listing, and
 * through descriptors that it opened long before. Then the roles change. There is no sleep and no second try. STEPS=
 * sets the number of turns, SEED= the sequence.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <sys/xattr.h>

enum { NAMES = 6, FILE_BYTES_MAX = 200000 };

/* What one name should be. */
struct entry {
	bool there;
	bool folder;
	unsigned int body; /* index into bodies: hard links share one */
};

/* What one inode should be. */
struct body {
	size_t size;
	mode_t mode;
	uid_t uid;
	time_t mtime; /* 0: was written since it was set, any value will do */
	unsigned int links;
	int mark; /* value of user.mark; -1: none */
	char *data;
};

static struct entry entries[NAMES];
static struct body bodies[20000];
static int held[NAMES]; /* descriptors that this side keeps open, -1 for none */
static unsigned int held_body[NAMES];
static unsigned int next_body;
static uint64_t dice;
static unsigned long step;
static char scratch[FILE_BYTES_MAX];
static const char *last_act = "nothing";

#define DIFFERS(...)                                                                               \
	do {                                                                                       \
		test_note("step %lu, the other side did: %s", step, last_act);                     \
		test_fail(__FILE__, __LINE__, __VA_ARGS__);                                        \
	} while (0)

static const char *name_of(unsigned int i)
{
	static char names[4][16];
	static unsigned int turn;
	char *name = names[turn++ % 4];

	snprintf(name, 16, "name%u", i);
	return name;
}

static uint64_t roll(uint64_t below)
{
	return random_next(&dice) % below;
}

/* ---- acting: each operation changes the model, and on the acting side the file system ---------------------------- */

static void act_create(bool acting, unsigned int i)
{
	struct body *body = &bodies[next_body];

	if (entries[i].there)
		return;
	*body = (struct body){ .mode = 0644, .links = 1, .mark = -1, .data = calloc(1, FILE_BYTES_MAX) };
	entries[i] = (struct entry){ .there = true, .body = next_body++ };
	if (acting)
		OK(close((int)OK(open(name_of(i), O_CREAT | O_EXCL | O_WRONLY, 0644))));
}

static void act_write(bool acting, unsigned int i)
{
	struct body *body = &bodies[entries[i].body];
	size_t at = roll(FILE_BYTES_MAX), bytes = 1 + roll(roll(4) ? 3000 : FILE_BYTES_MAX - at);
	uint64_t seed = roll(1000000);
	bool append = roll(3) == 0;

	if (!entries[i].there || entries[i].folder)
		return;
	if (append)
		at = body->size;
	if (bytes > FILE_BYTES_MAX - at)
		bytes = FILE_BYTES_MAX - at;
	pattern_fill(body->data + at, bytes, at, seed);
	if (bytes && at + bytes > body->size)
		body->size = at + bytes;
	body->mtime = bytes ? 0 : body->mtime;
	if (acting && append) {
		int fd = OK(open(name_of(i), O_WRONLY | O_APPEND));

		EQUAL(write(fd, body->data + at, bytes), bytes);
		OK(close(fd));
	} else if (acting) {
		int fd = held[i] >= 0 && held_body[i] == entries[i].body ? dup(held[i]) :
									  open(name_of(i), O_WRONLY);

		EQUAL(pwrite(OK(fd), body->data + at, bytes, (off_t)at), bytes);
		OK(close(fd));
	}
}

static void act_truncate(bool acting, unsigned int i)
{
	struct body *body = &bodies[entries[i].body];
	size_t size = roll(FILE_BYTES_MAX);

	if (!entries[i].there || entries[i].folder)
		return;
	if (size < body->size)
		memset(body->data + size, 0, body->size - size);
	body->size = size;
	body->mtime = 0;
	if (acting)
		OK(truncate(name_of(i), (off_t)size));
}

/* A hole, or room, also behind the end. */
static void act_fallocate(bool acting, unsigned int i)
{
	struct body *body = &bodies[entries[i].body];
	size_t at = roll(FILE_BYTES_MAX), bytes = 1 + roll(FILE_BYTES_MAX - at);
	unsigned int what = roll(4);
	bool punches = what > 1, keeps = what;

	if (!entries[i].there || entries[i].folder)
		return;
	if (punches && at < body->size)
		memset(body->data + at, 0, bytes < body->size - at ? bytes : body->size - at);
	else if (!keeps && at + bytes > body->size)
		body->size = at + bytes;
	body->mtime = 0;
	if (acting) {
		int fd = OK(open(name_of(i), O_WRONLY));

		OK(fallocate(fd, (punches ? FALLOC_FL_PUNCH_HOLE : 0) | (keeps ? FALLOC_FL_KEEP_SIZE : 0), (off_t)at,
			     (off_t)bytes));
		OK(close(fd));
	}
}

static void act_unlink(bool acting, unsigned int i)
{
	if (!entries[i].there)
		return;
	if (!entries[i].folder)
		bodies[entries[i].body].links--;
	entries[i].there = false;
	if (acting && entries[i].folder)
		OK(rmdir(name_of(i)));
	else if (acting)
		OK(unlink(name_of(i)));
}

static void act_rename(bool acting, unsigned int i)
{
	unsigned int to = (unsigned int)roll(NAMES);

	if (!entries[i].there || to == i)
		return;
	if (entries[to].there && entries[to].folder != entries[i].folder) {
		if (acting)
			FAILS(rename(name_of(i), name_of(to)), entries[i].folder ? ENOTDIR : EISDIR);
		return;
	}
	if (acting)
		OK(rename(name_of(i), name_of(to)));
	if (entries[to].there && !entries[to].folder) {
		if (entries[to].body == entries[i].body)
			return; /* two links of one file: nothing happens */
		bodies[entries[to].body].links--;
	}
	entries[to] = entries[i];
	entries[i].there = false;
}

static void act_link(bool acting, unsigned int i)
{
	unsigned int to = (unsigned int)roll(NAMES);

	if (!entries[i].there || entries[i].folder || entries[to].there)
		return;
	entries[to] = entries[i];
	bodies[entries[i].body].links++;
	if (acting)
		OK(link(name_of(i), name_of(to)));
}

static void act_mkdir(bool acting, unsigned int i)
{
	if (entries[i].there)
		return;
	entries[i] = (struct entry){ .there = true, .folder = true };
	if (acting)
		OK(mkdir(name_of(i), 0755));
}

static void act_attributes(bool acting, unsigned int i)
{
	struct body *body = &bodies[entries[i].body];
	uint64_t which = roll(4), value = roll(1000);

	if (!entries[i].there || entries[i].folder)
		return;
	if (which == 0) {
		body->mode = 0400 + value % 0400;
		if (acting)
			OK(chmod(name_of(i), body->mode));
	} else if (which == 1) {
		body->uid = (uid_t)value;
		if (acting)
			OK(chown(name_of(i), body->uid, (gid_t)-1));
	} else if (which == 2) {
		struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 1000000 + (time_t)value } };

		body->mtime = times[1].tv_sec;
		if (acting)
			OK(utimensat(AT_FDCWD, name_of(i), times, 0));
	} else {
		body->mark = (int)value;
		if (acting)
			OK(setxattr(name_of(i), "user.mark", &body->mark, sizeof(body->mark), 0));
	}
}

static void act(bool acting)
{
	static const struct {
		const char *name;
		void (*act)(bool acting, unsigned int i);
		unsigned int weight;
	} acts[] = {
		{ "create", act_create, 12 },	  { "write", act_write, 30 },  { "truncate", act_truncate, 12 },
		{ "unlink or rmdir", act_unlink, 8 }, { "rename", act_rename, 14 }, { "link", act_link, 5 },
		{ "mkdir", act_mkdir, 3 },	  { "attributes", act_attributes, 10 },
		{ "fallocate", act_fallocate, 6 },
	};
	unsigned int i = (unsigned int)roll(NAMES), number = (unsigned int)roll(100), k = 0;

	while (number >= acts[k].weight)
		number -= acts[k++].weight;
	last_act = acts[k].name;
	acts[k].act(acting, i);
}

/* ---- looking: the folder is what the model says ------------------------------------------------------------------ */

static void look_at_data(int fd, const struct body *body, const char *name)
{
	ssize_t got = OK(pread(fd, scratch, sizeof(scratch), 0));

	if ((size_t)got != body->size)
		DIFFERS("%s: read %zd bytes of %zu", name, got, body->size);
	for (size_t b = 0; b < body->size; b++)
		if (scratch[b] != body->data[b])
			DIFFERS("%s: byte %zu is %02x, wanted %02x", name, b, (unsigned char)scratch[b],
				(unsigned char)body->data[b]);
}

static void look_at_attributes(const struct stat *st, const struct body *body, const char *name)
{
	if (!S_ISREG(st->st_mode) || (size_t)st->st_size != body->size)
		DIFFERS("%s: mode %o size %lld, wanted a file of %zu bytes", name, st->st_mode,
			(long long)st->st_size, body->size);
	if ((st->st_mode & 0777) != body->mode || st->st_uid != body->uid || st->st_nlink != body->links)
		DIFFERS("%s: mode %o uid %u links %lu, wanted %o %u %u", name, st->st_mode & 0777, st->st_uid,
			(unsigned long)st->st_nlink, body->mode, body->uid, body->links);
	if (body->mtime && st->st_mtime != body->mtime)
		DIFFERS("%s: mtime %lld, wanted %lld", name, (long long)st->st_mtime, (long long)body->mtime);
}

static void look_at_mark(const struct body *body, const char *name)
{
	int mark = -1;
	ssize_t bytes = getxattr(name, "user.mark", &mark, sizeof(mark));

	if (bytes < 0 && errno != ENODATA)
		DIFFERS("%s: getxattr: %s", name, strerror(errno));
	if (mark != body->mark)
		DIFFERS("%s: mark %d, wanted %d", name, mark, body->mark);
}

/* A name: its attributes, a fresh descriptor, and the one that this side holds. */
static void look_at(unsigned int i)
{
	const struct body *body = &bodies[entries[i].body];
	const char *name = name_of(i);
	struct stat st;
	int fd, result = lstat(name, &st);

	if (result && errno != ENOENT)
		DIFFERS("%s: %s", name, strerror(errno));
	if ((result == 0) != entries[i].there)
		DIFFERS("%s is %s", name, result ? "missing" : "still there");
	if (result)
		return;
	if (entries[i].folder) {
		if (!S_ISDIR(st.st_mode))
			DIFFERS("%s is no folder", name);
		return;
	}
	look_at_attributes(&st, body, name);
	look_at_mark(body, name);
	fd = OK(open(name, O_RDONLY));
	look_at_data(fd, body, name);
	OK(close(fd));
}

static void look_at_held(unsigned int i)
{
	struct stat st;

	if (held[i] < 0)
		return;
	OK(fstat(held[i], &st));
	look_at_attributes(&st, &bodies[held_body[i]], "a held descriptor");
	look_at_data(held[i], &bodies[held_body[i]], "a held descriptor");
}

static void look_at_listing(void)
{
	DIR *dir = opendir(".");
	bool listed[NAMES] = { false };
	struct dirent *entry;
	unsigned int i;

	CHECK(dir);
	while ((entry = readdir(dir)))
		if (sscanf(entry->d_name, "name%u", &i) == 1 && i < NAMES)
			listed[i] = true;
	closedir(dir);
	for (i = 0; i < NAMES; i++)
		if (listed[i] != entries[i].there)
			DIFFERS("%s is %slisted", name_of(i), listed[i] ? "still " : "not ");
}

static void look(void)
{
	unsigned int first = (unsigned int)(step % NAMES);

	/* another name, listing or descriptor is looked at first each time: each is somebody's next call */
	if (step % 3 == 0)
		look_at_listing();
	for (unsigned int i = 0; i < NAMES; i++) {
		if (step % 2)
			look_at_held((first + i) % NAMES);
		look_at((first + i) % NAMES);
		if (step % 2 == 0)
			look_at_held((first + i) % NAMES);
	}
	if (step % 3)
		look_at_listing();
}

/* Now and then a side opens a name to keep, or lets one go: its own affair, not part of the model. */
static void change_held(uint64_t *mine)
{
	unsigned int i = (unsigned int)(random_next(mine) % NAMES);

	if (held[i] >= 0) {
		OK(close(held[i]));
		held[i] = -1;
	} else if (entries[i].there && !entries[i].folder) {
		held[i] = OK(open(name_of(i), O_RDWR));
		held_body[i] = entries[i].body;
	}
}

int main(int argc, char **argv)
{
	unsigned long steps = test_setting("STEPS", 1000);
	bool serves = turns_begin("coherence", argc, argv);
	uint64_t mine;

	umask(022);
	dice = test_setting("SEED", 1);
	mine = dice + serves;
	memset(held, -1, sizeof(held));
	OK(chdir(argv[2]));
	for (step = 1; step <= steps; step++) {
		bool acting = (step % 2 == 0) == serves;

		act(acting);
		if (acting) {
			change_held(&mine);
			turns_say(step); /* done: look now */
			turns_hear(step); /* has looked */
		} else {
			turns_hear(step);
			look();
			change_held(&mine);
			turns_say(step);
		}
	}
	turns_end(argv[1], "saw each of the other side's %lu operations at once", steps / 2);
	return 0;
}
