/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nacre-mds: one metadata rank, or a standby for one. What every daemon has is in
 * server/base/daemon.h; the rank itself is mds.h.
 */
#include "mds.h"
#include "server/base/daemon.h"

static void active(void *owner)
{
	struct daemon *daemon = owner;

	log_info(daemon->log, "rank", "%s serves", daemon->name);
}

static void fenced(void *owner, const char *reason)
{
	daemon_restart(owner, reason);
}

static void failed(void *owner, int result, const char *reason)
{
	daemon_fail(owner, "%s", reason);
}

static int start(struct daemon *daemon, void **ret_server)
{
	static const struct mds_events events = { active, fenced, failed };
	const struct config *config = daemon->config;
	struct mds_config mds_config = {
		.io = daemon->io,
		.store = daemon->store,
		.log = daemon->log,
		.listen = daemon->listen,
		.name = daemon->name,
		.rank = daemon->id,
		.time_scale_percent = (uint32_t)config->time_scale,
		.lease_ms = (uint32_t)config->lease_ms,
		.out_after_ms = (uint32_t)config->osd_out_ms,
		.session_lease_ms = (uint32_t)config->session_lease_ms,
		.reconnect_ms = (uint32_t)config->reconnect_ms,
		.revoke_warn_ms = (uint32_t)config->revoke_warn_ms,
		.revoke_evict_ms = (uint32_t)config->revoke_evict_ms,
		.size_report_ms = (uint32_t)config->size_report_ms,
		.cache_inodes = config->mds_cache_inodes,
		.dir_split = config->mds_dir_split,
		.journal_bytes = config->mds_journal_bytes,
		.events = &events,
		.owner = daemon,
	};
	struct mds *mds;
	int result;

	/* the port is filled in by the rank, once it listens */
	result = daemon_advertised(daemon, 0, &mds_config.advertise);
	if (!result)
		result = mds_create(&mds_config, &mds);
	if (result)
		return result;
	*ret_server = mds;
	return mds_admin_register(mds, daemon->admin);
}

static void stopped(void *owner)
{
	daemon_stopped(owner);
}

static void stop(void *server)
{
	mds_stop(server, stopped, mds_owner(server));
}

static void destroy(void *server)
{
	mds_destroy(server);
}

static void status(void *server, struct admin_answer *answer)
{
	mds_status(server, answer);
}

int main(int argc, char **argv)
{
	static const char *const required[] = { "map_store", NULL };
	static const struct daemon_kind kind = {
		.program = "nacre-mds",
		.prefix = "mds",
		.doc = "metadata server of a nacre file system",
		.required = required,
		.start = start,
		.stop = stop,
		.destroy = destroy,
		.status = status,
	};

	return daemon_main(&kind, argc, argv);
}
