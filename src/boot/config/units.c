/*
 * coreos.units, and the drop-ins of etcd, etcd2, fleet and locksmith. First every unit's files are written, in order;
 * then comes one reload; then the commands, one after the other.
 */
#include <errno.h>

#include "boot/config/content.h"
#include "boot/config/keys.h"
#include "boot/config/plan.h"
#include "unitfile/name.h"

#define DROP_IN_NAME "20-cloudinit.conf"
#define NETWORK_SERVICE "systemd-networkd.service"

static const char command_pattern[] =
        "^(start|stop|restart|reload|try-restart|reload-or-restart|reload-or-try-restart)$";

static const ConfigKey drop_in_keys[] = {
        {"name", .type = KEY_STRING},
        {"content", .type = KEY_STRING},
        {0},
};

const ConfigKey unit_keys[] = {
        {"name", .type = KEY_STRING},
        {"mask", .type = KEY_BOOL},
        {"enable", .type = KEY_BOOL},
        {"runtime", .type = KEY_BOOL},
        {"content", .type = KEY_STRING},
        {"command", KEY_STRING, .pattern = command_pattern},
        {"drop_ins", KEY_SECTIONS, .keys = drop_in_keys},
        {0},
};

/* Sections whose keys become the environment of a service. They hold until the next boot, which writes them anew. */
typedef struct ServiceSection {
        const char *name, *service;
        const ConfigKey *keys;
} ServiceSection;

static const ServiceSection services[] = {
        {"etcd", "etcd.service", etcd_keys},
        {"etcd2", "etcd2.service", etcd2_keys},
        {"fleet", "fleet.service", fleet_keys},
        {"locksmith", "locksmithd.service", locksmith_keys},
};

static bool is_network_name(const char *name) {
        return str_ends_with(name, ".network") || str_ends_with(name, ".netdev") || str_ends_with(name, ".link");
}

/* A name becomes part of a path, so it must not lead elsewhere. */
static int check_name(Planner *planner, unsigned line, const char *what, Slice name) {
        if (name.length > 255 || memchr(name.data, '/', name.length) || memchr(name.data, '\0', name.length) ||
            name.data[0] == '.')
                return error_set(planner->error, -EINVAL,
                                 "line %u: \"%s\" cannot be the name of a %s: no '/', no '.' in front, at most 255 "
                                 "bytes",
                                 line, name.data, what);
        return 0;
}

static char *unit_path(const char *name, bool runtime) {
        return str_printf("%s/systemd/%s/%s", runtime ? "/run" : "/etc", is_network_name(name) ? "network" : "system",
                          name);
}

static int add_text(Planner *planner, unsigned line, char *path, Slice text) {
        Step step = {.kind = STEP_FILE,
                     .line = line,
                     .path = path,
                     .text = slice_dup(text),
                     .text_length = text.length,
                     .mode = 0644};

        planner->reload = true;
        return planner_add(planner, step, step.path && step.text);
}

/* systemd would refuse it, when the rest is done already. */
static int check_startable(Planner *planner, unsigned line, const char *what, const char *name) {
        if (unit_name_is_valid(slice_from(name)) &&
            (str_equals(what, "enable") || unit_name_split(slice_from(name)).kind != UNIT_NAME_TEMPLATE))
                return 0;
        return error_set(planner->error, -EINVAL, "line %u: cannot %s \"%s\": a unit's name is such as %s", line, what,
                         name, strchr(name, '@') ? "web@1.service" : "web.service");
}

/* ---- files ---- */

static int plan_drop_ins(Planner *planner, const ConfigNode *unit, const char *name, bool runtime) {
        const ConfigNode *drop_ins = config_child(unit, "drop_ins");
        int r = 0;

        if (!drop_ins || drop_ins->kind != CONFIG_SEQUENCE)
                return 0;
        for (size_t i = 0; i < drop_ins->length && r >= 0; i++) {
                const ConfigNode *one = drop_ins->entries[i].value;
                Slice file = config_string(one, "name"), content = config_string(one, "content");
                _cleanup_free_ char *path = unit_path(name, runtime);

                if (file.length == 0 || content.length == 0)
                        continue;
                r = check_name(planner, one->line, "drop-in", file);
                if (r >= 0)
                        r = add_text(planner, one->line, path ? str_printf("%s.d/%s", path, file.data) : NULL, content);
        }
        return r;
}

/* Of units that hold until the next boot, /run may have a mask by an earlier run in this boot. */
int plan_mask(Planner *planner, unsigned line, const char *name, bool mask, bool runtime) {
        Step step = {.kind = mask ? STEP_MASK : STEP_UNMASK, .line = line};

        if (!mask && !runtime)
                return 0;
        planner->reload = planner->reload || mask;
        step.path = unit_path(name, runtime);
        return planner_add(planner, step, step.path);
}

static int plan_unit_files(Planner *planner, const ConfigNode *unit, const char *name) {
        Slice content = config_string(unit, "content");
        bool runtime = config_bool(unit, "runtime"), network = is_network_name(name);
        Step enable = {.kind = STEP_ENABLE, .line = unit->line, .runtime = runtime};
        int r = 0;

        planner->network = planner->network || network;
        if (content.length > 0)
                r = add_text(planner, unit->line, unit_path(name, runtime), content);
        if (r >= 0)
                r = plan_drop_ins(planner, unit, name, runtime);
        if (r >= 0)
                r = plan_mask(planner, unit->line, name, config_bool(unit, "mask"), runtime);
        if (r < 0 || network || !config_bool(unit, "enable"))
                return r;
        r = check_startable(planner, unit->line, "enable", name);
        if (r < 0)
                return r;
        enable.unit = strdup(name);
        return planner_add(planner, enable, enable.unit);
}

