// SPDX-License-Identifier: GPL-2.0
/* See fill.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ask.h"
#include "fill.h"
#include "sections.h"
#include "server/base/config.h"
#include "tool.h"

#define LIMIT_MS 500			/* a status is wanted at once, also when an OSD hangs */

bool fill_parse(const char *answer, struct fill *ret_fill)
{
	const char *percent = strstr(answer, "\nused_percent "), *word = strstr(answer, "\nfill ");
	char *at;

	memset(ret_fill, 0, sizeof(*ret_fill));
	ret_fill->known = percent && word && sscanf(percent, "\nused_percent %u", &ret_fill->percent) == 1 &&
			  sscanf(word, "\nfill %15s", ret_fill->word) == 1;
	for (at = ret_fill->word; (at = strchr(at, '_')); )
		*at = ' ';
	return ret_fill->known;
}

static void ask_one(const char *config_file, uint16_t id, struct fill *fill)
{
	char name[16], path[4096], error[TOOL_ERROR_BYTES], *answer, command[] = "status", *argv[] = { command };
	struct config *config;

	snprintf(name, sizeof(name), "osd%u", id);
	if (config_load(config_file, name, &config, error, sizeof(error)))
		return;
	if (!ask_path(config, name, path, sizeof(path)) &&
	    !ask(path, 1, argv, LIMIT_MS, &answer, error, sizeof(error))) {
		fill_parse(answer, fill);
		free(answer);
	}
	config_free(config);
}

struct fill *fill_ask(const char *config_file)
{
	struct fill *fills = calloc(NACRE_MAP_OSDS_MAX, sizeof(*fills));
	struct sections *sections = calloc(1, sizeof(*sections));
	unsigned int i;

	if (!fills || !sections || sections_read(config_file, sections)) {
		free(fills);
		fills = NULL;
	}
	for (i = 0; fills && i < sections->osd_count; i++)
		ask_one(config_file, sections->osds[i], &fills[sections->osds[i]]);
	free(sections);
	return fills;
}
