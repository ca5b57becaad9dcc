// SPDX-License-Identifier: GPL-2.0
/*
 * One file, a great many operations drawn at random, and a model in memory that says what each of them must find. The model
 * is what fsx is for one process; here the operations come from one client or from two.
 *
 *   exerciser alone DIR                 one client
 *   exerciser serve DIR PORT            two clients and one file: one side; waits for the other
 *   exerciser join DIR ADDRESS PORT     the other side
 *
 * In turns (as usual), both sides draw the same operations from one generator, which also says whose each is, and keep the same
 * model; whoever comes next waits until the other side's call is done, and no longer. With BESIDE=1 both work at the same time, each
 * in units of its own that share pages and objects with the other's, without changing the size; at the end both compare the whole file.
 *
 * HOW= is how the file is read and written: buffered (read and write), mapped (a shared map), direct (O_DIRECT), or mixed (as usual).
 * STEPS= sets the number of operations, SEED= the sequence, KIB= the largest size of the file.
 */
#define _GNU_SOURCE
#include "turns.h"

#include <linux/falloc.h>
#include <sys/mman.h>

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

enum {
	SECTOR = 512,
	PAGE = 4096,
	UNIT = 3 * SECTOR, /* no divisor of a page */
	BYTES_MOST = 64 * 1024, /* of one operation */
	ROOM_MOST = 16 << 20,
	TOLD = 24, /* operations that a failure tells of */
};

enum kind { READ, WRITE, TRUNCATE, PUNCH_HOLE, ZERO, ALLOCATE, ALLOCATE_BEHIND, COPY, SYNC, DROP, REOPEN, SIZE };
enum how { BUFFERED, MAPPED, DIRECT, HOWS };

/* How often each kind is drawn, of 100; `shared` while the other side works on the same file at the same time. */
static const struct {
	const char *name;
	unsigned int weight, shared;
} kinds[] = {
	[READ] = { "read", 32, 40 },	     [WRITE] = { "write", 30, 44 },
	[TRUNCATE] = { "truncate", 8, 0 },   [PUNCH_HOLE] = { "punch", 6, 5 },
	[ZERO] = { "zero", 3, 3 },	     [ALLOCATE] = { "allocate", 3, 0 },
	[ALLOCATE_BEHIND] = { "allocate, keep size", 2, 0 }, [COPY] = { "copy", 4, 0 },
	[SYNC] = { "sync", 3, 3 },	     [DROP] = { "sync and drop", 3, 2 },
	[REOPEN] = { "close and open", 2, 1 }, [SIZE] = { "stat", 4, 2 },
};

static const char *const how_names[] = { "buffered", "mapped", "direct", "mixed" };

struct op {
	enum kind kind;
	enum how how;
	bool serves; /* whose it is */
	size_t at, bytes;
	size_t to; /* COPY */
	uint64_t seed; /* WRITE: of the pattern */
	size_t size; /* of the file, before it */
};

static struct op told[TOLD];
static unsigned long step;
static size_t room;
static unsigned int how_wanted;
static bool beside, can_zero;

static char *model;
static size_t model_size;

static int file, file_direct;
static char *map;
static char *buf; /* of BYTES_MOST and a page, aligned */

static void explain(void)
{
	unsigned long first = step > TOLD ? step - TOLD : 0;

	for (unsigned long i = first + 1; i <= step; i++) {
		const struct op *op = &told[i % TOLD];

		test_note("%lu: %s, %s, %s: %zu bytes at %zu, to %zu, of %zu", i, op->serves ? "server" : "joiner",
			  how_names[op->how], kinds[op->kind].name, op->bytes, op->at, op->to, op->size);
	}
}

#define WRONG(...)                                                                                 \
	do {                                                                                       \
		explain();                                                                         \
		test_fail(__FILE__, __LINE__, __VA_ARGS__);                                        \
	} while (0)

/* A call that must return this. */
static void returns(const char *what, ssize_t got, size_t wanted)
{
	if (got < 0)
		WRONG("%s: %s", what, strerror(errno));
	if ((size_t)got != wanted)
		WRONG("%s returned %zd, not %zu", what, got, wanted);
}

