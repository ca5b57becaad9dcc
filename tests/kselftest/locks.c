// SPDX-License-Identifier: GPL-2.0
/* File locks between programs of one machine: fcntl, open-file-description and flock locks, waiting, signals, deadlocks, ends. */
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include "harness.h"

static struct flock range(short type, off_t start, off_t length)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static int lock_fd(int fd, int command, short type, off_t start, off_t length)
{
	struct flock lock = range(type, start, length);

	return fcntl(fd, command, &lock);
}

static int new_file(const char *name)
{
	return (int)OK(open(name, O_RDWR | O_CREAT, 0644));
}

/* What a child says of its error: where memory is made to fail, the test is over with that. */
static int heard(int err)
{
	errno = err;
	if (err == ENOMEM || err == ENOLCK)
		OK(-1);
	return err;
}

/* What another process gets: 0, or the errno. */
static int try_elsewhere(const char *name, short type, off_t start, off_t length)
{
	int status;
	pid_t child = (pid_t)OK(fork());

	if (!child) {
		int fd = open(name, O_RDWR);

		_exit(fd < 0 || lock_fd(fd, F_SETLK, type, start, length) ? errno : 0);
	}
	EQUAL(OK(waitpid(child, &status, 0)), child);
	CHECK(WIFEXITED(status));
	return heard(WEXITSTATUS(status));
}

/* A child that runs this, with checks of its own, and says through a pipe that it has begun. */
static pid_t begin_child(void (*run)(void), int ready[2])
{
	pid_t child;

	OK(pipe(ready));
	child = (pid_t)OK(fork());
	if (!child) {
		close(ready[0]);
		alarm(0);
		EQUAL(write(ready[1], "b", 1), 1);
		run();
		_exit(0);
	}
	close(ready[1]);
	return child;
}

static int opened(const char *name)
{
	return (int)OK(open(name, O_RDWR));
}

static void hear(int ready[2])
{
	char byte;

	EQUAL(read(ready[0], &byte, 1), 1);
}

/* The child has not ended yet. */
static void see_it_run(pid_t child)
{
	siginfo_t ended = { 0 };

	OK(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT));
	if (!ended.si_pid)
		return;
	test_join(child, 0);
	CHECK(!"the child has ended");
}

/* Who waits at the rank shows nowhere here: give it a while. Too short a one proves less, and fails nothing. */
static void let_wait(pid_t child)
{
	usleep(300000);
	see_it_run(child);
}

TEST(excludes)
{
	int fd = new_file("f");

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 10, 10));
	EQUAL(try_elsewhere("f", F_RDLCK, 0, 11), EAGAIN);
	EQUAL(try_elsewhere("f", F_RDLCK, 0, 10), 0);
	EQUAL(try_elsewhere("f", F_WRLCK, 19, 0), EAGAIN);
	EQUAL(try_elsewhere("f", F_WRLCK, 20, 0), 0);
	OK(lock_fd(fd, F_SETLK, F_RDLCK, 10, 10));
	EQUAL(try_elsewhere("f", F_RDLCK, 0, 0), 0);
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 0), EAGAIN);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 0));
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 0), 0);
}

TEST(splits_and_merges)
{
	int fd = new_file("f");

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 30));
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 10, 10));
	EQUAL(try_elsewhere("f", F_WRLCK, 10, 10), 0);
	EQUAL(try_elsewhere("f", F_WRLCK, 9, 1), EAGAIN);
	EQUAL(try_elsewhere("f", F_WRLCK, 20, 1), EAGAIN);
	OK(lock_fd(fd, F_SETLK, F_WRLCK, 10, 10));
	EQUAL(try_elsewhere("f", F_WRLCK, 15, 1), EAGAIN);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 29));
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 29), 0);
	EQUAL(try_elsewhere("f", F_WRLCK, 29, 1), EAGAIN);
}

