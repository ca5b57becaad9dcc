// SPDX-License-Identifier: GPL-2.0
/*
 * Many reads and writes under way at once, from one thread: libaio with O_DIRECT, io_uring with everything. Each must
 * end once, with its own bytes, and truncation and the end of the file hold for those under way as well.
 */
#include "harness.h"

#include <libaio.h>
#include <liburing.h>

#define KIB 1024u
#define MIB (1u << 20)

enum { DEPTH = 32, PIECE = 64 * KIB };

static char *bufs[DEPTH];

static void make_bufs(void)
{
	for (unsigned int i = 0; i < DEPTH; i++) {
		void *buf = NULL;

		EQUAL(posix_memalign(&buf, 4096, PIECE), 0);
		bufs[i] = buf;
	}
}

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT, 0644);

	if (fd < 0 && errno == EINVAL)
		test_skip("no O_DIRECT on this file system");
	return OK(fd);
}

/* ---- libaio ------------------------------------------------------------------------------------------------------- */

static io_context_t begin_aio(void)
{
	io_context_t context = NULL;

	EQUAL(io_setup(DEPTH, &context), 0);
	make_bufs();
	return context;
}

/* Submits one piece from or to bufs[i]. */
static void submit(io_context_t context, struct iocb *control, int fd, unsigned int i, bool write, off_t at)
{
	if (write)
		io_prep_pwrite(control, fd, bufs[i], PIECE, at);
	else
		io_prep_pread(control, fd, bufs[i], PIECE, at);
	control->data = (void *)(uintptr_t)i;
	EQUAL(io_submit(context, 1, &control), 1);
}

/* All of DEPTH end, each with `bytes`, and each once. */
static void reap(io_context_t context, size_t bytes)
{
	struct io_event events[DEPTH];
	bool seen[DEPTH] = { false };

	EQUAL(io_getevents(context, DEPTH, DEPTH, events, NULL), DEPTH);
	for (unsigned int i = 0; i < DEPTH; i++) {
		uintptr_t which = (uintptr_t)events[i].data;

		EQUAL(events[i].res, bytes);
		CHECK(which < DEPTH && !seen[which]);
		seen[which] = true;
	}
}

/* Positions that hop about: 11 and DEPTH have no common factor. */
static off_t scattered(unsigned int i)
{
	return (off_t)(i * 11 % DEPTH) * PIECE;
}

TEST(aio_writes_and_reads)
{
	struct iocb controls[DEPTH];
	io_context_t context = begin_aio();
	int fd;

	make_file("f", DEPTH * PIECE, 1);
	fd = open_direct("f", O_RDWR);
	for (unsigned int round = 2; round < 6; round++) {
		for (unsigned int i = 0; i < DEPTH; i++) {
			pattern_fill(bufs[i], PIECE, scattered(i), round);
			submit(context, &controls[i], fd, i, true, scattered(i));
		}
		reap(context, PIECE);
		for (unsigned int i = 0; i < DEPTH; i++) {
			memset(bufs[i], 0, PIECE);
			submit(context, &controls[i], fd, i, false, scattered(i));
		}
		reap(context, PIECE);
		for (unsigned int i = 0; i < DEPTH; i++)
			EQUAL(pattern_compare(bufs[i], PIECE, scattered(i), round), -1);
	}
	OK(close(fd));
	check_file("f", DEPTH * PIECE, 5);
}

TEST(aio_makes_a_file_longer)
{
	struct iocb controls[DEPTH];
	io_context_t context = begin_aio();
	int fd = open_direct("f", O_CREAT | O_RDWR);

	for (unsigned int i = 0; i < DEPTH; i++) {
		pattern_fill(bufs[i], PIECE, scattered(i), 1);
		submit(context, &controls[i], fd, i, true, scattered(i));
	}
	reap(context, PIECE);
	OK(close(fd));
	check_file("f", DEPTH * PIECE, 1);
}

TEST(aio_reads_behind_the_end)
{
	struct iocb controls[DEPTH];
	io_context_t context = begin_aio();
	int fd;

	make_file("f", 100, 1);
	fd = open_direct("f", O_RDONLY);
	for (unsigned int i = 0; i < DEPTH; i++)
		submit(context, &controls[i], fd, i, false, 0);
	reap(context, 100);
	for (unsigned int i = 0; i < DEPTH; i++)
		EQUAL(pattern_compare(bufs[i], 100, 0, 1), -1);
	for (unsigned int i = 0; i < DEPTH; i++)
		submit(context, &controls[i], fd, i, false, (off_t)(i + 1) * PIECE);
	reap(context, 0);
	OK(close(fd));
}