static void same(const char *got, size_t at, size_t bytes)
{
	if (!memcmp(got, model + at, bytes))
		return;
	for (size_t i = 0; i < bytes; i++)
		if (got[i] != model[at + i])
			WRONG("byte %zu is %02x, not %02x", at + i, (unsigned char)got[i], (unsigned char)model[at + i]);
}

/* ---- drawing and modelling ---------------------------------------------------------------------- */

static enum kind draw_kind(uint64_t *dice)
{
	unsigned int number = random_next(dice) % 100;
	enum kind kind;

	for (kind = READ;; kind++) {
		unsigned int weight = beside ? kinds[kind].shared : kinds[kind].weight;

		if (number < weight)
			return kind;
		number -= weight;
	}
}

/* Somewhere in the file, small and page-sized and large ranges alike; beside the other side, in a unit of one's own. */
static void draw_range(struct op *op, uint64_t *dice)
{
	size_t from = 0, end = room, most = (size_t)8 << random_next(dice) % 14;

	if (beside) {
		from = (2 * (random_next(dice) % (room / (2 * UNIT))) + op->serves) * UNIT;
		end = from + UNIT;
	}
	op->at = from + random_next(dice) % (end - from);
	op->bytes = 1 + random_next(dice) % most;
	op->to = random_next(dice) % room;
	if (op->how == DIRECT && op->kind <= WRITE) {
		op->at -= op->at % SECTOR;
		op->bytes += SECTOR - 1;
		op->bytes -= op->bytes % SECTOR;
	}
	if (op->bytes > end - op->at)
		op->bytes = end - op->at;
}

/* One operation, cut to what can be said of it beforehand. */
static struct op draw(uint64_t *dice, bool serves)
{
	struct op op = { .serves = serves, .kind = draw_kind(dice), .size = model_size };
	enum how any = random_next(dice) % HOWS;

	op.how = how_wanted == HOWS ? any : how_wanted;
	op.seed = random_next(dice) % 1000000;
	if (op.kind == ZERO && !can_zero)
		op.kind = PUNCH_HOLE;
	draw_range(&op, dice);
	if (op.kind == READ || op.kind == COPY) {
		op.at = op.at < model_size ? op.at : 0;
		op.bytes = op.bytes < model_size - op.at ? op.bytes : model_size - op.at;
	}
	/* ranges that overlap are refused; a copy ends where the file may */
	if (op.kind == COPY) {
		if (op.bytes > room - op.to)
			op.bytes = room - op.to;
		if (op.to < op.at + op.bytes && op.at < op.to + op.bytes)
			op.bytes = op.to > op.at ? op.to - op.at : op.at - op.to;
	}
	return op;
}

static void model_resize(size_t size)
{
	if (size < model_size)
		memset(model + size, 0, model_size - size);
	model_size = size;
}

static void model_apply(const struct op *op)
{
	size_t end = op->at + op->bytes;

	switch (op->kind) {
	case WRITE:
		pattern_fill(model + op->at, op->bytes, op->at, op->seed);
		break;
	case TRUNCATE:
		model_resize(op->at);
		return;
	case COPY:
		memcpy(model + op->to, model + op->at, op->bytes);
		end = op->bytes ? op->to + op->bytes : 0;
		break;
	case PUNCH_HOLE:
	case ZERO:
		if (op->at < model_size)
			memset(model + op->at, 0, end < model_size ? op->bytes : model_size - op->at);
		break;
	default:
		break;
	}
	if (end > model_size && (op->kind == WRITE || op->kind == COPY || op->kind == ZERO || op->kind == ALLOCATE))
		model_size = end;
}

/* ---- doing -------------------------------------------------------------------------------------- */

static void open_file(const char *name)
{
	file = (int)OK(open(name, O_CREAT | O_RDWR, 0644));
	file_direct = (int)OK(open(name, O_RDWR | O_DIRECT));
	map = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	OK(map == MAP_FAILED ? -1 : 0);
}