static int plan_service(Planner *planner, const ServiceSection *service) {
        const ConfigEntry *entry = config_entry(config_child(planner->root, "coreos"), service->name);
        _cleanup_string_list_ StringList variables = {0};
        _cleanup_free_ char *path = unit_path(service->service, true);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = entry ? config_variables(service->keys, entry->value, &variables) : 0;

        if (r >= 0 && variables.length > 0) {
                (void)buffer_append_string(&text, "[Service]\n");
                for (size_t i = 0; i < variables.length; i++)
                        (void)buffer_printf(&text, "Environment=\"%s\"\n", variables.items[i]);
                if (!path || buffer_failed(&text) < 0)
                        return -ENOMEM;
                r = add_text(planner, entry->line, str_printf("%s.d/" DROP_IN_NAME, path),
                             (Slice){buffer_data(&text), buffer_length(&text)});
        }
        return r < 0 ? r : plan_mask(planner, 0, service->service, false, true);
}

/* ---- commands ---- */

int plan_command(Planner *planner, unsigned line, const char *unit, const char *action, bool wait) {
        Step step = {.kind = STEP_COMMAND, .line = line, .unit = strdup(unit), .action = strdup(action), .wait = wait};

        return planner_add(planner, step, step.unit && step.action);
}

static int plan_unit_command(Planner *planner, const ConfigNode *unit, const char *name) {
        Slice command = config_string(unit, "command");
        int r;

        if (command.length == 0 || is_network_name(name))
                return 0;
        if (!config_key_matches(config_key_find(unit_keys, "command"), command))
                return error_set(planner->error, -EINVAL,
                                 "line %u: command \"%s\" of %s is unknown: start, stop, restart, reload, "
                                 "try-restart, reload-or-restart and reload-or-try-restart are known",
                                 unit->line, command.data, name);
        r = check_startable(planner, unit->line, command.data, name);
        return r < 0 ? r : plan_command(planner, unit->line, name, command.data, true);
}

/* Of the unit files, and of the network's by its daemon. */
static int add_reload(Planner *planner) {
        int r = planner->reload ? planner_add(planner, (Step){.kind = STEP_RELOAD}, true) : 0;

        return r < 0 || !planner->network ? r : plan_command(planner, 0, NETWORK_SERVICE, "restart", true);
}

/* ---- all of it ---- */

typedef int (*UnitPart)(Planner *planner, const ConfigNode *unit, const char *name);

/* Calls `part` for each unit that has a name; others are passed over. */
static int for_each_unit(Planner *planner, UnitPart part) {
        const ConfigNode *units = config_child(config_child(planner->root, "coreos"), "units");
        int r = 0;

        if (!units || units->kind != CONFIG_SEQUENCE)
                return 0;
        for (size_t i = 0; i < units->length && r >= 0; i++) {
                const ConfigNode *unit = units->entries[i].value;
                Slice name = config_string(unit, "name");

                if (name.length == 0)
                        continue;
                r = check_name(planner, unit->line, "unit", name);
                if (r >= 0)
                        r = part(planner, unit, name.data);
        }
        return r;
}

int plan_units(Planner *planner) {
        int r = for_each_unit(planner, plan_unit_files);

        for (size_t i = 0; i < ARRAY_SIZE(services) && r >= 0; i++)
                r = plan_service(planner, &services[i]);
        if (r >= 0)
                r = plan_update_units(planner);
        if (r >= 0)
                r = plan_network(planner);
        if (r >= 0)
                r = add_reload(planner);
        if (r >= 0)
                r = for_each_unit(planner, plan_unit_command);
        return r < 0 ? r : plan_update_commands(planner);
}

/* A script is kept, and run by a unit of its own that nobody waits for. bash runs it whatever its first line says. */
int plan_script(Planner *planner, Slice script) {
        _cleanup_free_ char *name = planner->scripts++
                                            ? str_printf("%s-%u", planner->facts->script_name, planner->scripts)
                                            : strdup(planner->facts->script_name);
        _cleanup_free_ char *workspace = path_clean(slice_from(planner->facts->workspace));
        _cleanup_free_ char *path = str_printf("%s/scripts/%s", workspace, name);
        _cleanup_free_ char *unit = str_printf("coreos-cloudinit-%s.service", name);
        _cleanup_free_ char *note = str_printf("%s/scripts/unit-name", workspace);
        _cleanup_free_ char *unit_file = unit ? unit_path(unit, true) : NULL;
        Step step = {.kind = STEP_FILE, .line = 1, .mode = 0744, .text_length = script.length};
        int r;

        if (!name || !workspace || !path || !unit_file || !note)
                return -ENOMEM;
        step.path = strdup(path);
        step.text = slice_dup(script);
        r = planner_add(planner, step, step.path && step.text);
        if (r >= 0)
                r = planner_add_file(
                        planner, 1, unit_file,
                        str_printf("[Unit]\nDescription=The user-data script of this machine\n\n[Service]\n"
                                   "Type=oneshot\nExecStart=/bin/bash %s\n",
                                   path));
        planner->reload = true;
        if (r >= 0)
                r = planner_add_file(planner, 1, note, take_ptr(unit));
        if (r >= 0)
                r = add_reload(planner);
        return r < 0 ? r : plan_command(planner, 1, strrchr(unit_file, '/') + 1, "start", false);
}
