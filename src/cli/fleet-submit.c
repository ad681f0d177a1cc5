/* submit, and what load and start do first: units become known to the cluster. */
#include <errno.h>

#include "base/json-write.h"
#include "cli/fleet-look.h"
#include "fleet/unit/unit.h"

enum { UNIT_FILE_MAX = 1 << 20 };

int fleet_read_file(const char *path, char **ret_text) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT_LIMIT(UNIT_FILE_MAX);
        FILE *file = fopen(path, "re");
        size_t got = 0;
        int r = 0;

        if (!file)
                return -errno;
        do {
                char *to = buffer_reserve(&text, 4096);

                if (!to)
                        break;
                got = fread(to, 1, 4096, file);
                buffer_commit(&text, got);
        } while (got > 0);
        if (ferror(file)) /* a folder */
                r = -errno;
        (void)fclose(file);
        if (r < 0 || buffer_failed(&text))
                return r < 0 ? r : buffer_failed(&text);
        *ret_text = buffer_string(&text) ? buffer_steal_string(&text, NULL) : NULL;
        return *ret_text ? 0 : -ENOMEM;
}

/* What the verb on the command line allows, and how it is told. */
typedef struct Submission {
        FleetGroup *group;
        FleetLook *look;
        const char *verb;
        bool replace;
        FleetBatch *batch;   /* what is to be sent */
        StringList *pending; /* the units of it */
        size_t *told;        /* how many of these are there, and were told */
} Submission;

void fleet_write_options(const UnitFile *file, JsonWriter *json) {
        json_begin_array(json);
        for (size_t i = 0; i < file->n_options; i++) {
                json_begin_object(json);
                json_field_string(json, "section", unitfile_section_name(file, &file->options[i]));
                json_field_string(json, "name", file->options[i].name);
                json_field_string(json, "value", file->options[i].value);
                json_end_object(json);
        }
        json_end_array(json);
}

static int write_body(const UnitFile *file, const char *name, Buffer *body) {
        JsonWriter json = json_writer(body);

        json_begin_object(&json);
        json_field_string(&json, "name", name);
        json_key(&json, "options");
        fleet_write_options(file, &json);
        json_end_object(&json);
        return buffer_failed(body);
}

/* Notes the unit to be created, or to be put in place of another text. */
static int submit_file(const Submission *submission, const char *name, const UnitFile *file) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        if (write_body(file, name, &body) < 0 || !buffer_string(&body) || string_list_add(submission->pending, name) < 0)
                return CLI_FAILED;
        return fleet_batch_add(submission->batch, name, buffer_string(&body));
}

/* Sends what was noted, and waits until it is so. */
static int submit_noted(const Submission *submission) {
        static const FleetWaiting waiting = {0};
        int code;

        if (*submission->told == submission->pending->length)
                return 0;
        code = fleet_batch_run(submission->batch);
        fleet_look_again(submission->look);
        for (; code == 0 && *submission->told < submission->pending->length; (*submission->told)++)
                code = fleet_wait_state(submission->look, submission->pending->items[*submission->told], "inactive", "submit", &waiting);
        return code;
}

static int parse_text(const Submission *submission, const char *text, const char *source, UnitFile *file) {
        TextPosition at = {0};
        Error error = ERROR_NONE;

        if (unitfile_parse(file, slice_from(text), &at, &error) >= 0)
                return 0;
        fleet_complain(submission->group, "Error creating units: %s:%u:%u: %s", source, at.line, at.column, error.text);
        return CLI_FAILED;
}

/* fleetctl's word of it; lint has said more under the other name. */
static void warn_of_keys(const UnitFile *file, const char *name) {
        for (size_t i = 0; i < file->n_options; i++)
                if (str_equals(unitfile_section_name(file, &file->options[i]), "X-Fleet") && !unit_requirement_is_known(file->options[i].name)) {
                        (void)fprintf(stderr, "WARN: Unit %s: unrecognized requirement in [X-Fleet] section: \"%s\"\n", name,
                                      file->options[i].name);
                        return;
                }
}

static int submit_text(const Submission *submission, const char *name, const char *text, const char *source) {
        _cleanup_unitfile_ UnitFile file = {0};
        int code = parse_text(submission, text, source, &file);

        if (code == 0 && submission->group->old)
                warn_of_keys(&file, name);
        return code != 0 ? code : submit_file(submission, name, &file);
}

static int submit_copy(const Submission *submission, const char *name, json_t *template) {
        _cleanup_unitfile_ UnitFile file = {0};

        return fleet_read_options(template, &file) < 0 ? CLI_FAILED : submit_file(submission, name, &file);
}

/* "web@.service" of "web@1.service"; NULL when it is no instance. */
static char *template_name(const char *name) {
        const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

        if (!at || !dot || dot <= at + 1)
                return NULL;
        return str_printf("%.*s%s", (int)(at + 1 - name), name, dot);
}