static void close_file(void)
{
	returns("munmap", munmap(map, room), 0);
	returns("close", close(file), 0);
	returns("close", close(file_direct), 0);
}

/* Behind the end of the file the last page has zeros: nobody here stores there. */
static void same_in_map(const struct op *op)
{
	size_t end = op->at + op->bytes, tail = (PAGE - end % PAGE) % PAGE;

	if (!op->bytes)
		return;
	same(map + op->at, op->at, op->bytes);
	if (end != model_size || beside)
		return;
	for (size_t i = 0; i < tail; i++)
		if (map[end + i])
			WRONG("byte %zu, behind the end, is %02x", end + i, (unsigned char)map[end + i]);
}

static void do_read(const struct op *op)
{
	size_t bytes = op->bytes;

	if (op->how == MAPPED) {
		same_in_map(op);
		return;
	}
	/* a direct read may go over the end, and is cut there */
	if (op->how == DIRECT)
		bytes = (bytes + SECTOR - 1) / SECTOR * SECTOR;
	memset(buf, 0x55, bytes);
	returns("read", pread(op->how == DIRECT ? file_direct : file, buf, bytes, (off_t)op->at), op->bytes);
	same(buf, op->at, op->bytes);
}

static void do_write(const struct op *op)
{
	if (op->how == MAPPED) {
		if (op->at + op->bytes > op->size)
			returns("ftruncate", ftruncate(file, (off_t)(op->at + op->bytes)), 0);
		pattern_fill(map + op->at, op->bytes, op->at, op->seed);
		return;
	}
	pattern_fill(buf, op->bytes, op->at, op->seed);
	returns("write", pwrite(op->how == DIRECT ? file_direct : file, buf, op->bytes, (off_t)op->at), op->bytes);
}

/* Linux cuts a copy at the size that this machine has heard of last, before it asks a file system: so ask for the size, as cp does. */
static void do_copy(const struct op *op)
{
	off_t from = (off_t)op->at, to = (off_t)op->to;
	size_t left = op->bytes;
	struct stat st;

	returns("fstat", fstat(file, &st), 0);
	while (left) {
		ssize_t done = copy_file_range(file, &from, file, &to, left, 0);

		if (done <= 0 || (size_t)done > left)
			WRONG("copy_file_range of %zu bytes returned %zd: %s", left, done, strerror(errno));
		left -= (size_t)done;
	}
}

static void do_allocate(const struct op *op)
{
	int mode = op->kind == PUNCH_HOLE ? PUNCH :
		   op->kind == ZERO	  ? FALLOC_FL_ZERO_RANGE :
		   op->kind == ALLOCATE	  ? 0 :
					    FALLOC_FL_KEEP_SIZE;

	returns("fallocate", fallocate(file, mode, (off_t)op->at, (off_t)op->bytes), 0);
}