/* What was submitted before is cut off as well. */
TEST(aio_before_a_truncation)
{
	struct iocb controls[DEPTH];
	io_context_t context = begin_aio();
	int fd;

	make_file("f", DEPTH * PIECE, 1);
	fd = open_direct("f", O_RDWR);
	for (unsigned int i = 0; i < DEPTH; i++) {
		memset(bufs[i], 'x', PIECE);
		submit(context, &controls[i], fd, i, true, scattered(i));
	}
	OK(ftruncate(fd, 10));
	reap(context, PIECE);
	EQUAL(stat_of("f").st_size, 10);
	OK(ftruncate(fd, DEPTH * PIECE));
	for (unsigned int i = 0; i < DEPTH; i++)
		submit(context, &controls[i], fd, i, false, (off_t)i * PIECE);
	reap(context, PIECE);
	for (unsigned int i = 0; i < DEPTH; i++)
		for (unsigned int b = i ? 0 : 10; b < PIECE; b++)
			EQUAL(bufs[i][b], 0);
	OK(close(fd));
}

/* ---- io_uring ------------------------------------------------------------------------------------------------------ */

static struct io_uring ring;

static void begin_uring(void)
{
	int err = io_uring_queue_init(2 * DEPTH, &ring, 0);

	if (err == -ENOSYS || err == -EPERM)
		test_skip("no io_uring here");
	EQUAL(err, 0);
	make_bufs();
}

static void finish_uring(unsigned int count, int result)
{
	EQUAL(io_uring_submit(&ring), count);
	for (unsigned int i = 0; i < count; i++) {
		struct io_uring_cqe *cqe;

		EQUAL(io_uring_wait_cqe(&ring, &cqe), 0);
		EQUAL(cqe->res, cqe->user_data ? (int)cqe->user_data - 1 : result);
		io_uring_cqe_seen(&ring, cqe);
	}
}

static void uring_write_then_read(int fd, unsigned int rounds)
{
	for (unsigned int round = 1; round <= rounds; round++) {
		for (unsigned int i = 0; i < DEPTH; i++) {
			pattern_fill(bufs[i], PIECE, scattered(i), round);
			io_uring_prep_write(io_uring_get_sqe(&ring), fd, bufs[i], PIECE, scattered(i));
		}
		finish_uring(DEPTH, PIECE);
		for (unsigned int i = 0; i < DEPTH; i++) {
			memset(bufs[i], 0, PIECE);
			io_uring_prep_read(io_uring_get_sqe(&ring), fd, bufs[i], PIECE, scattered(i));
		}
		finish_uring(DEPTH, PIECE);
		for (unsigned int i = 0; i < DEPTH; i++)
			EQUAL(pattern_compare(bufs[i], PIECE, scattered(i), round), -1);
	}
}

TEST(uring_buffered)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));

	begin_uring();
	uring_write_then_read(fd, 3);
	io_uring_prep_fsync(io_uring_get_sqe(&ring), fd, 0);
	finish_uring(1, 0);
	OK(close(fd));
	check_file("f", DEPTH * PIECE, 3);
}

TEST(uring_direct)
{
	int fd = open_direct("f", O_CREAT | O_RDWR);

	begin_uring();
	uring_write_then_read(fd, 3);
	OK(close(fd));
	check_file("f", DEPTH * PIECE, 3);
}

/* Each append lands at an end of its own, whatever the order. */
TEST(uring_appends)
{
	static char back[DEPTH * PIECE];
	bool seen[DEPTH] = { false };
	int fd = OK(open("f", O_CREAT | O_RDWR | O_APPEND, 0644));

	begin_uring();
	for (unsigned int i = 0; i < DEPTH; i++) {
		memset(bufs[i], 'A' + (int)i, PIECE);
		io_uring_prep_write(io_uring_get_sqe(&ring), fd, bufs[i], PIECE, (__u64)-1);
	}
	finish_uring(DEPTH, PIECE);
	EQUAL(pread(fd, back, sizeof(back), 0), sizeof(back));
	for (unsigned int i = 0; i < DEPTH; i++) {
		unsigned int which = (unsigned int)(back[i * PIECE] - 'A');

		CHECK(which < DEPTH && !seen[which]);
		seen[which] = true;
		for (unsigned int b = 1; b < PIECE; b++)
			EQUAL(back[i * PIECE + b], back[i * PIECE]);
	}
	OK(close(fd));
}

/* A write and, linked to it, its fsync; and a call that fails says so alone. */
TEST(uring_linked_fsync)
{
	int fd = OK(open("f", O_CREAT | O_RDWR, 0644));
	struct io_uring_sqe *sqe;

	begin_uring();
	pattern_fill(bufs[0], PIECE, 0, 1);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, bufs[0], PIECE, 0);
	sqe->flags |= IOSQE_IO_LINK;
	sqe->user_data = PIECE + 1;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	finish_uring(2, 0);
	io_uring_prep_read(io_uring_get_sqe(&ring), -1, bufs[1], PIECE, 0);
	finish_uring(1, -EBADF);
	OK(close(fd));
	check_file("f", PIECE, 1);
}