/* "folder/web" → "folder/web.service". As with fleet the folder "web", or another file without a unit's ending, is not it. */
static char *argument_path(const char *argument, const char *name) {
        size_t length = strlen(argument);
        const char *slash;

        while (length > 0 && argument[length - 1] == '/')
                length--;
        slash = length ? memrchr(argument, '/', length) : NULL;
        return str_printf("%.*s%s", slash ? (int)(slash + 1 - argument) : 0, argument, name);
}

/* The text of the argument's file, or of its template's. 0, -ENOENT, or what reading came to. */
static int read_local(const char *argument, const char *name, const char *template, char **ret_text, char **ret_source) {
        _cleanup_free_ char *path = argument_path(argument, name);
        int r = path ? fleet_read_file(path, ret_text) : -ENOMEM;

        if (r == -ENOENT && template) {
                *ret_source = argument_path(argument, template);
                return *ret_source ? fleet_read_file(*ret_source, ret_text) : -ENOMEM;
        }
        *ret_source = path;
        path = NULL;
        return *ret_source ? r : -ENOMEM;
}

static int complain_file(const Submission *submission, const char *argument, int r) {
        fleet_complain(submission->group, "Error creating units: cannot read %s: %s", argument, strerror(-r));
        return CLI_FAILED;
}

int fleet_read_local_text(const char *argument, const char *name, char **ret_text, char **ret_source) {
        _cleanup_free_ char *template = template_name(name);

        return read_local(argument, name, template, ret_text, ret_source);
}

int fleet_read_local(FleetGroup *group, const char *argument, const char *name, UnitFile *file, bool *ret_found) {
        const Submission submission = {.group = group};
        _cleanup_free_ char *text = NULL, *source = NULL, *template = template_name(name);
        int r = read_local(argument, name, template, &text, &source);

        *ret_found = r >= 0;
        if (r == -ENOENT)
                return 0;
        return r < 0 ? complain_file(&submission, argument, r) : parse_text(&submission, text, source, file);
}

/* submit replaces what is wanted nowhere, load also what is loaded, start anything. */
static bool may_replace(const Submission *submission, json_t *unit) {
        const char *desired = cli_text(unit, "desiredState");

        return str_equals(submission->verb, "start") || str_equals(desired, "inactive") ||
               (str_equals(submission->verb, "load") && str_equals(desired, "loaded"));
}

static bool same_text(json_t *unit, const UnitFile *file) {
        _cleanup_unitfile_ UnitFile known = {0};
        UnitHash a, b;

        return fleet_read_options(unit, &known) >= 0 && unit_hash(&known, &a) >= 0 && unit_hash(file, &b) >= 0 &&
               unit_hash_equals(&a, &b);
}

/* fleetctl named the argument, with its ending, also where it meant its template's file. */
static void warn_of_difference(const Submission *submission, const char *name, const char *argument, bool template) {
        _cleanup_free_ char *base = NULL, *path = NULL;

        if (unit_name_mangle(argument, &base, NULL) >= 0 && (path = argument_path(argument, base)))
                fleet_complain(submission->group, "WARNING: Unit %s in registry differs from local %sunit file %s. Add --replace to override.",
                               name, template ? "template " : "", path);
}

static int complain_nothing_to_replace(const Submission *submission, const char *name, const char *source) {
        if (submission->group->old && !strchr(name, '@'))
                fleet_complain(submission->group, "Error creating units: error Unit %s does not seem to be a template unit", name);
        else
                fleet_complain(submission->group, "Error creating units: there is no file %s to put in the place of %s", source, name);
        return CLI_FAILED;
}

/* The cluster has the unit: its file, if there is one, may differ. */
static int submit_known(const Submission *submission, const char *argument, const char *name, json_t *unit) {
        _cleanup_free_ char *text = NULL, *source = NULL, *template = template_name(name);
        _cleanup_unitfile_ UnitFile file = {0};
        int r = read_local(argument, name, template, &text, &source), code;

        if (r < 0 && !submission->replace)
                return 0;
        if (r == -ENOENT)
                return complain_nothing_to_replace(submission, name, source);
        if (r < 0)
                return complain_file(submission, argument, r);
        code = parse_text(submission, text, source, &file);
        if (code != 0)
                return submission->replace ? code : 0;
        if (same_text(unit, &file)) {
                if (submission->replace)
                        printf("Found same Unit(%s) in Registry, nothing to do\n", name);
                return 0;
        }
        if (!submission->replace) {
                warn_of_difference(submission, name, argument, template && str_ends_with(source, template));
                return 0;
        }
        if (may_replace(submission, unit))
                return submit_file(submission, name, &file);
        fleet_complain(submission->group, "Warning: can not replace Unit(%s) in state '%s', use the appropriate command", name,
                       cli_text(unit, "desiredState"));
        return CLI_FAILED;
}

