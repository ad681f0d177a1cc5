/* Sections that make one file each: hostname, manage_etc_hosts, coreos.oem, coreos.flannel, and /etc/environment. */
#include <errno.h>

#include "boot/config/keys.h"
#include "boot/config/plan.h"

const ConfigKey oem_keys[] = {
        {"id", .type = KEY_STRING},       {"name", .type = KEY_STRING},           {"version_id", .type = KEY_STRING},
        {"home_url", .type = KEY_STRING}, {"bug_report_url", .type = KEY_STRING}, {0},
};

enum { HOSTNAME_MAX = 64 };

static bool hostname_is_valid(Slice name) {
        if (name.length > HOSTNAME_MAX || name.data[0] == '-' || name.data[0] == '.')
                return false;
        for (size_t i = 0; i < name.length; i++)
                if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._", name.data[i]) ||
                    !name.data[i])
                        return false;
        return true;
}

/* Another part of the user-data has named the machine. */
static bool is_named(const BootPlan *plan) {
        for (size_t i = 0; i < plan->length; i++)
                if (plan->steps[i].kind == STEP_HOSTNAME)
                        return true;
        return false;
}

static Slice wanted_hostname(const Planner *planner) {
        Slice name = config_string(planner->root, "hostname");
        const Metadata *metadata = planner->facts->metadata;

        return name.length == 0 && metadata && metadata->hostname && !is_named(planner->plan)
                       ? slice_from(metadata->hostname)
                       : name;
}

int plan_hostname(Planner *planner) {
        const ConfigEntry *entry = config_entry(planner->root, "hostname");
        const Metadata *metadata = planner->facts->metadata;
        Slice name = wanted_hostname(planner);
        Step step = {.kind = STEP_HOSTNAME};
        int r = 0;

        if (name.length == 0)
                return 0;
        if (!hostname_is_valid(name))
                return error_set(planner->error, -EINVAL,
                                 "line %u: hostname \"%.*s\" cannot be a host name: letters, digits, '-' and '.', at "
                                 "most %d",
                                 entry ? entry->line : 0, (int)min_of(name.length, (size_t)128), name.data,
                                 HOSTNAME_MAX);
        if (metadata && metadata->hostname && !slice_equals(name, slice_from(metadata->hostname)))
                r = planner_warn(planner, "line %u: hostname %s counts, and not %s of the meta-data", entry->line,
                                 name.data, metadata->hostname);
        if (r < 0)
                return r;
        step.line = entry ? entry->line : 0;
        step.text = slice_dup(name);
        step.text_length = name.length;
        return planner_add(planner, step, step.text);
}

int plan_etc_hosts(Planner *planner) {
        const ConfigEntry *entry = config_entry(planner->root, "manage_etc_hosts");
        Slice value = config_string(planner->root, "manage_etc_hosts");
        const char *name = planner->facts->hostname;

        if (value.length == 0)
                return 0;
        if (!slice_equals(value, slice_from("localhost")))
                return error_set(planner->error, -EINVAL,
                                 "line %u: manage_etc_hosts is \"%s\": only \"localhost\" is known", entry->line,
                                 value.data);
        for (size_t i = 0; i < planner->plan->length; i++)
                if (planner->plan->steps[i].kind == STEP_HOSTNAME)
                        name = planner->plan->steps[i].text;
        return planner_add_file(planner, entry->line, "/etc/hosts", str_printf("127.0.0.1 %s\n", name));
}

/* As Go's %q does for printable text. */
static void append_quoted(Buffer *text, const char *key, Slice value) {
        (void)buffer_printf(text, "%s=\"", key);
        for (size_t i = 0; i < value.length; i++) {
                if (value.data[i] == '\n') {
                        (void)buffer_append_string(text, "\\n");
                        continue;
                }
                if (value.data[i] == '"' || value.data[i] == '\\')
                        (void)buffer_append_byte(text, '\\');
                (void)buffer_append_byte(text, value.data[i]);
        }
        (void)buffer_append_string(text, "\"\n");
}

