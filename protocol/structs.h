/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every structure of the protocol, in one place: the union of the tables that
 * the headers below keep. structs.c defines the descriptors from it; tests and
 * tools walk it.
 */
#ifndef NACRE_STRUCTS_H
#define NACRE_STRUCTS_H

#include "frame.h"
#include "map.h"
#include "session.h"
#include "mds.h"
#include "caps.h"
#include "filelocks.h"
#include "osd.h"
#include "replica.h"

#define NACRE_STRUCTS(S)	\
	NACRE_FRAME_STRUCTS(S)	\
	NACRE_MAP_STRUCTS(S)	\
	NACRE_SESSION_STRUCTS(S)	\
	NACRE_MDS_STRUCTS(S)	\
	NACRE_CAPS_STRUCTS(S)	\
	NACRE_FILELOCKS_STRUCTS(S)	\
	NACRE_OSD_STRUCTS(S)	\
	NACRE_REPLICA_STRUCTS(S)

#endif
