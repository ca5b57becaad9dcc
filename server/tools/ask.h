/* SPDX-License-Identifier: GPL-2.0 */
/* Asking a daemon's admin socket: one line there, text back, end. */
#ifndef NACRE_TOOLS_ASK_H
#define NACRE_TOOLS_ASK_H

#include <stddef.h>

/*
 * Send a command and wait for the whole answer, `limit_ms` at most. 0 and the answer,
 * malloc'ed and terminated; -errno with a sentence in `error`: nobody answers
 * (-ENOENT, -ECONNREFUSED), not in time (-ETIMEDOUT), a command too long (-E2BIG).
 */
int ask(const char *path, int argc, char *const *argv, unsigned int limit_ms, char **ret_answer,
	char *error, size_t error_bytes);

struct config;
/* Where the admin socket of a daemon is. -ENAMETOOLONG if it does not fit. */
int ask_path(const struct config *config, const char *daemon, char *path, size_t path_bytes);

#endif
