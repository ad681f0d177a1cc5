#pragma once
/*
 * The folder of unit files that we hand to systemd. A file is the unit's text and, after it, a comment line with the
 * caller's tag, so that a later run of the program knows what it finds.
 */
#include "base/error.h"
#include "base/str.h"

#define UNIT_STORE_TEXT_MAX ((size_t)1024 * 1024 + 256)

int unit_store_write(const char *folder, const char *unit, Slice text, const char *tag, Error *error);

/* Absence is success. */
int unit_store_remove(const char *folder, const char *unit, Error *error);

/* -ENOENT. *ret_text is the text without our line; the tag is "" when there is none. Both are the caller's. */
int unit_store_read(const char *folder, const char *unit, char **ret_text, char **ret_tag, Error *error);

/* Names of the units that are there, sorted. A missing folder has none. */
int unit_store_list(const char *folder, StringList *list, Error *error);

/* Makes the unit's file known to systemd for this boot, as `systemctl link --runtime --force` does: by a symbolic link in `links`, in
 * place of another one of that name. -EEXIST: there is a file. */
int unit_store_link(const char *folder, const char *links, const char *unit, Error *error);

/* Takes the link away. Absence is success; what is no link to our file stays. */
int unit_store_unlink(const char *folder, const char *links, const char *unit, Error *error);
