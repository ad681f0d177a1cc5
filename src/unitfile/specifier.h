#pragma once
/* Specifiers of unit files, systemd.unit(5): %n, %i, %H and so on, replaced in values. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

/* Where values of specifiers come from. */
typedef struct SpecifierSource {
        /* Appends the value of a specifier. 0: done. 1: no such specifier. -errno: it exists but has no value now. */
        int (*lookup)(void *userdata, char specifier, Buffer *to);
        void *userdata;
} SpecifierSource;

/* Replaces specifiers; "%%" is a percent sign; a percent sign before anything but a letter or digit stays. -EINVAL: an
 * unknown specifier, named in the error. Passes on what the source fails with. */
int specifier_expand(Slice text, const SpecifierSource *source, Buffer *to, Error *error);

/*
 * What systemd's specifiers are replaced with. Borrows all strings; NULL makes the specifiers that need it fail with
 * -ENODATA. The name of the unit gives %n %N %p %P %i %I %j %J %f.
 */
typedef struct SpecifierFacts {
        const char *unit;           /* %n: full name */
        const char *machine_id;     /* %m */
        const char *boot_id;        /* %b */
        const char *host_name;      /* %H; %l is the part before the first dot */
        const char *kernel_release; /* %v */
        const char *architecture;   /* %a, such as "x86-64" */
        const char *user;           /* %u */
        const char *uid;            /* %U */
        const char *group;          /* %g */
        const char *gid;            /* %G */
        const char *home;           /* %h */
        const char *shell;          /* %s */
        const char *runtime_root;   /* %t, such as "/run" */
        const char *state_root;     /* %S, such as "/var/lib" */
        const char *cache_root;     /* %C, such as "/var/cache" */
        const char *logs_root;      /* %L, such as "/var/log" */
        const char *config_root;    /* %E, such as "/etc" */
        const char *temporary;      /* %T, such as "/tmp" */
        const char *large_temporary; /* %V, such as "/var/tmp" */
} SpecifierFacts;

/* A source over facts, which must live as long as it. */
SpecifierSource specifier_source(const SpecifierFacts *facts);
