/* update: another text for running units, step by step; what goes wrong is taken back. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/json-write.h"
#include "cli/fleet-update.h"

enum { EXIT_INTERRUPTED = 3, TIMEOUT_SEC = 60, AT_ONCE_MAX = 1000 };

void update_target_name(const UpdateTarget *target, Buffer *to) {
        (void)buffer_append_string(to, target->unit);
        if (target->machine)
                (void)buffer_printf(to, " on %.8s...", target->machine);
}

static void say(const UpdateTarget *target, size_t number, const Update *update, const char *what) {
        _cleanup_buffer_ Buffer name = BUFFER_INIT;

        update_target_name(target, &name);
        printf("[%zu/%zu] %s %s\n", number, update->length, buffer_string(&name) ?: "", what);
        (void)fflush(stdout);
}

static void update_deinit(Update *update) {
        for (size_t i = 0; i < update->length; i++) {
                free(update->targets[i].unit);
                free(update->targets[i].machine);
                free(update->targets[i].from);
        }
        free(update->targets);
        free(update->body_options);
        unitfile_deinit(&update->file);
}

/* ---- targets ---- */

static int add_target(Update *update, const char *unit, const char *machine, const char *from, bool waits, bool begun) {
        UpdateTarget *target;

        if (update->length == update->capacity) {
                size_t capacity = update->capacity ? update->capacity * 2 : 16;
                UpdateTarget *larger = reallocarray(update->targets, capacity, sizeof(*larger));

                if (!larger)
                        return CLI_FAILED;
                update->targets = larger;
                update->capacity = capacity;
        }
        target = &update->targets[update->length];
        *target = (UpdateTarget){strdup(unit), machine ? strdup(machine) : NULL, strdup(from), waits, begun};
        update->length++;
        return target->unit && target->from && (!machine || target->machine) ? 0 : CLI_FAILED;
}

static bool list_has(json_t *list, const char *text) {
        json_t *item;
        size_t i;

        json_array_foreach (list, i, item)
                if (json_is_string(item) && str_equals(json_string_value(item), text))
                        return true;
        return false;
}

static int hash_of(json_t *unit, char hex[UNIT_HASH_HEX_SIZE]) {
        _cleanup_unitfile_ UnitFile file = {0};
        UnitHash hash;

        if (fleet_read_options(unit, &file) < 0 || unit_hash(&file, &hash) < 0)
                return CLI_FAILED;
        unit_hash_to_hex(&hash, hex);
        return 0;
}

/* The machines where it runs; those that have the new text already come first. */
static int add_global(Update *update, const char *name, const char *from, json_t *done) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = fleet_ask_of(update->group, "/faering/v1/explain", name, &answer);

        for (int pass = 0; code == 0 && pass < 2; pass++) {
                json_t *machine;
                size_t i;

                json_array_foreach (json_object_get(answer.json, "machines"), i, machine) {
                        const char *id = cli_text(machine, "machine");
                        bool begun = list_has(done, id);

                        if (code == 0 && json_is_true(json_object_get(machine, "here")) && begun == (pass == 0))
                                code = add_target(update, name, id, from, true, begun);
                }
        }
        if (code == 0 && update->length == 0) {
                fleet_complain(update->group, "%s runs on no machine: \"start --replace\" puts the text in its place",
                               name);
                code = CLI_FAILED;
        }
        return code;
}

static int add_unit(Update *update, const char *name, json_t *unit) {
        char now[UNIT_HASH_HEX_SIZE];
        json_t *roll = NULL;
        int code = hash_of(unit, now);
        bool launched = str_equals(cli_text(unit, "desiredState"), "launched");
        const char *from = now;

        if (code == 0)
                code = fleet_get_of(update->group, "/faering/v1/rolls", name, &roll); /* NULL: it is not being updated */
        if (code != 0)
                return code;
        if (roll)
                from = cli_text(roll, "from");
        if (!roll && str_equals(now, update->hash))
                printf("%s has this text already\n", name);
        else if (fleet_unit_is_global(unit) && launched)
                code = add_global(update, name, from,
                                  str_equals(cli_text(roll, "to"), update->hash) ? json_object_get(roll, "machines")
                                                                                 : NULL);
        else
                code = add_target(update, name, NULL, from, launched, roll && str_equals(now, update->hash));
        json_decref(roll);
        return code;
}

static bool is_instance_of(const char *name, const char *template) {
        const char *at = strchr(template, '@'), *dot = strrchr(name, '.');
        size_t prefix = (size_t)(at + 1 - template);

        return strncmp(name, template, prefix) == 0 && dot && dot > name + prefix &&
               str_equals(dot, strrchr(template, '.'));
}

