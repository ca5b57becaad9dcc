// SPDX-License-Identifier: GPL-2.0
/* Memory and printing of the counters; see stats.h. */
#include <linux/seq_file.h>
#include "nacre.h"

static_assert(NACRE_STATS_TYPES == NACRE_MSG_LIMIT);

int nacre_stats_create(struct nacre_fs *fs)
{
	fs->stats = alloc_percpu(struct nacre_stats);
	return fs->stats ? 0 : -ENOMEM;
}

void nacre_stats_destroy(struct nacre_fs *fs)
{
	free_percpu(fs->stats);
	fs->stats = NULL;
}

/* Sum of one counter, given by its place in the struct, over all processors. */
static u64 sum(struct nacre_fs *fs, size_t offset)
{
	u64 total = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		total += *(u64 *)((char *)per_cpu_ptr(fs->stats, cpu) + offset);
	return total;
}

static void show_messages(struct seq_file *out, struct nacre_fs *fs, const char *prefix,
			  size_t first)
{
	const struct nacre_message *table;
	unsigned int count, i;

	table = nacre_message_table(&count);
	for (i = 0; i < count; i++)
		seq_printf(out, "%s_%s %llu\n", prefix, table[i].name,
			   sum(fs, first + table[i].type * sizeof(u64)));
}

void nacre_stats_show(struct seq_file *out, struct nacre_fs *fs)
{
#define NACRE_COUNTER_SHOW(name, doc) \
	seq_printf(out, #name " %llu\n", sum(fs, offsetof(struct nacre_stats, name)));
	NACRE_COUNTERS(NACRE_COUNTER_SHOW)
	show_messages(out, fs, "sent", offsetof(struct nacre_stats, sent));
	show_messages(out, fs, "received", offsetof(struct nacre_stats, received));
}
