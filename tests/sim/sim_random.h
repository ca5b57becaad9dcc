/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Seeded random numbers: xoshiro256** (Blackman and Vigna, 2018), seeded by
 * splitmix64. All chance in a simulated history comes from these, so that a
 * seed is the history.
 */
#ifndef NACRE_SIM_RANDOM_H
#define NACRE_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
	uint64_t state[4];
};

static inline uint64_t sim_splitmix(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline struct sim_random sim_random_from(uint64_t seed)
{
	struct sim_random r;
	int i;

	for (i = 0; i < 4; i++)
		r.state[i] = sim_splitmix(&seed);
	return r;
}

static inline uint64_t sim_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline uint64_t sim_random_next(struct sim_random *r)
{
	uint64_t *s = r->state;
	uint64_t result = sim_rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = sim_rotate(s[3], 45);
	return result;
}

/* 0 … limit - 1; a limit of 0 gives 0. */
static inline uint64_t sim_below(struct sim_random *r, uint64_t limit)
{
	return limit ? sim_random_next(r) % limit : 0;
}

static inline uint64_t sim_between(struct sim_random *r, uint64_t low, uint64_t high)
{
	return low + sim_below(r, high - low + 1);
}

/* True `ppm` times in a million; draws nothing when it cannot be. */
static inline bool sim_chance(struct sim_random *r, uint32_t ppm)
{
	return ppm && sim_below(r, 1000000) < ppm;
}

#endif
