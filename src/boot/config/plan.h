#pragma once
/*
 * From a user-data and what is known of the machine to the list of all that is to be done, in coreos-cloudinit's order:
 * host name, users and SSH keys, files (write_files in order, then those of oem, update, manage_etc_hosts and flannel),
 * /etc/environment, the files of the units, one reload, the units' commands. Pure: an error means that nothing has been
 * touched.
 *
 * A BootPlan owns its steps.
 */
#include "base/buffer.h"
#include "boot/config/metadata.h"
#include "boot/config/network.h"
#include "boot/config/node.h"
#include "boot/config/user-data.h"

#define PLAN_STEPS_MAX ((size_t)20000)
#define PLAN_KEY_NAME "coreos-cloudinit"
#define PLAN_CORE_USER "core"                       /* who gets the SSH keys of the top, and of the meta-data */
#define PLAN_CONTENT_MAX ((size_t)64 * 1024 * 1024) /* of all files together */

/* What the plan may depend on besides the user-data. Borrowed. */
typedef struct BootFacts {
        Addresses addresses;
        const char *hostname;     /* the machine's, before */
        Slice environment_file;   /* /etc/environment; data NULL: there is none */
        Slice update_conf;        /* of /etc/coreos, else of /usr/share/coreos; data NULL: there is none */
        const char *script_name;  /* names a script's file and unit: new in each run */
        const char *workspace;    /* where scripts go */
        const char *key_name;     /* of the file that SSH keys go to; NULL: PLAN_KEY_NAME */
        const Metadata *metadata; /* NULL: nothing is known; its addresses are among the others */
        bool strict;              /* an address that is used and not known is an error */
        NetworkFormat network;    /* what metadata->network is to be read as */
} BootFacts;

typedef enum StepKind {
        STEP_HOSTNAME, /* text: the name */
        STEP_USER,     /* user, options of useradd if it is new; text: the password's hash, or NULL. A secret */
        STEP_KEYS,     /* user, key_name; text: lines for authorized_keys, or NULL and url: where they are */
        STEP_FILE,     /* path, text, mode, owner */
        STEP_MASK,     /* path: becomes a link to /dev/null */
        STEP_UNMASK,   /* path: goes if it is empty or a link to /dev/null */
        STEP_ENABLE,   /* unit, runtime */
        STEP_MODULE,   /* unit: a module of the kernel, options. One that cannot be loaded is no error */
        STEP_RELOAD,
        STEP_COMMAND, /* unit, action, wait */
} StepKind;

typedef struct Step {
        StepKind kind;
        unsigned line; /* of the user-data; 0: no single one */
        char *path;    /* absolute and clean */
        char *text;
        size_t text_length;
        mode_t mode;
        char *owner; /* "user", "user:group"; NULL: stays who writes it */
        char *unit;
        char *action;
        char *user;
        char *key_name;
        char *url;
        StringList options;
        bool runtime; /* until the next boot: in /run */
        bool wait;    /* for the end of the command */
} Step;

typedef struct BootPlan {
        UserDataKind kind;
        Step *steps;
        size_t length, capacity;
        size_t content;      /* bytes of all texts */
        StringList warnings; /* what will not be done, and why */
} BootPlan;

void boot_plan_deinit(BootPlan *plan);
#define _cleanup_boot_plan_ _cleanup_(boot_plan_deinit)

/*
 * Makes the plan for user-data as it came, gzip aside: addresses are put in here. -EINVAL with `error`, -EMSGSIZE,
 * -ENOMEM: there is no plan, and `plan` stays empty. User-data for Ignition gives a plan without steps; one that is
 * empty is as a cloud-config without keys.
 */
int boot_plan_make(const BootFacts *facts, Slice user_data, BootPlan *plan, Error *error);

/* The step as one line for people, without line end: "write /etc/motd (12 bytes, mode 0644)". */
int boot_plan_format_step(const Step *step, Buffer *to);

/* The whole plan as JSON. `same` (may be NULL) says of each step whether the machine is so already. */
int boot_plan_format_json(const BootPlan *plan, const bool *same, Buffer *to);

/* SSH keys as GitHub lists them, [{"key": "…"}, …], as lines that the caller frees. -EINVAL, -ENOMEM. */
int keys_parse_list(Slice text, char **ret, Error *error);

/* ---- for the files of the sections ---- */

typedef struct Planner {
        const BootFacts *facts;
        const ConfigNode *root; /* the cloud-config's mapping; NULL: there is nothing in it */
        BootPlan *plan;
        unsigned line;    /* of the user-data, that the part begins on; 0: not known */
        unsigned scripts; /* so far */
        bool reload;      /* something was written that the unit manager has to read */
        bool network;     /* a unit of the network is among the units: its daemon reads it when it starts */
        Error *error;
} Planner;

/* Adds `step`, whose strings it takes, also on failure. `complete` is false when a string of it is NULL for want of
 * memory. -ENOMEM, -EMSGSIZE. */
int planner_add(Planner *planner, Step step, bool complete);

/* A file of mode 0644 that root owns; takes `text` (NULL: -ENOMEM). */
int planner_add_file(Planner *planner, unsigned line, const char *path, char *text);

int planner_warn(Planner *planner, const char *format, ...) _printf_(2, 3);

/* A mask of the unit, or with `mask` false and `runtime` true the end of one. */
int plan_mask(Planner *planner, unsigned line, const char *name, bool mask, bool runtime);
int plan_command(Planner *planner, unsigned line, const char *unit, const char *action, bool wait);

int plan_hostname(Planner *planner);
int plan_users(Planner *planner);
int plan_core_keys(Planner *planner);
int plan_write_files(Planner *planner);
int plan_oem(Planner *planner);
int plan_etc_hosts(Planner *planner);
int plan_flannel(Planner *planner);
int plan_environment_file(Planner *planner);
int plan_update(Planner *planner);
int plan_update_units(Planner *planner);
int plan_update_commands(Planner *planner);
int plan_units(Planner *planner);
int plan_network(Planner *planner);
int plan_script(Planner *planner, Slice script);
