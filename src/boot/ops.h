#pragma once
/*
 * The seam between a plan and the machine: files below a root, and the unit manager. Both have a complete fake
 * (boot/fake-ops.h).
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define BOOT_FILE_KEEP ((uid_t)-1) /* the owner stays who writes the file */

typedef struct FileOwner {
        uid_t user;
        gid_t group;
} FileOwner;

typedef struct BootFiles BootFiles;

typedef struct BootFilesOps {
        /* "user", "user:group", by name or number, as the machine's own files know them. Called before the first
         * change. -ENOENT: there is no such user or group. */
        int (*find_owner)(BootFiles *files, const char *owner, FileOwner *ret, Error *error);

        /* Puts the file in place at once; makes the folders above it. `path` is absolute and clean. */
        int (*write)(BootFiles *files, const char *path, Slice text, mode_t mode, FileOwner owner, Error *error);

        /* Makes `path` a link to /dev/null, in place of whatever file was there. */
        int (*mask)(BootFiles *files, const char *path, Error *error);

        /* Removes `path` if it is empty or a link to /dev/null. BOOT_NOT_MASKED: it is a real file, and stays. */
        int (*unmask)(BootFiles *files, const char *path, Error *error);

        int (*set_hostname)(BootFiles *files, const char *name, Error *error);
} BootFilesOps;

enum { BOOT_NOT_MASKED = 1 };

struct BootFiles {
        const BootFilesOps *ops;
};

typedef struct UnitManager UnitManager;

typedef struct UnitManagerOps {
        const char *name; /* for people: "systemd", "faering-init" */

        /* Carries out the unit file's [Install]. -ENOENT: no such unit. */
        int (*enable)(UnitManager *manager, const char *unit, bool runtime, Error *error);

        /* Reads all unit files anew. */
        int (*reload)(UnitManager *manager, Error *error);

        /*
         * Does `action` (start, stop, …) and waits for its end if `wait`. What came of it is appended to `result`:
         * "done", "failed: …". UNIT_COMMAND_FAILED: it was tried, and failed. UNIT_COMMAND_SKIPPED: nobody is here
         * to do it. < 0: it could not be tried; -ENOENT: no such unit.
         */
        int (*command)(UnitManager *manager, const char *unit, const char *action, bool wait, Buffer *result,
                       Error *error);

        void (*free)(UnitManager *manager);
} UnitManagerOps;

enum { UNIT_COMMAND_FAILED = 1, UNIT_COMMAND_SKIPPED = 2 };

struct UnitManager {
        const UnitManagerOps *ops;
};

static inline UnitManager *unit_manager_free(UnitManager *manager) {
        if (manager)
                manager->ops->free(manager);
        return NULL;
}

CLEANUP_DEFINE(UnitManager, unit_manager_free)
#define _cleanup_unit_manager_ _cleanup_(unit_manager_freep)
