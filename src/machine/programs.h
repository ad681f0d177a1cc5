#pragma once
/*
 * Our own programs and units, gathered in one folder as they lie in a machine: usr/bin, usr/sbin,
 * usr/lib/systemd/system. Each machine's disk gets links to the files. (A second lower layer of the machine's overlay
 * cannot hold them: the kernel refuses a lower layer that lies within another, and the host's root is one.)
 */
#include "base/error.h"
#include "base/str.h"

/* Gathers them in `to` from where the running program lies: a build tree or an installation. Names that are not there
 * are added to `missing`. */
int programs_gather(const char *to, StringList *missing, Error *error);

/* Puts all of folder `from` into `to`, as links where the file system can, replacing what has the same names. */
int programs_link(const char *from, const char *to, Error *error);
