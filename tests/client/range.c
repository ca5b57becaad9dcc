// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of a file whose bytes are not sent: room, zeros and holes (ALLOCATE), and where data is (SEEK). Both are asked
 * of the objects, with nothing dirty in the pages: what is dirty is written back before.
 *
 * While an ALLOCATE is under way no write of this client begins or goes on (inode->ranges), and it begins only when
 * none is under way: nothing but it changes these bytes in the pages then, and they are read anew after it.
 */
#include <assert.h>
#include <string.h>
#include "protocol/error.h"
#include "protocol/rules/layout.h"
#include "state.h"

#define WRITE_BUFFERED (NACRE_CAP_FILE_EXCL | NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER)
#define READ_CACHED (NACRE_CAP_FILE_SHARED | NACRE_CAP_FILE_CACHE | NACRE_CAP_FILE_READ)
#define WRITE_BIT __builtin_ctz(NACRE_CAP_FILE_WRITE)

enum allocate_step { ALLOCATE_FIRST, ALLOCATE_SENT };
enum seek_step { SEEK_FIRST, SEEK_HAS_SIZE, SEEK_SENT, SEEK_FOUND };

/* ---- room, zeros, holes -------------------------------------------------------------------- */

static void add_change(struct client_call *call, struct osdc_request *osd_request,
		       const struct nacre_piece *piece)
{
	bool punch = call->flags & CLIENT_ALLOCATE_PUNCH;
	uint16_t flags = (call->flags & CLIENT_ALLOCATE_ZERO ? NACRE_OSD_OPF_ZERO : 0) |
			 (call->flags & CLIENT_ALLOCATE_KEEP ? NACRE_OSD_OPF_KEEP : 0);

	osdc_add(osd_request, punch ? NACRE_OSD_OP_ZERO : NACRE_OSD_OP_ALLOCATE, flags, NULL, 0, NULL, 0,
		 piece->offset, piece->bytes);
}

static void changed(struct client_call *call, struct inode *inode)
{
	if (!(call->flags & (CLIENT_ALLOCATE_PUNCH | CLIENT_ALLOCATE_KEEP))) {
		write_grow(call, inode, call->offset, call->offset + call->length);
		return;
	}
	inode->mtime = inode->ctime = io_wall(call->client->io);
	caps_dirty(inode, NACRE_GROUP_FILE);
}

static void pieces_done(struct client_call *call, struct inode *inode)
{
	bool lives = !call->error && inode->cap.cap_id;

	if (lives && call->sent < call->length) {
		pieces_submit(call, inode, add_change);
		return;
	}
	inode->ranges--;
	pages_drop_range(inode, call->offset, call->length);
	if (lives)
		changed(call, inode);
	call_end(call, call->error);
}

/* The inode's own bytes become zeros: nothing leaves. */
static void zero_inline(struct client_call *call, struct inode *inode)
{
	static const uint8_t zeros[NACRE_INLINE_MAX];
	uint64_t end = call->offset + call->length;

	if (call->flags & (CLIENT_ALLOCATE_PUNCH | CLIENT_ALLOCATE_KEEP) && end > inode->size.size)
		end = inode->size.size;
	if (call->offset < end)
		inline_write(inode, call->offset, zeros, end - call->offset);
	changed(call, inode);
	call->local = true;
	call_end(call, 0);
}

static void allocate_begin(struct client_call *call, struct inode *inode)
{
	call->step = ALLOCATE_SENT;
	call->sent = 0;
	call->refs = NACRE_CAP_FILE_WRITE;
	caps_take(inode, call->refs);
	inode->ranges++;
	pieces_submit(call, inode, add_change);
}

/* Only zeros, and nothing behind what is in the inode? */
static bool is_inline_zero(struct client_call *call, struct inode *inode, uint64_t stays)
{
	return call->flags & (CLIENT_ALLOCATE_ZERO | CLIENT_ALLOCATE_PUNCH) &&
	       caps_can(inode, WRITE_BUFFERED) && inline_stays(inode, stays);
}

/* ROOM-1: the rank knows of room behind the file's end before there is any, and it is taken under the same hold of WRITE. */
static void tell_room(struct client_call *call, struct inode *inode, uint64_t end)
{
	if (inode->keeps < end) {
		inode->keeps = end;
		caps_dirty(inode, NACRE_GROUP_FILE);
		caps_flush(inode, true);
	}
	call_wait(&inode->waiters, call);
}

