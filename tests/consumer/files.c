#include "files.h"

#include "web.h"

const gres_bundle *embedded_files(void)
{
    return &web;
}
