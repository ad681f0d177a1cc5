#pragma once
/* Finds unit files, their aliases, drop-ins and wants-links in systemd's folders. Reads the file system, keeps
 * nothing. */
#include "base/error.h"
#include "base/str.h"

#define UNIT_SEARCH_NAMES_MAX 4096
#define UNIT_SEARCH_DROPINS_MAX 64
#define UNIT_SEARCH_ALIAS_DEPTH 8

/* The folders to look in, the most important first; NULL ends the list. */
typedef const char *const *UnitFolders;

/* /etc, /run, /usr/lib: where systemd has units of the system. */
extern const char *const unit_folders_system[];

typedef enum UnitFound {
        UNIT_FOUND_FILE = 1,
        UNIT_FOUND_NONE,
        UNIT_FOUND_MASKED, /* empty, or a link to /dev/null */
} UnitFound;

/* Follows aliases: *ret_name is the unit's own name; *ret_path its file, of an instance the template's (NULL but for
 * UNIT_FOUND_FILE). Both are the caller's. -ELOOP: aliases in a ring. */
int unit_search_resolve(UnitFolders folders, const char *name, char **ret_name, char **ret_path, Error *error);

/* Names of all units and aliases in the folders, sorted, each once. -EMSGSIZE above UNIT_SEARCH_NAMES_MAX. */
int unit_search_names(UnitFolders folders, StringList *names, Error *error);

/* Names in the folders TARGET.wants, sorted, each once. */
int unit_search_wanted(UnitFolders folders, const char *target, StringList *names, Error *error);

/* Drop-ins (*.conf) of a unit that is known under `names`, in the order in which they apply: by file name, and of one
 * file name that of the first folder only. Paths. */
int unit_search_dropins(UnitFolders folders, const StringList *names, StringList *paths, Error *error);
