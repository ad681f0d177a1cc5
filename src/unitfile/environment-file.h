#pragma once
/* The format of EnvironmentFile=, systemd.exec(5): lines NAME=value as a shell would read them, without expansion. */
#include "base/error.h"
#include "base/str.h"

#define ENVIRONMENT_FILE_MAX ((size_t)1024 * 1024)
#define ENVIRONMENT_FILE_ENTRIES_MAX 4096

/*
 * Appends the assignments as "NAME=value"; a later entry wins. Lines that begin with # or ; are comments; blanks around
 * the value go, unless quoted. Within '…' all stands for itself; within "…" a backslash makes one of " \ ` $ plain, and
 * one before a line end joins the lines; outside of quotes a backslash makes any character plain. Quoted text may span
 * lines. As in systemd, a line without '=' and one whose name cannot be a variable's are passed over.
 * -EINVAL: the value is not UTF-8 or has a control character that is no blank, with the line. -EMSGSIZE, -ENOMEM.
 */
int environment_file_parse(Slice text, StringList *list, Error *error);
