/*
 * The monitor: one thread that looks about every millisecond whether a handler blocks its loop, and passes such a
 * loop on. It sleeps while no handler runs.
 */
#ifndef GF_GHTTP_ENGINE_MONITOR_H
#define GF_GHTTP_ENGINE_MONITOR_H

struct gf_worker;

/* Watches these workers, which must outlive it. 0 or a negative errno. */
int gf_monitor_start(struct gf_worker *workers, unsigned count);
void gf_monitor_stop(void);

/* A leader is about to run a handler. Costs nothing while the monitor is awake. */
void gf_monitor_wake(void);

#endif
