/* SPDX-License-Identifier: GPL-2.0 */
/* The descriptors of the stored structures; see format.h. */
#include "format.h"

MDS_FORMAT_STRUCTS(NACRE_STRUCT_DEFINE)