/* A template stands for its instances, and then for itself: further ones are made of the new text. */
static int add_instances(Update *update, const char *template) {
        json_t *units = NULL, *unit;
        size_t i;
        int code = fleet_list(update->group, "units", "units", &units);

        json_array_foreach (units, i, unit)
                if (code == 0 && is_instance_of(cli_text(unit, "name"), template))
                        code = add_unit(update, cli_text(unit, "name"), unit);
        json_decref(units);
        return code;
}

static int add_argument(Update *update, const char *argument) {
        _cleanup_free_ char *name = NULL;
        Error error = ERROR_NONE;
        json_t *unit = NULL;
        bool template;
        int code;

        if (unit_name_mangle(argument, &name, &error) < 0) {
                fleet_complain(update->group, "%s", error.text);
                return CLI_USAGE;
        }
        template = unit_name_split(slice_from(name)).kind == UNIT_NAME_TEMPLATE;
        code = template ? add_instances(update, name) : 0;
        if (code == 0)
                code = fleet_get_unit(update->group, name, &unit);
        if (code == 0 && unit)
                code = add_unit(update, name, unit);
        else if (code == 0 && !template) {
                fleet_complain(update->group, "Unit %s does not exist; \"%s list-unit-files\" lists those that do",
                               name, update->group->program);
                code = CLI_FAILED;
        }
        json_decref(unit);
        return code;
}

/* ---- changes ---- */

/* The machines of this global unit that are to run the new text. */
static void write_machines(const Update *update, const char *unit, JsonWriter *json) {
        json_key(json, "machines");
        json_begin_array(json);
        for (size_t i = 0; i < update->length; i++)
                if (update->targets[i].machine && update->targets[i].begun && str_equals(update->targets[i].unit, unit))
                        json_write_string(json, slice_from(update->targets[i].machine));
        json_end_array(json);
}

static int put_roll(Update *update, const UpdateTarget *target) {
        _cleanup_free_ char *path = fleet_unit_target("/faering/v1/rolls", target->unit);
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);

        json_begin_object(&json);
        json_key(&json, "options");
        json_write_raw(&json, slice_from(update->body_options));
        write_machines(update, target->unit, &json);
        json_end_object(&json);
        if (!path || !buffer_string(&body))
                return CLI_FAILED;
        return fleet_request_for(update->group, "Error updating units", "PUT", path, buffer_string(&body), &answer);
}

static int end_roll(FleetGroup *group, const char *unit, bool back) {
        _cleanup_free_ char *path = fleet_unit_target("/faering/v1/rolls", unit), *target = NULL;
        _cleanup_cli_answer_ CliAnswer answer = {0};

        target = path ? str_printf("%s?back=%s", path, back ? "true" : "false") : NULL;
        return target ? fleet_request_for(group, "Error updating units", "DELETE", target, NULL, &answer) : CLI_FAILED;
}

static bool is_last_of_unit(const Update *update, size_t index) {
        for (size_t i = index + 1; i < update->length; i++)
                if (str_equals(update->targets[i].unit, update->targets[index].unit))
                        return false;
        return true;
}

/* The update is whole: what was kept to take it back goes. */
static int finish(Update *update) {
        int code = 0;

        for (size_t i = 0; code == 0 && i < update->length; i++)
                if (is_last_of_unit(update, i))
                        code = end_roll(update->group, update->targets[i].unit, false);
        if (code == 0 && update->length > 0)
                printf(update->length == 1 ? "Updated: it has the new text\n" : "Updated: all %zu have the new text\n", update->length);
        return code;
}

/* ---- back ---- */

static bool any_begun(const Update *update, const char *unit) {
        for (size_t i = 0; i < update->length; i++)
                if (update->targets[i].begun && str_equals(update->targets[i].unit, unit))
                        return true;
        return false;
}

/* One target; of a global unit its machine leaves the list, and with the last one the roll ends. */
static int take_back(Update *update, UpdateTarget *target) {
        target->begun = false;
        if (any_begun(update, target->unit))
                return put_roll(update, target);
        return end_roll(update->group, target->unit, true);
}

/* From the last that was begun to the first: what is not well is among the last. */
static int roll_back(Update *update) {
        int result = 0;

        for (size_t i = update->length; i > 0; i--) {
                UpdateTarget *target = &update->targets[i - 1];
                _cleanup_buffer_ Buffer why = BUFFER_INIT;
                UpdateOutcome outcome = UPDATE_HEALTHY;

                if (!target->begun)
                        continue;
                if (take_back(update, target) != 0)
                        return CLI_FAILED;
                if (target->waits)
                        outcome = update_wait(update, target, target->from, &why);
                say(target, i, update,
                    outcome == UPDATE_HEALTHY ? "has its old text again" : "has its old text again, but is not well");
                if (outcome != UPDATE_HEALTHY) {
                        fleet_complain(update->group, "%s: %s", target->unit, buffer_string(&why) ?: "");
                        result = CLI_FAILED;
                }
        }
        return result;
}

