#pragma once
/* --config-file: etcd's flags as keys of a YAML document, those of TLS in two sections of their own. */
#include "base/options.h"

#define SETTINGS_FILE_MAX ((size_t)1 << 20)

/* Sets options from a file. -EINVAL with `error`: what is wrong, with file, line and column; an unknown key names the nearest. */
int settings_file_read(const char *path, const Option *options, Error *error);

/* The same from a text; `path` is for errors. */
int settings_file_parse(Slice text, const char *path, const Option *options, Error *error);
