// SPDX-License-Identifier: GPL-2.0
/*
 * Two clients have one small file open, which a file system may keep in its inode, and each does one thing to it: every
 * kind of change beside every other, in both orders, one after the other and at the same time. In turns there is
 * one right outcome; at the same time there are two, those of the two orders, and both sides must find the same one. Then
 * 64 threads of each side fault in the first page of one file at the same time, half of them to store.
 *
 *   smallorders serve DIR PORT            one side
 *   smallorders join DIR ADDRESS PORT     the other side
 *
 * Everything stays within 4096 bytes: a change alone decides whether the data leaves the inode.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/mman.h>

enum { ROOM = 4096, FIRST_BYTES = 2048, BLOCK = 512, THREADS = 64 };

enum kind { WRITES, WRITES_DIRECT, STORES, APPENDS, CUTS, GROWS, ALLOCATES, PUNCHES, COPIES, KINDS };
static const char *const names[KINDS] = { "write", "direct write", "store", "append", "cut", "growth", "fallocate",
					  "punch", "copy_file_range" };

/* What a file should be. */
struct model {
	char bytes[ROOM];
	size_t size;
};

static unsigned long step, files;
static bool serves;
static char directory[2048];
static const char *doing = "nothing";

static void both(unsigned long saw)
{
	step += 4;
	turns_say(step + saw);
	turns_hear(step + saw);
}

/* ---- one change, in a model and to a file -------------------------------------------------------------------- */

/* Each side has a block of its own; a cut goes through the one of the side that joins. */
static size_t block_of(bool server)
{
	return server ? 0 : BLOCK;
}

static char pattern_at(size_t position, bool server)
{
	char byte;

	pattern_fill(&byte, 1, position, server ? 11 : 12);
	return byte;
}

static void model_resize(struct model *model, size_t size)
{
	if (size < model->size)
		memset(model->bytes + size, 0, model->size - size);
	model->size = size;
}

static void model_write(struct model *model, size_t at, size_t bytes, bool server)
{
	for (size_t i = at; i < at + bytes; i++)
		model->bytes[i] = pattern_at(i - at, server);
	if (model->size < at + bytes)
		model->size = at + bytes;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void model_do(struct model *model, enum kind kind, bool server)
{
	size_t at = block_of(server), end = model->size;

	switch (kind) {
	case WRITES:
		model_write(model, at + 50, 300, server);
		break;
	case WRITES_DIRECT:
		model_write(model, at, BLOCK, server);
		break;
	case STORES:		/* what is behind the end of the file is nowhere */
		if (at + 100 < end)
			model_write(model, at + 100, smaller(end - at - 100, 200), server);
		break;
	case APPENDS:
		model_write(model, end, 100, server);
		break;
	case CUTS:
		model_resize(model, BLOCK + 250);
		break;
	case GROWS:
		model_resize(model, 3000);
		break;
	case ALLOCATES:
		model->size = end < 3500 ? 3500 : end;
		break;
	case PUNCHES:
		if (at + 200 < end)
			memset(model->bytes + at + 200, 0, smaller(end - at - 200, 200));
		break;
	case COPIES:
		model_write(model, at + 60, 400, server);
		break;
	default:
		abort();
	}
}

/* The file as one side has it open. */
struct file {
	char path[4096];
	int fd, direct, append, source;
	char *map;
};

static void store(struct file *file, size_t at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		file->map[at + i] = pattern_at(i, serves);
	OK(msync(file->map, ROOM, MS_SYNC));
}

static void file_do(struct file *file, enum kind kind)
{
	static char buf[BLOCK] __attribute__((aligned(4096)));
	loff_t from = 0, to = (loff_t)block_of(serves);

	for (size_t i = 0; i < BLOCK; i++)
		buf[i] = pattern_at(i, serves);
	switch (kind) {
	case WRITES:
		EQUAL(pwrite(file->fd, buf, 300, to + 50), 300);
		break;
	case WRITES_DIRECT:
		EQUAL(pwrite(file->direct, buf, BLOCK, to), BLOCK);
		break;
	case STORES:
		store(file, block_of(serves) + 100, 200);
		break;
	case APPENDS:
		EQUAL(write(file->append, buf, 100), 100);
		break;
	case CUTS:
		OK(ftruncate(file->fd, BLOCK + 250));
		break;
	case GROWS:
		OK(ftruncate(file->fd, 3000));
		break;
	case ALLOCATES:
		OK(fallocate(file->fd, 0, 1500, 2000));
		break;
	case PUNCHES:
		OK(fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to + 200, 200));
		break;
	case COPIES:
		to += 60;
		EQUAL(copy_file_range(file->source, &from, file->fd, &to, 400, 0), 400);
		break;
	default:
		abort();
	}
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static void make(const char *path)
{
	struct model model = { .size = 0 };
	int fd = OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644));

	pattern_fill(model.bytes, FIRST_BYTES, 0, 1);
	EQUAL(write(fd, model.bytes, FIRST_BYTES), FIRST_BYTES);
	OK(close(fd));
}

