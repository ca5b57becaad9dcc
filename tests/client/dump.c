// SPDX-License-Identifier: GPL-2.0
/* Who waits for what, in words; and the rules that hold between calls. */
#include <inttypes.h>
#include "state.h"

static const char *age(const struct client *client, uint64_t since_ns, char text[32])
{
	snprintf(text, 32, "%.3f s", (double)(io_now(client->io) - since_ns) / 1e9);
	return text;
}

static void dump_calls(const struct client *client, const struct call_list *list,
		       const char *where, FILE *out)
{
	const struct client_call *call;
	char text[32];

	for (call = list->first; call; call = call->next)
		fprintf(out, "  call %s ino %" PRIx64 " name %s step %u pending %u waits %s, %s\n",
			client_call_name(call->kind), call->ino, call->name ? call->name : "-",
			call->step, call->pending, where, age(client, call->began_ns, text));
}

static void dump_requests(const struct client *client, const struct request_list *list,
			  const char *what, FILE *out)
{
	const struct request *request;
	char text[32];

	TAILQ_FOREACH(request, list, entry)
		fprintf(out, "  request %" PRIu64 " %s %s%s applied %" PRIu64 ", sent %s ago\n",
			request->tid, nacre_message_find(request->type)->name, what,
			request->sent ? "" : " not sent", request->applied,
			age(client, request->sent_ns, text));
}

static void dump_inode(const struct inode *inode, FILE *out)
{
	char issued[NACRE_CAPS_TEXT_BYTES], held[NACRE_CAPS_TEXT_BYTES];
	char used[NACRE_CAPS_TEXT_BYTES], wanted[NACRE_CAPS_TEXT_BYTES];

	fprintf(out, "  inode %" PRIx64 " version %" PRIu64 " %s issued %s held %s used %s wanted %s"
		" dirty %x flushing %x pages %u+%u changing %u size %" PRIu64 " max %" PRIu64
		" seq %u inline %s %u%s%s\n",
		inode->ino, inode->version,
		nacre_machine_state(&nacre_cap_client_machine, inode->cap.state),
		nacre_caps_text(inode->cap.issued, issued), nacre_caps_text(inode->cap.held, held),
		nacre_caps_text(caps_used(inode), used),
		nacre_caps_text(inode->cap.wanted, wanted), inode->cap.dirty, inode->cap.flushing,
		inode->dirty_pages, inode->writing_pages, inode->changing,
		(uint64_t)inode->size.size, inode->max_size, inode->cap.seq,
		nacre_machine_state(&nacre_inline_machine, inode->inlined.state), inode->small_bytes,
		inode->complete ? " complete" : "", inode->cap.owes_answer ? " OWES" : "");
}

static void dump_object(void *owner, uint64_t tid, const struct nacre_oid *oid, int osd,
			uint64_t age_ns, const char *state)
{
	fprintf(owner, "  object request %" PRIu64 " on %" PRIx64 ".%" PRIu64 " to osd%d: %s, %.3f s\n",
		tid, (uint64_t)oid->ino, (uint64_t)oid->index, osd, state, (double)age_ns / 1e9);
}

void client_dump(const struct client *client, FILE *out)
{
	struct inode *inode, *next;

	fprintf(out, "client %s instance %" PRIu64 " session %s%s connection %s map %" PRIu64
		" safe %" PRIu64 "\n",
		client->config.name, client->instance,
		nacre_machine_state(&nacre_session_machine, client->session),
		client->io_stopped ? " I/O stopped" : "",
		conn_is_open(client->mds) ? "open" : "down",
		client->map ? (uint64_t)client->map->map.epoch : 0, client->safe);
	dump_calls(client, &client->calls_waiting, "for the session", out);
	dump_calls(client, &client->running, "to run", out);
	dump_calls(client, &client->syncing, "for all to be clean", out);
	dump_calls(client, &client->asleep, "for an answer", out);
	dump_requests(client, &client->unanswered, "unanswered", out);
	dump_requests(client, &client->unsafe, "unsafe", out);
	HASH_ITER(hh, client->inodes, inode, next) {
		dump_inode(inode, out);
		dump_calls(client, &inode->waiters, "for this inode", out);
	}
	osdc_for_each(client->osdc, dump_object, out);
}

const char *client_invariant(const struct client *client)
{
	struct inode *inode, *next;
	const char *broken;

	HASH_ITER(hh, client->inodes, inode, next) {
		broken = nacre_cap_client_invariant(&inode->cap, caps_used(inode));
		if (broken)
			return broken;
		if (inode->complete && !(inode->cap.held & NACRE_CAP_DIR_SHARED))
			return "a directory is complete without a cap";
		if (inode->dirty_pages && !(inode->cap.held & NACRE_CAP_FILE_BUFFER))
			return "dirty pages without a cap";
		if (inode->inlined.state == NACRE_INLINE_LEFT &&
		    !((inode->cap.dirty | inode->cap.flushing) & NACRE_GROUP_FILE))
			return "INLINE-4: data has left the inode, and nothing says so";
	}
	return client->counters.lost_changes ? "an unsafe change was refused by a new incarnation" :
					       NULL;
}
