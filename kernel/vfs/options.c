// SPDX-License-Identifier: GPL-2.0
/*
 * Mount options: one table that says how each is written, checked, shown and compared, and
 * the source, "ADDRESS[:PORT]:/PATH", which needs no helper for a numeric address:
 *
 *	10.0.0.1:/		10.0.0.1:7270:/home	[fd00::1]:/	[fd00::1]:7270:/home
 */
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/inet.h>
#include <linux/seq_file.h>
#include "vfs.h"

enum kind {
	NUMBER,				/* unsigned int, low … high */
	FLAG,				/* bool, set by its name */
	FLAG_NO,			/* bool, set by its name or cleared by no… */
};

/* One row per option; `live`: a remount may change it. */
static const struct option {
	const char *name;
	enum kind kind;
	size_t offset;			/* in struct nacre_options */
	unsigned int low, high, standard;
	unsigned int scale;		/* value in options = value as written × scale */
	bool live;
} rows[] = {
#define AT(field) offsetof(struct nacre_options, field)
	{ "rsize", NUMBER, AT(rsize), PAGE_SIZE, NACRE_DATA_MAX, 1 << 20, 1 },
	{ "wsize", NUMBER, AT(wsize), PAGE_SIZE, NACRE_DATA_MAX, 1 << 20, 1 },
	{ "rasize", NUMBER, AT(rasize), 0, 64 << 20, 4 << 20, 1 },
	{ "soft", NUMBER, AT(soft_timeout_ms), 0, 3600, 0, MSEC_PER_SEC, .live = true },
	{ "noshare", FLAG, AT(noshare) },
	{ "acl", FLAG_NO, AT(acl), .standard = true },
	{ "locallocks", FLAG, AT(locallocks) },
	{ "inline", NUMBER, AT(inline_bytes), 0, NACRE_INLINE_MAX, NACRE_INLINE_MAX, 1, .live = true },
#undef AT
};

/* In the order of the rows; their index is the parser's token. */
const struct fs_parameter_spec nacre_parameters[] = {
	fsparam_u32("rsize", 0),
	fsparam_u32("wsize", 1),
	fsparam_u32("rasize", 2),
	fsparam_u32("soft", 3),
	fsparam_flag("noshare", 4),
	fsparam_flag_no("acl", 5),
	fsparam_flag("locallocks", 6),
	fsparam_u32("inline", 7),
	{}
};

static unsigned int *number_of(const struct nacre_options *options, const struct option *row)
{
	return (unsigned int *)((char *)options + row->offset);
}

static bool *flag_of(const struct nacre_options *options, const struct option *row)
{
	return (bool *)((char *)options + row->offset);
}

void nacre_options_default(struct nacre_options *options)
{
	memset(options, 0, sizeof(*options));
	for (const struct option *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (row->kind == NUMBER)
			*number_of(options, row) = row->standard * row->scale;
		else
			*flag_of(options, row) = row->standard;
	}
}

void nacre_options_free(struct nacre_options *options)
{
	kfree(options->source);
	kfree(options->path);
	options->source = NULL;
	options->path = NULL;
}

static bool same_value(const struct nacre_options *a, const struct nacre_options *b,
		       const struct option *row)
{
	if (row->kind == NUMBER)
		return *number_of(a, row) == *number_of(b, row);
	return *flag_of(a, row) == *flag_of(b, row);
}

bool nacre_options_same(const struct nacre_options *a, const struct nacre_options *b)
{
	if (a->noshare || b->noshare || strcmp(a->path, b->path) ||
	    memcmp(&a->server, &b->server, sizeof(a->server)))
		return false;
	for (const struct option *row = rows; row < rows + ARRAY_SIZE(rows); row++)
		if (!same_value(a, b, row))
			return false;
	return true;
}

int nacre_options_remount(struct fs_context *fc, struct nacre_options *now,
			  const struct nacre_options *asked)
{
	for (const struct option *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (same_value(now, asked, row))
			continue;
		if (!row->live)
			return invalfc(fc, "%s cannot be changed by a remount", row->name);
		WRITE_ONCE(*number_of(now, row), *number_of(asked, row));
	}
	return 0;
}

int nacre_options_parse(struct fs_context *fc, struct fs_parameter *param)
{
	struct nacre_options *options = fc->fs_private;
	struct fs_parse_result result;
	const struct option *row;
	int token;

	token = fs_parse(fc, nacre_parameters, param, &result);
	if (token < 0)
		return token;
	row = &rows[token];
	if (row->kind != NUMBER) {
		*flag_of(options, row) = !result.negated;
		return 0;
	}
	if (result.uint_32 < row->low || result.uint_32 > row->high)
		return invalfc(fc, "%s=%u is not within %u to %u", row->name, result.uint_32,
			       row->low, row->high);
	*number_of(options, row) = result.uint_32 * row->scale;
	return 0;
}

/* ---- the source ------------------------------------------------------------------------------------ */

/* Cut "address[:port]" in two, in place; *port stays NULL without one. */
static int split_port(char *server, char **address, char **port)
{
	char *end;

	*port = NULL;
	if (*server == '[') {
		end = strchr(server, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		*address = server + 1;
		if (end[1])
			*port = end + 2;
		*end = 0;
		return 0;
	}
	*address = server;
	end = strchr(server, ':');
	if (end) {
		*end = 0;
		*port = end + 1;
	}
	return 0;
}

static int parse_server(struct fs_context *fc, char *server, struct nacre_options *options)
{
	char standard[8], *address, *port;

	snprintf(standard, sizeof(standard), "%u", NACRE_DEFAULT_PORT);
	if (split_port(server, &address, &port) ||
	    inet_pton_with_scope(fc->net_ns, AF_UNSPEC, address, port ?: standard,
				 &options->server))
		return invalfc(fc, "source %s: not a numeric address; write IP[:port]:/path",
			       fc->source);
	return 0;
}

int nacre_options_source(struct fs_context *fc, struct nacre_options *options)
{
	char *server, *path;
	int err;

	if (!fc->source)
		return invalfc(fc, "no source; write IP[:port]:/path");
	path = strstr(fc->source, ":/");
	if (!path)
		return invalfc(fc, "source %s: no path; write IP[:port]:/path", fc->source);
	options->source = kstrdup(fc->source, GFP_KERNEL);
	options->path = kstrdup(path + 1, GFP_KERNEL);
	server = kstrndup(fc->source, path - fc->source, GFP_KERNEL);
	err = -ENOMEM;
	if (options->source && options->path && server)
		err = parse_server(fc, server, options);
	kfree(server);
	return err;
}

/* ---- what is shown ------------------------------------------------------------------------------------ */

int nacre_show_options(struct seq_file *m, struct dentry *root)
{
	const struct nacre_options *options = &nacre_fs(root->d_sb)->options;
	struct nacre_options standard;

	nacre_options_default(&standard);
	for (const struct option *row = rows; row < rows + ARRAY_SIZE(rows); row++) {
		if (same_value(options, &standard, row))
			continue;
		if (row->kind == NUMBER)
			seq_printf(m, ",%s=%u", row->name, *number_of(options, row) / row->scale);
		else
			seq_printf(m, ",%s%s", *flag_of(options, row) ? "" : "no", row->name);
	}
	return 0;
}
