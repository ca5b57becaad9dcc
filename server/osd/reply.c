// SPDX-License-Identifier: GPL-2.0
/*
 * Answers to object requests: from an execution, or from the group's log.
 */
#include "request.h"

#define REMEMBER_MAX ((1u << 16) - 256)	/* bytes of an answer in the log */

/* Data that stays put until it is sent. */
struct sending {
	struct mem_bytes bytes;
	struct iovec iov;
};

static void sent(void *owner)
{
	struct sending *sending = owner;

	mem_bytes_free(&sending->bytes);
	free(sending);
}

/* Send a reply; takes over the data. */
static void send_reply(struct osd *osd, struct conn *conn, struct nacre_osd_reply *reply,
		       struct mem_bytes *data)
{
	struct payload payload = { 0 };
	struct sending *sending = NULL;

	if (!osd_may_serve(osd)) {	/* what is claimed now might be wrong already */
		osd->stats.replies_kept_back++;
		return;
	}
	reply->map_epoch = osd->map ? osd->map->view.epoch : 0;
	if (data && data->length) {
		sending = mem_zero(1, sizeof(*sending));
		sending->bytes = *data;
		memset(data, 0, sizeof(*data));
		sending->iov = (struct iovec){ sending->bytes.at, sending->bytes.length };
		payload = (struct payload){ &sending->iov, 1, (uint32_t)sending->bytes.length, sent,
					    sending };
	}
	if (conn_send(conn, NACRE_MSG_OSD_REPLY, reply, sending ? &payload : NULL) && sending)
		sent(sending);		/* the client asks again when it is back */
}

void reply_result(struct osd *osd, struct conn *conn, uint64_t tid, uint32_t result)
{
	struct nacre_osd_reply reply = { .tid = tid, .result = result };

	reply.map_epoch = osd->map ? osd->map->view.epoch : 0;
	conn_send(conn, NACRE_MSG_OSD_REPLY, &reply, NULL);
}

static void encode_results(const struct osd_exec *exec, struct mem_bytes *bytes)
{
	uint32_t i;

	for (i = 0; i < exec->result_count; i++)
		osd_disk_append(bytes, nacre_osd_result_desc(), &exec->results[i]);
}

static void fill(struct nacre_osd_reply *reply, const struct request *request,
		 const struct mem_bytes *results, uint64_t version)
{
	const struct osd_exec *exec = &request->exec;

	*reply = (struct nacre_osd_reply){
		.tid = request->wire->tid,
		.version = version,
		.result = exec->result,
		.failed_op = exec->failed_op,
		.results = results->at,
		.results_bytes = (uint32_t)results->length,
		.output = exec->output.at,
		.output_bytes = (uint32_t)exec->output.length,
	};
}

void reply_executed(struct request *request, uint64_t version)
{
	struct mem_bytes results = { 0 };
	struct nacre_osd_reply reply;

	encode_results(&request->exec, &results);
	fill(&reply, request, &results, version);
	send_reply(request->osd, request->conn, &reply, &request->exec.read_data);
	mem_bytes_free(&results);
}

/* ---- what the log remembers ------------------------------------------------------------- */

bool reply_remember(const struct request *request, uint64_t version, struct mem_bytes *bytes)
{
	static const struct nacre_osd_result nothing;
	const struct osd_exec *exec = &request->exec;
	struct mem_bytes results = { 0 };
	struct nacre_osd_reply reply;
	uint32_t i;

	for (i = 0; i < exec->result_count; i++)
		if (memcmp(&exec->results[i], &nothing, sizeof(nothing)))
			break;
	if (i == exec->result_count)
		return true;
	encode_results(exec, &results);
	fill(&reply, request, &results, version);
	osd_disk_append(bytes, nacre_osd_reply_desc(), &reply);
	mem_append_bytes(bytes, exec->read_data.at, exec->read_data.length);
	mem_bytes_free(&results);
	return bytes->length <= REMEMBER_MAX;
}

/* As many empty results as there were operations. */
static void reply_zeros(struct osd *osd, struct conn *conn, uint64_t tid,
			const struct pglog_entry *entry)
{
	struct nacre_osd_result nothing = { 0 };
	struct nacre_osd_reply reply = { .tid = tid, .version = entry->number };
	struct mem_bytes results = { 0 };
	uint32_t i;

	for (i = 0; i < entry->op_count; i++)
		osd_disk_append(&results, nacre_osd_result_desc(), &nothing);
	reply.results = results.at;
	reply.results_bytes = (uint32_t)results.length;
	send_reply(osd, conn, &reply, NULL);
	mem_bytes_free(&results);
}

void reply_known(struct osd *osd, struct conn *conn, uint64_t tid, const struct pglog_entry *entry)
{
	struct nacre_reader r = nacre_reader(entry->reply, entry->reply_bytes);
	struct nacre_osd_reply reply;
	struct mem_bytes data = { 0 };

	osd->stats.requests_known++;
	if (!entry->reply || nacre_decode(nacre_osd_reply_desc(), &r, &reply)) {
		reply_zeros(osd, conn, tid, entry);
		return;
	}
	mem_append_bytes(&data, r.at, nacre_reader_left(&r));
	send_reply(osd, conn, &reply, &data);
	mem_bytes_free(&data);
}