static void open_file(struct file *file)
{
	char source[4096];

	snprintf(source, sizeof(source), "%s/%s", directory, serves ? "serves" : "joins");
	file->fd = OK(open(file->path, O_RDWR));
	file->direct = OK(open(file->path, O_RDWR | O_DIRECT));
	file->append = OK(open(file->path, O_WRONLY | O_APPEND));
	file->source = OK(open(source, O_RDONLY));
	file->map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	CHECK(file->map != MAP_FAILED);
}

static void close_file(struct file *file)
{
	OK(munmap(file->map, ROOM));
	OK(close(file->source));
	OK(close(file->append));
	OK(close(file->direct));
	OK(close(file->fd));
}

/* 1: it is `one`; 2: it is `other`; 3: which are the same. */
static unsigned int look(int fd, const struct model *one, const struct model *other)
{
	char buf[ROOM + 1];
	ssize_t got = OK(pread(fd, buf, sizeof(buf), 0));
	unsigned int found = 0;

	found |= (size_t)got == one->size && !memcmp(buf, one->bytes, one->size) ? 1 : 0;
	found |= (size_t)got == other->size && !memcmp(buf, other->bytes, other->size) ? 2 : 0;
	for (size_t i = 0; !found && i < (size_t)got && i < one->size; i++)
		if (buf[i] != one->bytes[i])
			test_fail(__FILE__, __LINE__, "%s: byte %zu of %zd is %#x instead of %#x", doing, i, got,
				  (unsigned char)buf[i], (unsigned char)one->bytes[i]);
	if (!found)
		test_fail(__FILE__, __LINE__, "%s: %zd bytes, neither %zu nor %zu", doing, got, one->size,
			  other->size);
	return found;
}

/* Its maker, or another side, opens it first; some files are looked at before anything is done to them. */
static void begin(struct file *file, bool is_maker, bool reads)
{
	snprintf(file->path, sizeof(file->path), "%s/f%lu", directory, files++);
	if (is_maker)
		make(file->path);
	both(0);
	open_file(file);
	if (reads) {
		char first, wanted;

		pattern_fill(&wanted, 1, 0, 1);
		EQUAL(pread(file->fd, &first, 1, 0), 1);
		EQUAL(first, wanted);
	}
	both(0);
}

/* As both see it, with the file open, and opened anew. */
static void end(struct file *file, bool is_maker, const struct model *one, const struct model *other)
{
	unsigned int found = look(file->fd, one, other);
	int fd;

	both(found);
	close_file(file);
	both(0);
	fd = OK(open(file->path, O_RDONLY));
	EQUAL(look(fd, one, other), found);
	OK(close(fd));
	both(0);
	if (is_maker)
		OK(unlink(file->path));
	both(0);
}