static void do_op(const struct op *op, const char *name)
{
	struct stat st;

	switch (op->kind) {
	case READ:
		do_read(op);
		break;
	case WRITE:
		do_write(op);
		break;
	case TRUNCATE:
		returns("ftruncate", ftruncate(file, (off_t)op->at), 0);
		break;
	case COPY:
		do_copy(op);
		break;
	case PUNCH_HOLE:
	case ZERO:
	case ALLOCATE:
	case ALLOCATE_BEHIND:
		do_allocate(op);
		break;
	case SYNC:
		returns("sync", op->seed % 2 ? fsync(file) : msync(map, room, MS_SYNC), 0);
		break;
	case DROP:
		returns("fsync", fsync(file), 0);
		returns("posix_fadvise", posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
		break;
	case REOPEN:
		close_file();
		open_file(name);
		break;
	case SIZE:
		returns("fstat", fstat(file, &st), 0);
		returns("stat's size", st.st_size, model_size);
		break;
	}
}

/* What the file has, all of it, as read and as mapped. */
static void compare_all(void)
{
	struct op all = { .kind = READ, .how = BUFFERED, .size = model_size };

	for (; all.at < model_size; all.at += all.bytes) {
		all.bytes = model_size - all.at < BYTES_MOST ? model_size - all.at : BYTES_MOST;
		do_read(&all);
		same_in_map(&all);
	}
}

/* ---- one client, or two ------------------------------------------------------------------------- */

static void note_progress(unsigned long steps)
{
	if (step % 10000 == 0)
		test_note("%lu of %lu operations", step, steps);
}

/* One sequence. `two`: each side does its part of it, and hears how far the other has come when the turn comes to it. */
static void run_turns(unsigned long steps, bool two, bool serves, const char *name)
{
	uint64_t dice = test_setting("SEED", 1);
	bool before = serves;

	for (step = 1; step <= steps; step++) {
		struct op op = draw(&dice, random_next(&dice) % 2);
		bool mine = !two || op.serves == serves;

		told[step % TOLD] = op;
		if (two && step > 1 && op.serves != before)
			before == serves ? turns_say(step) : turns_hear(step);
		before = two ? op.serves : before;
		model_apply(&op);
		if (mine)
			do_op(&op, name);
		note_progress(steps);
	}
	if (two) {
		turns_say(steps);
		turns_hear(steps);
	}
}

static uint64_t dice_of(bool serves)
{
	return test_setting("SEED", 1) * 2 + serves;
}

/* Both at once, each with a generator of its own; what the other side has done is drawn afterwards. */
static void run_beside(unsigned long steps, bool serves, const char *name)
{
	uint64_t dice = dice_of(serves);

	if (serves)
		OK(ftruncate(file, (off_t)room));
	model_size = room;
	turns_say(1);
	turns_hear(1);
	for (step = 1; step <= steps; step++) {
		struct op op = draw(&dice, serves);

		told[step % TOLD] = op;
		model_apply(&op);
		do_op(&op, name);
		note_progress(steps);
	}
	turns_say(steps);
	turns_hear(steps);
	dice = dice_of(!serves);
	for (unsigned long i = 1; i <= steps; i++) {
		struct op op = draw(&dice, !serves);

		model_apply(&op);
	}
}

static void settings(void)
{
	const char *how = getenv("HOW");

	beside = test_setting("BESIDE", 0);
	room = test_setting("KIB", 256) * 1024;
	if (room < 2 * UNIT || room > ROOM_MOST)
		test_fail(__FILE__, __LINE__, "KIB= is 4 to %d", ROOM_MOST / 1024);
	room -= beside ? room % (2 * UNIT) : 0;
	for (how_wanted = HOWS; how && strcmp(how, how_names[how_wanted]); how_wanted--)
		if (!how_wanted)
			test_fail(__FILE__, __LINE__, "HOW= is buffered, mapped, direct or mixed");
	model = calloc(1, room + PAGE);
	buf = aligned_alloc(PAGE, BYTES_MOST + PAGE);
	CHECK(model && buf);
}

int main(int argc, char **argv)
{
	unsigned long steps = test_setting("STEPS", 2000);
	bool two = !(argc == 3 && !strcmp(argv[1], "alone")), serves = true;
	char name[32];

	settings();
	umask(022);
	if (two)
		serves = turns_begin("exerciser", argc, argv);
	else
		OK(mkdir(argv[2], 0755));
	OK(chdir(argv[2]));
	snprintf(name, sizeof(name), "exercised.%s", how_names[how_wanted]);
	open_file(name);
	/* told by a range behind the end of an empty file, which costs and changes nothing */
	can_zero = !fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1);
	if (two) {
		turns_say(0);
		turns_hear(0);
	}
	if (beside)
		run_beside(steps, serves, name);
	else
		run_turns(steps, two, serves, name);
	step = steps;
	compare_all();
	if (two) {
		turns_say(steps);
		turns_hear(steps);
	}
	close_file();
	turns_end(argv[1], "%lu operations, %s%s%s", steps, how_names[how_wanted], two ? ", two clients" : "",
		  beside ? " at once" : "");
	return 0;
}
