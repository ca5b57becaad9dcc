/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two programs, on two clients as a rule, that take turns: a socket between them is the barrier after each step.
 *
 *   PROGRAM serve DIR PORT              makes the folder, waits for the other side
 *   PROGRAM join DIR ADDRESS PORT       the other side
 */
#ifndef NACRE_KSELFTEST_TURNS_H
#define NACRE_KSELFTEST_TURNS_H

#include "harness.h"

/* Read the command line and meet the other side; the folder is there then. Is this the side that serves? */
bool turns_begin(const char *program, int argc, char **argv);
/* This side has done step `step`; and: wait until the other side has. */
void turns_say(unsigned long step);
void turns_hear(unsigned long step);
/* Something longer, from one side to the other, which knows how long it is. */
void turns_send(const void *bytes, size_t count);
void turns_receive(void *bytes, size_t count);
/* The program's one line of TAP: "SIDE WHAT". */
void turns_end(const char *side, const char *what, ...) __attribute__((format(printf, 2, 3)));

#endif
