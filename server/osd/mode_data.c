// SPDX-License-Identifier: GPL-2.0
/*
 * Journal mode `data`: changed blocks stay where they are, new ones get a place, and
 * the images of all that are written go into the journal. An overwrite in place can be torn by a
 * crash only while its image is still in the journal.
 */
#include "journal_mode.h"
#include "place.h"

const struct osd_journal_mode osd_journal_mode_data = {
	.name = "data",
	.number = NACRE_JOURNAL_DATA,
	.place = osd_place_journaled,
};

const struct osd_journal_mode *osd_journal_mode_find(uint8_t number)
{
	static const struct osd_journal_mode *const modes[] = {
		&osd_journal_mode_data, &osd_journal_mode_ordered, &osd_journal_mode_cow,
	};
	unsigned int i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (modes[i]->number == number)
			return modes[i];
	return NULL;
}