static void ask_who(void)
{
	struct flock lock = range(F_WRLCK, 0, 0);

	OK(fcntl(opened("f"), F_GETLK, &lock));
	EQUAL(lock.l_type, F_WRLCK);
	EQUAL(lock.l_start, 5);
	EQUAL(lock.l_len, 3);
	EQUAL(lock.l_pid, getppid());
}

TEST(tells_who)
{
	int fd = new_file("f"), ready[2];
	struct flock lock = range(F_WRLCK, 0, 0);

	OK(fcntl(fd, F_GETLK, &lock));
	EQUAL(lock.l_type, F_UNLCK);
	OK(lock_fd(fd, F_SETLK, F_WRLCK, 5, 3));
	test_join(begin_child(ask_who, ready), 0);
}

TEST(needs_the_right_mode)
{
	int fd = new_file("f"), reads = (int)OK(open("f", O_RDONLY));

	FAILS(lock_fd(reads, F_SETLK, F_WRLCK, 0, 0), EBADF);
	OK(lock_fd(reads, F_SETLK, F_RDLCK, 0, 0));
	OK(close(fd));
}

/* POSIX locks of a process go with the first descriptor that is closed. */
TEST(any_close_drops_posix_locks)
{
	int fd = new_file("f"), other = (int)OK(open("f", O_RDONLY));

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 0));
	OK(close(other));
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 0), 0);
}

TEST(ofd_locks_belong_to_the_open_file)
{
	int a = new_file("f"), b = (int)OK(open("f", O_RDWR)), copy;

	OK(lock_fd(a, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(lock_fd(b, F_OFD_SETLK, F_RDLCK, 9, 1), EAGAIN);
	FAILS(lock_fd(b, F_SETLK, F_RDLCK, 9, 1), EAGAIN);
	copy = (int)OK(dup(a));
	OK(close(a));
	FAILS(lock_fd(b, F_OFD_SETLK, F_RDLCK, 9, 1), EAGAIN);
	OK(close(copy));
	OK(lock_fd(b, F_OFD_SETLK, F_WRLCK, 0, 0));
}

TEST(flock_excludes)
{
	int a = new_file("f"), b = (int)OK(open("f", O_RDWR)), copy;

	OK(flock(a, LOCK_SH));
	OK(flock(b, LOCK_SH | LOCK_NB));
	FAILS(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	OK(flock(a, LOCK_UN));
	OK(flock(b, LOCK_EX | LOCK_NB));
	FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(lock_fd(a, F_SETLK, F_WRLCK, 0, 0));	/* they do not see each other */
	copy = (int)OK(dup(b));
	OK(close(b));
	FAILS(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(close(copy));
	OK(flock(a, LOCK_SH | LOCK_NB));
}

TEST(flock_of_a_folder)
{
	int a, b;

	OK(mkdir("d", 0755));
	a = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	b = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(flock(a, LOCK_EX));
	FAILS(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	OK(close(a));
	OK(flock(b, LOCK_SH | LOCK_NB));
}

/* ---- waiting ------------------------------------------------------------------------------------------------ */

static void wait_for_all(void)
{
	OK(lock_fd(opened("f"), F_SETLKW, F_WRLCK, 0, 0));
}

TEST(waits)
{
	int fd = new_file("f"), ready[2];
	pid_t child;

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 5, 5));
	child = begin_child(wait_for_all, ready);
	hear(ready);
	let_wait(child);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 0));
	test_join(child, 0);
	/* and what it had went with it */
	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 0));
}

static void wait_for_flock(void)
{
	OK(flock(opened("f"), LOCK_EX));
}

TEST(flock_waits)
{
	int fd = new_file("f"), ready[2];
	pid_t child;

	OK(flock(fd, LOCK_SH));
	child = begin_child(wait_for_flock, ready);
	hear(ready);
	let_wait(child);
	OK(flock(fd, LOCK_UN));	/* a close would not do: the child has the descriptor, too */
	test_join(child, 0);
}

