// SPDX-License-Identifier: GPL-2.0
/* Mount options and sources, good ones and bad ones, through the VFS's own parser. */
#include <linux/fs_context.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/module.h>
#include <kunit/test.h>
#include "../vfs/vfs.h"

/* A mount that is being configured, as mount(8) would. */
static struct fs_context *context(struct kunit *test)
{
	return test->priv;
}

static struct nacre_options *options(struct kunit *test)
{
	return context(test)->fs_private;
}

static int begin(struct kunit *test)
{
	struct file_system_type *type = get_fs_type("nacre");
	struct fs_context *fc;

	if (!type)
		return -ENODEV;
	fc = fs_context_for_mount(type, 0);
	module_put(type->owner);
	if (IS_ERR(fc))
		return PTR_ERR(fc);
	test->priv = fc;
	return 0;
}

static void end(struct kunit *test)
{
	put_fs_context(test->priv);
}

static int set(struct kunit *test, const char *name, const char *value)
{
	return vfs_parse_fs_string(context(test), name, value, value ? strlen(value) : 0);
}

static int set_source(struct kunit *test, const char *source)
{
	int err = set(test, "source", source);

	return err ?: nacre_options_source(context(test), options(test));
}

/* ---- numbers and flags ---------------------------------------------------------------------- */

static void defaults(struct kunit *test)
{
	const struct nacre_options *o = options(test);

	KUNIT_EXPECT_EQ(test, o->rsize, 1 << 20);
	KUNIT_EXPECT_EQ(test, o->wsize, 1 << 20);
	KUNIT_EXPECT_EQ(test, o->rasize, 4 << 20);
	KUNIT_EXPECT_EQ(test, o->soft_timeout_ms, 0);
	KUNIT_EXPECT_EQ(test, o->inline_bytes, NACRE_INLINE_MAX);
	KUNIT_EXPECT_FALSE(test, o->noshare);
	KUNIT_EXPECT_TRUE(test, o->acl);
	KUNIT_EXPECT_FALSE(test, o->locallocks);
}

static void numbers(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(test, "rsize", "65536"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "wsize", "0x20000"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "rasize", "0"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "soft", "30"), 0);
	KUNIT_EXPECT_EQ(test, options(test)->rsize, 65536);
	KUNIT_EXPECT_EQ(test, options(test)->wsize, 0x20000);
	KUNIT_EXPECT_EQ(test, options(test)->rasize, 0);
	KUNIT_EXPECT_EQ(test, options(test)->soft_timeout_ms, 30000);
}

static void numbers_at_their_limits(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(test, "rsize", "4096"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "rsize", "4194304"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "rsize", "4095"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "rsize", "4194305"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "soft", "3600"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "soft", "3601"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "inline", "0"), 0);
	KUNIT_EXPECT_EQ(test, set(test, "inline", "4097"), -EINVAL);
	/* A value that was refused changes nothing. */
	KUNIT_EXPECT_EQ(test, options(test)->rsize, 4194304);
	KUNIT_EXPECT_EQ(test, options(test)->soft_timeout_ms, 3600000);
	KUNIT_EXPECT_EQ(test, options(test)->inline_bytes, 0);
}

static void no_numbers(struct kunit *test)
{
	static const char * const bad[] = { "", "many", "-1", "1M", "99999999999999999999", " 4096" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, set(test, "rsize", bad[i]), -EINVAL, "'%s'", bad[i]);
	KUNIT_EXPECT_EQ(test, set(test, "rsize", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, options(test)->rsize, 1 << 20);
}

static void flags(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(test, "noshare", NULL), 0);
	KUNIT_EXPECT_EQ(test, set(test, "locallocks", NULL), 0);
	KUNIT_EXPECT_EQ(test, set(test, "noacl", NULL), 0);
	KUNIT_EXPECT_TRUE(test, options(test)->noshare);
	KUNIT_EXPECT_TRUE(test, options(test)->locallocks);
	KUNIT_EXPECT_FALSE(test, options(test)->acl);
	KUNIT_EXPECT_EQ(test, set(test, "acl", NULL), 0);
	KUNIT_EXPECT_TRUE(test, options(test)->acl);
}

static void flags_with_values(struct kunit *test)
{
	KUNIT_EXPECT_NE(test, set(test, "noshare", "yes"), 0);
	KUNIT_EXPECT_NE(test, set(test, "noacl", "1"), 0);
	KUNIT_EXPECT_FALSE(test, options(test)->noshare);
	KUNIT_EXPECT_TRUE(test, options(test)->acl);
}

static void unknown_options(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, set(test, "pearl", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "rsizes", "4096"), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "share", NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, set(test, "nolocallocks", NULL), -EINVAL);
}

/* ---- source --------------------------------------------------------------------------------- */

static void source_of_ipv4(struct kunit *test)
{
	const struct sockaddr_in *in = (void *)&options(test)->server;

	KUNIT_ASSERT_EQ(test, set_source(test, "10.1.2.3:/pearls/x"), 0);
	KUNIT_EXPECT_EQ(test, in->sin_family, AF_INET);
	KUNIT_EXPECT_EQ(test, ntohl(in->sin_addr.s_addr), 0x0a010203);
	KUNIT_EXPECT_EQ(test, ntohs(in->sin_port), NACRE_DEFAULT_PORT);
	KUNIT_EXPECT_STREQ(test, options(test)->path, "/pearls/x");
	KUNIT_EXPECT_STREQ(test, options(test)->source, "10.1.2.3:/pearls/x");
}

