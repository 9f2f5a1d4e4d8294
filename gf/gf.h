/**
 * @file gf.h
 * The umbrella: everything that a program written with gf uses.
 */
#ifndef GF_GF_H
#define GF_GF_H

#include <gf/g/g.h>
#include <gf/gcfg/gcfg.h>
#include <gf/ghttp/ghttp.h>
#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>
#include <gf/gres/gres.h>

#endif
