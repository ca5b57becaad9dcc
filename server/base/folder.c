// SPDX-License-Identifier: GPL-2.0
/*
 * Names that appear in folders: an inotify descriptor each, that the driver watches.
 * A folder that is closed lives on until the driver is done with it.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>
#include "loop_core.h"

struct io_folder {
	struct loop *loop;
	struct io_folder *next, **link;	/* in loop->folders */
	void (*named)(void *owner, const char *name);
	void *owner;
	bool closing;
	struct loop_watch watch;	/* of the inotify descriptor */
};

static void folder_free(struct io_folder *folder)
{
	*folder->link = folder->next;
	if (folder->next)
		folder->next->link = folder->link;
	close(folder->watch.fd);
	free(folder);
}

/* What the descriptor holds; its owner may close the watch when told. */
static void folder_ready(struct loop *loop, struct loop_watch *watch)
{
	struct io_folder *folder = container(watch, struct io_folder, watch);
	_Alignas(struct inotify_event) char room[4096];
	struct inotify_event *event;
	ssize_t length = read(watch->fd, room, sizeof(room));
	char *at;

	for (at = room; at < room + length && !folder->closing; at += sizeof(*event) + event->len) {
		event = (struct inotify_event *)at;
		folder->named(folder->owner, event->len ? event->name : "");
	}
}

static void folder_ended(struct loop_watch *watch)
{
	folder_free(container(watch, struct io_folder, watch));
}

int loop_folder_watch(struct io *io, const char *path, void (*named)(void *owner, const char *name),
		      void *owner, struct io_folder **ret_folder)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), err = 0;
	struct io_folder *folder = NULL;
	struct loop *loop = loop_of(io);

	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		err = -errno;
	else if (!(folder = calloc(1, sizeof(*folder))))
		err = -ENOMEM;
	if (err) {
		close(fd);
		return err;
	}
	*folder = (struct io_folder){ .loop = loop, .named = named, .owner = owner,
				      .next = loop->folders, .link = &loop->folders };
	folder->watch = (struct loop_watch){ .fd = fd, .ready = folder_ready, .ended = folder_ended };
	if (folder->next)
		folder->next->link = &folder->next;
	loop->folders = folder;
	err = loop->driver->watch(loop, &folder->watch);
	if (err)
		folder_free(folder);
	else
		*ret_folder = folder;
	return err;
}

void loop_folder_close(struct io_folder *folder)
{
	if (folder->closing)
		return;
	folder->closing = true;
	folder->loop->driver->unwatch(folder->loop, &folder->watch);
}

void loop_folders_free(struct loop *loop)
{
	while (loop->folders)
		folder_free(loop->folders);
}
