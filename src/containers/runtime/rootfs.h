#pragma once
/* A container's files: layers of its image below, its own changes above, by overlayfs. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* Mounts at DIRECTORY/merged; its own changes are in upper, with overlayfs's "work" beside. `lower`: directories,
 * topmost first, parted by ':'; "": nothing below. */
int rootfs_mount(const char *directory, const char *lower, Error *error);

/* Absence is success. */
int rootfs_unmount(const char *directory, Error *error);

typedef struct HostFiles {
        const char *directory;          /* hosts, hostname and resolv.conf are written here */
        const char *host_name, *domain; /* domain may be NULL */
        const char *address;            /* NULL: none of its own */
        const char *gateway;            /* what "host-gateway" stands for; may be NULL */
        const StringList *extra_hosts;  /* "name:address" */
        const StringList *links;        /* "alias name:address"; may be NULL */
        const StringList *dns, *dns_search, *dns_options;
        Slice host_resolv;  /* the host's /etc/resolv.conf */
        bool drop_loopback; /* name servers at 127.… cannot be reached from the container's own network */
} HostFiles;

int host_files_write(const HostFiles *files, Error *error);

/* Pure: the text of resolv.conf. */
int resolv_format(const HostFiles *files, Buffer *buffer);
int hosts_format(const HostFiles *files, Buffer *buffer);
