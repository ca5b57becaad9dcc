// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the configuration: inih splits the file, the table CONFIG_OPTIONS
 * says what each key is. Every section of the file is checked, those of other
 * daemons too, so that a mistake is found on the first start of any of them.
 *
 * A daemon's own section wins over [global] wherever the two stand in the file.
 */
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"
#include "loop.h"

struct option {
	const char *name;
	const char *def;		/* of a string */
	size_t offset;			/* in struct config */
	uint64_t number_def, min, max;	/* of a number */
	bool is_number;
};

#define OPTION_STRING(name_, def_, doc) \
	{ .name = #name_, .def = def_, .offset = offsetof(struct config, name_) },
#define OPTION_NUMBER(name_, def_, min_, max_, doc) \
	{ .name = #name_, .number_def = def_, .min = min_, .max = max_, .is_number = true, \
	  .offset = offsetof(struct config, name_) },
static const struct option options[] = { CONFIG_OPTIONS(OPTION_STRING, OPTION_NUMBER) };
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* Two OSDs on one device, or two daemons behind one socket, would destroy each other's work. */
static const char *const own_only[] = { "device", "kv_dir", "admin_socket" };

/* Where each option's present value came from. */
enum origin { FROM_DEFAULT, FROM_GLOBAL, FROM_OWN };

struct loading {
	struct config *config;
	enum origin origin[OPTION_COUNT];
	char text[256];			/* the first error, without file and line */
	const char *prefix;		/* config_daemons(): sections looked for */
	uint16_t *ids;
	unsigned int id_count, id_max;
};

static const char **string_slot(struct config *config, const struct option *option)
{
	return (const char **)((char *)config + option->offset);
}

static uint64_t *number_slot(struct config *config, const struct option *option)
{
	return (uint64_t *)((char *)config + option->offset);
}

static const struct option *find_option(const char *name)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}

static bool is_own_only(const char *name)
{
	for (size_t i = 0; i < sizeof(own_only) / sizeof(own_only[0]); i++)
		if (!strcmp(own_only[i], name))
			return true;
	return false;
}

/* "mds" or "osd" and a number. */
static bool is_daemon_section(const char *section)
{
	if (strncmp(section, "mds", 3) && strncmp(section, "osd", 3))
		return false;
	if (!isdigit((unsigned char)section[3]) || strlen(section) > 7)
		return false;
	return strspn(section + 3, "0123456789") == strlen(section + 3);
}

static int find_level(const char *text)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };

	for (int i = 0; i < 4; i++)
		if (!strcmp(names[i], text))
			return i;
	return -1;
}

static bool parse_number(struct loading *loading, const struct option *option, const char *text,
			 uint64_t *ret_value)
{
	char *end;

	errno = 0;
	*ret_value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno) {
		snprintf(loading->text, sizeof(loading->text), "%s = %.64s: not a whole number",
			 option->name, text);
		return false;
	}
	if (*ret_value < option->min || *ret_value > option->max) {
		snprintf(loading->text, sizeof(loading->text),
			 "%s = %.64s: must be from %llu to %llu", option->name, text,
			 (unsigned long long)option->min, (unsigned long long)option->max);
		return false;
	}
	if (!strcmp(option->name, "osd_journal_unit") && *ret_value &&
	    (*ret_value < 512 || *ret_value & (*ret_value - 1))) {
		snprintf(loading->text, sizeof(loading->text),
			 "osd_journal_unit = %.64s: must be 0, 512, 1024, 2048 or 4096", text);
		return false;
	}
	return true;
}

static bool check_string(struct loading *loading, const struct option *option, const char *text)
{
	enum loop_kind kind;

	if (!strcmp(option->name, "log_level") && find_level(text) < 0) {
		snprintf(loading->text, sizeof(loading->text),
			 "log_level = %.64s: must be error, warn, info or debug", text);
		return false;
	}
	if (!strcmp(option->name, "io") && !loop_kind_parse(text, &kind)) {
		snprintf(loading->text, sizeof(loading->text),
			 "io = %.64s: must be auto, uring or aio", text);
		return false;
	}
	if (!strcmp(option->name, "osd_discard") && strcmp(text, "on") && strcmp(text, "off")) {
		snprintf(loading->text, sizeof(loading->text), "osd_discard = %.64s: must be on or off", text);
		return false;
	}
	return true;
}

/* Put a checked value in place if nothing stronger stands there. */
static bool apply(struct loading *loading, const struct option *option, enum origin origin,
		  const char *text, uint64_t number)
{
	enum origin *standing = &loading->origin[option - options];
	const char **slot;
	char *copy;

	if (*standing == origin) {
		snprintf(loading->text, sizeof(loading->text), "%s is set twice", option->name);
		return false;
	}
	if (*standing > origin)
		return true;
	*standing = origin;
	if (option->is_number) {
		*number_slot(loading->config, option) = number;
		return true;
	}
	copy = strdup(text);
	if (!copy) {
		snprintf(loading->text, sizeof(loading->text), "out of memory");
		return false;
	}
	slot = string_slot(loading->config, option);
	free((char *)*slot);
	*slot = copy;
	return true;
}

