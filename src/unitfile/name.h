#pragma once
/*
 * Names of units: prefix@instance.type. Rules of systemd.unit(5), "String escaping for inclusion in unit names" among
 * them. The first '@' begins the instance, the last '.' the type.
 */
#include "base/buffer.h"
#include "base/str.h"

#define UNIT_NAME_MAX 256 /* with the closing NUL systemd counts, 255 bytes */

typedef enum UnitNameKind {
        UNIT_NAME_PLAIN,    /* web.service */
        UNIT_NAME_TEMPLATE, /* web@.service */
        UNIT_NAME_INSTANCE, /* web@1.service */
} UnitNameKind;

/* Borrows the name it was split from. */
typedef struct UnitName {
        UnitNameKind kind;
        Slice full;     /* web@1.service */
        Slice stem;     /* web@1 */
        Slice prefix;   /* web */
        Slice instance; /* 1; empty but for an instance */
        Slice type;     /* service */
} UnitName;

/* Splits without judging characters or type; a name without a '.' has an empty type and is all stem. */
UnitName unit_name_split(Slice name);

/* Whether systemd would take it: length, characters, a known type, a prefix. */
bool unit_name_is_valid(Slice name);

/* Types systemd knows, "service" and so on, without the dot. */
bool unit_type_is_valid(Slice type);

/* web@1.service → web@.service; a heap string, NULL when there is no memory. Only for instances. */
char *unit_name_template(const UnitName *name);

/* web@.service, 1 → web@1.service; a heap string, NULL when there is no memory. Only for templates. */
char *unit_name_instance(const UnitName *template, Slice instance);

/* As systemd-escape: '/' becomes '-'; what may not stand in a name becomes \xHH. */
int unit_name_escape(Slice text, Buffer *to);

/* As systemd-escape --path: slashes at the ends and doubled ones go first; "/" is "-". */
int unit_name_escape_path(Slice path, Buffer *to);

/* -EINVAL: a backslash without \xHH after it. */
int unit_name_unescape(Slice text, Buffer *to);
