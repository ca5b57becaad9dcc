// SPDX-License-Identifier: GPL-2.0
/*
 * Asking for caps: references for a use, current attributes, open files.
 *
 * A caller that must ask does so with an OPEN request, whose reply takes the
 * references on its behalf before the rank's next message is read: a revoke right behind
 * the grant cannot starve it. CAP-3: nobody who waits here holds caps or folios.
 */
#include "internal.h"
#include "protocol/rules/size_report.h"
#include "protocol/rules/size.h"

/* ---- max_size (SIZE-1) --------------------------------------------------------------------------- */

/*
 * Ask for room to write up to `end`; the answer is a CAP_GRANT. What lies within the room there is cannot be asked for, and is
 * not noted as if it had been: the room may shrink.
 */
static void ask_max_size(struct inode *inode, u64 end)
{
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	if (end > ni->max_size && end > ni->max_size_wanted) {
		ni->max_size_wanted = end;
		ni->cap_todo |= CAPS_TODO_MAX_SIZE;
	}
	spin_unlock(&ni->cap_lock);
	nacre_mds_send_begin(nacre_inode_fs(inode));
	caps_send_todo(inode);
	nacre_mds_send_end(nacre_inode_fs(inode));
}

/* Long before the limit, so that a growing file does not stop at it. */
static bool should_ask_ahead_locked(struct nacre_inode *ni, u64 end)
{
	u64 size = i_size_read(&ni->netfs.inode);

	return end > size && ni->max_size_wanted <= ni->max_size &&
	       nacre_size_should_ask(size, ni->max_size, end);
}

static bool has_room(struct nacre_inode *ni, u32 need, u64 end)
{
	struct nacre_fs *fs = nacre_inode_fs(&ni->netfs.inode);
	bool over;

	if (nacre_fs_error(fs) || !nacre_mds_may_io(fs))
		return true;		/* the caller looks again and finds out */
	spin_lock(&ni->cap_lock);
	over = end <= ni->max_size || end > ni->max_size_wanted || !caps_usable_locked(ni, need);
	spin_unlock(&ni->cap_lock);
	return over;
}

/*
 * The answer is a larger max_size, or that a quota leaves no room (EDQUOT), or there is none, as WRITE went before. A refusal
 * speaks of all that was asked for here at that time: whoever needs less asks again for himself.
 */
static int wait_room(struct inode *inode, u32 need, u64 end)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 before = READ_ONCE(ni->max_size_refusals);
	int err;

	ask_max_size(inode, end);
	err = nacre_wait(nacre_inode_fs(inode), ni->cap_wait, has_room(ni, need, end) ||
			 READ_ONCE(ni->max_size_refusals) != before);
	if (err)
		return err;
	spin_lock(&ni->cap_lock);
	if (ni->max_size_refusals != before && end > ni->max_size && end >= ni->max_size_refused)
		err = -EDQUOT;
	spin_unlock(&ni->cap_lock);
	return err;
}

/* ---- references ---------------------------------------------------------------------------------- */

enum outcome {
	TAKEN,
	NEED_IO,			/* the lease is out */
	NEED_SETTLE,			/* lost pages or a truncation are being dealt with */
	NEED_CAPS,
	NEED_ROOM,
};

static enum outcome try_take(struct inode *inode, u32 need, u32 want, u64 end, u32 *got,
			     bool *ask_ahead)
{
	struct nacre_inode *ni = nacre_inode(inode);
	enum outcome outcome = TAKEN;

	*ask_ahead = false;
	if (!nacre_mds_may_io(nacre_inode_fs(inode)))
		return NEED_IO;
	spin_lock(&ni->cap_lock);
	if (ni->cap_todo & NACRE_CAPA_LOST || ni->size_pending) {
		outcome = NEED_SETTLE;
	} else if (!caps_usable_locked(ni, need)) {
		outcome = NEED_CAPS;
	} else if (end > ni->max_size) {
		outcome = NEED_ROOM;
	} else {
		*got = need | (want & ni->cap.issued);
		caps_take_locked(ni, *got);
		*ask_ahead = end && should_ask_ahead_locked(ni, end);
	}
	spin_unlock(&ni->cap_lock);
	return outcome;
}

/* File locks of it went with a session: who relied on them must not read or write (vfs/lock_session.c). */
static bool is_barred(struct inode *inode, u32 need)
{
	return need & NACRE_CAPS_FILE && READ_ONCE(nacre_inode(inode)->locks_lost);
}

