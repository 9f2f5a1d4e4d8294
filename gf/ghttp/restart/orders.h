/*
 * Orders: restarts and shutdowns that other processes of the same user ask for by message, in the group "ghttp":
 * "restart", "restart /path/of/executable", "shutdown". The kernel vouches for the sender (gf/gproc/message.c).
 *
 * Owns: one thread. The outcome is in the log; who wants it back asks by the page or the API.
 */
#ifndef GF_GHTTP_RESTART_ORDERS_H
#define GF_GHTTP_RESTART_ORDERS_H

/* Begins to listen. 0 or a negative errno. */
int gf_orders_start(void);

#endif
