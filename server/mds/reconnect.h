/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A new incarnation meets the sessions it knows from the journal. They have a window to claim their caps and
 * to send again what was not safe; who does not come is evicted. The rank is active when every session
 * is either back or gone behind the fence, so nothing can be granted that conflicts with what a
 * lost client may still believe to hold (FENCE-2).
 */
#ifndef MDS_RECONNECT_H
#define MDS_RECONNECT_H

#include <stdbool.h>
#include "protocol/session.h"

struct mds;
struct mds_session;
struct message;
struct mds_request;

/* Replay is over: open the window. */
void mds_reconnect_begin(struct mds *mds);
void mds_reconnect_claims(struct mds *mds, struct mds_session *session,
			  const struct nacre_session_reconnect *part);
void mds_reconnect_done(struct mds *mds, struct mds_session *session);
/* A session came back or went: is that all? */
void mds_reconnect_check(struct mds *mds);
/* Keep a message that can only be handled when the rank is active; values_only: as far as it is about those. */
void mds_reconnect_keep(struct mds *mds, struct mds_session *session, struct message *message,
			bool values_only);
/* Groups of this inode that were changed, by what was kept of this session's messages. */
uint32_t mds_reconnect_dirty(const struct mds *mds, const struct mds_session *session, uint64_t ino);
/* Take in what was kept of this session's values of this inode: its cap ends now. */
void mds_reconnect_take_values(struct mds *mds, const struct mds_session *session, uint64_t ino);
void mds_reconnect_free(struct mds *mds);

/* Are requests carried out: active, or on the way there and repeating unsafe ones? */
bool mds_is_serving(const struct mds *mds);
/* Is this the unsafe request whose turn it is? It has ended: the next one. */
bool mds_reconnect_runs(const struct mds *mds, const struct mds_request *request);
void mds_reconnect_ended(struct mds *mds, const struct mds_request *request);
/* The id under which this session claims a cap on an inode that was not there then; 0 = it does not. */
uint64_t mds_reconnect_cap_id(struct mds *mds, uint64_t instance, uint64_t ino);

#endif
