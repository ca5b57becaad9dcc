// SPDX-License-Identifier: GPL-2.0
/* Sources and options of mounts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mount.h>
#include "server/tools/mountargs.h"

static void parses(const char *text, const char *host, const char *port, const char *path,
		   bool numeric)
{
	struct mount_source source;
	const char *why;

	assert_int_equal(mount_source_parse(text, &source, &why), 0);
	assert_string_equal(source.host, host);
	assert_string_equal(source.port, port);
	assert_string_equal(source.path, path);
	assert_int_equal(source.numeric, numeric);
}

static void refused(const char *text)
{
	struct mount_source source;
	const char *why = NULL;

	assert_int_equal(mount_source_parse(text, &source, &why), -EINVAL);
	assert_non_null(why);
}

static void a_source_is_host_port_and_path(void **state)
{
	parses("10.0.0.1:/", "10.0.0.1", "", "/", true);
	parses("10.0.0.1:7271:/a/b", "10.0.0.1", "7271", "/a/b", true);
	parses("mds.example:/", "mds.example", "", "/", false);
	parses("mds.example:1:/x:/y", "mds.example", "1", "/x:/y", false);
	parses("[::1]:/", "::1", "", "/", true);
	parses("[2001:db8::7]:65535:/p", "2001:db8::7", "65535", "/p", true);
}

static void what_is_no_source_is_refused(void **state)
{
	static char deep[8192];

	refused("");
	refused("10.0.0.1");
	refused("/folder");
	refused(":/");
	refused("[]:/");
	refused("[::1:/");
	refused("[::1]x:/");
	refused("::1:/");
	refused("host::/");
	refused("host:0:/");
	refused("host:65536:/");
	refused("host:123456:/");
	refused("host:12x:/");
	memset(deep, 'a', sizeof(deep) - 1);
	memcpy(deep, "h:/", 3);
	refused(deep);
	memset(deep, 'a', sizeof(deep) - 1);
	memcpy(deep + 300, ":/", 3);
	refused(deep);
}

static void a_name_gives_way_to_an_address(void **state)
{
	struct mount_source source;
	const char *why;
	char text[64];

	mount_source_parse("mds:7271:/p", &source, &why);
	assert_int_equal(mount_source_print(&source, "10.1.2.3", text, sizeof(text)), 0);
	assert_string_equal(text, "10.1.2.3:7271:/p");
	mount_source_parse("mds:/", &source, &why);
	assert_int_equal(mount_source_print(&source, "2001:db8::7", text, sizeof(text)), 0);
	assert_string_equal(text, "[2001:db8::7]:/");
	assert_int_equal(mount_source_print(&source, "2001:db8::7", text, 15), -ENAMETOOLONG);
}

static void splits(const char *options, unsigned long flags, const char *data)
{
	char buffer[4096] = "";
	unsigned long found = 0;

	assert_int_equal(mount_options_split(options, &found, buffer, sizeof(buffer)), 0);
	assert_int_equal(found, flags);
	assert_string_equal(buffer, data);
}

static void options_become_flags_and_the_rest_is_passed_on(void **state)
{
	splits("", 0, "");
	splits("defaults", 0, "");
	splits("ro", MS_RDONLY, "");
	splits("ro,rw", 0, "");
	splits("rw,ro,noatime,noshare", MS_RDONLY | MS_NOATIME, "noshare");
	splits("soft=5,nodev,rsize=4096", MS_NODEV, "soft=5,rsize=4096");
	splits("noatime,relatime", MS_RELATIME, "");
	splits("user,exec,colour=blue", MS_NOSUID | MS_NODEV, "colour=blue");
	splits("_netdev,nofail,x-systemd.automount,comment=a,noauto,,", 0, "");
	splits("remount,ro", MS_REMOUNT | MS_RDONLY, "");
	splits("roo,noacl", 0, "roo,noacl");		/* the kernel judges it */
}

static void several_lists_add_up_and_too_long_ones_are_refused(void **state)
{
	char data[4096] = "", much[5000];
	unsigned long flags = 0;

	assert_int_equal(mount_options_split("a,ro", &flags, data, sizeof(data)), 0);
	assert_int_equal(mount_options_split("b", &flags, data, sizeof(data)), 0);
	assert_string_equal(data, "a,b");
	assert_int_equal(flags, MS_RDONLY);
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = 0;
	assert_int_equal(mount_options_split(much, &flags, data, sizeof(data)), -E2BIG);
	assert_int_equal(mount_options_split("c", &flags, data, 4), -E2BIG);
	assert_string_equal(data, "a,b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_is_host_port_and_path),
		cmocka_unit_test(what_is_no_source_is_refused),
		cmocka_unit_test(a_name_gives_way_to_an_address),
		cmocka_unit_test(options_become_flags_and_the_rest_is_passed_on),
		cmocka_unit_test(several_lists_add_up_and_too_long_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
