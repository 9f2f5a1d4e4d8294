/*
 * Standard error, written to without waiting for whoever reads it.
 *
 * What is written goes there at once, in one piece, by the thread that has it. What a pipe, a socket or a terminal does
 * not take at this moment waits in a queue, behind which all that follows waits too, and a thread writes it. What
 * finds the queue full is dropped and counted; once there is room again, standard error says how many lines are
 * missing.
 *
 * Owns: the queue, its thread. Thread: any.
 */
#ifndef GF_GLOG_TERMINAL_H
#define GF_GLOG_TERMINAL_H

#include <stddef.h>

/* A line with its line feed, or another text, of 4,096 bytes at most. Never waits. */
void gf_terminal_write(const char *text, size_t size);

/* Waits until all is written, so long at most. */
void gf_terminal_flush(int timeout_ms);

#endif
