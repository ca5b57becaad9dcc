// SPDX-License-Identifier: GPL-2.0
/* Clients are alike: of the worlds that differ only in who is called what, one stands for all. */
#include "caps_model_parts.h"

static void swap_bytes(void *a, void *b, size_t size)
{
	unsigned char spare[sizeof(struct model_client) + sizeof(((struct model_rank *)0)->of[0])];

	memcpy(spare, a, size);
	memcpy(a, b, size);
	memcpy(b, spare, size);
}

static void swap_loner(struct nacre_lock *lock, int a, int b)
{
	if (lock->loner == CLIENT_ID(a))
		lock->loner = CLIENT_ID(b);
	else if (lock->loner == CLIENT_ID(b))
		lock->loner = CLIENT_ID(a);
}

void model_swap(struct model *m, int a, int b)
{
	swap_bytes(&m->client[a], &m->client[b], sizeof(m->client[a]));
	swap_bytes(&m->rank.of[a], &m->rank.of[b], sizeof(m->rank.of[a]));
	swap_loner(&m->rank.auth, a, b);
	swap_loner(&m->rank.file, a, b);
}

/* Which of two clients comes first? Whatever says so, as long as it is not where they stand. */
static int compare_clients(const struct model *m, int a, int b)
{
	int order = memcmp(&m->client[a], &m->client[b], sizeof(m->client[a]));
	int loner_a = (m->rank.auth.loner == CLIENT_ID(a)) + 2 * (m->rank.file.loner == CLIENT_ID(a));
	int loner_b = (m->rank.auth.loner == CLIENT_ID(b)) + 2 * (m->rank.file.loner == CLIENT_ID(b));

	if (!order)
		order = memcmp(&m->rank.of[a], &m->rank.of[b], sizeof(m->rank.of[a]));
	return order ? order : loner_a - loner_b;
}

static int are_alike(const struct model_rules *rules, int a, int b)
{
	return !((rules->readers >> a ^ rules->readers >> b) & 1) &&
	       !((rules->writers >> a ^ rules->writers >> b) & 1);
}

void model_order(struct model *m, const struct model_rules *rules, int *who)
{
	int a, b, spare;

	for (a = 0; a < rules->clients; a++)
		for (b = a + 1; b < rules->clients; b++)
			if (are_alike(rules, a, b) && compare_clients(m, a, b) > 0) {
				model_swap(m, a, b);
				spare = who[a];
				who[a] = who[b];
				who[b] = spare;
			}
}
