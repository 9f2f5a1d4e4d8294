/*
 * The embedded files of this project.
 */
#ifndef CONSUMER_FILES_H
#define CONSUMER_FILES_H

#include <gf/gres/gres.h>

const gres_bundle *embedded_files(void);

#endif