static void do_nothing(int signal)
{
}

static void wait_with_an_alarm(void)
{
	struct sigaction action = { .sa_handler = do_nothing };
	int fd = opened("f");

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	FAILS(lock_fd(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
	/* it does not get the lock later, either */
	FAILS(lock_fd(fd, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
}

TEST(a_signal_ends_the_wait)
{
	int fd = new_file("f"), ready[2];
	pid_t child;

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 0));
	child = begin_child(wait_with_an_alarm, ready);
	test_join(child, 0);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 0));
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 0), 0);
}

static void hold_and_wait(void)
{
	int fd = opened("f");

	OK(lock_fd(fd, F_SETLKW, F_WRLCK, 1, 1));
	OK(lock_fd(fd, F_SETLKW, F_WRLCK, 0, 1));
}

/* Until the child has a lock of this range; it waits for it, as the look itself has it for a moment. */
static void see_it_locked(pid_t child, off_t start, off_t length)
{
	while (try_elsewhere("f", F_WRLCK, start, length) != EAGAIN) {
		see_it_run(child);
		usleep(1000);
	}
}

TEST(deadlock)
{
	int fd = new_file("f"), ready[2];
	pid_t child;

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 1));
	child = begin_child(hold_and_wait, ready);
	hear(ready);
	see_it_locked(child, 1, 1);
	let_wait(child);
	FAILS(lock_fd(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 1));
	test_join(child, 0);
}

static void hold_for_ever(void)
{
	int fd = opened("f");

	OK(flock(fd, LOCK_EX));
	OK(lock_fd(fd, F_SETLKW, F_WRLCK, 0, 0));
	for (;;)
		pause();
}

static void ends_with(int how)
{
	int fd = new_file("f"), ready[2];
	pid_t child = begin_child(hold_for_ever, ready);

	hear(ready);
	see_it_locked(child, 0, 0);
	OK(kill(child, how));
	OK(lock_fd(fd, F_SETLKW, F_WRLCK, 0, 0));
	OK(flock(fd, LOCK_EX));
	test_join(child, how);
}

TEST(a_killed_holder_has_none)
{
	ends_with(SIGKILL);
}

TEST(a_killed_waiter_gets_none)
{
	int fd = new_file("f"), ready[2];
	pid_t child;

	OK(lock_fd(fd, F_SETLK, F_WRLCK, 0, 0));
	child = begin_child(wait_for_all, ready);
	hear(ready);
	let_wait(child);
	OK(kill(child, SIGKILL));
	test_join(child, SIGKILL);
	OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 0));
	EQUAL(try_elsewhere("f", F_WRLCK, 0, 0), 0);
}

/* ---- together ------------------------------------------------------------------------------------------------ */

enum { COUNTERS = 4, ROUNDS = 100 };

static void count(void)
{
	int fd = opened("f"), i, value;

	for (i = 0; i < ROUNDS; i++) {
		OK(lock_fd(fd, F_SETLKW, F_WRLCK, 0, 0));
		EQUAL(pread(fd, &value, sizeof(value), 0), sizeof(value));
		value++;
		EQUAL(pwrite(fd, &value, sizeof(value), 0), sizeof(value));
		OK(lock_fd(fd, F_SETLK, F_UNLCK, 0, 0));
	}
}

TEST(nobody_counts_twice)
{
	int fd = new_file("f"), ready[COUNTERS][2], value = 0, i;
	pid_t children[COUNTERS];

	EQUAL(write(fd, &value, sizeof(value)), sizeof(value));
	for (i = 0; i < COUNTERS; i++)
		children[i] = begin_child(count, ready[i]);
	for (i = 0; i < COUNTERS; i++)
		test_join(children[i], 0);
	EQUAL(pread(fd, &value, sizeof(value), 0), sizeof(value));
	EQUAL(value, COUNTERS * ROUNDS);
}
