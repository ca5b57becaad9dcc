/* SPDX-License-Identifier: GPL-2.0 */
/* Several `dir:` stores on one folder, which stand for several daemons; calls that wait for their answers. */
#ifndef NACRE_TEST_STORES_H
#define NACRE_TEST_STORES_H

#include "run.h"
#include "server/base/mapstore.h"

struct answer {
	unsigned int count;
	int result;
	uint64_t epoch;
	uint8_t bytes[64];
	size_t length;
	bool came;
	struct mapstore_lease leases[8];
	size_t lease_count;
	bool holds;
	unsigned int changes;
};

static inline void on_got(void *owner, int result, uint64_t epoch, const uint8_t *bytes, size_t length)
{
	struct answer *answer = owner;

	answer->count++;
	answer->result = result;
	answer->epoch = epoch;
	answer->length = length < sizeof(answer->bytes) ? length : sizeof(answer->bytes);
	if (answer->length)
		memcpy(answer->bytes, bytes, answer->length);
	answer->came = true;
}

static inline void on_swapped(void *owner, int result)
{
	struct answer *answer = owner;

	answer->count++;
	answer->result = result;
	answer->came = true;
}

static inline void on_listed(void *owner, int result, const struct mapstore_lease *leases, size_t count)
{
	struct answer *answer = owner;

	assert_true(count <= 8);
	answer->result = result;
	answer->lease_count = count;
	if (count)
		memcpy(answer->leases, leases, count * sizeof(*leases));
	answer->came = true;
}

static inline void on_lost(void *owner)
{
	((struct answer *)owner)->count++;
	((struct answer *)owner)->came = true;
}

static inline void on_elected(void *owner, bool holds)
{
	struct answer *answer = owner;

	answer->holds = holds;
	answer->changes++;
}

struct fixture {
	struct io *io;
	char *folder;
	struct mapstore *store[3];
};

static inline void setup_stores(struct fixture *f)
{
	const char *error = NULL;
	char url[128];

	f->io = run_loop();
	snprintf(url, sizeof(url), "dir:%s", f->folder);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mapstore_open(f->io, url, &f->store[i], &error), 0);
}

static inline void setup(struct fixture *f)
{
	f->folder = run_folder();
	setup_stores(f);
}

static inline void teardown(struct fixture *f)
{
	for (int i = 0; i < 3; i++)
		if (f->store[i])
			mapstore_destroy(f->store[i]);
	loop_destroy(f->io);
	run_folder_remove(f->folder);
}

static inline int get(struct fixture *f, int store, struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	mapstore_get(f->store[store], on_got, answer);
	assert_false(answer->came);
	run_until_set(f->io, &answer->came);
	return answer->result;
}

static inline int swap(struct fixture *f, int store, uint64_t epoch, const char *text)
{
	struct answer answer = { 0 };

	mapstore_swap(f->store[store], epoch, (const uint8_t *)text, strlen(text), on_swapped, &answer);
	run_until_set(f->io, &answer.came);
	return answer.result;
}

#endif
