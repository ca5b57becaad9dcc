/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of the metadata server. Out of memory ends the process: everything
 * answered as safe is in the journal, and half a change cannot be left behind.
 */
#ifndef MDS_ALLOC_H
#define MDS_ALLOC_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *mds_must(void *memory)
{
	if (!memory) {
		fputs("nacre-mds: out of memory\n", stderr);
		abort();
	}
	return memory;
}

/* Zeroed. */
static inline void *mds_zalloc(size_t bytes)
{
	return mds_must(calloc(1, bytes ? bytes : 1));
}

static inline void *mds_resize(void *memory, size_t bytes)
{
	return mds_must(realloc(memory, bytes ? bytes : 1));
}

#ifndef container_of
#define container_of(pointer, type, member) \
	((type *)((char *)(pointer) - offsetof(type, member)))
#endif

#endif