int nacre_caps_try(struct inode *inode, u32 need, u32 want, u64 end, u32 *got)
{
	bool ask_ahead;

	if (nacre_fs_error(nacre_inode_fs(inode)) || is_barred(inode, need))
		return -EIO;
	return try_take(inode, need, want, end, got, &ask_ahead) == TAKEN ? 0 : -EAGAIN;
}

/* Pages of a lost session are dropped by the worker; a truncation can be applied right here. */
static int wait_settled(struct inode *inode)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_fs *fs = nacre_inode_fs(inode);
	int err;

	err = nacre_wait(fs, ni->cap_wait, !(READ_ONCE(ni->cap_todo) & NACRE_CAPA_LOST) ||
			 nacre_fs_error(fs));
	if (!err)
		nacre_caps_settle_size(inode);
	return err;
}

static u32 wanted_locked(const struct nacre_inode *ni)
{
	return NACRE_CAP_PIN | (ni->open_readers ? NACRE_WANT_READ : 0) |
	       (ni->open_writers ? NACRE_WANT_WRITE : 0);
}

/* OPEN: ask for `need`; *got are the references that its reply took. */
static int ask_caps(struct inode *inode, u32 need, u32 want, u32 *got)
{
	struct nacre_inode *ni = nacre_inode(inode);
	struct nacre_mds_request *req;
	u32 wanted, flags = 0;

	spin_lock(&ni->cap_lock);
	wanted = wanted_locked(ni) | need | want;
	spin_unlock(&ni->cap_lock);
	if (wanted & (NACRE_CAP_FILE_READ | NACRE_CAP_FILE_CACHE))
		flags |= NACRE_OPEN_READ;
	if (wanted & (NACRE_CAP_FILE_WRITE | NACRE_CAP_FILE_BUFFER))
		flags |= NACRE_OPEN_WRITE;
	nacre_count(nacre_inode_fs(inode), cap_waits);
	req = nacre_mds_open(inode, need, wanted, flags);
	if (IS_ERR(req))
		return PTR_ERR(req);
	*got = req->got;
	req->got = 0;
	nacre_mds_request_put(req);
	return 0;
}

/*
 * References came with a reply: are they all the caller needs? Else give them back. If so, what else he wants and has
 * been granted along with them is taken, too.
 */
static bool suffices(struct inode *inode, u32 need, u32 want, u64 end, u32 *got)
{
	struct nacre_inode *ni = nacre_inode(inode);
	bool good, room;
	u32 more;

	if (!*got)
		return false;
	spin_lock(&ni->cap_lock);
	room = end <= ni->max_size;
	good = !(need & ~*got) && room && !ni->size_pending;
	more = good ? want & ni->cap.issued & ~*got : 0;
	caps_take_locked(ni, more);
	spin_unlock(&ni->cap_lock);
	*got |= more;
	if (good)
		return true;
	if (!room)
		ask_max_size(inode, end);
	nacre_caps_put(inode, *got);
	return false;
}

/*
 * The answer did not bring all: another client uses the file in a way that excludes it. It will be granted
 * when that ends; ask again now and then, a grant may be lost with a connection.
 */
static int wait_granted(struct inode *inode, u32 need)
{
	struct nacre_inode *ni = nacre_inode(inode);

	struct nacre_fs *fs = nacre_inode_fs(inode);
	long left;

	left = wait_event_killable_timeout(ni->cap_wait, nacre_caps_held(inode, need) ||
					   nacre_fs_error(fs), msecs_to_jiffies(CAPS_ASK_AGAIN_MS));
	if (!left)
		nacre_count(fs, cap_asks_again);
	return left < 0 ? -EINTR : 0;
}

