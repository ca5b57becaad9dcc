// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the manual pages that are made from tables: messages, structures, results, options of the configuration,
 * counters, and the state machines; and the lists of options within Documentation/man. `make docs` calls it once per page and keeps
 * what it prints in Documentation/generated. It owns the form of these pages only; what they say stands in the tables.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/counters.h"
#include "protocol/messages.h"
#include "protocol/error.h"
#include "protocol/rules/cap_client.h"
#include "protocol/rules/conn.h"
#include "protocol/rules/inline.h"
#include "protocol/rules/lock_table.h"
#include "protocol/rules/session.h"
#include "protocol/rules/size_report.h"
#include "server/base/config.h"
#include "server/base/daemon.h"
#include "server/base/loop_core.h"
#include "server/base/msgr_conn.h"
#include "server/mds/core.h"
#include "server/osd/osd_core.h"
#include "tests/client/load.h"

static void title(const char *text, const char *from)
{
	printf("# %s\n\nMade by `make docs` from `%s`; do not edit.\n\n", text, from);
}

static void print_senders(unsigned int senders)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} who[] = {
		{ NACRE_FROM_CLIENT, "client" },
		{ NACRE_FROM_MDS, "MDS" },
		{ NACRE_FROM_OSD, "OSD" },
		{ NACRE_FROM_TOOL, "tool" },
	};
	const char *comma = "";

	if (senders == NACRE_FROM_ANY) {
		printf("any");
		return;
	}
	for (unsigned int i = 0; i < sizeof(who) / sizeof(who[0]); i++)
		if (senders & who[i].bit) {
			printf("%s%s", comma, who[i].name);
			comma = ", ";
		}
}

static void print_messages(void)
{
	unsigned int count;
	const struct nacre_message *rows = nacre_message_table(&count);

	title("Messages", "protocol/messages.h");
	printf("| number | name | sent by | body | data payload | what it says |\n|---|---|---|---|---|---|\n");
	for (unsigned int i = 0; i < count; i++) {
		const char *body = rows[i].body()->name;

		printf("| %u | %s | ", rows[i].type, rows[i].name);
		print_senders(rows[i].sender);
		printf(" | [%s](structures.md#%s) | ", body, body);
		if (rows[i].data_max)
			printf("up to %u bytes", rows[i].data_max);
		printf(" | %s |\n", rows[i].doc);
	}
}

static void print_structure(const struct nacre_struct *desc)
{
	printf("\n## %s\n\n%u bytes and what its tails hold.\n\n", desc->name, desc->wire_bytes);
	printf("| offset | type | name | meaning |\n|---|---|---|---|\n");
	for (unsigned int i = 0; i < desc->field_count; i++) {
		const struct nacre_field *f = &desc->fields[i];

		if (f->kind == NACRE_FIELD_TAIL)
			printf("| %u | tail, at most %u bytes | %s | %s |\n", f->wire_offset, f->max, f->name,
			       f->doc);
		else if (f->kind == NACRE_FIELD_RESERVED)
			printf("| %u | u%u | | zero |\n", f->wire_offset, f->bits);
		else
			printf("| %u | u%u | %s | %s |\n", f->wire_offset, f->bits, f->name, f->doc);
	}
}

static void print_structures(void)
{
#define LIST_STRUCTURE(name, LIST) name##_desc,
	static const struct nacre_struct *(*const all[])(void) = { NACRE_STRUCTS(LIST_STRUCTURE) };

	title("Structures on the wire", "the headers of protocol/");
	printf("Little-endian, without padding. A tail's length stands in the fixed part; tails follow it in order.\n");
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		print_structure(all[i]());
}

static void print_errors(void)
{
	title("Results", "protocol/error.h");
	printf("Numbers below 1000 are Linux errno values.\n\n");
	printf("| number | name | at the system-call border | meaning |\n|---|---|---|---|\n");
#define PRINT_ERROR(number, name, os, text) printf("| %u | %s | %s | %s |\n", number, #name, #os, text);
	NACRE_ERRORS(PRINT_ERROR)
}

static void print_options(void)
{
	title("Options of the configuration file", "server/base/config.h");
	printf("| option | default | limits | meaning |\n|---|---|---|---|\n");
#define PRINT_STRING(name, def, doc) printf("| %s | `%s` | | %s |\n", #name, def, doc);
#define PRINT_NUMBER(name, def, min, max, doc)                                                     \
	printf("| %s | %llu | %llu to %llu | %s |\n", #name, (unsigned long long)(def),            \
	       (unsigned long long)(min), (unsigned long long)(max), doc);
	CONFIG_OPTIONS(PRINT_STRING, PRINT_NUMBER)
}

