/*
 * restart_server once more, linked with the library that fails on order: see gf/ghttp/restart/fault.h.
 */
#include "tests/programs/restart_server.c"
