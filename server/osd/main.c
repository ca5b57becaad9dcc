// SPDX-License-Identifier: GPL-2.0
/*
 * nacre-osd: one object server on one device. What every daemon has is in
 * server/base/daemon.h; the server itself is osd.h.
 */
#include <errno.h>
#include <string.h>
#include "osd.h"
#include "rebuild.h"
#include "server/base/daemon.h"

static void serving(void *owner)
{
	struct daemon *daemon = owner;

	log_info(daemon->log, "osd", "%s serves", daemon->name);
}

static void fenced(void *owner, const char *reason)
{
	daemon_restart(owner, reason);
}

static void want_rebuild(struct daemon *daemon)
{
	if (daemon->config->osd_rebuild)
		osd_rebuild_want(daemon->config, daemon->id);
}

static void failed(void *owner, int result, const char *reason)
{
	if (result == -EBADMSG)
		want_rebuild(owner);
	daemon_fail(owner, "%s", reason);
}

/* Device and key-value store: at start-up they may block. */
static int open_store(struct daemon *daemon, struct osd_config *config)
{
	char error[512];
	int err = io_file_open(daemon->io, daemon->config->device, &config->file);

	if (err) {
		log_error(daemon->log, "osd", "%s cannot be opened: %s", daemon->config->device,
			  strerror(-err));
		return err;
	}
	err = kv_rocksdb_open(daemon->io, daemon->config->kv_dir, KV_OPEN, &config->kv, error,
			      sizeof(error));
	if (err) {
		log_error(daemon->log, "osd", "%s; if it is damaged, make a new store (mkfs.nacre --osd %u --force), which its "
			  "peers fill", error, daemon->id);
		if (osd_rebuild_helps(error))
			want_rebuild(daemon);
		io_file_close(daemon->io, config->file);
	}
	return err;
}

static int start(struct daemon *daemon, void **ret_server)
{
	static const struct osd_events events = { serving, fenced, failed };
	struct osd_config config = {
		.io = daemon->io,
		.mapstore = daemon->store,
		.log = daemon->log,
		.listen = daemon->listen,
		.name = daemon->name,
		.id = daemon->id,
		.time_scale_percent = (uint32_t)daemon->config->time_scale,
		.lease_ms = (uint32_t)daemon->config->lease_ms,
		.out_after_ms = (uint32_t)daemon->config->osd_out_ms,
		.journal_unit = (uint32_t)daemon->config->osd_journal_unit,
		.discard = !strcmp(daemon->config->osd_discard, "on"),
		.discard_bytes = (uint32_t)daemon->config->osd_discard_bytes,
		.nearfull_percent = (uint32_t)daemon->config->osd_nearfull_percent,
		.scrub_bytes_per_s = daemon->config->scrub_bytes_per_s,
		.scrub_light_s = (uint32_t)daemon->config->scrub_light_s,
		.scrub_deep_s = (uint32_t)daemon->config->scrub_deep_s,
		.events = &events,
		.owner = daemon,
	};
	struct osd *osd;
	int err;

	/* The port is filled in by the server, which listens. */
	err = daemon_advertised(daemon, 0, &config.advertise);
	if (!err)
		err = open_store(daemon, &config);
	if (err)
		return err;
	err = osd_create(&config, &osd);
	if (err) {
		kv_close(config.kv);
		io_file_close(daemon->io, config.file);
		return err;
	}
	*ret_server = osd;
	return osd_admin_register(osd, daemon->admin);
}

static void stopped(void *owner)
{
	daemon_stopped(owner);
}

static void stop(void *server)
{
	osd_stop(server, stopped, osd_owner(server));
}

static void destroy(void *server)
{
	osd_destroy(server);
}

static void status(void *server, struct admin_answer *answer)
{
	osd_status(server, answer);
}

static const char *const required[] = { "map_store", "device", "kv_dir", NULL };

static const struct daemon_kind kind = {
	.program = "nacre-osd",
	.prefix = "osd",
	.doc = "serves objects from one device",
	.required = required,
	.start = start,
	.stop = stop,
	.destroy = destroy,
	.status = status,
};

int main(int argc, char **argv)
{
	return osd_rebuild_if_wanted(daemon_main(&kind, argc, argv), argv);
}
