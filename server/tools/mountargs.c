// SPDX-License-Identifier: GPL-2.0
/* Source and options of a mount. See mountargs.h. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include "mountargs.h"

#define DATA_MAX 4095			/* mount(2) takes a page */

/* ---- source --------------------------------------------------------------------------------- */

static int refuse(const char **ret_error, const char *error)
{
	*ret_error = error;
	return -EINVAL;
}

static bool is_port(const char *text, size_t length)
{
	unsigned long port = 0;

	if (!length || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	return port && port < 65536;
}

static bool copy(char *to, size_t room, const char *from, size_t length)
{
	if (length >= room)
		return false;
	memcpy(to, from, length);
	to[length] = 0;
	return true;
}

/* Where the host ends: behind "[...]", or at the first colon. */
static const char *host_end(const char *text, const char *path)
{
	const char *end = *text == '[' ? memchr(text, ']', (size_t)(path - text)) : NULL;

	if (*text == '[')
		return end ? end + 1 : NULL;
	end = memchr(text, ':', (size_t)(path - text));
	return end ? end : path;
}

static bool is_numeric(const char *host)
{
	unsigned char address[16];

	return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

int mount_source_parse(const char *text, struct mount_source *source, const char **ret_error)
{
	const char *path = strstr(text, ":/"), *end, *host = text;
	size_t host_bytes;

	memset(source, 0, sizeof(*source));
	if (!path)
		return refuse(ret_error, "no path: a source is HOST[:PORT]:/PATH");
	end = host_end(text, path);
	if (!end)
		return refuse(ret_error, "a bracket is not closed: a source is [IPV6][:PORT]:/PATH");
	host_bytes = (size_t)(end - text);
	if (*text == '[') {
		host++;
		host_bytes -= 2;
	}
	if (!host_bytes)
		return refuse(ret_error, "no host: a source is HOST[:PORT]:/PATH");
	if (end != path && (*end != ':' || !is_port(end + 1, (size_t)(path - end - 1))))
		return refuse(ret_error, "a port is a number from 1 to 65535 (an IPv6 address stands in brackets)");
	if (!copy(source->host, sizeof(source->host), host, host_bytes) ||
	    !copy(source->path, sizeof(source->path), path + 1, strlen(path + 1)))
		return refuse(ret_error, "host or path is too long");
	if (end != path)
		copy(source->port, sizeof(source->port), end + 1, (size_t)(path - end - 1));
	source->numeric = is_numeric(source->host);
	return 0;
}

int mount_source_print(const struct mount_source *source, const char *address, char *buffer,
		       size_t buffer_bytes)
{
	bool brackets = strchr(address, ':');
	int length = snprintf(buffer, buffer_bytes, "%s%s%s%s%s:%s", brackets ? "[" : "", address,
			      brackets ? "]" : "", *source->port ? ":" : "", source->port,
			      source->path);

	return length < 0 || (size_t)length >= buffer_bytes ? -ENAMETOOLONG : 0;
}

/* ---- options -------------------------------------------------------------------------------- */

struct word {
	const char *name;
	unsigned long set, clear;
};

static const struct word words[] = {
	{ "defaults", 0, 0 },
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "nosuid", MS_NOSUID, 0 },
	{ "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },
	{ "dev", 0, MS_NODEV },
	{ "noexec", MS_NOEXEC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "sync", MS_SYNCHRONOUS, 0 },
	{ "async", 0, MS_SYNCHRONOUS },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "remount", MS_REMOUNT, 0 },
	{ "noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME },
	{ "atime", 0, MS_NOATIME },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "diratime", 0, MS_NODIRATIME },
	{ "relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME },
	{ "norelatime", 0, MS_RELATIME },
	{ "strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "silent", MS_SILENT, 0 },
	{ "loud", 0, MS_SILENT },
	/* mount(8)'s own */
	{ "auto", 0, 0 },
	{ "noauto", 0, 0 },
	{ "nofail", 0, 0 },
	{ "_netdev", 0, 0 },
	{ "nouser", 0, 0 },
	{ "user", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
	{ "users", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0 },
	{ "owner", MS_NOSUID | MS_NODEV, 0 },
	{ "group", MS_NOSUID | MS_NODEV, 0 },
};

static bool is_for_mount(const char *word, size_t length)
{
	return (length >= 2 && (!strncmp(word, "x-", 2) || !strncmp(word, "X-", 2))) ||
	       (length >= 8 && !strncmp(word, "comment=", 8)) ||
	       (length >= 5 && !strncmp(word, "user=", 5));
}

static const struct word *find_word(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == length && !strncmp(words[i].name, text, length))
			return &words[i];
	return NULL;
}

static int add_data(const char *word, size_t length, char *data, size_t data_bytes)
{
	size_t at = strlen(data);

	if (at + 1 + length >= data_bytes || at + 1 + length > DATA_MAX)
		return -E2BIG;
	if (at)
		data[at++] = ',';
	memcpy(data + at, word, length);
	data[at + length] = 0;
	return 0;
}

int mount_options_split(const char *options, unsigned long *flags, char *data, size_t data_bytes)
{
	const struct word *word;
	size_t length;
	int err = 0;

	for (; *options && !err; options += length + (options[length] == ',')) {
		length = strcspn(options, ",");
		word = find_word(options, length);
		if (word)
			*flags = (*flags & ~word->clear) | word->set;
		else if (length && !is_for_mount(options, length))
			err = add_data(options, length, data, data_bytes);
	}
	return err;
}