/* ---- forward ---- */

static int tell_interrupted(const Update *update, size_t healthy) {
        fleet_complain(update->group,
                       "interrupted: %zu of %zu have the new text and are well. The same command goes on from here; "
                       "\"%s update --back UNIT…\" "
                       "takes it back",
                       healthy, update->length, update->group->program);
        return EXIT_INTERRUPTED;
}

static int fail(Update *update, const UpdateTarget *target, const char *why) {
        _cleanup_buffer_ Buffer name = BUFFER_INIT;
        int code;

        update_target_name(target, &name);
        fleet_complain(update->group,
                       "%s is not well with the new text: %s. All that was updated goes back to its old text",
                       buffer_string(&name) ?: "", why);
        code = roll_back(update);
        if (code == 0)
                fleet_complain(update->group, "the update was taken back: all have their old text, and are well");
        return CLI_FAILED;
}

/* Whether a global unit is not to run on the machine any more: that has died, or is another one now. */
static bool has_left(Update *update, const UpdateTarget *target) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        json_t *machine;
        size_t i;

        if (!target->machine || fleet_ask_of(update->group, "/faering/v1/explain", target->unit, &answer) != 0 || answer.status != 200)
                return false;
        json_array_foreach (json_object_get(answer.json, "machines"), i, machine)
                if (str_equals(cli_text(machine, "machine"), target->machine))
                        return !json_is_true(json_object_get(machine, "here"));
        return true;
}

/* Targets [first, end): begun together, and then waited for. */
static int run_batch(Update *update, size_t first, size_t end) {
        for (size_t i = first; i < end; i++) {
                update->targets[i].begun = true;
                say(&update->targets[i], i + 1, update, "gets the new text");
                if (put_roll(update, &update->targets[i]) != 0)
                        return fail(update, &update->targets[i], "the cluster did not take it");
        }
        for (size_t i = first; i < end; i++) {
                _cleanup_buffer_ Buffer why = BUFFER_INIT;
                UpdateOutcome outcome = update->targets[i].waits
                                                ? update_wait(update, &update->targets[i], update->hash, &why)
                                                : UPDATE_HEALTHY;

                if (outcome == UPDATE_FAILED && has_left(update, &update->targets[i])) {
                        say(&update->targets[i], i + 1, update, "does not run there any more: passed over");
                        continue;
                }
                if (outcome == UPDATE_FAILED)
                        return fail(update, &update->targets[i], buffer_string(&why) ?: "");
                if (outcome == UPDATE_INTERRUPTED)
                        return tell_interrupted(update, i);
                say(&update->targets[i], i + 1, update,
                    update->targets[i].waits ? "is well" : "is not started: only its text is new");
        }
        return 0;
}

/* What an earlier run has begun comes first. */
static int compare_targets(const void *a, const void *b) {
        const UpdateTarget *x = a, *y = b;
        int r;

        if (x->begun != y->begun)
                return x->begun ? -1 : 1;
        if (x->waits != y->waits) /* templates last */
                return x->waits ? -1 : 1;
        r = strverscmp(x->unit, y->unit);
        return r || !x->machine || !y->machine ? r : strcmp(x->machine, y->machine);
}

static void sort_targets(Update *update) {
        size_t begun = 0;

        if (update->length > 1)
                qsort(update->targets, update->length, sizeof(*update->targets), compare_targets);
        while (begun < update->length && update->targets[begun].begun)
                begun++;
        if (begun > 0)
                printf("an update to this text was begun before: %zu of %zu have it\n", begun, update->length);
}

static int run_update(Update *update) {
        int code = 0;

        sort_targets(update);
        for (size_t first = 0; code == 0 && first < update->length;) {
                size_t end = min_of(first + (size_t)update->at_once, update->length);

                if (update_is_interrupted())
                        return tell_interrupted(update, first);
                code = run_batch(update, first, end);
                first = end;
        }
        return code != 0 ? code : finish(update);
}

/* ---- the verb ---- */

static int read_new_text(Update *update, const char *path) {
        _cleanup_free_ char *text = NULL;
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        Error error = ERROR_NONE;
        TextPosition at = {0};
        UnitHash hash;
        int r = fleet_read_file(path, &text);

        if (r < 0) {
                fleet_complain(update->group, "cannot read %s: %s", path, strerror(-r));
                return CLI_USAGE;
        }
        if (unitfile_parse(&update->file, slice_from(text), &at, &error) < 0) {
                fleet_complain(update->group, "%s:%u:%u: %s", path, at.line, at.column, error.text);
                return CLI_FAILED;
        }
        if (unit_hash(&update->file, &hash) < 0)
                return CLI_FAILED;
        unit_hash_to_hex(&hash, update->hash);
        fleet_write_options(&update->file, &json);
        update->body_options = buffer_steal_string(&body, NULL);
        for (const UnitOption *option = NULL; (option = unitfile_next(&update->file, "Service", "Type", option));)
                update->oneshot = str_equals(option->value, "oneshot");
        for (const UnitOption *option = NULL;
             (option = unitfile_next(&update->file, "Service", "RemainAfterExit", option));)
                update->oneshot = false;
        return update->body_options ? 0 : CLI_FAILED;
}

