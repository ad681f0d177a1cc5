#pragma once
/*
 * One run: the user-data, what is known of the machine, the plan, and its carrying out. Shared by faering-boot and
 * `faering boot`. This is the edge: files are read here, and the clock.
 */
#include "boot/accounts.h"
#include "boot/apply.h"
#include "boot/config/report.h"
#include "boot/datasource.h"
#include "boot/root-files.h"

#define BOOT_STATE_PATH "/var/lib/faering/boot/state.json"
#define BOOT_LOCK_PATH "/var/lib/faering/boot/lock" /* held by who changes the machine: several runs may come at once */
#define BOOT_WORKSPACE "/var/lib/coreos-cloudinit"
#define BOOT_STATE_MAX ((size_t)64 * 1024)

#define BOOT_UNITS_WAIT (90 * USEC_PER_SEC) /* for the ends of all commands together */

typedef struct BootSession {
        RootFiles files;
        RootAccounts accounts;
        char *root;
        const char *key_name; /* borrowed; NULL: PLAN_KEY_NAME */
        char *source;         /* where the user-data came from */
        Metadata metadata;
        NetworkFormat network; /* of the meta-data; set before boot_session_plan() */
        bool strict;           /* the same */
        Buffer user_data;      /* unpacked, addresses not put in */
        Addresses addresses;
        char hostname[65];
        char script_name[24];
        Buffer environment;
        bool has_environment; /* /etc/environment is there */
        Buffer update_conf;
        bool has_update_conf;
        BootPlan plan;
} BootSession;

/* Opens the root (key_name may be set before), and reads what is known of the machine there: the addresses, from $COREOS_PUBLIC_IPV4 and so on, else
 * from /etc/environment; and the host name. */
int boot_session_open(const char *root, BootSession *session, Error *error);
void boot_session_close(BootSession *session);
#define _cleanup_boot_session_ _cleanup_(boot_session_close)

/* Reads the user-data, and unpacks it if it is gzip. -ENOENT: no such file. */
int boot_session_read(BootSession *session, const char *file, Error *error);

/* The same from any datasource; and what that knows of the machine besides. */
int boot_session_fetch(BootSession *session, const Datasource *source, Fetch *fetch, Error *error);
int boot_session_fetch_metadata(BootSession *session, const Datasource *source, Fetch *fetch, Error *error);

/* What there is to say of the user-data. */
int boot_session_report(const BootSession *session, Report *report);

/* For -strict: refuses what the report only warns of, and a discovery URL that does not answer. */
int boot_session_check_strict(BootSession *session, Fetch *fetch, Error *error);

/* Makes session->plan. See boot_plan_make(). */
int boot_session_plan(BootSession *session, const char *workspace, Error *error);

/* Gets the SSH keys that the plan only has an URL of. */
int boot_session_fetch_keys(BootSession *session, Fetch *fetch, Error *error);

/* Carries the plan out with the unit manager of the machine, and notes the outcome in BOOT_STATE_PATH. */
int boot_session_apply(BootSession *session, const ApplyEvents *events, void *userdata, ApplyCount *count,
                       Error *error);

/* Goes through the plan and changes nothing: `events` hear what a boot_session_apply() would change. */
int boot_session_look(BootSession *session, const ApplyEvents *events, void *userdata, Error *error);

/* Notes that the user-data could not be used; `why` is the reason. */
void boot_session_note_refusal(BootSession *session, const Error *why);
