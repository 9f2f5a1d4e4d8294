/*
 * The loan of a new process's standard error to the one that has started it. That one reads it from a pipe, passes it
 * on and remembers the last of it, so that it can say what the new process said before it died; until it trusts the new
 * one, has ended, or does not read any more. Then standard error is what it was.
 *
 * The new process holds the reading end too: so nothing that is in the pipe is lost with its reader, and a write to it
 * does not fail, of a child of the new process that has inherited it either.
 *
 * Owns: the reading end, and the descriptor of what standard error is to be again. Thread: end the state machine's or,
 * before it, the one that starts servers; all others the state machine's.
 */
#ifndef GF_GHTTP_RESTART_ERROR_LOAN_H
#define GF_GHTTP_RESTART_ERROR_LOAN_H

#include <stdint.h>

/* Standard error is a pipe now, original what it is to be again (-1: nothing is on loan), which belongs to the loan. */
void gf_error_loan_begin(int original);

/* All servers are up: it goes on from here only if there is a reading end. */
void gf_error_loan_ready(void);

/* Its reader has given a sign of life. */
void gf_error_loan_heard(void);

/* Standard error is what it was; what is in the pipe is passed on. Does nothing the second time. */
void gf_error_loan_end(void);

/* Ends it if it is not read. When to look again; INT64_MAX: never. */
int64_t gf_error_loan_look(void);

/* What a process that we start is to have as its standard error in the end. */
int gf_error_loan_original(void);

/* What becomes readable when something comes through the pipe after the end, of a child perhaps; -1: nothing will. */
int gf_error_loan_fd(void);
void gf_error_loan_relay(void);

#endif