int plan_oem(Planner *planner) {
        const ConfigNode *coreos = config_child(planner->root, "coreos");
        const ConfigEntry *entry = config_entry(coreos, "oem");
        const ConfigNode *oem = config_child(coreos, "oem");
        Slice id = config_string(oem, "id");
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (id.length == 0)
                return 0;
        (void)buffer_printf(&text, "ID=%s\nVERSION_ID=%s\n", id.data, config_string(oem, "version_id").data);
        append_quoted(&text, "NAME", config_string(oem, "name"));
        append_quoted(&text, "HOME_URL", config_string(oem, "home_url"));
        append_quoted(&text, "BUG_REPORT_URL", config_string(oem, "bug_report_url"));
        return planner_add_file(planner, entry->line, "/etc/oem-release", buffer_steal_string(&text, NULL));
}

int plan_flannel(Planner *planner) {
        const ConfigNode *coreos = config_child(planner->root, "coreos");
        const ConfigEntry *entry = config_entry(coreos, "flannel");
        _cleanup_string_list_ StringList variables = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r;

        if (!entry)
                return 0;
        r = config_variables(flannel_keys, entry->value, &variables);
        if (r < 0 || variables.length == 0)
                return r;
        for (size_t i = 0; i < variables.length; i++)
                (void)buffer_printf(&text, "%s%s", i ? "\n" : "", variables.items[i]);
        return planner_add_file(planner, entry->line, "/run/flannel/options.env", buffer_steal_string(&text, NULL));
}

/* ---- /etc/environment ---- */

#define ENVIRONMENT_PATH "/etc/environment"

/* Of the addresses that are known, the one this line sets; ADDRESSES_COUNT: none. */
static Address address_of_line(const Addresses *addresses, Slice line) {
        for (Address one = 0; one < ADDRESSES_COUNT; one++) {
                size_t length = strlen(address_variable(one));

                if (addresses->values[one] && line.length > length && line.data[length] == '=' &&
                    memcmp(line.data, address_variable(one), length) == 0)
                        return one;
        }
        return ADDRESSES_COUNT;
}

static void merge_line(const Addresses *addresses, Slice line, unsigned *set, Buffer *text) {
        Address address = address_of_line(addresses, line);

        if (address == ADDRESSES_COUNT) {
                (void)buffer_append(text, line.data, line.length);
        } else {
                *set |= 1U << address;
                (void)buffer_printf(text, "%s=%s", address_variable(address), addresses->values[address]);
        }
        (void)buffer_append_byte(text, '\n');
}

static void merge_lines(const Addresses *addresses, Slice before, Buffer *text) {
        static const Address sorted[] = {ADDRESS_PRIVATE_IPV4, ADDRESS_PRIVATE_IPV6, ADDRESS_PUBLIC_IPV4,
                                         ADDRESS_PUBLIC_IPV6};
        unsigned set = 0;

        while (before.length > 0) {
                const char *end = memchr(before.data, '\n', before.length);
                size_t length = end ? (size_t)(end - before.data) : before.length;

                merge_line(addresses, (Slice){before.data, length}, &set, text);
                before.data += length + (end ? 1 : 0);
                before.length -= length + (end ? 1 : 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
                if (addresses->values[sorted[i]] && !(set & 1U << sorted[i]))
                        (void)buffer_printf(text, "%s=%s\n", address_variable(sorted[i]), addresses->values[sorted[i]]);
}

static bool is_written_already(const BootPlan *plan, const char *path) {
        for (size_t i = 0; i < plan->length; i++)
                if (plan->steps[i].path && str_equals(plan->steps[i].path, path))
                        return true;
        return false;
}

/* The addresses stay known to units and to later runs. Other lines keep their place; a cloud-config that writes the
 * file itself has the last word. */
int plan_environment_file(Planner *planner) {
        const Addresses *addresses = &planner->facts->addresses;
        Slice before = planner->facts->environment_file;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        bool any = false;

        for (Address one = 0; one < ADDRESSES_COUNT; one++)
                any = any || addresses->values[one];
        if (!any || is_written_already(planner->plan, ENVIRONMENT_PATH))
                return 0;
        if (before.data)
                merge_lines(addresses, before, &text);
        else
                merge_lines(addresses, (Slice){"", 0}, &text);
        if (buffer_failed(&text) < 0)
                return -ENOMEM;
        if (before.data && slice_equals(before, (Slice){buffer_data(&text), buffer_length(&text)}))
                return 0;
        return planner_add_file(planner, 0, ENVIRONMENT_PATH, buffer_steal_string(&text, NULL));
}