static void source_with_a_port(struct kunit *test)
{
	const struct sockaddr_in *in = (void *)&options(test)->server;

	KUNIT_ASSERT_EQ(test, set_source(test, "10.1.2.3:65535:/"), 0);
	KUNIT_EXPECT_EQ(test, ntohs(in->sin_port), 65535);
	KUNIT_EXPECT_STREQ(test, options(test)->path, "/");
}

static void source_of_ipv6(struct kunit *test)
{
	const struct sockaddr_in6 *in6 = (void *)&options(test)->server;

	KUNIT_ASSERT_EQ(test, set_source(test, "[fd00::17]:7000:/a:/b"), 0);
	KUNIT_EXPECT_EQ(test, in6->sin6_family, AF_INET6);
	KUNIT_EXPECT_EQ(test, in6->sin6_addr.s6_addr[0], 0xfd);
	KUNIT_EXPECT_EQ(test, in6->sin6_addr.s6_addr[15], 0x17);
	KUNIT_EXPECT_EQ(test, ntohs(in6->sin6_port), 7000);
	KUNIT_EXPECT_STREQ(test, options(test)->path, "/a:/b");
}

static void bad_sources(struct kunit *test)
{
	static const char * const bad[] = {
		"/", "10.1.2.3", "10.1.2.3/", ":/", "10.1.2.3:x:/", "10.1.2.3:65536:/",
		"10.1.2.3:-1:/", "10.1.2:/", "server:/", "[fd00::17:/", "[fd00::17]x:/", "[]:/",
		"10.1.2.3:1:2:/", "10.1.2.300:/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fs_context *fc = context(test);

		fc->source = kstrdup(bad[i], GFP_KERNEL);
		KUNIT_EXPECT_EQ_MSG(test, nacre_options_source(fc, options(test)), -EINVAL, "'%s'",
				    bad[i]);
		nacre_options_free(options(test));
		kfree(fc->source);
		fc->source = NULL;
	}
}

static void no_source(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, nacre_options_source(context(test), options(test)), -EINVAL);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void same_mounts_share(struct kunit *test)
{
	struct nacre_options other;

	KUNIT_ASSERT_EQ(test, set_source(test, "10.1.2.3:/"), 0);
	other = *options(test);
	KUNIT_EXPECT_TRUE(test, nacre_options_same(&other, options(test)));
	other.wsize = 8192;
	KUNIT_EXPECT_FALSE(test, nacre_options_same(&other, options(test)));
	other = *options(test);
	other.acl = false;
	KUNIT_EXPECT_FALSE(test, nacre_options_same(&other, options(test)));
	other = *options(test);
	other.path = "/a";
	KUNIT_EXPECT_FALSE(test, nacre_options_same(&other, options(test)));
	other = *options(test);
	((struct sockaddr_in *)&other.server)->sin_port = htons(1);
	KUNIT_EXPECT_FALSE(test, nacre_options_same(&other, options(test)));
}

static void noshare_shares_with_nobody(struct kunit *test)
{
	struct nacre_options other;

	KUNIT_ASSERT_EQ(test, set_source(test, "10.1.2.3:/"), 0);
	KUNIT_ASSERT_EQ(test, set(test, "noshare", NULL), 0);
	other = *options(test);
	KUNIT_EXPECT_FALSE(test, nacre_options_same(&other, options(test)));
}

static void remount_changes_what_is_live(struct kunit *test)
{
	struct nacre_options now = *options(test), asked = now;

	asked.soft_timeout_ms = 5000;
	asked.inline_bytes = 0;
	KUNIT_EXPECT_EQ(test, nacre_options_remount(context(test), &now, &asked), 0);
	KUNIT_EXPECT_EQ(test, now.soft_timeout_ms, 5000);
	KUNIT_EXPECT_EQ(test, now.inline_bytes, 0);
	asked.rsize = 8192;
	KUNIT_EXPECT_EQ(test, nacre_options_remount(context(test), &now, &asked), -EINVAL);
	KUNIT_EXPECT_EQ(test, now.rsize, 1 << 20);
	asked = now;
	asked.acl = false;
	KUNIT_EXPECT_EQ(test, nacre_options_remount(context(test), &now, &asked), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(defaults),
	KUNIT_CASE(numbers),
	KUNIT_CASE(numbers_at_their_limits),
	KUNIT_CASE(no_numbers),
	KUNIT_CASE(flags),
	KUNIT_CASE(flags_with_values),
	KUNIT_CASE(unknown_options),
	KUNIT_CASE(source_of_ipv4),
	KUNIT_CASE(source_with_a_port),
	KUNIT_CASE(source_of_ipv6),
	KUNIT_CASE(bad_sources),
	KUNIT_CASE(no_source),
	KUNIT_CASE(same_mounts_share),
	KUNIT_CASE(noshare_shares_with_nobody),
	KUNIT_CASE(remount_changes_what_is_live),
	{}
};

static struct kunit_suite suite = {
	.name = "nacre_options",
	.init = begin,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
