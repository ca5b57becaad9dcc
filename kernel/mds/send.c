// SPDX-License-Identifier: GPL-2.0
/*
 * The way out to the rank. Everything passes mds_send_locked under send_mutex, so
 * the order of messages is the order of the decisions that made them.
 *
 * The session *flows* on one connection generation: the one on which it was opened,
 * taken up again or claimed. On any other only the session's own messages go out.
 */
#include "client.h"

static bool flows(struct nacre_mds_client *mds)
{
	return mds->conn && mds->flow_gen && mds->flow_gen == nacre_conn_generation(mds->conn);
}

/* 0, -ENOTCONN, -ENOMEM, or the encoder's -EMSGSIZE/-EINVAL (a mistake of ours). */
int mds_send_locked(struct nacre_mds_client *mds, u16 type, const void *host, bool session)
{
	struct nacre_outgoing *out;

	lockdep_assert_held(&mds->send_mutex);
	if (!session && !flows(mds))
		return -ENOTCONN;
	if (!mds->conn || !nacre_conn_is_open(mds->conn))
		return -ENOTCONN;
	/* MEM-1: an answer to a revoke must not fail for memory; what is sent is small. */
	out = nacre_outgoing_new(type, host, GFP_NOFS | __GFP_NOFAIL);
	if (IS_ERR(out)) {
		WARN_ON_ONCE(PTR_ERR(out) != -ENOMEM);
		return PTR_ERR(out);
	}
	return nacre_conn_send(mds->conn, out);
}

void nacre_mds_send_begin(struct nacre_fs *fs)
{
	mutex_lock(&fs->mds->send_mutex);
}

void nacre_mds_send_end(struct nacre_fs *fs)
{
	mutex_unlock(&fs->mds->send_mutex);
}

int nacre_mds_send(struct nacre_fs *fs, u16 type, const void *host)
{
	/* Claims are what makes a session flow again. */
	return mds_send_locked(fs->mds, type, host, type == NACRE_MSG_SESSION_RECONNECT ||
			       type == NACRE_MSG_SESSION_FILELOCKS);
}
