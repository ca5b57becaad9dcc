/* SPDX-License-Identifier: GPL-2.0 */
/* `nacre pool`: what pools are like, and how their writes are journaled (decision 0020). */
#ifndef NACRE_TOOLS_POOL_H
#define NACRE_TOOLS_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct cluster_map;

/* "metadata", "data", or "": it has only a number. */
const char *pool_name(uint32_t id);
/* A name, or the pool's number. True: it is one, of this map or not. */
bool pool_parse(const char *text, uint32_t *ret_id);

/* A line for each. */
void pool_list(FILE *out, const struct cluster_map *map);
/* `argc` and `argv` from "pool" on: list them, or change one. An exit status (tool.h). */
int pool_run(const char *map_store, int argc, char **argv);

#endif
