// SPDX-License-Identifier: GPL-2.0
/*
 * What every daemon does around its server: arguments, configuration, log, loop,
 * map store, admin socket, signals, and the rounds start → run → destroy, of which
 * a fenced server needs more than one. See daemon.h.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon.h"
#include "loop.h"
#include "version.h"

#define EXIT_USAGE 2
#define RESTART_PAUSE_MS 200		/* before a fenced server starts anew, scaled */
#define END_PAUSE_MS 10			/* for closed sockets to end */

enum ending { RUNNING, STOPPED, FAILED, RESTARTS };

/* struct daemon, and what only this file needs. */
struct running {
	struct daemon daemon;		/* first: the public part */
	const char *config_file;
	enum ending ending;
	bool stopping;			/* a signal came */
	struct io_timer pause;
	unsigned int restarts;
};

static struct running *running_of(struct daemon *daemon)
{
	return (struct running *)daemon;
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void print_help(const struct daemon_kind *kind)
{
	printf("usage: %s -c FILE -n NAME\n\n%s\n\n"
	       "  -c, --config FILE   configuration, shared by all daemons of the machine\n"
	       "  -n, --name NAME     which daemon this is: %s0, %s1, ...\n"
	       "      --help          this text\n"
	       "      --version       version of program and protocol\n\n"
	       "It stays in the foreground. SIGTERM stops it cleanly, SIGHUP is ignored.\n",
	       kind->program, kind->doc, kind->prefix, kind->prefix);
}

static int usage_error(const struct daemon_kind *kind, const char *what, const char *which)
{
	fprintf(stderr, "%s: %s%s%s (see %s --help)\n", kind->program, what, *which ? ": " : "", which,
		kind->program);
	return EXIT_USAGE;
}

/* "osd12" of kind "osd" is 12. */
static bool parse_name(const struct daemon_kind *kind, const char *name, uint16_t *ret_id)
{
	const char *digits = name + strlen(kind->prefix);

	if (strncmp(name, kind->prefix, strlen(kind->prefix)) || !isdigit((unsigned char)*digits) ||
	    strlen(digits) > 4 || digits[strspn(digits, "0123456789")])
		return false;
	*ret_id = (uint16_t)strtoul(digits, NULL, 10);
	return true;
}

/* -1: go on; otherwise the exit status. */
static int parse_arguments(struct running *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	const struct daemon_kind *kind = r->daemon.kind;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "c:n:", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			r->config_file = optarg;
			break;
		case 'n':
			r->daemon.name = optarg;
			break;
		case 'h':
			print_help(kind);
			return 0;
		case 'v':
			version_print(kind->program);
			return 0;
		default:
			return usage_error(kind, "unknown option or missing value", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage_error(kind, "unexpected argument", argv[optind]);
	if (!r->config_file || !r->daemon.name)
		return usage_error(kind, "both -c FILE and -n NAME are needed", "");
	if (!parse_name(kind, r->daemon.name, &r->daemon.id))
		return usage_error(kind, "not a name of this kind of daemon", r->daemon.name);
	return -1;
}

/* ---- configuration and log ------------------------------------------------------------------ */

static int config_error(const struct daemon *daemon, const char *text)
{
	fprintf(stderr, "%s: %s\n", daemon->kind->program, text);
	return EXIT_USAGE;
}

static int check_required(const struct daemon *daemon)
{
	static const char *const always[] = { "map_store", NULL };
	const char *const *lists[] = { always, daemon->kind->required };
	char text[256];

	for (int list = 0; list < 2; list++)
		for (const char *const *name = lists[list]; name && *name; name++)
			if (!*config_string(daemon->config, *name)) {
				snprintf(text, sizeof(text), "%s: [%s] needs %s", daemon->config->file,
					 daemon->name, *name);
				return config_error(daemon, text);
			}
	return -1;
}

static int load_config(struct running *r)
{
	struct daemon *daemon = &r->daemon;
	char text[512];
	int status;

	if (config_load(r->config_file, daemon->name, &daemon->config, text, sizeof(text)))
		return config_error(daemon, text);
	status = check_required(daemon);
	if (status >= 0)
		return status;
	if (io_address_parse(daemon->config->listen, 0, &daemon->listen)) {
		snprintf(text, sizeof(text), "%s: listen = %s is not ADDRESS:PORT",
			 daemon->config->file, daemon->config->listen);
		return config_error(daemon, text);
	}
	daemon->log = log_create(daemon->config->log_file, daemon->name,
				 config_log_level(daemon->config));
	if (!daemon->log) {
		snprintf(text, sizeof(text), "%s: %s", daemon->config->log_file, strerror(errno));
		return config_error(daemon, text);
	}
	return -1;
}

/* ---- loop, admin socket --------------------------------------------------------------------- */

static void on_signal(void *owner, int signal)
{
	struct running *r = owner;

	if (signal == SIGHUP)
		return;
	if (r->stopping || r->ending != RUNNING || !r->daemon.server) {
		log_warn(r->daemon.log, "daemon", "%s: ends at once", strsignal(signal));
		r->ending = r->ending == RUNNING ? STOPPED : r->ending;
		loop_stop(r->daemon.io);
		return;
	}
	log_info(r->daemon.log, "daemon", "%s: stops", strsignal(signal));
	r->stopping = true;
	r->daemon.kind->stop(r->daemon.server);
}

/* One line says what the loop runs on, and why not on io_uring. */
static void log_loop(struct daemon *daemon)
{
	const char *why = loop_fallback(daemon->io);

	if (why)
		log_warn(daemon->log, "daemon", "runs on %s: %s", daemon->io->ops->name, why);
	else
		log_info(daemon->log, "daemon", "runs on %s", daemon->io->ops->name);
}

static int create_loop(struct running *r)
{
	struct loop_config config = {
		.helper_threads = (unsigned int)r->daemon.config->osd_helper_threads,
		.time_scale_percent = (uint32_t)r->daemon.config->time_scale,
	};
	int err;

	loop_kind_parse(r->daemon.config->io, &config.kind);	/* the configuration is checked */
	err = loop_create(&config, &r->daemon.io);
	if (!err)
		err = loop_on_signal(r->daemon.io, on_signal, r);
	if (err)
		log_error(r->daemon.log, "daemon", "%s", loop_error(err));
	else
		log_loop(&r->daemon);
	return err;
}

static bool run_status(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	struct daemon *daemon = owner;
	uint64_t up_ns = io_now(daemon->io) - daemon->started_ns;

	admin_print(answer, "name %s\npid %d\nversion %s\nio %s\nuptime_ms %llu\nrestarts %u\n",
		    daemon->name, getpid(), NACRE_VERSION, daemon->io->ops->name,
		    (unsigned long long)(up_ns / 1000000), running_of(daemon)->restarts);
	if (daemon->kind->status && daemon->server)
		daemon->kind->status(daemon->server, answer);
	return true;
}

static bool run_log(void *owner, int argc, char **argv, struct admin_answer *answer)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	struct daemon *daemon = owner;

	for (int level = 0; argc == 2 && level < 4; level++)
		if (!strcmp(argv[1], names[level])) {
			log_set_level(daemon->log, (enum log_level)level);
			admin_print(answer, "log_level %s\n", names[level]);
			return true;
		}
	admin_print(answer, "error: log error|warn|info|debug\n");
	return true;
}

/* ---- what the process has used ---------------------------------------------------------------- */

STATS_STRUCT(process_counters, PROCESS_COUNTERS);
STATS_ROWS(process_rows, PROCESS_COUNTERS);

/* One process, whatever runs in it. */
static struct process_counters process;

static uint64_t microseconds(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

static void process_refresh(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage))
		return;
	process.system_us = microseconds(&usage.ru_stime);
	process.cpu_us = process.system_us + microseconds(&usage.ru_utime);
	process.switches = (uint64_t)(usage.ru_nvcsw + usage.ru_nivcsw);
	process.memory_max_kib = (uint64_t)usage.ru_maxrss;
}

