/* `faering boot status`: the note that the last run left, docs/formats/boot-state.md. */
#include <errno.h>
#include <jansson.h>

#include "cli/boot.h"

static void print_units(const json_t *units) {
        json_t *unit;
        size_t i;

        json_array_foreach (units, i, unit) {
                const char *name, *action, *result;

                if (json_unpack(unit, "{s:s, s:s, s:s}", "unit", &name, "action", &action, "result", &result) >= 0)
                        printf("%s  %s %s: %s\n", i ? "       " : "result ", action, name, result);
        }
}

/* What each boot makes anew says nothing of whether this one found the machine as it was left. */
static void print_changes(json_int_t changed, json_int_t remade) {
        if (changed > 0)
                printf("changed  %lld", (long long)changed);
        else
                printf("changed  nothing");
        if (remade > 0)
                printf("; %lld for this boot, below /run", (long long)remade);
        printf("\n");
}

static int print_state(const BootGroup *group, json_t *state, bool json) {
        const char *when, *source, *outcome, *why, *manager;
        json_int_t steps, done, changed = 0, remade = 0;

        if (json_unpack(state, "{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "when", &when, "source", &source, "outcome",
                        &outcome, "error", &why, "unitManager", &manager, "steps", &steps, "done", &done) < 0) {
                cli_complain(group->program, "%s is damaged; the next run writes it anew", BOOT_STATE_PATH);
                return CLI_FAILED;
        }
        if (json) {
                (void)json_dumpf(state, stdout, JSON_INDENT(2));
                printf("\n");
                return str_equals(outcome, "applied") ? CLI_OK : CLI_FAILED;
        }
        (void)json_unpack(state, "{s?I, s?I}", "changed", &changed, "remade", &remade);
        printf("outcome  %s\nwhen     %s\nsource   %s\nsteps    %lld of %lld\n", outcome, when, source, (long long)done,
               (long long)steps);
        print_changes(changed, remade);
        if (*manager)
                printf("units    %s\n", manager);
        print_units(json_object_get(state, "units"));
        if (*why)
                printf("error    %s\n", why);
        return str_equals(outcome, "applied") ? CLI_OK : CLI_FAILED;
}

int boot_verb_status(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_boot_arguments_ BootArguments arguments = {0};
        _cleanup_root_files_ RootFiles files = {.fd = -1};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const Option options[] = {BOOT_OPTION_ROOT(&arguments), BOOT_OPTION_OUTPUT(&arguments), {0}};
        Error error = ERROR_NONE;
        json_t *state;
        int code, json, r;

        if (boot_arguments_parse(group, "status", options, 0, argc, argv, &arguments, &code) < 0)
                return code;
        json = boot_arguments_want_json(group, &arguments);
        if (json < 0)
                return CLI_USAGE;
        if (root_files_open(arguments.root ?: "/", &files, &error) < 0)
                return boot_complain(group, &error);
        r = root_files_read(&files, BOOT_STATE_PATH, BOOT_STATE_MAX, &text, &error);
        if (r == -ENOENT) {
                printf(json ? "{\"version\": 1, \"outcome\": \"none\"}\n" : "nothing was applied yet\n");
                return CLI_OK;
        }
        if (r < 0)
                return boot_complain(group, &error);
        state = json_loadb(buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text), 0, NULL);
        code = print_state(group, state, json > 0);
        json_decref(state);
        return code;
}
