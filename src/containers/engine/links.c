/*
 * --link NAME:ALIAS: the container knows another one by an alias, in /etc/hosts and in variables made of the other's
 * address, its ports and its environment, as Docker has had them since its beginnings. --volumes-from NAME: what the
 * other has mounted.
 */
#include <errno.h>
#include <stdio.h>

#include "containers/engine/engine.h"

enum { ALIAS_MAX = 128 };

typedef struct Link {
        Container *other;
        char alias[ALIAS_MAX];
        char prefix[ALIAS_MAX]; /* of variables: upper case, '-' as '_' */
} Link;

static void make_prefix(const char *alias, char prefix[static ALIAS_MAX]) {
        size_t i = 0;

        for (; alias[i] && i + 1 < ALIAS_MAX; i++)
                prefix[i] = alias[i] == '-'                      ? '_'
                            : alias[i] >= 'a' && alias[i] <= 'z' ? (char)(alias[i] - 'a' + 'A')
                                                                 : alias[i];
        prefix[i] = '\0';
}

/* "name:alias", "name", or "/name:/own/alias" as it stands in an inspection. */
static int parse_link(Engine *engine, const char *text, Link *ret, Error *error) {
        Slice rest = slice_from(text), name_part;
        _cleanup_free_ char *name = NULL;
        const char *alias, *slash;
        int r;

        (void)slice_split(&rest, ':', &name_part);
        name = slice_dup(name_part);
        if (!name)
                return -ENOMEM;
        alias = rest.data ? rest.data : name;
        slash = strrchr(alias, '/');
        alias = slash ? slash + 1 : alias;
        if (!alias[0] || strlen(alias) >= ALIAS_MAX)
                return error_set(error, -EINVAL, "bad format for links: %.256s", text);
        r = engine_find(engine, name, &ret->other, error);
        if (r < 0)
                return error_set(error, -EINVAL, "could not get container for %.128s: No such container: %.128s", name,
                                 name);
        (void)snprintf(ret->alias, sizeof(ret->alias), "%s", alias);
        make_prefix(alias, ret->prefix);
        return 0;
}

int container_check_links(Container *container, Error *error) {
        Link link;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < container->spec.links.length; i++)
                r = parse_link(container->engine, container->spec.links.items[i], &link, error);
        return r;
}

/* The lowest port first: it is the one that NAME_PORT means. */
static const char *lowest_port(const Container *other) {
        const char *lowest = NULL;
        unsigned best = 65536;

        for (size_t i = 0; i < other->spec.exposed.length; i++) {
                char protocol[4];
                uint16_t port;

                if (spec_port_parse(other->spec.exposed.items[i], &port, protocol, NULL) >= 0 && port < best) {
                        best = port;
                        lowest = other->spec.exposed.items[i];
                }
        }
        return lowest;
}

static int add_port_variables(const Link *link, const char *text, StringList *environment) {
        const char *address = link->other->address;
        char protocol[4], upper[ALIAS_MAX];
        uint16_t port;
        int r = spec_port_parse(text, &port, protocol, NULL);

        if (r < 0)
                return 0;
        make_prefix(protocol, upper);
        r = string_list_take(environment, str_printf("%s_PORT_%u_%s=%s://%s:%u", link->prefix, port, upper, protocol,
                                                     address, port));
        if (r >= 0)
                r = string_list_take(environment,
                                     str_printf("%s_PORT_%u_%s_ADDR=%s", link->prefix, port, upper, address));
        if (r >= 0)
                r = string_list_take(environment, str_printf("%s_PORT_%u_%s_PORT=%u", link->prefix, port, upper, port));
        return r < 0 ? r
                     : string_list_take(environment,
                                        str_printf("%s_PORT_%u_%s_PROTO=%s", link->prefix, port, upper, protocol));
}

static int add_variables(const Container *container, const Link *link, StringList *environment) {
        const ContainerSpec *other = &link->other->spec;
        const char *lowest = lowest_port(link->other);
        char protocol[4];
        uint16_t port;
        int r = string_list_take(environment, str_printf("%s_NAME=/%s/%s", link->prefix, container->name, link->alias));

        if (r >= 0 && lowest && spec_port_parse(lowest, &port, protocol, NULL) >= 0)
                r = string_list_take(environment, str_printf("%s_PORT=%s://%s:%u", link->prefix, protocol,
                                                             link->other->address, port));
        for (size_t i = 0; r >= 0 && i < other->exposed.length; i++)
                r = add_port_variables(link, other->exposed.items[i], environment);
        for (size_t i = 0; r >= 0 && i < other->environment.length; i++)
                if (!str_starts_with(other->environment.items[i], "PATH=") &&
                    !str_starts_with(other->environment.items[i], "HOME="))
                        r = string_list_take(environment,
                                             str_printf("%s_ENV_%s", link->prefix, other->environment.items[i]));
        return r;
}

int container_resolve_links(Container *container, StringList *hosts, StringList *environment, Error *error) {
        for (size_t i = 0; i < container->spec.links.length; i++) {
                Link link;
                int r = parse_link(container->engine, container->spec.links.items[i], &link, error);

                if (r < 0)
                        return r;
                if (!container_is_running(link.other) || !link.other->address[0])
                        return error_set(error, -EBUSY, "Cannot link to a non running container: /%s AS /%s/%s",
                                         link.other->name, container->name, link.alias);
                r = string_list_take(hosts, str_printf("%s %s:%s", link.alias, link.other->name, link.other->address));
                if (r >= 0)
                        r = add_variables(container, &link, environment);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* ---- --volumes-from ---- */

static bool has_target(const Container *container, const char *target) {
        for (size_t i = 0; i < container->n_volumes; i++)
                if (str_equals(container->volumes[i].target, target))
                        return true;
        return false;
}

static int take_volume(Container *container, const ContainerVolume *from, bool read_only) {
        ContainerVolume *more = reallocarray(container->volumes, container->n_volumes + 1, sizeof(*more));

        if (!more)
                return -ENOMEM;
        container->volumes = more;
        more = &container->volumes[container->n_volumes++];
        *more = (ContainerVolume){.name = from->name ? strdup(from->name) : NULL,
                                  .source = strdup(from->source),
                                  .target = strdup(from->target),
                                  .propagation = from->propagation ? strdup(from->propagation) : NULL,
                                  .read_only = from->read_only || read_only};
        return (from->name && !more->name) || !more->source || !more->target ? -ENOMEM : 0;
}

/* They stay the other's: an anonymous volume goes with the container that it was made for. */
int container_take_volumes(Container *container, Error *error) {
        for (size_t i = 0; i < container->spec.volumes_from.length; i++) {
                Slice rest = slice_from(container->spec.volumes_from.items[i]), part;
                _cleanup_free_ char *name = NULL;
                Container *other;
                int r;

                (void)slice_split(&rest, ':', &part);
                name = slice_dup(part);
                r = name ? engine_find(container->engine, name, &other, error) : -ENOMEM;
                for (size_t k = 0; r >= 0 && k < other->n_volumes; k++)
                        if (!has_target(container, other->volumes[k].target))
                                r = take_volume(container, &other->volumes[k],
                                                rest.data && slice_equals(rest, slice_from("ro")));
                if (r < 0)
                        return r;
        }
        return 0;
}
