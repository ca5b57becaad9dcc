/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deliberately broken rules, so that it can be shown that the simulator would
 * notice. A call of mutate() stands at the line that upholds a rule; it says
 * no, always, except in nacre-sim --mutate NAME. Nothing else may set one.
 */
#ifndef NACRE_MUTATE_H
#define NACRE_MUTATE_H

#include <stdbool.h>

#define MUTATIONS(M)								\
	M(OSD_ACK_BEFORE_DURABLE, "osd-ack-before-durable",			\
	  "OSD-1: the primary answers before its replicas have made it durable")	\
	M(OSD_FORGET_RESEND, "osd-forget-resend",				\
	  "LOG-2: an OSD does not know a re-sent request")			\
	M(OSD_REPLICAS_JUDGE, "osd-replicas-judge",				\
	  "FENCE-1: a replica leaves out what its primary has admitted, by a map of its own")	\
	M(OSD_TRIM_EARLY, "osd-trim-early",					\
	  "the journal is trimmed before what was applied is durable in the key-value store") \
	M(OSD_DATA_UNFLUSHED, "osd-data-unflushed",				\
	  "decision 0014: data is not flushed before the record that points to it is written") \
	M(OSD_REUSE_EARLY, "osd-reuse-early",					\
	  "OSD-4: blocks given back are written directly before that is durable")	\
	M(OSD_DISCARD_EARLY, "osd-discard-early",				\
	  "decision 0021: blocks given back are discarded before that is durable")	\
	M(OSD_INTENT_SKIPPED, "osd-intent-skipped",				\
	  "decision 0016: an overwrite in place is told by no intent")		\
	M(OSD_INTENT_UNAWAITED, "osd-intent-unawaited",				\
	  "decision 0016: an overwrite in place begins before its intent is durable") \
	M(OSD_OVERWRITE_BARRED, "osd-overwrite-barred",				\
	  "OSD-4: what can be replayed is overwritten in place")		\
	M(OSD_UNSTABLE_UNTOLD, "osd-unstable-untold",				\
	  "decision 0016: a member does not tell its primary what a crash may have torn") \
	M(OSD_UNSTABLE_UNHEEDED, "osd-unstable-unheeded",			\
	  "decision 0016: a primary serves before what may be torn is the same everywhere") \
	M(OSD_CLONE_FORGETS_SHARE, "osd-clone-forgets-share",			\
	  "decision 0018: a block that several objects have is overwritten in place") \
	M(OSD_ROOM_UNSENT, "osd-room-unsent",					\
	  "decision 0013: a member that is caught up is not sent where the unwritten blocks are") \
	M(OSD_STRAY_LOG, "osd-stray-log",					\
	  "decision 0017: an OSD removes objects of a group that is elsewhere now, and keeps the group's log") \
	M(OSD_READ_UNCHECKED, "osd-read-unchecked",				\
	  "CSUM-1: bytes are served without a look at their checksum")		\
	M(OSD_SCRUB_COPIES, "osd-scrub-copies",					\
	  "CSUM-2: a scrub copies the primary over, without a checksum's verdict") \
	M(ROOM_UNTOLD, "room-untold",						\
	  "ROOM-1: a client takes room behind a file's end without telling the rank")	\
	M(MDS_ACK_BEFORE_DURABLE, "mds-ack-before-durable",			\
	  "a rank says safe before its journal is")				\
	M(MDS_FORGET_RESEND, "mds-forget-resend",				\
	  "LOG-2: a rank does not know a re-sent request")			\
	M(MDS_SHOW_UNSAFE, "mds-show-unsafe",					\
	  "SHARE-1: a rank shows a change that is not journaled")		\
	M(MDS_FORGET_LOCKS, "mds-forget-locks",					\
	  "FLOCK-2: a new incarnation does not heed the file locks that are declared")	\
	M(MDS_LOSE_WAKE_UP, "mds-lose-wake-up",					\
	  "FLOCK-3: nobody goes on when a file lock is given up")			\
	M(QUOTA_UNSAVED, "quota-unsaved",					\
	  "decision 0012: a change does not bring the sums of quotas into the journal") \
	M(SIZE_UNASKED, "size-unasked",						\
	  "size reports: a rank answers a stat by what a writer reported before, and asks nobody") \
	M(INLINE_FORGET, "inline-forget",					\
	  "INLINE-1: a first write to object 0 does not bring the inline data along")	\
	M(INLINE_UNTOLD, "inline-untold",					\
	  "INLINE-4: a client does not tell that a file's data has left the inode") \
	M(INLINE_UNCHECKED, "inline-unchecked",					\
	  "INLINE-4: a rank does not look for the mark when it has lost a writer")

#define MUTATION_ENUM(NAME, text, doc) MUTATE_##NAME,
enum mutation { MUTATIONS(MUTATION_ENUM) MUTATION_COUNT };

/* Is this rule to be broken? */
bool mutate(enum mutation mutation);
/* For nacre-sim only. */
void mutate_set(enum mutation mutation, bool on);

#endif
