/* SPDX-License-Identifier: GPL-2.0 */
/* Prints the messages in the bytes of one send to standard output. */
#ifndef NACRE_SIM_TRACE_H
#define NACRE_SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

void sim_trace_bytes(const uint8_t *bytes, size_t length);

#endif