/* config_daemons(): remember a section of the wanted kind, in order. */
static void note_section(struct loading *loading, const char *section)
{
	size_t length = loading->prefix ? strlen(loading->prefix) : 0;
	unsigned int at = 0;
	uint16_t id;

	if (!length || strncmp(section, loading->prefix, length))
		return;
	id = (uint16_t)strtoul(section + length, NULL, 10);
	while (at < loading->id_count && loading->ids[at] < id)
		at++;
	if ((at < loading->id_count && loading->ids[at] == id) || loading->id_count == loading->id_max)
		return;
	memmove(loading->ids + at + 1, loading->ids + at,
		(loading->id_count - at) * sizeof(*loading->ids));
	loading->ids[at] = id;
	loading->id_count++;
}

/* inih calls it for every key; 0 = error. It goes on after one, the first is kept. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct loading *loading = user;
	const struct option *option = find_option(name);
	bool global = !strcmp(section, "global");
	uint64_t number = 0;

	if (loading->text[0])
		return 0;
	if (!global && !is_daemon_section(section))
		snprintf(loading->text, sizeof(loading->text),
			 "[%.64s]: sections are [global], [mdsN] and [osdN]", section);
	else if (!option)
		snprintf(loading->text, sizeof(loading->text), "unknown key %.64s", name);
	else if (global && is_own_only(name))
		snprintf(loading->text, sizeof(loading->text),
			 "%s belongs into a daemon's own section", name);
	if (loading->text[0])
		return 0;
	if (!global)
		note_section(loading, section);
	if (option->is_number ? !parse_number(loading, option, value, &number)
			      : !check_string(loading, option, value))
		return 0;
	if (global)
		return apply(loading, option, FROM_GLOBAL, value, number);
	if (loading->config->daemon && !strcmp(section, loading->config->daemon))
		return apply(loading, option, FROM_OWN, value, number);
	return 1;
}

static int set_defaults(struct config *config)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (options[i].is_number) {
			*number_slot(config, &options[i]) = options[i].number_def;
			continue;
		}
		*string_slot(config, &options[i]) = strdup(options[i].def);
		if (!*string_slot(config, &options[i]))
			return -ENOMEM;
	}
	return 0;
}

static int read_file(struct loading *loading, char *error, unsigned int error_bytes)
{
	const char *file = loading->config->file;
	int line;

	errno = 0;
	line = ini_parse(file, take_key, loading);
	if (line == 0)
		return 0;
	if (line == -1) {
		snprintf(error, error_bytes, "%s: %s", file, strerror(errno ? errno : EIO));
		return errno ? -errno : -EIO;
	}
	if (line < 0) {
		snprintf(error, error_bytes, "%s: out of memory", file);
		return -ENOMEM;
	}
	snprintf(error, error_bytes, "%s:%d: %s", file, line,
		 loading->text[0] ? loading->text : "neither a [section] nor key = value");
	return -EINVAL;
}

/* Read a file into loading->config, which is made here. */
static int load(struct loading *loading, const char *file, const char *daemon, char *error,
		unsigned int error_bytes)
{
	struct config *config = calloc(1, sizeof(*config));
	int err;

	loading->config = config;
	err = config ? set_defaults(config) : -ENOMEM;
	if (!err) {
		config->file = strdup(file);
		config->daemon = daemon ? strdup(daemon) : NULL;
		if (!config->file || (daemon && !config->daemon))
			err = -ENOMEM;
	}
	if (err)
		snprintf(error, error_bytes, "out of memory");
	else
		err = read_file(loading, error, error_bytes);
	if (err)
		config_free(config);
	return err;
}

int config_load(const char *file, const char *daemon, struct config **ret_config, char *error,
		unsigned int error_bytes)
{
	struct loading loading = { 0 };
	int err = load(&loading, file, daemon, error, error_bytes);

	if (!err)
		*ret_config = loading.config;
	return err;
}

int config_daemons(const char *file, const char *prefix, uint16_t *ids, unsigned int max,
		   char *error, unsigned int error_bytes)
{
	struct loading loading = { .prefix = prefix, .ids = ids, .id_max = max };
	int err = load(&loading, file, NULL, error, error_bytes);

	if (err)
		return err;
	config_free(loading.config);
	return (int)loading.id_count;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (!options[i].is_number)
			free((char *)*string_slot(config, &options[i]));
	free((char *)config->file);
	free((char *)config->daemon);
	free(config);
}

enum log_level config_log_level(const struct config *config)
{
	int level = find_level(config->log_level);

	return level < 0 ? LOG_INFO : (enum log_level)level;
}

const char *config_string(const struct config *config, const char *name)
{
	const struct option *option = find_option(name);

	if (!option || option->is_number)
		return NULL;
	return *string_slot((struct config *)config, option);
}
