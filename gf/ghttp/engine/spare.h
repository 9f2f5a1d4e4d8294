/*
 * Spare threads: all threads that run handlers or lead an event loop.
 *
 * Made on demand, kept for a while, capped. A reserve of idle ones, one for each worker, is kept so that a
 * blocked loop can always be passed on; jobs that can wait for a 503 do not get these.
 * Owns: the threads. Thread: any.
 */
#ifndef GF_GHTTP_ENGINE_SPARE_H
#define GF_GHTTP_ENGINE_SPARE_H

#include <stdbool.h>

typedef void gf_spare_job(void *arg);

/* Sets the cap on threads and the reserve, and makes the reserve. 0 or a negative errno. */
int gf_spare_start(unsigned cap, unsigned reserve);

/* Gives fn(arg) to a thread that is not of the reserve. false: all are taken. */
bool gf_spare_run(gf_spare_job *fn, void *arg);

/* Gives fn(arg) to any thread, and makes another one in its place as far as the cap allows. false: none was idle. */
bool gf_spare_run_reserved(gf_spare_job *fn, void *arg);

/* Whether gf_spare_run_reserved() would find a thread; stays true for the one who takes from the reserve. */
bool gf_spare_has_idle(void);

/* Whether the reserve is complete: every loop could be passed on right now. */
bool gf_spare_has_reserve(void);

/* Threads in all and idle ones, for the page that shows them. */
void gf_spare_count(unsigned *ret_threads, unsigned *ret_idle);

/*
 * Ends the threads that are idle and waits up to timeout_ms for the others. true: none is left; false: some
 * are still in a handler, and may never return.
 */
bool gf_spare_stop(int timeout_ms);

#endif
