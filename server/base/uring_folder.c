// SPDX-License-Identifier: GPL-2.0
/*
 * Names that appear in folders: an inotify descriptor each, with a poll of it in the ring. A watch ends with the
 * last completion of its poll.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "uring_ring.h"

struct io_folder {
	struct uring *u;
	struct io_folder *next, **link;
	int fd;
	void (*named)(void *owner, const char *name);
	void *owner;
	bool closing;
	struct uring_op op;
};

static void poll_arm(struct io_folder *folder)
{
	io_uring_prep_poll_add(uring_sqe(folder->u, &folder->op), folder->fd, POLLIN);
}

static void folder_free(struct io_folder *folder)
{
	*folder->link = folder->next;
	if (folder->next)
		folder->next->link = folder->link;
	close(folder->fd);
	free(folder);
}

/* What the descriptor holds; its owner may close the watch when told. */
static void tell(struct io_folder *folder)
{
	_Alignas(struct inotify_event) char room[4096];
	struct inotify_event *event;
	ssize_t length = read(folder->fd, room, sizeof(room));
	char *at;

	for (at = room; at < room + length && !folder->closing; at += sizeof(*event) + event->len) {
		event = (struct inotify_event *)at;
		folder->named(folder->owner, event->len ? event->name : "");
	}
}

static void poll_complete(struct uring *u, struct uring_op *op, int result, unsigned int flags)
{
	struct io_folder *folder = container(op, struct io_folder, op);

	if (u->dying)
		return;
	if (!folder->closing && result > 0)
		tell(folder);
	if (folder->closing)
		folder_free(folder);
	else
		poll_arm(folder);
}

int uring_folder_watch(struct io *io, const char *path, void (*named)(void *owner, const char *name),
		       void *owner, struct io_folder **ret_folder)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), err = 0;
	struct uring *u = uring_of(io);
	struct io_folder *folder;

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		err = -errno;
	folder = err ? NULL : calloc(1, sizeof(*folder));
	if (!folder) {
		close(fd);
		return err ? err : -ENOMEM;
	}
	*folder = (struct io_folder){ .u = u, .fd = fd, .named = named, .owner = owner,
				      .next = u->folders, .link = &u->folders,
				      .op = { .complete = poll_complete } };
	if (folder->next)
		folder->next->link = &folder->next;
	u->folders = folder;
	poll_arm(folder);
	*ret_folder = folder;
	return 0;
}

void uring_folder_close(struct io_folder *folder)
{
	folder->closing = true;
	uring_cancel(folder->u, &folder->op);
}

void uring_folders_free(struct uring *u)
{
	while (u->folders)
		folder_free(u->folders);
}