/* A set of caps in words; "-" for none. */
static void print_caps_set(unsigned int caps)
{
	const char *comma = "";

	if (!caps)
		printf("-");
#define PRINT_IF_IN(bit, name, group, doc, back)                                                   \
	if (caps & NACRE_CAP_##name) {                                                             \
		printf("%s%s", comma, #name);                                                      \
		comma = ", ";                                                                      \
	}
	NACRE_CAPS(PRINT_IF_IN)
}

static void print_holders(unsigned int group, const char *name)
{
	struct nacre_lock lock;

	nacre_lock_init(&lock, group);
	for (lock.state = NACRE_LOCK_SYNC; lock.state <= NACRE_LOCK_LOCK; lock.state++) {
		if (lock.state == NACRE_LOCK_MIX && group != NACRE_GROUP_FILE)
			continue;
		lock.loner = lock.state == NACRE_LOCK_EXCL || lock.state == NACRE_LOCK_LOCK;
		printf("| %s | %s | ", name, nacre_machine_state(&nacre_lock_machine, lock.state));
		print_caps_set(lock.loner ? nacre_lock_may_hold(&lock, 1) : 0);
		printf(" | ");
		print_caps_set(nacre_lock_may_hold(&lock, 2));
		printf(" |\n");
	}
}

static void print_caps(void)
{
	title("Capabilities", "protocol/caps.h");
	printf("| bit | name | group | its holder may | before it is given back |\n|---|---|---|---|---|\n");
#define PRINT_CAP(bit, name, group, doc, back) printf("| %u | %s | %s | %s | %s |\n", bit, #name, #group, doc, back);
	NACRE_CAPS(PRINT_CAP)
	printf("\nPIN goes with everything. In the states of a group's lock ([the machine](machines.md#lock)) clients may hold\n"
	       "these; the loner is the one client of EXCL, or the one that LOCK changes something for.\n\n"
	       "| group | state | the loner | each other client |\n|---|---|---|---|\n");
	print_holders(NACRE_GROUP_AUTH, "AUTH");
	print_holders(NACRE_GROUP_LINK, "LINK");
	print_holders(NACRE_GROUP_XATTR, "XATTR");
	print_holders(NACRE_GROUP_FILE, "FILE");
	print_holders(NACRE_GROUP_DIR, "DIR");
	printf("\nWhat one client holds keeps these from all others:\n\n| held | nobody else has |\n|---|---|\n");
#define PRINT_CONFLICT(bit, name, group, doc, back)                                                \
	printf("| %s | ", #name);                                                                  \
	print_caps_set(nacre_caps_conflict(NACRE_CAPS_KNOWN, NACRE_CAP_##name));                   \
	printf(" |\n");
	NACRE_CAPS(PRINT_CONFLICT)
}

static void print_counters(void)
{
	printf("# Counters\n\nMade by `make docs` from the tables beside the code that counts; do not edit.\n\n");
	printf("A daemon prints its own as `AREA.NAME VALUE` (`nacre -c FILE -n DAEMON counters`), a mount as `NAME VALUE` (debugfs,\n"
	       "`nacre/*/stats`). Both count messages by kind as well, under the names of [messages](messages.md): a daemon as\n"
	       "`sent.NAME` and `received.NAME`, a mount as `sent_NAME` and `received_NAME`. Counts begin at 0 with the process or the mount; what is there now (inodes, caps, sessions) also falls.\n");
#define PRINT_COUNTER(name, doc) printf("| %s | %s |\n", #name, doc);
#define PRINT_AREA(area, of, LIST)                                                                 \
	printf("\n## %s\n\n%s.\n\n| counter | counts |\n|---|---|\n", area, of);                   \
	LIST(PRINT_COUNTER)
	PRINT_AREA("io", "Every daemon's loop: sockets, disks, helper threads", LOOP_COUNTERS)
	PRINT_AREA("process", "Every daemon's process", PROCESS_COUNTERS)
	PRINT_AREA("net", "Every daemon's connections", MSGR_COUNTERS)
	PRINT_AREA("mds", "A metadata server", MDS_COUNTERS)
	PRINT_AREA("osd", "An object server", OSD_COUNTERS)
	PRINT_AREA("store", "An object server's disk", OSD_STORE_COUNTERS)
	PRINT_AREA("mount", "The kernel module, per mount", NACRE_COUNTERS)
}

/* ---- parts of manual pages: lists in the language of mdoc(7) ------------------------------------------ */

/* What mdoc would take for its own. */
static void print_mdoc(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			printf("\\e");
		else if (*text == '-')
			printf("\\-");
		else
			putchar(*text);
	}
	printf(".\n");
}

static void print_config_man(void)
{
	printf(".Bl -tag -width indent\n");
#define MAN_STRING(name, def, doc)                                                                 \
	printf(".It Cm %s\n", #name);                                                              \
	print_mdoc(doc);                                                                           \
	if (*def)                                                                                  \
		printf("The standard is\n.Ql %s .\n", def);
#define MAN_NUMBER(name, def, min, max, doc)                                                       \
	printf(".It Cm %s\n", #name);                                                              \
	print_mdoc(doc);                                                                           \
	printf("%llu to %llu; the standard is %llu.\n", (unsigned long long)(min),                 \
	       (unsigned long long)(max), (unsigned long long)(def));
	CONFIG_OPTIONS(MAN_STRING, MAN_NUMBER)
	printf(".El\n");
}

static void print_load_man(void)
{
	printf(".Bl -tag -width indent\n");
#define MAN_KIND(name, doc)                                                                        \
	printf(".It Cm %s\n", #name);                                                              \
	print_mdoc(doc);
	LOAD_KINDS(MAN_KIND)
	printf(".El\n");
}

static void print_words(const char *kind, const struct nacre_machine_word *words, unsigned int count)
{
	printf("| %s | why |\n|---|---|\n", kind);
	for (unsigned int i = 0; i < count; i++)
		printf("| %s | %s |\n", words[i].name, words[i].doc);
	printf("\n");
}

static void print_actions(const struct nacre_machine *machine, unsigned int actions)
{
	const char *comma = "";

	for (unsigned int i = 0; i < machine->action_count; i++)
		if (actions & machine->actions[i].value) {
			printf("%s%s", comma, machine->actions[i].name);
			comma = ", ";
		}
}

static void print_machine(const struct nacre_machine *machine)
{
	printf("\n## %s\n\n```mermaid\nstateDiagram-v2\n", machine->name);
	for (unsigned int i = 0; i < machine->row_count; i++)
		printf("    %s --> %s : %s\n", nacre_machine_state(machine, machine->rows[i].from),
		       nacre_machine_state(machine, machine->rows[i].to),
		       nacre_machine_event(machine, machine->rows[i].event));
	printf("```\n\n");
	print_words("state", machine->states, machine->state_count);
	print_words("event", machine->events, machine->event_count);
	print_words("action", machine->actions, machine->action_count);
	printf("| in | on | to | do |\n|---|---|---|---|\n");
	for (unsigned int i = 0; i < machine->row_count; i++) {
		const struct nacre_transition *row = &machine->rows[i];

		printf("| %s | %s | %s | ", nacre_machine_state(machine, row->from),
		       nacre_machine_event(machine, row->event), nacre_machine_state(machine, row->to));
		print_actions(machine, row->actions);
		printf(" |\n");
	}
}

static void print_machines(void)
{
	static const struct nacre_machine *const all[] = {
		&nacre_conn_dialler_machine, &nacre_conn_listener_machine, &nacre_session_machine,
		&nacre_rank_session_machine, &nacre_cap_client_machine,	   &nacre_lock_machine,
		&nacre_inline_machine,	     &nacre_inline_rank_machine,   &nacre_question_machine,
	};

	title("State machines", "protocol/rules/");
	printf("What is not listed is illegal.\n");
	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		print_machine(all[i]);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} pages[] = {
		{ "messages", print_messages }, { "structures", print_structures }, { "results", print_errors },
		{ "options", print_options },	{ "counters", print_counters }, { "caps", print_caps },	{ "machines", print_machines },
	}, parts[] = {
		{ "config-options", print_config_man }, { "load-kinds", print_load_man },
	};

	for (unsigned int i = 0; argc == 2 && i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(argv[1], parts[i].name)) {
			parts[i].print();
			return 0;
		}

	for (unsigned int i = 0; argc == 2 && i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(argv[1], pages[i].name)) {
			pages[i].print();
			return 0;
		}
	for (unsigned int i = 0; argc == 1 && i < sizeof(pages) / sizeof(pages[0]); i++)
		puts(pages[i].name);
	return argc == 1 ? 0 : 2;
}