static void one_pair(enum kind first, enum kind second, bool i_am_first, bool at_once, unsigned long round)
{
	struct model one = { .size = FIRST_BYTES }, other;
	bool is_maker = (round & 1) == serves, server_is_first = i_am_first == serves;
	struct file file;
	char what[128];

	snprintf(what, sizeof(what), "%s by who %s, %s %s by the other", names[first], server_is_first ? "serves" : "joins",
		 at_once ? "beside" : "then", names[second]);
	doing = what;
	pattern_fill(one.bytes, FIRST_BYTES, 0, 1);
	other = one;
	model_do(&one, first, server_is_first);
	model_do(&one, second, !server_is_first);
	model_do(&other, second, !server_is_first);
	model_do(&other, first, server_is_first);
	begin(&file, is_maker, round & 2);
	if (i_am_first || at_once)
		file_do(&file, i_am_first ? first : second);
	both(0);
	if (!i_am_first && !at_once)
		file_do(&file, second);
	both(0);
	end(&file, is_maker, &one, at_once ? &other : &one);
	doing = "nothing";
}

static unsigned long every_pair(void)
{
	unsigned long round = 0;

	for (unsigned int first = 0; first < KINDS; first++)
		for (unsigned int second = 0; second < KINDS; second++, round += 2) {
			one_pair(first, second, serves, false, round + (second & 1));
			one_pair(first, second, !serves, false, round + !(second & 1));
			one_pair(first, second, serves, true, round + (first & 1));
		}
	return round / 2;
}

/* ---- the first page, by everybody ------------------------------------------------------------------------------------ */

static pthread_barrier_t ready;
static int faulted;

/* Each with a map, and so a fault, of its own. */
static void *fault(void *number)
{
	size_t i = (size_t)number;
	char *map = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED, faulted, 0);
	char wanted;

	CHECK(map != MAP_FAILED);
	pattern_fill(&wanted, 1, 1000 + i, 1);
	pthread_barrier_wait(&ready);
	if (i % 2)
		map[2 * i + serves] = 's';
	EQUAL(map[1000 + i], wanted);
	OK(munmap(map, ROOM));
	return NULL;
}

static void faults_at_once(unsigned long round)
{
	struct model model = { .size = FIRST_BYTES };
	bool is_maker = (round & 1) == serves;
	pthread_t threads[THREADS];
	struct file file;

	doing = "64 threads of both sides fault";
	pattern_fill(model.bytes, FIRST_BYTES, 0, 1);
	for (size_t i = 1; i < THREADS; i += 2)
		model.bytes[2 * i] = model.bytes[2 * i + 1] = 's';
	begin(&file, is_maker, round & 2);
	faulted = file.fd;
	EQUAL(pthread_barrier_init(&ready, NULL, THREADS), 0);
	for (size_t i = 0; i < THREADS; i++)
		EQUAL(pthread_create(&threads[i], NULL, fault, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++)
		EQUAL(pthread_join(threads[i], NULL), 0);
	EQUAL(pthread_barrier_destroy(&ready), 0);
	OK(msync(file.map, ROOM, MS_SYNC));
	both(0);
	end(&file, is_maker, &model, &model);
}

int main(int argc, char **argv)
{
	unsigned long rounds = test_setting("ROUNDS", 8), pairs;
	char source[BLOCK], path[4096];
	int fd;

	serves = turns_begin("smallorders", argc, argv);
	snprintf(directory, sizeof(directory), "%s", argv[2]);
	snprintf(path, sizeof(path), "%s/%s", directory, serves ? "serves" : "joins");
	for (size_t i = 0; i < BLOCK; i++)
		source[i] = pattern_at(i, serves);
	fd = OK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644));
	EQUAL(write(fd, source, BLOCK), BLOCK);
	OK(close(fd));
	both(0);
	pairs = every_pair();
	for (unsigned long i = 0; i < rounds; i++)
		faults_at_once(i);
	OK(unlink(path));
	both(0);
	if (serves)
		OK(rmdir(directory));
	turns_end(serves ? "serves" : "joins", "%lu pairs of changes to small files, %lu files", pairs, files);
	return 0;
}