static const struct stats_set process_stats = {
	"process", process_rows, (uint64_t *)&process,
	sizeof(process_rows) / sizeof(process_rows[0]), process_refresh,
};

/* ---- the admin socket --------------------------------------------------------------------------- */

static int make_folder(struct daemon *daemon, const char *path)
{
	if (!mkdir(path, 0755) || errno == EEXIST)
		return 0;
	log_error(daemon->log, "daemon", "run_dir %s: %s", path, strerror(errno));
	return -errno;
}

static int create_admin(struct daemon *daemon)
{
	const char *path = daemon->config->admin_socket;
	char made[512];
	int err = 0;

	if (!*path) {
		snprintf(made, sizeof(made), "%s/%s.sock", daemon->config->run_dir, daemon->name);
		err = make_folder(daemon, daemon->config->run_dir);
		path = made;
	}
	if (!err) {
		err = admin_create(daemon->io, path, &daemon->admin);
		if (err)
			log_error(daemon->log, "daemon", "admin socket %s: %s", path,
				  err == -EADDRINUSE ? "another daemon answers there" : strerror(-err));
	}
	if (!err)
		err = admin_register(daemon->admin, "status", "who this is and how it fares", run_status,
				     daemon);
	if (!err)
		err = admin_register(daemon->admin, "log", "LEVEL: how much is logged", run_log, daemon);
	if (!err)
		err = admin_register_stats(daemon->admin, loop_stats(daemon->io));
	if (!err)
		err = admin_register_stats(daemon->admin, &process_stats);
	return err;
}

