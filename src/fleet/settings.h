#pragma once
/* faering-fleet's settings: flags, FLEET_* variables, and /etc/fleet/fleet.conf with fleet's own keys. */
#include "base/options.h"
#include "fleet/registry/records.h"
#include "net/url.h"

#define FLEET_SETTINGS_IGNORED 7

typedef struct FleetSettings {
        char *config;           /* the file; "" for none */
        char *state_dir;
        char *run_dir; /* of what has to outlive the program, not the machine */
        char *listen;
        char *serve_logs;       /* URL; "": nowhere */
        char *supervisor;       /* systemd, embedded; "": what fits this machine */
        char *etcd_servers;
        char *etcd_key_prefix;
        char *etcd_username, *etcd_password; /* NULL: nobody is named */
        char *etcd_cafile, *etcd_certfile, *etcd_keyfile;
        char *cert_file, *key_file, *ca_file; /* of the API, at https:// */
        char *public_ip;
        char *metadata;         /* "k=v,k=v" */
        char *machine_id;       /* for tests; "": /etc/machine-id */
        Usec agent_ttl;
        Usec partition_margin;  /* USEC_INFINITY: a quarter of agent_ttl */
        uint64_t clock_drift;   /* thousandths */
        char *reserve;          /* "MEMORY[,CPUS]" that units do not get */
        uint64_t verbosity;
        char *units_directory;  /* of unit files for systemd; NULL: /run/fleet/units */
        bool systemd_user;      /* the user's systemd */
        bool disable_engine;
        bool help, version;
        char *ignored[FLEET_SETTINGS_IGNORED]; /* keys of fleet's that mean nothing here, as they were given */

        Url *servers;
        size_t server_count;
        Url listen_url;
        Url logs_url;           /* when serve_logs is not "" */
        bool logs_by_default;   /* nobody asked for it: without that address the daemon goes on */
        MachineRecord machine;
} FleetSettings;

int fleet_settings_parse(int argc, char *const *argv, FleetSettings *ret_settings, Error *error);
void fleet_settings_deinit(FleetSettings *settings);

/* Tells, for each key of fleet 1.0's that was given and does nothing here, a sentence that says so, and why. */
void fleet_settings_tell_ignored(const FleetSettings *settings, void (*tell)(const char *text));

int fleet_settings_format_help(Buffer *buffer);