int nacre_caps_get(struct inode *inode, u32 need, u32 want, u64 end, u32 *got)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);
	bool ask_ahead;
	int err;

	for (;;) {
		err = nacre_fs_error(fs) ?: is_barred(inode, need) ? -EIO : 0;
		if (err)
			return err;
		switch (try_take(inode, need, want, end, got, &ask_ahead)) {
		case TAKEN:
			if (ask_ahead)
				ask_max_size(inode, end);
			return 0;
		case NEED_IO:
			err = nacre_mds_wait_io(fs);
			break;
		case NEED_SETTLE:
			err = wait_settled(inode);
			break;
		case NEED_CAPS:
			err = ask_caps(inode, need, want, got);
			if (!err && suffices(inode, need, want, end, got))
				return 0;
			if (!err)
				err = wait_granted(inode, need);
			break;
		case NEED_ROOM:
			err = wait_room(inode, need, end);
			break;
		}
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

/* ---- attributes ----------------------------------------------------------------------------------- */

/* Are our copies of these groups what every client would see? */
static bool current_locked(struct nacre_inode *ni, u32 groups)
{
	for (int i = 0; i < NACRE_GROUP_COUNT; i++) {
		u32 group = groups & nacre_group_at(i);

		if (!group)
			continue;
		if (group == NACRE_GROUP_XATTR && !ni->xattrs_known)
			return false;
		if (caps_usable_locked(ni, nacre_group_excl(group)))
			continue;
		/* While our own change is under way, the copy is neither old nor new (lock_table.h). */
		if (!caps_usable_locked(ni, nacre_group_shared(group)) || ni->changing[i])
			return false;
	}
	return true;
}

bool nacre_caps_current(struct inode *inode, u32 groups)
{
	struct nacre_inode *ni = nacre_inode(inode);
	bool current_now;

	if (!nacre_mds_may_io(nacre_inode_fs(inode)))
		return false;
	spin_lock(&ni->cap_lock);
	current_now = current_locked(ni, groups);
	spin_unlock(&ni->cap_lock);
	return current_now;
}

int nacre_caps_stat(struct inode *inode, u32 mask, bool force, struct nacre_reported *reported)
{
	struct nacre_fs *fs = nacre_inode_fs(inode);
	struct nacre_mds_request *req;
	u32 flags = reported ? NACRE_REQUEST_REPORT : 0;
	int err = nacre_fs_error(fs);

	if (err)
		return err;
	if (force || !nacre_caps_current(inode, mask)) {
		if (mask & NACRE_GROUP_XATTR)
			flags |= NACRE_REQUEST_WANT_XATTRS;
		req = nacre_mds_getattr(fs, inode->i_ino, inode, mask, 0, flags);
		if (IS_ERR(req))
			/* It was removed, and nothing of ours kept it alive. */
			return PTR_ERR(req) == -ENOENT ? -ESTALE : PTR_ERR(req);
		if (req->reported.there && reported) {
			nacre_count(fs, sizes_reported);
			*reported = req->reported;
			reported->ctime = nacre_time_later(reported->ctime,
							   nacre_time_ns(inode_get_ctime(inode)));
		}
		nacre_mds_request_put(req);
	}
	nacre_caps_settle_size(inode);
	return 0;
}

int nacre_caps_refresh(struct inode *inode, u32 mask, bool force)
{
	return nacre_caps_stat(inode, mask, force, NULL);
}

/* ---- open files ------------------------------------------------------------------------------------ */

static void count_open(struct inode *inode, int file_flags, int by)
{
	struct nacre_cap_event want = { .kind = NACRE_CAPE_WANT };
	struct nacre_inode *ni = nacre_inode(inode);

	spin_lock(&ni->cap_lock);
	if ((file_flags & O_ACCMODE) != O_WRONLY)
		ni->open_readers += by;
	if ((file_flags & O_ACCMODE) != O_RDONLY)
		ni->open_writers += by;
	want.caps = wanted_locked(ni);
	/*
	 * The rank hears of it with the next message that is sent anyway: bits that are missing
	 * are asked for when they are needed, and an answer to a revoke says what is wanted.
	 */
	caps_step_locked(ni, &want);
	spin_unlock(&ni->cap_lock);
}

int nacre_caps_open(struct inode *inode, int file_flags)
{
	struct nacre_inode *ni = nacre_inode(inode);
	u32 need = NACRE_CAP_PIN, got;
	bool has_cap;
	int err = 0;

	count_open(inode, file_flags, 1);
	spin_lock(&ni->cap_lock);
	has_cap = caps_usable_locked(ni, need);
	spin_unlock(&ni->cap_lock);
	if (has_cap)
		return 0;
	/* The rank must know that it is open: somebody may remove its last name. */
	err = nacre_caps_get(inode, need, 0, 0, &got);
	if (err)
		count_open(inode, file_flags, -1);
	else
		nacre_caps_put(inode, got);
	return err;
}

void nacre_caps_release_file(struct inode *inode, int file_flags)
{
	count_open(inode, file_flags, -1);
}
