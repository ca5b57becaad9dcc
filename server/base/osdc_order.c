// SPDX-License-Identifier: GPL-2.0
/*
 * Order among requests in flight: by object, and by request id.
 *
 * On one object, a request that changes it goes alone: after all earlier ones
 * have ended, before any later one is sent. Reads go side by side. So what one
 * client does to an object happens in the order in which it was submitted, also
 * when an OSD is busy with one request and not with the next, and over resends.
 *
 * A read that overtakes is never behind anything, and tells the reads behind it nothing about the changes before it.
 *
 * A tree of all requests ordered by (object, submission) serves: neighbours in it
 * are the requests on one object.
 */
#include "osdc_core.h"

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_object(const struct osdc_request *a, const struct osdc_request *b)
{
	int order = compare(a->body.ino, b->body.ino);

	if (!order)
		order = compare(a->body.index, b->body.index);
	return order ? order : compare(a->body.pool, b->body.pool);
}

static int compare_place(const struct osdc_request *a, const struct osdc_request *b)
{
	int order = compare_object(a, b);

	return order ? order : compare(a->seq, b->seq);
}

static int compare_tid(const struct osdc_request *a, const struct osdc_request *b)
{
	return compare(a->body.tid, b->body.tid);
}

RB_GENERATE_INTERNAL(osdc_by_object, osdc_request, object_node, compare_place,
		     static __attribute__((unused)))
RB_GENERATE_INTERNAL(osdc_by_tid, osdc_request, tid_node, compare_tid,
		     static __attribute__((unused)))

static struct osdc_request *before(struct osdc_request *request)
{
	struct osdc_request *other = RB_PREV(osdc_by_object, NULL, request);

	return other && !compare_object(other, request) ? other : NULL;
}

static struct osdc_request *behind(struct osdc_request *request)
{
	struct osdc_request *other = RB_NEXT(osdc_by_object, NULL, request);

	return other && !compare_object(other, request) ? other : NULL;
}

static bool goes_at_once(const struct osdc_request *request)
{
	return request->overtakes && !request->writes;
}

/*
 * It may go if it is the first, or a read behind reads that may go. One that is BEHIND
 * waits for a change, or is one.
 */
static bool may_go(struct osdc_request *request)
{
	struct osdc_request *earlier = before(request);

	if (goes_at_once(request))
		return true;
	while (!request->writes && earlier && goes_at_once(earlier))
		earlier = before(earlier);
	return !earlier ||
	       (!request->writes && !earlier->writes && earlier->state != OSDC_BEHIND);
}

bool osdc_order_enter(struct osdc_request *request)
{
	RB_INSERT(osdc_by_object, &request->osdc->by_object, request);
	return may_go(request);
}

void osdc_order_leave(struct osdc_request *request)
{
	struct osdc *osdc = request->osdc;
	struct osdc_request *next = behind(request);

	RB_REMOVE(osdc_by_object, &osdc->by_object, request);
	if (request->body.tid)
		RB_REMOVE(osdc_by_tid, &osdc->by_tid, request);
	for (; next; next = behind(next))
		if (next->state == OSDC_BEHIND && may_go(next))
			osdc_make_ready(next);
		else if (!goes_at_once(next))
			break;
}

/* LOG-2: one id a request, however often it is sent; never used again. */
void osdc_tid_assign(struct osdc_request *request)
{
	struct osdc *osdc = request->osdc;

	request->body.tid = ++osdc->last_tid;
	RB_INSERT(osdc_by_tid, &osdc->by_tid, request);
}

uint64_t osdc_tid_oldest(struct osdc *osdc)
{
	struct osdc_request *oldest = RB_MIN(osdc_by_tid, &osdc->by_tid);

	return oldest ? oldest->body.tid : osdc->last_tid + 1;
}

struct osdc_request *osdc_tid_find(struct osdc *osdc, uint64_t tid)
{
	struct osdc_request *request = RB_ROOT(&osdc->by_tid);

	while (request && request->body.tid != tid)
		request = tid < request->body.tid ? RB_LEFT(request, tid_node)
						  : RB_RIGHT(request, tid_node);
	return request;
}