/* ---- rounds --------------------------------------------------------------------------------- */

static int open_store(struct daemon *daemon)
{
	const char *fault = "";
	int err = mapstore_open(daemon->io, daemon->config->map_store, &daemon->store, &fault);

	if (err)
		log_error(daemon->log, "daemon", "map store %s: %s", daemon->config->map_store, fault);
	return err;
}

/* A round's own: what servers register ends with them. */
static void close_round(struct daemon *daemon)
{
	if (daemon->server)
		daemon->kind->destroy(daemon->server);
	if (daemon->store)
		mapstore_destroy(daemon->store);
	admin_destroy(daemon->admin);
	daemon->server = NULL;
	daemon->store = NULL;
	daemon->admin = NULL;
}

/* One life of the server: from its start until it has ended. */
static enum ending run_round(struct running *r)
{
	struct daemon *daemon = &r->daemon;

	r->ending = RUNNING;
	if (open_store(daemon) || create_admin(daemon))
		r->ending = FAILED;
	daemon->started_ns = io_now(daemon->io);
	if (r->ending == RUNNING && daemon->kind->start(daemon, &daemon->server)) {
		daemon->server = NULL;
		r->ending = FAILED;
	}
	if (r->ending == RUNNING)
		loop_run(daemon->io);
	close_round(daemon);
	return r->ending;
}

static void pause_over(struct io_timer *timer)
{
	struct running *r = (struct running *)((char *)timer - offsetof(struct running, pause));

	loop_stop(r->daemon.io);
}

/* Let the loop run: what the old server has left under way ends meanwhile. */
static void settle(struct running *r, uint64_t ms)
{
	r->pause.fire = pause_over;
	io_timer_arm(r->daemon.io, &r->pause, io_now(r->daemon.io) + ms * 1000000);
	loop_run(r->daemon.io);
	io_timer_cancel(r->daemon.io, &r->pause);
}

static int run(struct running *r)
{
	enum ending ending;

	for (;;) {
		ending = run_round(r);
		if (ending != RESTARTS || r->stopping)
			break;
		r->restarts++;
		r->ending = RUNNING;
		settle(r, RESTART_PAUSE_MS * r->daemon.config->time_scale / 100);
		if (r->ending == STOPPED) {
			ending = STOPPED;
			break;
		}
	}
	return ending == FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

int daemon_main(const struct daemon_kind *kind, int argc, char **argv)
{
	struct running r = { .daemon.kind = kind };
	struct daemon *daemon = &r.daemon;
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = parse_arguments(&r, argc, argv);
	if (status < 0)
		status = load_config(&r);
	if (status < 0 && create_loop(&r))
		status = EXIT_FAILURE;
	if (status < 0) {
		log_info(daemon->log, "daemon", "%s %s starts", kind->program, NACRE_VERSION);
		status = run(&r);
		log_info(daemon->log, "daemon", "ends, status %d", status);
	}
	if (daemon->io) {
		settle(&r, END_PAUSE_MS);
		loop_destroy(daemon->io);
	}
	log_destroy(daemon->log);
	config_free(daemon->config);
	return status;
}

/* ---- what servers call ---------------------------------------------------------------------- */

static void end_round(struct daemon *daemon, enum ending ending)
{
	if (running_of(daemon)->ending == RUNNING)
		running_of(daemon)->ending = ending;
	loop_stop(daemon->io);
}

void daemon_stopped(struct daemon *daemon)
{
	end_round(daemon, STOPPED);
}

void daemon_fail(struct daemon *daemon, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log_error(daemon->log, "daemon", "%s", text);
	end_round(daemon, FAILED);
}

void daemon_restart(struct daemon *daemon, const char *reason)
{
	log_warn(daemon->log, "daemon", "starts anew: %s", reason);
	end_round(daemon, RESTARTS);
}

static bool is_wildcard(const struct io_address *address)
{
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t any6[16];

	return !memcmp(address->ip, any4, 16) || !memcmp(address->ip, any6, 16);
}

int daemon_advertised(struct daemon *daemon, uint16_t port, struct io_address *ret_address)
{
	const struct config *config = daemon->config;

	*ret_address = daemon->listen;
	if (*config->advertise && io_address_parse(config->advertise, port, ret_address)) {
		log_error(daemon->log, "daemon", "advertise = %s is not ADDRESS or ADDRESS:PORT",
			  config->advertise);
		return -EINVAL;
	}
	if (!*config->advertise)
		ret_address->port = port;
	if (!is_wildcard(ret_address))
		return 0;
	log_error(daemon->log, "daemon",
		  "it listens on every address: advertise must say which one others use");
	return -EINVAL;
}
