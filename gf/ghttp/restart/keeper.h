/*
 * The keeper: the first process, once it serves no more and its number is to stay: process 1 of a container, or the
 * setting stablePid. It holds copies of the listeners, passes signals on to the process that serves, reaps, starts that
 * process anew when it crashes, and ends with its exit status when it ends in order.
 *
 * It is the program executed anew, without its main(): a constructor (keeper_link.c) finds GF_SERVER_KEEPER and never
 * returns, so that nothing of what the program once had (threads, connections, memory) stays with it. Thread: the only
 * one of its process.
 */
#ifndef GF_GHTTP_RESTART_KEEPER_H
#define GF_GHTTP_RESTART_KEEPER_H

/* Keeps, as the text (of GF_SERVER_KEEPER) says; gives the exit status. */
int gf_keeper_run(const char *text);

#endif
