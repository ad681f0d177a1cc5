/* From the text of a unit to what it asks for. */
#include <errno.h>
#include <stdio.h>

#include "host/embedded-internal.h"
#include "unitfile/name.h"

enum { UID_ROOM = 16 };

void definition_deinit(Definition *definition) {
        free(definition->text);
        free(definition->tag);
        service_options_deinit(&definition->options);
        trigger_options_deinit(&definition->trigger);
        *definition = (Definition){0};
}

void unit_take_definition(Unit *unit, Definition *definition) {
        definition_deinit(&unit->definition);
        unit->definition = *definition;
        *definition = (Definition){0};
        service_machine_set_options(&unit->machine, &unit->definition.options);
        unit_note_names(unit);
}

void unit_take_next(Unit *unit) {
        unit_take_definition(unit, unit->next);
        free(take_ptr(unit->next));
}

int unit_set_next(Unit *unit, Definition *definition) {
        if (unit->next)
                definition_deinit(unit->next);
        if (!definition) {
                free(take_ptr(unit->next));
                return 0;
        }
        if (!unit->next)
                unit->next = malloc(sizeof(*unit->next));
        if (!unit->next)
                return -ENOMEM;
        *unit->next = *definition;
        *definition = (Definition){0};
        return 0;
}

/* What a person can do who has a unit of a type that does not run here. */
static const char *instead_of(Slice type) {
        if (slice_equals(type, slice_from("mount")) || slice_equals(type, slice_from("automount")))
                return "a service with Type=oneshot, RemainAfterExit=yes, ExecStart=/bin/mount and "
                       "ExecStop=/bin/umount does what a mount does";
        if (slice_equals(type, slice_from("device")))
                return "a path with PathExists=/dev/NAME waits for a device";
        return "what it does must be in a service";
}

/* A template is read as if it were an instance, for its faults only. */
static int read_options(const UnitFile *file, const char *name, UnitNameKind name_kind, const SpecifierSource *source,
                        Definition *ret, Error *error) {
        TriggerKind kind;
        int r;

        if (trigger_kind_of(name, &kind)) {
                ret->kind = UNIT_TRIGGER;
                r = service_options_read_unit(file, source, trigger_kind_section(kind), &ret->options, error);
                return r < 0 ? r : trigger_options_read(file, name, source, &ret->trigger, error);
        }
        ret->kind = name_kind == UNIT_NAME_TEMPLATE ? UNIT_TEMPLATE : UNIT_SERVICE;
        return service_options_read(file, ret->kind == UNIT_TEMPLATE ? NULL : source, &ret->options, error);
}

/* Whether units of that name can run here at all. */
static int check_name(const char *name, const UnitName *parts, Error *error) {
        bool service = slice_equals(parts->type, slice_from("service"));
        TriggerKind kind;

        if (!unit_name_is_valid(slice_from(name)))
                return error_set(error, -EINVAL, "\"%s\" is no name of a unit", name);
        if (!service && !trigger_kind_of(name, &kind))
                return error_set(error, -EOPNOTSUPP,
                                 "%s: units of type \"%.*s\" need systemd: without it services, sockets, timers and "
                                 "paths run; %s",
                                 name, (int)parts->type.length, parts->type.data, instead_of(parts->type));
        if (parts->kind == UNIT_NAME_TEMPLATE && !service)
                return error_set(error, -EINVAL, "%s is a template: only instances of it can run", name);
        return 0;
}

/* `uid` is room for a number. */
static SpecifierFacts specifier_facts(const Embedded *e, const char *name, char uid[static UID_ROOM]) {
        (void)snprintf(uid, UID_ROOM, "%u", geteuid());
        return (SpecifierFacts){
                .unit = name,
                .machine_id = e->machine_id,
                .boot_id = e->boot_id,
                .host_name = e->host_name,
                .kernel_release = e->kernel,
                .user = geteuid() == 0 ? "root" : getenv("USER"),
                .uid = uid,
                .home = getenv("HOME") ? getenv("HOME") : "/root",
                .shell = "/bin/sh",
                .runtime_root = e->runtime_root,
                .state_root = "/var/lib",
                .cache_root = "/var/cache",
                .logs_root = "/var/log",
                .config_root = "/etc",
                .temporary = "/tmp",
                .large_temporary = "/var/tmp",
        };
}

int definition_read(Embedded *e, const char *name, Slice text, const char *tag, Definition *ret, Error *error) {
        UnitName parts = unit_name_split(slice_from(name));
        _cleanup_unitfile_ UnitFile file = {0};
        char uid[UID_ROOM];
        SpecifierFacts facts = specifier_facts(e, name, uid);
        SpecifierSource source = specifier_source(&facts);
        Definition definition = {0};
        int r = check_name(name, &parts, error);

        if (r < 0)
                return r;
        if (strlen(tag) > SUPERVISOR_TAG_MAX)
                return error_set(error, -EINVAL, "%s: the tag is longer than %d characters", name, SUPERVISOR_TAG_MAX);
        r = unitfile_parse(&file, text, NULL, error);
        if (r >= 0)
                r = read_options(&file, name, parts.kind, &source, &definition, error);
        if (r < 0) {
                definition_deinit(&definition);
                return error_prefix(error, r, "%s", name);
        }
        definition.serial = ++e->serial;
        definition.text = slice_dup(text);
        definition.text_length = text.length;
        definition.tag = strdup(tag);
        if (!definition.text || !definition.tag) {
                definition_deinit(&definition);
                return error_set_errno(error, -ENOMEM, "cannot load %s", name);
        }
        *ret = definition;
        return 0;
}
