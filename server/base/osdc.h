/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The object client of user space: sends compound requests to the primary of
 * the object's placement group and sees them through map changes, lost
 * connections and restarts, under one request id. Used by the MDS, the native
 * client and the tools.
 *
 * Order: requests on one object take effect in the order of their submission. One
 * that changes it is sent when all earlier ones on it have ended, and holds back
 * the later ones; reads go side by side. Between objects there is no order. A read that
 * overtakes does not wait for changes, they wait for it.
 *
 * A request ends with the OSD's result, with DEAD_INSTANCE when ours is dead or has
 * changed since it was sent, with ENXIO for a pool that does not exist, or with EINVAL,
 * E2BIG, ENOMEM when its making went wrong. It never gives up by itself.
 */
#ifndef NACRE_OSDC_H
#define NACRE_OSDC_H

#include <stdbool.h>
#include "io.h"
#include "member.h"
#include "msgr.h"

struct osdc;
struct osdc_request;

struct osdc_config {
	struct io *io;
	struct msgr *msgr;		/* it dials OSDs through this; see osdc_closed/osdc_message */
	uint32_t time_scale_percent;
	unsigned int requests_max;	/* in flight, 0 = 1024; more wait in order */
};

struct osdc *osdc_create(const struct osdc_config *config);
/* Unfinished requests end with ECANCELED, told from inside the call. */
void osdc_destroy(struct osdc *osdc);
void osdc_set_instance(struct osdc *osdc, uint64_t instance);
/* A newer map: requests whose primary changed are sent again. */
void osdc_set_map(struct osdc *osdc, struct cluster_map *map);
/* No request below this epoch (FENCE-2); requests wait until the map is as new. */
void osdc_set_barrier(struct osdc *osdc, uint64_t epoch);
/* Called when an OSD answers that our map is old; the owner gets a newer one. */
void osdc_on_stale_map(struct osdc *osdc, void (*want_map)(void *owner, uint64_t epoch), void *owner);

/* A request has ended with DEAD_INSTANCE: whatever failed since failed for that reason. */
bool osdc_is_fenced(const struct osdc *osdc);

/*
 * The msgr's owner hands over what concerns OSD connections (peer role OSD):
 * true when it was ours. Of messages only OSD_REPLY is, and its reference passes;
 * any other remains the caller's.
 */
bool osdc_opened(struct osdc *osdc, struct conn *conn);
bool osdc_message(struct osdc *osdc, struct conn *conn, struct message *message);
bool osdc_closed(struct osdc *osdc, struct conn *conn, int reason);

/* One operation's outcome; pointers live until osdc_request_free(). */
struct osdc_result {
	uint32_t result;		/* 0, errno, error.h */
	const uint8_t *output;
	uint32_t output_bytes;
	const uint8_t *data;
	uint32_t data_bytes;
	uint64_t size;
	uint64_t mtime;
	uint32_t flags;			/* enum nacre_osd_result_flags */
};

typedef void (*osdc_done)(struct osdc_request *request, uint32_t result);

/* A request in the making. NULL: no memory. Names, values and data are copied. */
struct osdc_request *osdc_request_new(struct osdc *osdc, uint32_t pool, uint64_t ino,
				      uint64_t index);
/* One that was never submitted, or whose `done` has been called; NULL is harmless. */
void osdc_request_free(struct osdc_request *request);
/* Add an operation; returns its index for osdc_request_result(), or -errno (remembered until submit). */
int osdc_add(struct osdc_request *request, enum nacre_osd_op_code code, uint16_t op_flags,
	     const void *name, size_t name_bytes, const void *value, size_t value_bytes,
	     uint64_t offset, uint64_t length);
/* WRITE and WRITE_FULL: `length` bytes of data, copied. */
int osdc_add_data(struct osdc_request *request, enum nacre_osd_op_code code, uint64_t offset,
		  const void *data, size_t length);
void osdc_request_truncation(struct osdc_request *request, uint32_t truncate_seq,
			     uint64_t truncate_size);
void osdc_request_inline_gen(struct osdc_request *request, uint64_t inline_gen);
void osdc_request_mtime(struct osdc_request *request, uint64_t mtime);
/* It concerns a snapshot of its object. */
void osdc_request_snap(struct osdc_request *request, uint64_t snap);
/* It concerns this group of its pool, whatever its object (OBJECTS). */
void osdc_request_group(struct osdc_request *request, uint32_t pg);
/*
 * A read that need not see the changes that are under way on its object, because whoever asks knows what they change:
 * it is sent at once, however many of them stand in line. Those submitted after it wait for its end, as for any read.
 */
void osdc_request_overtakes(struct osdc_request *request);
/* Send it; `done` is called once from the top of the loop; the caller then frees it. */
void osdc_submit(struct osdc_request *request, osdc_done done, void *owner);
void *osdc_request_owner(const struct osdc_request *request);
uint32_t osdc_request_failed_op(const struct osdc_request *request);
/* Since its submission; *ret_behind_ns: of that, until it was first sent. */
uint64_t osdc_request_took_ns(const struct osdc_request *request, uint64_t *ret_behind_ns);
uint64_t osdc_request_version(const struct osdc_request *request);
struct osdc_result osdc_request_result(const struct osdc_request *request, int op);

/* Walk what is in flight, oldest first, for status: object, age, target. */
void osdc_for_each(struct osdc *osdc,
		   void (*see)(void *owner, uint64_t tid, const struct nacre_oid *oid,
			       int osd, uint64_t age_ns, const char *state),
		   void *owner);

#endif
