// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-sim: runs simulated histories, each in a process of its own. A failure
 * prints its seed; `nacre-sim --seed N --trace` shows that history again, event
 * by event.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "server/base/mutate.h"
#include "server/osd/journal_mode.h"
#include "points.h"
#include "sim.h"

struct run {
	struct sim_options options;
	uint64_t first, last;		/* seeds */
	unsigned int jobs;
	bool mutations;			/* break every rule in turn */
	bool stop_at_failure;
	double seconds;			/* begin no further history after so long; 0: run all */
};

#define MUTATION_ROW(NAME, text, doc) { MUTATE_##NAME, text, doc },
static const struct {
	enum mutation mutation;
	const char *name, *doc;
} mutations[] = { MUTATIONS(MUTATION_ROW) };

static const struct {
	const char *name;
	uint32_t bits;
} fault_classes[] = {
	{ "none", 0 }, { "loss", SIM_FAULT_LOSS }, { "slow", SIM_FAULT_SLOW },
	{ "partition", SIM_FAULT_PARTITION }, { "osd", SIM_FAULT_OSD_CRASH },
	{ "mds", SIM_FAULT_MDS_CRASH }, { "client", SIM_FAULT_CLIENT_CRASH },
	{ "pause", SIM_FAULT_PAUSE }, { "all", SIM_FAULT_ALL },
};

static int usage(FILE *out)
{
	size_t i;

	fprintf(out,
		"usage: nacre-sim [--seed N | --seeds FIRST..LAST] [--ops N] [--clients N] [--jobs N] [--seconds N]\n"
		"                 [--faults CLASS,…] [--inline on|off] [--journal data|ordered|cow] [--replicas 2|3] [--mutate NAME] [--trace] [--verbose]\n"
		"       nacre-sim --mutations [--seeds FIRST..LAST] [--jobs N]\n"
		"fault classes (default: chosen by each seed):");
	for (i = 0; i < sizeof(fault_classes) / sizeof(fault_classes[0]); i++)
		fprintf(out, " %s", fault_classes[i].name);
	fprintf(out, "\nmutations, rules that can be broken on purpose:\n");
	for (i = 0; i < MUTATION_COUNT; i++)
		fprintf(out, "  %-24s %s\n", mutations[i].name, mutations[i].doc);
	return out == stderr;
}

/* ---- one seed, one process ----------------------------------------------------------- */

static int run_here(struct sim_options options, uint64_t seed)
{
	uint64_t hash;
	bool good;

	options.seed = seed;
	good = sim_history(&options, &hash);
	if (options.verbose || options.trace)
		printf("seed %" PRIu64 ": %s, hash %016" PRIx64 "\n", seed, good ? "good" : "BAD",
		       hash);
	fflush(NULL);
	return good ? 0 : 1;
}

/* The child's words go to a file of its own, shown only when it fails. */
static pid_t spawn(const struct run *run, uint64_t seed, char *log_path, size_t log_bytes)
{
	pid_t pid;
	int fd;

	snprintf(log_path, log_bytes, "/tmp/nacre-sim.XXXXXX");
	fd = mkstemp(log_path);
	if (fd < 0)
		return -1;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		signal(SIGINT, SIG_IGN);	/* its parent waits for it */
		dup2(fd, STDERR_FILENO);
		if (!run->options.verbose)
			dup2(fd, STDOUT_FILENO);
		_exit(run_here(run->options, seed));
	}
	close(fd);
	return pid;
}

struct job {
	pid_t pid;			/* 0: idle */
	uint64_t seed;
	char log[64];
};

static void show_log(const char *path, FILE *out)
{
	char line[1024];
	FILE *in = fopen(path, "r");

	while (in && fgets(line, sizeof(line), in))
		fputs(line, out);
	if (in)
		fclose(in);
}

