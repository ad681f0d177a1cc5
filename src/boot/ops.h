#pragma once
/*
 * The seam between a plan and the machine: files below a root, users, and the unit manager. All have a complete fake
 * (boot/fake-ops.h).
 *
 * BOOT_SAME from any of them: the machine is so already, nothing was changed.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#define BOOT_FILE_KEEP ((uid_t)-1) /* the owner is who writes the file */

enum { BOOT_NOT_MASKED = 1, BOOT_SAME = 2 };

typedef struct FileOwner {
        uid_t user;
        gid_t group;
} FileOwner;

typedef struct BootFiles BootFiles;

typedef struct BootFilesOps {
        /* "user", "user:group", by name or number, as the machine's own files know them. Called before the first
         * change, or once the plan's users are made. -ENOENT: there is no such user or group. */
        int (*find_owner)(BootFiles *files, const char *owner, FileOwner *ret, Error *error);

        /* Puts the file in place at once; makes the folders above it. `path` is absolute and clean. */
        int (*write)(BootFiles *files, const char *path, Slice text, mode_t mode, FileOwner owner, Error *error);

        /* Makes `path` a link to /dev/null, in place of whatever file was there. */
        int (*mask)(BootFiles *files, const char *path, Error *error);

        /* Removes `path` if it is empty or a link to /dev/null. BOOT_NOT_MASKED: it is a real file, and stays. */
        int (*unmask)(BootFiles *files, const char *path, Error *error);

        int (*set_hostname)(BootFiles *files, const char *name, Error *error);

        /* Loads a module of the kernel. BOOT_SAME: not here, the root is not that of the machine. */
        int (*load_module)(BootFiles *files, const char *name, const StringList *options, Error *error);
} BootFilesOps;

struct BootFiles {
        const BootFilesOps *ops;
};

typedef struct BootAccounts BootAccounts;

typedef struct BootAccountsOps {
        /* 1: there is a user of that name; 0: there is none. */
        int (*exists)(BootAccounts *accounts, const char *user, Error *error);

        /* Makes the user, who can log in with no password; `options` are useradd's. */
        int (*create)(BootAccounts *accounts, const char *user, const StringList *options, Error *error);

        /* The hash is a secret: it goes to no log and no process list. */
        int (*set_password)(BootAccounts *accounts, const char *user, const char *hash, Error *error);

        /* Makes `keys` the user's SSH keys of that name, in place of those it had. -ENOENT: no such user. */
        int (*authorize)(BootAccounts *accounts, const char *user, const char *key_name, Slice keys, Error *error);
} BootAccountsOps;

struct BootAccounts {
        const BootAccountsOps *ops;
};

typedef struct UnitManager UnitManager;

typedef struct UnitManagerOps {
        const char *name; /* for people: "systemd", "faering-init" */

        /* Carries out the unit file's [Install]. -ENOENT: no such unit. */
        int (*enable)(UnitManager *manager, const char *unit, bool runtime, Error *error);

        /* Reads all unit files anew. */
        int (*reload)(UnitManager *manager, Error *error);

        /*
         * Asks for `action` (start, stop, …) and does not wait for its end. UNIT_COMMAND_SKIPPED: nobody is here to do
         * it, UNIT_COMMAND_FAILED: it is refused; `result` then says why. < 0: it could not be asked; -ENOENT: no such
         * unit.
         */
        int (*command)(UnitManager *manager, const char *unit, const char *action, Buffer *result, Error *error);

        /*
         * Waits for the end of what was last asked of the unit, at most *left, which becomes what is left of it. What
         * came of it is appended to `result`: "done", "failed: …". UNIT_COMMAND_FAILED: it was tried, and failed.
         * UNIT_COMMAND_PENDING: it goes on.
         */
        int (*await)(UnitManager *manager, const char *unit, Usec *left, Buffer *result, Error *error);

        void (*free)(UnitManager *manager);
} UnitManagerOps;

enum { UNIT_COMMAND_FAILED = 1, UNIT_COMMAND_SKIPPED = 3, UNIT_COMMAND_PENDING = 4 };

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

/* All three; borrowed. */
typedef struct BootMachine {
        BootFiles *files;
        BootAccounts *accounts;
        UnitManager *units;
        bool looking; /* nothing is changed: users that the plan makes do not come */
} BootMachine;
