/* Placements that no machine of the cluster allows. The cluster may get such a machine later: these are warnings. */
#include <errno.h>

#include "base/suggest.h"
#include "fleet/unit/lint-internal.h"
#include "fleet/unit/resources.h"

enum { SUGGESTED_MAX = 256 };

/* The assignment that a finding belongs to: the last of these keys, and of those the last that has `part` in it. */
static const UnitOption *find_option(const UnitFile *file, const char *const *keys, const char *part) {
        const UnitOption *found = NULL;

        for (; *keys; keys++)
                for (const UnitOption *option = NULL; (option = unitfile_next(file, "X-Fleet", *keys, option));)
                        if (!found || strstr(option->value, part))
                                found = option;
        return found;
}

static int complain(const UnitOption *option, LintReport *report, const char *text) {
        return lint_report_add(report, LINT_WARNING, option ? option->value_at : (TextPosition){0},
                               option ? strlen(option->value) : 0, "%s", text);
}

static int complain_of(const UnitOption *option, LintReport *report, const char *text, const char *what) {
        _cleanup_free_ char *whole = str_printf("%s%s", text, what);

        return whole ? complain(option, report, whole) : -ENOMEM;
}

static const char *metadata_of(const LintMachine *machine, const char *key) {
        for (const char *const *pair = machine->metadata; *pair; pair += 2)
                if (str_equals(pair[0], key))
                        return pair[1];
        return NULL;
}

static bool rule_holds(const MetadataRule *rule, const LintMachine *machine) {
        const char *value = metadata_of(machine, rule->key);

        return value && string_list_contains(&rule->values, value);
}

static const LintMachine *find_machine(const LintCluster *cluster, const char *wanted) {
        for (size_t i = 0; i < cluster->length; i++)
                if (machine_id_matches(cluster->machines[i].id, wanted))
                        return &cluster->machines[i];
        return NULL;
}

static int check_machine(const UnitFile *file, const char *wanted, const LintCluster *cluster, LintReport *report) {
        static const char *const keys[] = {"X-ConditionMachineBootID", "X-ConditionMachineID", "MachineID", NULL};
        _cleanup_free_ char *text = NULL;

        if (find_machine(cluster, wanted))
                return 0;
        text = str_printf("no machine of the cluster has the ID %s, or an ID whose first %d characters these are",
                          wanted, MACHINE_ID_SHORT);
        return text ? complain(find_option(file, keys, ""), report, text) : -ENOMEM;
}

/* Another value of the same key, or another key, that machines have. */
static const char *near_metadata(const MetadataRule *rule, const LintCluster *cluster, bool *ret_key_known) {
        const char *keys[SUGGESTED_MAX], *values[SUGGESTED_MAX];
        size_t n_keys = 0, n_values = 0;

        for (size_t i = 0; i < cluster->length; i++)
                for (const char *const *pair = cluster->machines[i].metadata; *pair; pair += 2) {
                        if (n_keys < SUGGESTED_MAX)
                                keys[n_keys++] = pair[0];
                        if (n_values < SUGGESTED_MAX && str_equals(pair[0], rule->key))
                                values[n_values++] = pair[1];
                }
        *ret_key_known = n_values > 0;
        return n_values > 0 ? suggest_nearest(rule->values.items[0], values, n_values)
                            : suggest_nearest(rule->key, keys, n_keys);
}

static int check_rule(const UnitFile *file, const MetadataRule *rule, const LintCluster *cluster, LintReport *report,
                      bool *ret_holds) {
        static const char *const keys[] = {"X-ConditionMachineMetadata", "MachineMetadata", NULL};
        _cleanup_buffer_ Buffer wanted = BUFFER_INIT;
        const char *near;
        bool key_known;

        *ret_holds = true;
        for (size_t i = 0; i < cluster->length; i++)
                if (rule_holds(rule, &cluster->machines[i]))
                        return 0;
        *ret_holds = false;
        for (size_t i = 0; i < rule->values.length; i++)
                (void)buffer_printf(&wanted, "%s%s=%s", i ? " or " : "", rule->key, rule->values.items[i]);
        near = near_metadata(rule, cluster, &key_known);
        if (near)
                (void)buffer_printf(&wanted, "; did you mean %s=%s?", key_known ? rule->key : near,
                                    key_known ? near : rule->values.items[0]);
        if (buffer_failed(&wanted) < 0 || !buffer_string(&wanted))
                return -ENOMEM;
        return complain_of(find_option(file, keys, rule->key), report, "no machine of the cluster has ",
                           buffer_string(&wanted));
}

/* Each rule may hold somewhere, and yet all of them nowhere. */
static int check_rules(const UnitFile *file, const UnitRequirements *requirements, const LintCluster *cluster,
                       LintReport *report) {
        static const char *const keys[] = {"X-ConditionMachineMetadata", "MachineMetadata", NULL};
        bool each = true;

        for (size_t i = 0; i < requirements->n_metadata; i++) {
                bool holds;
                int r = check_rule(file, &requirements->metadata[i], cluster, report, &holds);

                if (r < 0)
                        return r;
                each = each && holds;
        }
        for (size_t i = 0; each && i < cluster->length; i++) {
                size_t holding = 0;

                while (holding < requirements->n_metadata &&
                       rule_holds(&requirements->metadata[holding], &cluster->machines[i]))
                        holding++;
                if (holding == requirements->n_metadata)
                        return 0;
        }
        return each ? complain(find_option(file, keys, ""), report,
                               "no machine of the cluster has all of this metadata")
                    : 0;
}

static int check_amount(const UnitFile *file, const char *key, const char *limit, uint64_t wanted, uint64_t largest,
                        void (*format)(uint64_t value, Buffer *to), LintReport *report) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const UnitOption *option = find_option(file, (const char *const[]){key, NULL}, "");

        if (largest == 0 || wanted <= largest)
                return 0;
        if (!option)
                for (const UnitOption *next = NULL; (next = unitfile_next(file, "Service", limit, next));)
                        option = next;
        (void)buffer_append_string(&text, str_equals(key, "CPU") ? "it asks for CPUs: " : "it asks for memory: ");
        format(wanted, &text);
        (void)buffer_append_string(&text, ", and no machine of the cluster has more than ");
        format(largest, &text);
        return buffer_string(&text) ? complain(option, report, buffer_string(&text)) : -ENOMEM;
}

int lint_placement(const UnitFile *file, const char *name, const LintCluster *cluster, LintReport *report) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        uint64_t memory = 0, cpu = 0;
        int r;

        if (cluster->length == 0 || unit_name_split(slice_from(name)).kind == UNIT_NAME_TEMPLATE)
                return 0; /* a template's instances say what it asks for */
        r = unit_requirements_read(file, name, &requirements);
        if (r >= 0 && requirements.machine_id)
                r = check_machine(file, requirements.machine_id, cluster, report);
        if (r >= 0)
                r = check_rules(file, &requirements, cluster, report);
        for (size_t i = 0; i < cluster->length; i++) {
                memory = max_of(memory, cluster->machines[i].memory);
                cpu = max_of(cpu, cluster->machines[i].cpu);
        }
        if (r >= 0)
                r = check_amount(file, "Memory", "MemoryMax", unit_resources_memory(&requirements.resources, memory),
                                 memory, unit_format_memory, report);
        if (r >= 0)
                r = check_amount(file, "CPU", "CPUQuota", requirements.resources.cpu, cpu, unit_format_cpu, report);
        return r;
}