void step_ALLOCATE(struct client_call *call)
{
	struct inode *inode = inode_get(call->client, call->ino);
	uint64_t end = call->offset + call->length, stays = end;
	bool keeps;

	if (call->step == ALLOCATE_SENT) {
		pieces_done(call, inode);
		return;
	}
	if (!call->length || end > NACRE_FILE_MAX) {
		call_end(call, call->length ? -EFBIG : -EINVAL);
		return;
	}
	if (call->flags & CLIENT_ALLOCATE_PUNCH)
		end = stays = 0;
	if (!call_may_go(call))
		return;
	keeps = call->flags & CLIENT_ALLOCATE_KEEP && end > inode->size.size;
	if (inode->changing || inode->ranges) {
		call_wait(&inode->waiters, call);
	} else if (!caps_can(inode, NACRE_CAP_FILE_WRITE)) {
		call_acquire(call, inode, NACRE_CAP_FILE_WRITE);
	} else if (end > inode->size.size && end > inode->max_size) {
		caps_wait_size(call, inode, end);
	} else if (!keeps && is_inline_zero(call, inode, stays)) {
		zero_inline(call, inode);
	} else if (keeps && inode->keeps_known < end) {
		tell_room(call, inode, end);
	} else if (inode->dirty_pages || inode->writing_pages || inode->refs[WRITE_BIT]) {
		pages_write_back(inode);
		call_wait(&inode->waiters, call);
	} else {
		allocate_begin(call, inode);
	}
}

/* ---- where data is ---------------------------------------------------------------------------- */

static void have_sought(struct osdc_request *osd_request, uint32_t result)
{
	struct client_call *call = osdc_request_owner(osd_request);
	struct osdc_result found = osdc_request_result(osd_request, 0);
	struct inode *inode = inode_get(call->client, call->ino);
	uint64_t object = call->bytes - nacre_layout_offset(inode->object_bytes, call->bytes);

	if (result)
		call->error = -nacre_error_errno(result);
	else if (object + found.size < call->sent)
		call->step = SEEK_FOUND;
	call->bytes = object + found.size;
	osdc_request_free(osd_request);
	call->pending--;
	call_wake(call);
}

/* On in the object that holds call->bytes, up to call->sent; call->mark is the file's end. */
static void seek_on(struct client_call *call, struct inode *inode)
{
	__u64 offset = call->bytes, left = call->mark - call->bytes;
	struct osdc_request *osd_request;
	struct nacre_piece piece;

	nacre_layout_next(inode->object_bytes, &offset, &left, &piece);
	call->sent = offset;
	osd_request = osdc_request_new(call->client->osdc, inode->pool, inode->ino, piece.index);
	assert(osd_request);
	osdc_add(osd_request, NACRE_OSD_OP_SEEK, call->flags & CLIENT_SEEK_HOLE ? NACRE_OSD_OPF_HOLE : 0,
		 NULL, 0, NULL, 0, piece.offset, piece.bytes);
	osdc_request_truncation(osd_request, inode->size.truncate_seq, inode->size.truncate_size);
	call->client->counters.osd_requests++;
	call->pending++;
	osdc_submit(osd_request, have_sought, call);
}

static void seek_begin(struct client_call *call, struct inode *inode)
{
	call->mark = inode->size.size;
	call->bytes = call->offset;
	if (call->offset >= call->mark) {
		call_end(call, -ENXIO);
		return;
	}
	if (inline_is_in(inode)) {
		call->bytes = call->flags & CLIENT_SEEK_HOLE ? call->mark : call->offset;
		call_end(call, 0);
		return;
	}
	call->step = SEEK_SENT;
	call->refs = NACRE_CAP_FILE_READ;
	caps_take(inode, call->refs);
	seek_on(call, inode);
}

/* The answer for one object: it is there, or goes on behind that object. */
static void seek_answered(struct client_call *call, struct inode *inode)
{
	if (call->error || !inode->cap.cap_id)
		call_end(call, call->error ? call->error : -ESTALE);
	else if (call->step == SEEK_FOUND)
		call_end(call, 0);
	else if (call->bytes < call->mark)
		seek_on(call, inode);
	else
		call_end(call, call->flags & CLIENT_SEEK_HOLE ? 0 : -ENXIO);
}

void step_SEEK(struct client_call *call)
{
	struct inode *inode = inode_get(call->client, call->ino);

	if (call->step >= SEEK_SENT || call->error) {
		seek_answered(call, inode);
		return;
	}
	if (!call_may_go(call))
		return;
	if (!caps_can(inode, NACRE_CAP_FILE_READ)) {
		call->step = SEEK_FIRST;
		call_acquire(call, inode, NACRE_CAP_FILE_READ);
	} else if (call->step == SEEK_FIRST && (inode->changing || !caps_can(inode, READ_CACHED))) {
		call->step = SEEK_HAS_SIZE;
		call_getattr(call, inode, NACRE_GROUP_FILE);
	} else if (inode->dirty_pages || inode->writing_pages) {
		pages_write_back(inode);
		call_wait(&inode->waiters, call);
	} else {
		seek_begin(call, inode);
	}
}
