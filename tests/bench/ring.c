// SPDX-License-Identifier: GPL-2.0
/* The ring of both loops; see bare.h. */
#include <errno.h>
#include <string.h>
#include "bare.h"

int bare_ring(struct io_uring *ring, unsigned int entries)
{
	static const unsigned int tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_COOP_TASKRUN, 0,
	};
	struct io_uring_params params;
	int err = -EINVAL;

	for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]) && err == -EINVAL; i++) {
		memset(&params, 0, sizeof(params));
		params.flags = tries[i];
		err = io_uring_queue_init_params(entries, ring, &params);
	}
	if (!err)
		io_uring_register_ring_fd(ring);
	return err;
}
