/* SPDX-License-Identifier: GPL-2.0 */
/* A disk operation of the epoll driver on its way. See aio_disk.c. */
#ifndef NACRE_AIO_DISK_H
#define NACRE_AIO_DISK_H

#include "epoll_loop.h"

enum aio_place {
	AIO_WAITING,			/* for the end of the turn, or for room */
	AIO_KERNEL,			/* in the context */
	AIO_HELPER,			/* with a helper thread, or in its queue */
};

struct aio_disk {
	struct loop_disk common;
	enum aio_place place;
	bool flushing;			/* the write is done, its flush is under way */
	int result;			/* the helper's */
	struct aio_disk *next_waiting;
	struct aio_disk *next_due, **due_link;	/* NULL: overdue, or between two steps */
	uint64_t overdue_ns;
	struct iocb iocb;
	struct io_job job;
};

#endif
