/* SPDX-License-Identifier: GPL-2.0 */
/* A socket name of either family, for uring_net.c and uring_stream.c. */
#ifndef NACRE_URING_SOCKADDR_H
#define NACRE_URING_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

union uring_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#endif
