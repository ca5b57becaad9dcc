// SPDX-License-Identifier: GPL-2.0
/* Text form of addresses: "1.2.3.4:7270", "[::1]:7270", with or without the port. See io.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "io.h"

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int parse_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port;

	if (!digits || digits > 5 || text[digits])
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	if (port > 65535)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse_host(const char *host, uint8_t ip[16])
{
	memcpy(ip, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, host, ip + 12) == 1)
		return 0;
	return inet_pton(AF_INET6, host, ip) == 1 ? 0 : -EINVAL;
}

int io_address_parse(const char *text, uint16_t default_port, struct io_address *ret_address)
{
	struct io_address address = { .port = default_port };
	const char *host = text, *end, *port = NULL;
	char copy[INET6_ADDRSTRLEN];

	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		port = end[1] ? end + 2 : NULL;
	} else {
		end = strchr(host, ':');
		if (end && strchr(end + 1, ':'))
			end = NULL;		/* a bare IPv6 address */
		port = end ? end + 1 : NULL;
		end = end ? end : host + strlen(host);
	}
	if ((size_t)(end - host) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, host, (size_t)(end - host));
	copy[end - host] = 0;
	if (parse_host(copy, address.ip) || (port && parse_port(port, &address.port)))
		return -EINVAL;
	*ret_address = address;
	return 0;
}

const char *io_address_print(const struct io_address *address, char *buffer)
{
	char host[INET6_ADDRSTRLEN];

	if (!memcmp(address->ip, mapped, sizeof(mapped))) {
		inet_ntop(AF_INET, address->ip + 12, host, sizeof(host));
		snprintf(buffer, IO_ADDRESS_TEXT_BYTES, "%s:%u", host, address->port);
	} else {
		inet_ntop(AF_INET6, address->ip, host, sizeof(host));
		snprintf(buffer, IO_ADDRESS_TEXT_BYTES, "[%s]:%u", host, address->port);
	}
	return buffer;
}