static int complain_missing(const Submission *submission, const char *argument, const char *name, const char *template) {
        static const char where[] = "in Registry or on filesystem";
        _cleanup_free_ char *path = argument_path(argument, name);

        if (template)
                fleet_complain(submission->group,
                               "Error creating units: failed getting Unit(%s) from template: unable to find template Unit(%s) %s",
                               path ?: name, template, where);
        else
                fleet_complain(submission->group, "Error creating units: unable to find Unit(%s) %s", name, where);
        return CLI_FAILED;
}

/* The cluster's template is taken, and a file of it may be another one. */
static void warn_of_template(const Submission *submission, const char *argument, const char *name, const char *template, json_t *known) {
        _cleanup_free_ char *text = NULL, *source = NULL;
        _cleanup_unitfile_ UnitFile file = {0};

        if (read_local(argument, name, template, &text, &source) >= 0 && unitfile_parse(&file, slice_from(text), NULL, NULL) >= 0 &&
            !same_text(known, &file))
                warn_of_difference(submission, template, argument, true);
}

static int submit_unknown(const Submission *submission, const char *argument, const char *name) {
        _cleanup_free_ char *text = NULL, *template = template_name(name), *source = NULL;
        json_t *known = NULL;
        int code, r;

        r = read_local(argument, name, NULL, &text, &source);
        if (r >= 0)
                return submit_text(submission, name, text, source);
        if (r != -ENOENT)
                return complain_file(submission, source ?: argument, r);
        if (template) {
                code = string_list_contains(submission->pending, template) ? submit_noted(submission) : 0;
                if (code == 0)
                        code = fleet_look_unit(submission->look, template, &known);
                if (code == 0 && known) {
                        if (!submission->replace)
                                warn_of_template(submission, argument, name, template, known);
                        code = submit_copy(submission, name, known);
                        json_decref(known);
                        return code;
                }
                if (code != 0)
                        return code;
                free(source);
                source = NULL;
                r = read_local(argument, name, template, &text, &source);
                if (r >= 0)
                        return submit_text(submission, name, text, source);
                if (r != -ENOENT)
                        return complain_file(submission, source ?: argument, r);
        }
        return complain_missing(submission, argument, name, template);
}

static int submit_one(const Submission *submission, const char *argument, const char *name) {
        json_t *known = NULL;
        int code = fleet_look_unit(submission->look, name, &known);

        if (code == 0)
                code = known ? submit_known(submission, argument, name, known) : submit_unknown(submission, argument, name);
        json_decref(known);
        return code;
}

int fleet_submit_units(FleetLook *look, const char *verb, bool replace, const StringList *arguments, StringList *names) {
        FleetGroup *group = look->group;
        _cleanup_string_list_ StringList pending = {0};
        _cleanup_fleet_batch_ FleetBatch *batch = fleet_batch_new(group, "Error creating units", "PUT");
        size_t told = 0;
        const Submission submission = {group, look, verb, replace, batch, &pending, &told};
        int code = batch ? 0 : CLI_FAILED, sent;

        for (size_t i = 0; code == 0 && i < arguments->length; i++) {
                Error error = ERROR_NONE;
                char *name;

                if (unit_name_mangle(arguments->items[i], &name, &error) < 0) {
                        fleet_complain(group, "%s", error.text);
                        code = CLI_USAGE;
                } else if (string_list_contains(names, name)) {
                        free(name); /* named twice: by a file and by its name, perhaps */
                } else if (string_list_take(names, name) < 0) {
                        code = CLI_FAILED;
                } else {
                        code = submit_one(&submission, arguments->items[i], name);
                }
        }
        /* as fleetctl, which went from one to the next: those in front of a faulty one are submitted all the same */
        sent = batch ? submit_noted(&submission) : CLI_FAILED;
        return code != 0 ? code : sent;
}

int fleet_verb_submit(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        bool replace = false, no_lint = false, unused = false;
        const Option options[] = {{"replace", 0, OPTION_SWITCH, NULL, NULL, "put the files in place of what the cluster has", &replace, NULL},
                                  FLEET_LINT_OPTION(no_lint),
                                  {"sign", 0, OPTION_SWITCH, NULL, NULL, NULL, &unused, NULL},
                                  {0}};
        int code = fleet_parse_names(group, "submit", options, argc, argv, true, &arguments);

        if (code == 0 && !no_lint)
                code = fleet_lint_before(group, &arguments, replace);
        if (code == 0) {
                _cleanup_fleet_look_ FleetLook look = fleet_look(group, arguments.length);

                code = fleet_submit_units(&look, "submit", replace, &arguments, &names);
        }
        return code < 0 ? CLI_OK : code;
}
