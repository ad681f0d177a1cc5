#pragma once
/*
 * Where user-data and meta-data come from: one table row for each kind. Each blocks, and reaches the network only
 * through the Fetch that it is given.
 */
#include "boot/config/metadata.h"
#include "boot/config/node.h"
#include "boot/fetch.h"

typedef struct Datasource Datasource;

typedef struct DatasourceKind {
        const char *name; /* as coreos-cloudinit logs it: "cloud-drive" */
        bool waits;       /* what is not there yet may come */

        /* 0: it is there. < 0 with `error`: not, or not yet. */
        int (*look)(const Datasource *source, Fetch *fetch, Error *error);
        /* Appends the user-data; nothing when there is none. */
        int (*user_data)(const Datasource *source, Fetch *fetch, Buffer *to, Error *error);
        /* NULL: it has none. */
        int (*metadata)(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error);
} DatasourceKind;

struct Datasource {
        const DatasourceKind *kind;
        char *location; /* a path, or an URL; owned */
};

extern const DatasourceKind datasource_file;
extern const DatasourceKind datasource_config_drive;
extern const DatasourceKind datasource_waagent;
extern const DatasourceKind datasource_url;
extern const DatasourceKind datasource_cmdline; /* location: of the command line; "/proc/cmdline" */
extern const DatasourceKind datasource_ec2;
extern const DatasourceKind datasource_digitalocean;
extern const DatasourceKind datasource_gce;
extern const DatasourceKind datasource_packet;
extern const DatasourceKind datasource_openstack;
extern const DatasourceKind datasource_guestinfo; /* location: "" */
extern const DatasourceKind datasource_ovf;
extern const DatasourceKind datasource_cloudsigma; /* location: the serial port */

#define DATASOURCES_MAX 16

typedef struct DatasourceList {
        Datasource items[DATASOURCES_MAX];
        size_t length;
} DatasourceList;

void datasource_list_deinit(DatasourceList *list);

/* -EINVAL: too many. -ENOMEM. */
int datasource_list_add(DatasourceList *list, const DatasourceKind *kind, const char *location);

#define DATASOURCE_WAIT_SECONDS 300

/*
 * Looks at all of them side by side, again and again with pauses that grow from 100 ms to 30 s, until one is there: the
 * first. -ENOENT with `error`, which says of each why not: all are away for good; -ETIMEDOUT: after `wait`.
 */
int datasource_choose(const DatasourceList *list, Usec wait, const Datasource **ret, Error *error);