static int print_rolls(FleetGroup *group) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        json_t *rolls, *roll;
        size_t i;
        int code = fleet_request(group, "GET", "/faering/v1/rolls", NULL, &answer);

        if (code != 0)
                return code;
        rolls = json_object_get(answer.json, "rolls");
        json_array_foreach (rolls, i, roll) {
                size_t machines = json_array_size(json_object_get(roll, "machines"));

                printf("%s: from %.7s to %.7s", cli_text(roll, "unit"), cli_text(roll, "from"), cli_text(roll, "to"));
                if (machines > 0)
                        printf(", on %zu machine%s so far", machines, machines == 1 ? "" : "s");
                printf("\n");
        }
        if (json_array_size(rolls) == 0)
                printf("no update is under way\n");
        return CLI_OK;
}

/* --back: of each unit that is named, or whose template is. */
static int run_back(FleetGroup *group, const StringList *arguments) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = fleet_request(group, "GET", "/faering/v1/rolls", NULL, &answer);
        size_t i, found = 0;
        json_t *roll;

        json_array_foreach (json_object_get(answer.json, "rolls"), i, roll)
                for (size_t j = 0; code == 0 && j < arguments->length; j++) {
                        _cleanup_free_ char *name = NULL;
                        const char *unit = cli_text(roll, "unit");

                        if (unit_name_mangle(arguments->items[j], &name, NULL) < 0 ||
                            !(str_equals(name, unit) || (strstr(name, "@.") && is_instance_of(unit, name))))
                                continue;
                        code = end_roll(group, unit, true);
                        if (code == 0)
                                printf("%s has its old text again\n", unit);
                        found++;
                        break;
                }
        if (code == 0 && found == 0) {
                fleet_complain(group, "none of these is being updated; \"%s update\" lists those that are",
                               group->program);
                code = CLI_FAILED;
        }
        return code;
}

static int prepare(Update *update, const StringList *arguments, const char *file, bool no_lint) {
        int code = no_lint ? 0 : fleet_lint_file(update->group, file);

        if (code == 0)
                code = read_new_text(update, file);
        for (size_t i = 0; code == 0 && i < arguments->length; i++)
                code = add_argument(update, arguments->items[i]);
        return code;
}

int fleet_verb_update(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_(update_deinit) Update update = {.group = group, .at_once = 1, .healthy_for = USEC_INFINITY};
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *file = NULL;
        uint64_t healthy_for = UINT64_MAX, timeout = TIMEOUT_SEC;
        bool back = false, no_lint = false;
        const Option options[] = {
                {"file", 'f', OPTION_STRING, "FILE", NULL, "the new text", &file, NULL},
                {"at-once", 0, OPTION_U64, "N", NULL, "how many are changed together (default: 1)", &update.at_once,
                 NULL},
                {"healthy-for", 0, OPTION_U64, "SECONDS", NULL,
                 "how long each must be well (default: 3, or 0 with a HealthCheck=)", &healthy_for, NULL},
                {"timeout", 0, OPTION_U64, "SECONDS", NULL, "how long each may take to become well (default: 60)",
                 &timeout, NULL},
                {"back", 0, OPTION_SWITCH, NULL, NULL, "take back what was begun and not finished", &back, NULL},
                FLEET_LINT_OPTION(no_lint),
                {0}};
        int code;

        if (verb_parse(verb_find(fleet_verbs, "update", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length == 0 && !file)
                return print_rolls(group);
        if (arguments.length == 0 || (!file && !back) || update.at_once == 0 || update.at_once > AT_ONCE_MAX ||
            timeout > UINT32_MAX || (healthy_for != UINT64_MAX && healthy_for > UINT32_MAX)) {
                fleet_complain(group, "update needs units and --file FILE (or --back), and --at-once from 1 to %d",
                               AT_ONCE_MAX);
                return CLI_USAGE;
        }
        if (back)
                return run_back(group, &arguments);
        update.timeout = timeout * USEC_PER_SEC;
        if (healthy_for != UINT64_MAX)
                update.healthy_for = healthy_for * USEC_PER_SEC;
        update_catch_signals();
        code = prepare(&update, &arguments, file, no_lint);
        return code != 0 ? code : run_update(&update);
}
