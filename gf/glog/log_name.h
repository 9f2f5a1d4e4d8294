/*
 * Names of log files, as GoFrame writes them: "access-{Ymd}.log". Between braces stand the letters of a date,
 * Y y m n d j H G i s; everything else there, and all outside, stands for itself. Thread: any.
 */
#ifndef GF_GLOG_LOG_NAME_H
#define GF_GLOG_LOG_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The name at a time, local. 0; -EINVAL: an unknown letter, a brace without its other, a '/', an empty name, one that
 * begins with a dot; -ENAMETOOLONG. */
int gf_log_name_format(const char *pattern, time_t now, char *name, size_t size);

/* The name that a full file is given: a time, to the microsecond, before the ending. 0 or -ENAMETOOLONG. */
int gf_log_name_backup(const char *name, const struct timespec *now, char *backup, size_t size);

/* Whether a file of this name was once written under the pattern: by its date, or as a backup. */
bool gf_log_name_matches(const char *pattern, const char *name);

#endif
