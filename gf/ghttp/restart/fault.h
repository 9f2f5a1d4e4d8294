/*
 * Faults on order: in a build with GF_FAULTS, and in no other, the environment variable GF_FAULT makes a process fail
 * at a step of the restart protocol, so that tests can see what the other side makes of it.
 *
 * GF_FAULT="generation:step:fault", for example "2:before-ready:abort", or several with commas between them; generation
 * 0 is a new process that does not know its own yet. With GF_FAULT_ONCE=path, each only in the process that comes there
 * first, as a file of that name and the step tells. Faults: exit, abort, kill, stop (SIGSTOP), hang (the thread),
 * garbage, close (the channel), nofiles (EMFILE), nomemory, and these two for a second only: nofiles-briefly,
 * nomemory-briefly.
 */
#ifndef GF_GHTTP_RESTART_FAULT_H
#define GF_GHTTP_RESTART_FAULT_H

#ifdef GF_FAULTS
/* This process has come to this step; channel is its end of the channel in question, or -1. */
void gf_fault_point(unsigned generation, const char *step, int channel);
/* GF_FAULT_VERSION: the version of the protocol that this process claims to speak. */
int gf_fault_version(int version);
#else
#define gf_fault_version(version) (version)
#define gf_fault_point(generation, step, channel) ((void)(generation), (void)(channel))
#endif

#endif
