/*
 * coreos.update: lines of /etc/coreos/update.conf, and what its services must hear of it. A machine without such a file
 * has no service that updates it, so there the section is left out with a warning.
 */
#include <errno.h>

#include "boot/config/keys.h"
#include "boot/config/plan.h"

const ConfigKey update_keys[] = {
        {"group", .type = KEY_STRING, .variable = "GROUP"},
        {"reboot_strategy", .type = KEY_STRING, .variable = "REBOOT_STRATEGY", .pattern = "^(etcd-lock|reboot|off)$"},
        {"server", .type = KEY_STRING, .variable = "SERVER"},
        {0},
};

static const ConfigEntry *update_entry(const Planner *planner) {
        return config_entry(config_child(planner->root, "coreos"), "update");
}

/* The whole line gives way when its beginning is the variable's name. */
static void merge_line(Slice line, StringList *variables, bool *used, Buffer *text) {
        for (size_t i = 0; i < variables->length; i++) {
                size_t name = strcspn(variables->items[i], "=");

                if (used[i] || line.length < name || memcmp(line.data, variables->items[i], name) != 0)
                        continue;
                used[i] = true;
                (void)buffer_printf(text, "%s\n", variables->items[i]);
                return;
        }
        (void)buffer_append(text, line.data, line.length);
        (void)buffer_append_byte(text, '\n');
}

static char *merge_file(Slice before, StringList *variables) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        bool used[8] = {false};
        Slice line;

        if (before.length > 0 && before.data[before.length - 1] == '\n')
                before.length--;
        while (before.length > 0 && before.data && slice_split(&before, '\n', &line))
                merge_line(line, variables, used, &text);
        for (size_t i = 0; i < variables->length; i++)
                if (!used[i])
                        (void)buffer_printf(&text, "%s\n", variables->items[i]);
        return buffer_steal_string(&text, NULL);
}

int plan_update(Planner *planner) {
        const ConfigEntry *entry = update_entry(planner);
        _cleanup_string_list_ StringList variables = {0};
        int r = entry ? config_variables(update_keys, entry->value, &variables) : 0;
        Slice strategy = config_string(entry ? entry->value : NULL, "reboot_strategy");

        if (r < 0 || variables.length == 0)
                return r;
        if (!config_key_matches(config_key_find(update_keys, "reboot_strategy"), strategy))
                return error_set(planner->error, -EINVAL,
                                 "line %u: reboot-strategy \"%s\" is unknown: etcd-lock, reboot and off are known",
                                 entry->line, strategy.data);
        if (!planner->facts->update_conf.data)
                return planner_warn(
                        planner,
                        "line %u: coreos.update is left out: this machine has no update.conf in /etc/coreos or "
                        "/usr/share/coreos, so nothing updates it",
                        entry->line);
        return planner_add_file(planner, entry->line, "/etc/coreos/update.conf",
                                merge_file(planner->facts->update_conf, &variables));
}

int plan_update_units(Planner *planner) {
        const ConfigEntry *entry = update_entry(planner);
        Slice strategy = config_string(entry ? entry->value : NULL, "reboot_strategy");

        if (!entry || !planner->facts->update_conf.data || strategy.length == 0)
                return 0;
        return plan_mask(planner, entry->line, "locksmithd.service", slice_equals(strategy, slice_from("off")), true);
}

int plan_update_commands(Planner *planner) {
        const ConfigEntry *entry = update_entry(planner);
        const ConfigNode *update = entry ? entry->value : NULL;
        Slice strategy = config_string(update, "reboot_strategy");
        int r = 0;

        if (!entry || !planner->facts->update_conf.data)
                return 0;
        if (strategy.length > 0)
                r = plan_command(planner, entry->line, "locksmithd.service",
                                 slice_equals(strategy, slice_from("off")) ? "stop" : "restart", true);
        if (r >= 0 && config_string(update, "group").length + config_string(update, "server").length > 0)
                r = plan_command(planner, entry->line, "update-engine.service", "restart", true);
        return r;
}
