/*
 * The machine that a bench ran on, without which its numbers say nothing, and what the kernel counts of a process.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_BENCH_SUPPORT_MACHINE_H
#define GF_BENCH_SUPPORT_MACHINE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Date, processor, cores, kernel, load before the bench, versions of what is measured. */
void machine_print(FILE *file);

/* Microseconds of a clock that nobody sets. */
int64_t machine_now_us(void);
/* Nanoseconds that the threads of this process, those that live, have run on a core; 0: there is no such process. */
uint64_t machine_cpu_ns(pid_t pid);
/* The memory of this process that is resident, in MiB; 0: there is no such process. */
long machine_resident_mib(pid_t pid);

#endif
