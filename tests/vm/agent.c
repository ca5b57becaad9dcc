// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's end of `vm exec`: a small TCP server that runs one shell command per connection.
 *
 * It owns the frames between `vm` and the guest and the life of the commands; what a command does is not its concern.
 * A frame is a type byte, a little-endian 32-bit length and that many bytes.
 *
 *   host -> guest   r  run a command: the text for /bin/sh -c      t  the same, on a terminal of its own
 *                   i  bytes for its standard input                c  end of its standard input
 *   guest -> host   o  standard output      e  standard error      x  exit code, as one byte; the last frame
 *
 * The command ends when its shell exits; processes that it leaves in the background go on. When the host goes away
 * before that, the command's whole process group is killed, so a timed-out test leaves nothing behind.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT_PORT	 7
#define COMMAND_MAX	 (1u << 17)
#define CHUNK		 (1u << 16)

/* One command in its connection; a file descriptor that is closed or was never open is -1. */
struct command {
	int host;	 /* socket to `vm` */
	int in, out, err; /* the command's standard streams; in == out on a terminal */
	int signals;	 /* signalfd: SIGCHLD */
	pid_t pid;
	char pending[CHUNK]; /* bytes for `in` that the command has not taken yet */
	size_t pending_bytes;
	bool close_in;	 /* the host has ended standard input */
};

static void die(const char *what)
{
	perror(what);
	_exit(125);
}

static bool read_full(int fd, void *buf, size_t bytes)
{
	for (char *p = buf; bytes > 0;) {
		ssize_t n = read(fd, p, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool write_full(int fd, const void *buf, size_t bytes)
{
	for (const char *p = buf; bytes > 0;) {
		ssize_t n = write(fd, p, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool send_frame(int host, char type, const void *data, uint32_t bytes)
{
	char header[5] = { type };
	uint32_t le = htole32(bytes);

	memcpy(header + 1, &le, sizeof(le));
	return write_full(host, header, sizeof(header)) && write_full(host, data, bytes);
}

static bool receive_header(int host, char *type, uint32_t *bytes)
{
	char header[5];

	if (!read_full(host, header, sizeof(header)))
		return false;
	*type = header[0];
	memcpy(bytes, header + 1, sizeof(*bytes));
	*bytes = le32toh(*bytes);
	return true;
}

static void run_shell(const char *text)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);  /* a shell starts what runs in its background, as us, */
	signal(SIGQUIT, SIG_DFL); /* deaf to these two */
	execl("/bin/sh", "sh", "-c", text, NULL);
	die("/bin/sh");
}

static void start_on_terminal(struct command *c, const char *text)
{
	c->pid = forkpty(&c->out, NULL, NULL, NULL);
	if (c->pid < 0)
		die("forkpty");
	if (c->pid == 0)
		run_shell(text);
	c->in = c->out;
	c->err = -1;
}

static void start_on_pipes(struct command *c, const char *text)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	c->pid = fork();
	if (c->pid < 0)
		die("fork");
	if (c->pid == 0) {
		setsid();
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		run_shell(text);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	fcntl(c->in, F_SETFL, O_NONBLOCK);
}

/* The host speaks: returns false when it went away or spoke nonsense. */
static bool from_host(struct command *c)
{
	uint32_t bytes;
	char type;

	if (!receive_header(c->host, &type, &bytes))
		return false;
	if (type == 'c' && bytes == 0) {
		c->close_in = true;
		return true;
	}
	if (type != 'i' || bytes > sizeof(c->pending) || !read_full(c->host, c->pending, bytes))
		return false;
	c->pending_bytes = bytes;
	return true;
}

static void to_command(struct command *c)
{
	ssize_t n = write(c->in, c->pending, c->pending_bytes);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) /* the command reads no more: what comes is dropped */
		n = (ssize_t)c->pending_bytes;
	c->pending_bytes -= (size_t)n;
	memmove(c->pending, c->pending + n, c->pending_bytes);
}

/* Passes on what one stream holds; closes it at its end. */
static bool from_command(struct command *c, int *fd, char type)
{
	char buf[CHUNK];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0 && errno == EINTR)
		return true;
	if (n > 0)
		return send_frame(c->host, type, buf, (uint32_t)n);
	if (c->in == *fd)
		c->in = -1;
	close(*fd);
	*fd = -1;
	return true;
}

static bool has_input(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

static int finish(struct command *c, int status)
{
	uint8_t code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

	while (has_input(c->out) && from_command(c, &c->out, 'o'))
		;
	while (has_input(c->err) && from_command(c, &c->err, 'e'))
		;
	send_frame(c->host, 'x', &code, 1);
	return 0;
}

static int serve(struct command *c)
{
	enum { HOST, IN, OUT, ERR, SIGNALS, COUNT };

	for (;;) {
		bool full = c->pending_bytes > 0;
		struct pollfd fds[COUNT] = {
			[HOST] = { .fd = full ? -1 : c->host, .events = POLLIN },
			[IN] = { .fd = full ? c->in : -1, .events = POLLOUT },
			[OUT] = { .fd = c->out, .events = POLLIN },
			[ERR] = { .fd = c->err, .events = POLLIN },
			[SIGNALS] = { .fd = c->signals, .events = POLLIN },
		};
		bool alive = true;
		int status;

		if (full && c->in < 0)
			c->pending_bytes = 0;
		if (poll(fds, COUNT, -1) < 0 && errno != EINTR)
			die("poll");
		if (fds[OUT].revents)
			alive = from_command(c, &c->out, 'o');
		if (alive && fds[ERR].revents)
			alive = from_command(c, &c->err, 'e');
		if (alive && fds[IN].revents)
			to_command(c);
		if (alive && fds[HOST].revents)
			alive = from_host(c);
		if (c->close_in && !c->pending_bytes && c->in >= 0 && c->in != c->out) {
			close(c->in);
			c->in = -1;
		}
		if (!alive) {
			kill(-c->pid, SIGKILL);
			return 1;
		}
		if (waitpid(c->pid, &status, WNOHANG) == c->pid)
			return finish(c, status);
		if (fds[SIGNALS].revents) {
			struct signalfd_siginfo info;

			if (read(c->signals, &info, sizeof(info)) < 0)
				die("signalfd");
		}
	}
}

static int run_connection(int host)
{
	static struct command c;
	static char text[COMMAND_MAX + 1];
	sigset_t child;
	uint32_t bytes;
	char type;

	if (!receive_header(host, &type, &bytes) || (type != 'r' && type != 't') || bytes > COMMAND_MAX ||
	    !read_full(host, text, bytes))
		return 1;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	c.host = host;
	c.signals = signalfd(-1, &child, SFD_CLOEXEC);
	if (c.signals < 0)
		die("signalfd");
	if (type == 't')
		start_on_terminal(&c, text);
	else
		start_on_pipes(&c, text);
	return serve(&c);
}

int main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(AGENT_PORT) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (listener < 0 || bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 16))
		die("listen");
	signal(SIGCHLD, SIG_IGN); /* connections are never waited for */
	for (;;) {
		int host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (host < 0)
			continue;
		setsockopt(host, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (fork() == 0)
			_exit(run_connection(host));
		close(host);
	}
}
