#include "containers/runtime/capability.h"

#include <errno.h>

static const char *const names[CAPABILITY_COUNT] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

#define ALL ((1ULL << CAPABILITY_COUNT) - 1)

/* What Docker gives when nothing is said. */
static const char *const defaults[] = {
        "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
        "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};

const char *capability_name(unsigned number) {
        return names[number];
}

int capability_parse(const char *name, unsigned *ret) {
        if (strncasecmp(name, "CAP_", 4) == 0)
                name += 4;
        for (unsigned i = 0; i < CAPABILITY_COUNT; i++)
                if (strcasecmp(names[i] + 4, name) == 0) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

static int parse_list(const StringList *list, uint64_t *ret, Error *error) {
        unsigned number;

        *ret = 0;
        for (size_t i = 0; i < list->length; i++) {
                if (strcasecmp(list->items[i], "ALL") == 0 || strcasecmp(list->items[i], "CAP_ALL") == 0)
                        *ret = ALL;
                else if (capability_parse(list->items[i], &number) < 0)
                        return error_set(error, -EINVAL, "invalid capability: \"%.64s\"", list->items[i]);
                else
                        *ret |= 1ULL << number;
        }
        return 0;
}

int capability_choose(const StringList *add, const StringList *drop, bool privileged, uint64_t bound, uint64_t *ret,
                      Error *error) {
        uint64_t chosen = privileged ? ALL : 0, added, dropped;
        unsigned number = 0;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
                if (capability_parse(defaults[i], &number) >= 0)
                        chosen |= 1ULL << number;
        r = parse_list(add, &added, error);
        if (r >= 0)
                r = parse_list(drop, &dropped, error);
        if (r < 0)
                return r;
        /* with ALL on one side the other side is the exception */
        if (dropped == ALL)
                chosen = added;
        else
                chosen = (chosen | added) & ~dropped;
        *ret = (privileged ? ALL : chosen) & bound;
        return 0;
}
