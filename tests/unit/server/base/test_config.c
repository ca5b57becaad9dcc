// SPDX-License-Identifier: GPL-2.0
/* The configuration: defaults, precedence, and every kind of mistake named with file, line and key. */
#include <errno.h>
#include "run.h"
#include "server/base/config.h"

struct fixture {
	char *folder;
	char path[64];
	struct config *config;
	char error[512];
};

static int load(struct fixture *f, const char *daemon, const char *text)
{
	FILE *file;
	int err;

	f->folder = run_folder();
	snprintf(f->path, sizeof(f->path), "%s/conf", f->folder);
	file = fopen(f->path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	f->config = NULL;
	f->error[0] = 0;
	err = config_load(f->path, daemon, &f->config, f->error, sizeof(f->error));
	return err;
}

static void done(struct fixture *f)
{
	config_free(f->config);
	run_folder_remove(f->folder);
}

static void own_section_wins_over_global(void **state)
{
	struct fixture f;

	assert_int_equal(load(&f, "osd1",
			      "# a comment\n[osd1]\nlisten = 10.0.0.1:7301\nlease_ms=700\n"
			      "[global]\nmap_store = dir:/var/map\nlease_ms = 900\ntime_scale = 300\n"
			      "[osd0]\nlisten = 10.0.0.1:7300\n"), 0);
	assert_string_equal(f.config->map_store, "dir:/var/map");
	assert_string_equal(f.config->listen, "10.0.0.1:7301");
	assert_string_equal(f.config->daemon, "osd1");
	assert_int_equal(f.config->lease_ms, 700);
	assert_int_equal(f.config->time_scale, 300);
	assert_int_equal(f.config->revoke_warn_ms, 10000);
	assert_string_equal(f.config->device, "");
	assert_string_equal(config_string(f.config, "map_store"), "dir:/var/map");
	assert_null(config_string(f.config, "lease_ms"));
	assert_null(config_string(f.config, "nothing"));
	assert_int_equal(config_log_level(f.config), LOG_INFO);
	done(&f);
	assert_int_equal(load(&f, NULL, "[global]\nlog_level = debug\n[osd0]\nlog_level = error\n"), 0);
	assert_int_equal(config_log_level(f.config), LOG_DEBUG);
	done(&f);
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "[global]\nmap_stor = x\n", ":2: unknown key map_stor" },
		{ "[global]\n\nlease_ms = soon\n", ":3: lease_ms = soon: not a whole number" },
		{ "[global]\nlease_ms = -5\n", ":2: lease_ms = -5: not a whole number" },
		{ "[global]\nlease_ms = 5s\n", ":2: lease_ms = 5s: not a whole number" },
		{ "[global]\nlease_ms = 99999999999999999999999\n", ":2: lease_ms" },
		{ "[global]\nlease_ms = 5\n", ":2: lease_ms = 5: must be from 100 to 600000" },
		{ "[global]\nosd_journal_unit = 600\n", ":2: osd_journal_unit = 600: must be 0, 512, 1024" },
		{ "[global]\nosd_discard = yes\n", ":2: osd_discard = yes: must be on or off" },
		{ "[global]\nosd_journal_unit = 256\n", ":2: osd_journal_unit = 256: must be 0, 512, 1024" },
		{ "[global]\nlog_level = loud\n", ":2: log_level = loud: must be error, warn, info or debug" },
		{ "[golbal]\nlisten = x\n", ":2: [golbal]: sections are [global], [mdsN] and [osdN]" },
		{ "[osd]\nlisten = x\n", ":2: [osd]: sections" },
		{ "[osd1x]\nlisten = x\n", ":2: [osd1x]: sections" },
		{ "listen = x\n", ":1: []: sections" },
		{ "[global]\ndevice = /dev/sda\n", ":2: device belongs into a daemon's own section" },
		{ "[global]\nlisten = a\nlisten = b\n", ":3: listen is set twice" },
		/* another daemon's section is checked as well */
		{ "[global]\n[mds0]\nlease_ms = x\n", ":3: lease_ms = x" },
		{ "[global]\nnonsense\n", ":2: neither a [section] nor key = value" },
	};
	struct fixture f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(&f, "osd1", cases[i].text), -EINVAL);
		assert_non_null(strstr(f.error, cases[i].error));
		assert_true(!strncmp(f.error, f.path, strlen(f.path)));
		done(&f);
	}
	assert_int_equal(config_load("/nonexistent/c", NULL, &f.config, f.error, sizeof(f.error)),
			 -ENOENT);
	assert_string_equal(f.error, "/nonexistent/c: No such file or directory");
}

static void daemons_of_a_file_are_listed(void **state)
{
	uint16_t ids[3];
	struct fixture f;

	assert_int_equal(load(&f, NULL, "[osd10]\nlisten = a\n[mds0]\nlisten = b\n[osd2]\nlisten = c\n"
				  "lease_ms = 500\n[osd0]\nlisten = d\n"), 0);
	assert_int_equal(config_daemons(f.path, "osd", ids, 3, f.error, sizeof(f.error)), 3);
	assert_int_equal(ids[0], 0);
	assert_int_equal(ids[1], 2);
	assert_int_equal(ids[2], 10);
	assert_int_equal(config_daemons(f.path, "mds", ids, 3, f.error, sizeof(f.error)), 1);
	assert_int_equal(config_daemons("/nonexistent/c", "mds", ids, 3, f.error, sizeof(f.error)),
			 -ENOENT);
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_section_wins_over_global),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(daemons_of_a_file_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