/* Wait for one job; true when its history was good. *ret_seed: which. */
static bool reap(struct job *jobs, unsigned int count, uint64_t *ret_seed, bool show)
{
	unsigned int i;
	int status;
	bool good;
	pid_t pid = wait(&status);

	for (i = 0; i < count && jobs[i].pid != pid; i++)
		;
	if (i == count)
		return true;
	good = WIFEXITED(status) && !WEXITSTATUS(status);
	*ret_seed = jobs[i].seed;
	if (!good && show) {
		printf("seed %" PRIu64 " FAILED", jobs[i].seed);
		if (WIFSIGNALED(status))
			printf(" (signal %d)", WTERMSIG(status));
		printf(":\n");
		show_log(jobs[i].log, stdout);
	}
	unlink(jobs[i].log);
	jobs[i].pid = 0;
	return good;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#define PROGRESS_SECONDS 60		/* between two lines of a long run */

static volatile sig_atomic_t told_to_stop;

static void on_stop(int signal_number)
{
	(void)signal_number;
	told_to_stop = true;
}

/* SIGINT and SIGTERM: begin no further history, and say what the others did. */
static void catch_stop(void)
{
	struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* Processor time of the histories that have ended, in s. */
static double processor_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void say_progress(double *at, uint64_t ended, uint64_t bad)
{
	if (seconds() < *at)
		return;
	*at += PROGRESS_SECONDS;
	fprintf(stderr, "%" PRIu64 " histories, %" PRIu64 " bad, %.0f s of processor time\n", ended,
		bad, processor_seconds());
}

/*
 * Run all seeds, or those for which there is time: then run->last changes. The
 * number of bad ones; *ret_bad: the lowest of those seen.
 */
static uint64_t run_seeds(struct run *run, uint64_t *ret_bad, bool show)
{
	double begin = seconds(), next_word = begin + PROGRESS_SECONDS;
	struct job *jobs = calloc(run->jobs, sizeof(*jobs));
	uint64_t next = run->first, bad = 0, seed;
	unsigned int running = 0, i;

	*ret_bad = 0;
	while (running || next <= run->last) {
		if (told_to_stop || (run->seconds && seconds() - begin > run->seconds))
			run->last = next - 1;
		say_progress(&next_word, next - run->first - running, bad);
		while (running < run->jobs && next <= run->last) {
			for (i = 0; jobs[i].pid; i++)
				;
			jobs[i].seed = next++;
			jobs[i].pid = spawn(run, jobs[i].seed, jobs[i].log, sizeof(jobs[i].log));
			if (jobs[i].pid < 0) {
				perror("nacre-sim: fork");
				exit(2);
			}
			running++;
		}
		running--;
		if (reap(jobs, run->jobs, &seed, show))
			continue;
		if (!bad++ || seed < *ret_bad)
			*ret_bad = seed;
		if (run->stop_at_failure)
			next = run->last + 1;
	}
	free(jobs);
	return bad;
}

/* ---- modes ----------------------------------------------------------------------------- */

static int run_all(struct run *run)
{
	double begin = seconds();
	uint64_t lowest, bad;

	catch_stop();
	bad = run_seeds(run, &lowest, true);
	points_print(run->options.points, stdout);
	printf("seeds %" PRIu64 "..%" PRIu64 ": %" PRIu64 " histories of %" PRIu64 " calls, %" PRIu64
	       " bad, %.1f s, %.1f s of processor time\n",
	       run->first, run->last, run->last - run->first + 1, run->options.ops, bad,
	       seconds() - begin, processor_seconds());
	if (bad)
		printf("again: nacre-sim --ops %" PRIu64 " --seed %" PRIu64 " --trace\n",
		       run->options.ops, lowest);
	return bad ? 1 : 0;
}

#define RARE_TIMES 4			/* so many more seeds for what one history in some hundreds shows */

/* Rules about what is overwritten in place show only in mode ordered, and when OSDs crash. */
static void choose_histories(struct run *run, enum mutation mutation, uint64_t last)
{
	bool in_place = mutation >= MUTATE_OSD_INTENT_SKIPPED && mutation <= MUTATE_OSD_UNSTABLE_UNHEEDED;

	run->options.journals_by_seed = !in_place;
	run->options.journal = NACRE_JOURNAL_ORDERED;
	run->options.faults_by_seed = !in_place;
	run->options.faults = SIM_FAULT_ALL;
	run->last = in_place ? run->first + (last - run->first + 1) * RARE_TIMES - 1 : last;
}

static int run_mutations(struct run *run)
{
	uint64_t lowest, last = run->last;
	int missed = 0;
	size_t i;

	run->stop_at_failure = true;
	for (i = 0; i < MUTATION_COUNT; i++) {
		mutate_set(mutations[i].mutation, true);
		choose_histories(run, mutations[i].mutation, last);
		if (run_seeds(run, &lowest, run->options.verbose)) {
			printf("caught  %-24s by seed %" PRIu64 "\n", mutations[i].name, lowest);
		} else {
			printf("MISSED  %-24s in seeds %" PRIu64 "..%" PRIu64 "\n",
			       mutations[i].name, run->first, run->last);
			missed++;
		}
		fflush(stdout);
		mutate_set(mutations[i].mutation, false);
	}
	return missed ? 1 : 0;
}

/* ---- options ------------------------------------------------------------------------------- */

static bool parse_faults(struct sim_options *options, char *text)
{
	char *word, *save = NULL;
	size_t i;

	options->faults_by_seed = false;
	options->faults = 0;
	for (word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < sizeof(fault_classes) / sizeof(fault_classes[0]); i++)
			if (!strcmp(word, fault_classes[i].name))
				break;
		if (i == sizeof(fault_classes) / sizeof(fault_classes[0]))
			return false;
		options->faults |= fault_classes[i].bits;
	}
	return true;
}

static bool parse_mutation(const char *text)
{
	size_t i;

	for (i = 0; i < MUTATION_COUNT; i++)
		if (!strcmp(text, mutations[i].name)) {
			mutate_set(mutations[i].mutation, true);
			return true;
		}
	return false;
}

static bool parse_seeds(struct run *run, const char *text)
{
	char *end;

	run->first = run->last = strtoull(text, &end, 0);
	if (!strncmp(end, "..", 2))
		run->last = strtoull(end + 2, &end, 0);
	return !*end && run->first <= run->last;
}

static bool parse_journal(struct sim_options *options, const char *text)
{
	const struct osd_journal_mode *mode;

	options->journals_by_seed = false;
	for (options->journal = 0; (mode = osd_journal_mode_find(options->journal)); options->journal++)
		if (!strcmp(text, mode->name))
			return true;
	return false;
}

static bool parse_option(struct run *run, int option)
{
	switch (option) {
	case 's':
		return parse_seeds(run, optarg);
	case 'o':
		run->options.ops = strtoull(optarg, NULL, 0);
		return run->options.ops != 0;
	case 'c':
		run->options.clients = (unsigned int)strtoul(optarg, NULL, 0);
		return run->options.clients && run->options.clients <= SIM_CLIENTS_MAX;
	case 'j':
		run->jobs = (unsigned int)strtoul(optarg, NULL, 0);
		return run->jobs != 0;
	case 'f':
		return parse_faults(&run->options, optarg);
	case 'i':
		run->options.inlines_by_seed = false;
		run->options.inlines = !strcmp(optarg, "on");
		return run->options.inlines || !strcmp(optarg, "off");
	case 'J':
		return parse_journal(&run->options, optarg);
	case 'r':
		run->options.replicas = (uint8_t)strtoul(optarg, NULL, 0);
		return run->options.replicas == 2 || run->options.replicas == SIM_OSDS;
	case 'm':
		return parse_mutation(optarg);
	case 'M':
		run->mutations = true;
		return true;
	case 'S':
		run->seconds = strtod(optarg, NULL);
		return run->seconds > 0;
	case 't':
		run->options.trace = true;
		return true;
	case 'v':
		run->options.verbose = true;
		return true;
	default:
		return false;
	}
}

static const struct option options[] = {
	{ "seed", required_argument, NULL, 's' }, { "seeds", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'o' }, { "clients", required_argument, NULL, 'c' },
	{ "jobs", required_argument, NULL, 'j' }, { "faults", required_argument, NULL, 'f' },
	{ "inline", required_argument, NULL, 'i' }, { "journal", required_argument, NULL, 'J' }, { "replicas", required_argument, NULL, 'r' }, { "mutate", required_argument, NULL, 'm' }, { "mutations", no_argument, NULL, 'M' },
	{ "seconds", required_argument, NULL, 'S' }, { "trace", no_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct run run = {
		.options = { .ops = 2000, .faults = SIM_FAULT_ALL, .faults_by_seed = true,
			     .inlines_by_seed = true, .journals_by_seed = true },
		.first = 1, .last = 100,
	};
	int option;

	run.options.points = points_create();
	run.jobs = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return usage(stdout);
		if (!parse_option(&run, option))
			return usage(stderr);
	}
	if (optind != argc)
		return usage(stderr);
	if (run.mutations)
		return run_mutations(&run);
	if (run.first == run.last) {
		run.options.verbose = true;
		/* as in spawn(): a crashed host's memory is nobody's, so nothing looks for leaks */
		_exit(run_here(run.options, run.first));
	}
	return run_all(&run);
}
