/* submit, and what load and start do first: units become known to the cluster. */
#include <errno.h>

#include "base/json-write.h"
#include "cli/fleet.h"
#include "fleet/unit/unit.h"

enum { UNIT_FILE_MAX = 1 << 20 };

static int read_file(const char *path, char **ret_text) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT_LIMIT(UNIT_FILE_MAX);
        FILE *file = fopen(path, "re");
        size_t got = 0;

        if (!file)
                return -errno;
        do {
                char *to = buffer_reserve(&text, 4096);

                if (!to)
                        break;
                got = fread(to, 1, 4096, file);
                buffer_commit(&text, got);
        } while (got > 0);
        (void)fclose(file);
        if (buffer_failed(&text))
                return buffer_failed(&text);
        *ret_text = buffer_string(&text) ? buffer_steal_string(&text, NULL) : NULL;
        return *ret_text ? 0 : -ENOMEM;
}

static int write_body(const UnitFile *file, Buffer *body) {
        JsonWriter json = json_writer(body);

        json_begin_object(&json);
        json_field_string(&json, "desiredState", "inactive");
        json_key(&json, "options");
        json_begin_array(&json);
        for (size_t i = 0; i < file->n_options; i++) {
                json_begin_object(&json);
                json_field_string(&json, "section", unitfile_section_name(file, &file->options[i]));
                json_field_string(&json, "name", file->options[i].name);
                json_field_string(&json, "value", file->options[i].value);
                json_end_object(&json);
        }
        json_end_array(&json);
        json_end_object(&json);
        return buffer_failed(body);
}

static int submit_text(FleetGroup *group, const char *name, const char *text, const char *source) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        _cleanup_free_ char *target = fleet_unit_target("/fleet/v1/units", name);
        _cleanup_cli_answer_ CliAnswer answer = {0};
        TextPosition at = {0};
        Error error = ERROR_NONE;

        if (unitfile_parse(&file, slice_from(text), &at, &error) < 0) {
                cli_complain(group->program, "%s:%u:%u: %s", source, at.line, at.column, error.text);
                return CLI_FAILED;
        }
        if (!target || write_body(&file, &body) < 0 || !buffer_string(&body))
                return CLI_FAILED;
        return fleet_request(group, "PUT", target, buffer_string(&body), &answer);
}

/* The text of a unit in the cluster, from its options. */
static int submit_copy(FleetGroup *group, const char *name, json_t *template) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        json_t *option;
        size_t i;

        json_array_foreach(json_object_get(template, "options"), i, option)
                if (unitfile_add(&file, slice_from(cli_text(option, "section")), slice_from(cli_text(option, "name")),
                                 slice_from(cli_text(option, "value")), NULL) < 0)
                        return CLI_FAILED;
        if (unitfile_write(&file, &text) < 0 || !buffer_string(&text))
                return CLI_FAILED;
        return submit_text(group, name, buffer_string(&text), name);
}

/* "web@.service" of "web@1.service"; NULL when it is no instance. */
static char *template_name(const char *name) {
        const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

        if (!at || !dot || dot <= at + 1)
                return NULL;
        return str_printf("%.*s%s", (int)(at + 1 - name), name, dot);
}

/* The file of a unit whose argument was given without ".service". */
static int read_argument(const char *argument, const char *name, char **ret_text) {
        _cleanup_free_ char *beside = NULL;
        const char *slash = strrchr(argument, '/');
        int r = read_file(argument, ret_text);

        if (r != -ENOENT)
                return r;
        beside = str_printf("%.*s%s", slash ? (int)(slash + 1 - argument) : 0, argument, name);
        return beside ? read_file(beside, ret_text) : -ENOMEM;
}

static int submit_one(FleetGroup *group, const char *argument, const char *name) {
        _cleanup_free_ char *text = NULL, *template = template_name(name), *template_file = NULL;
        const char *slash = strrchr(argument, '/');
        json_t *known = NULL;
        int code = fleet_get_unit(group, name, &known), r;

        if (code != 0)
                return code;
        if (known) {
                json_decref(known);
                return 0;
        }
        r = read_argument(argument, name, &text);
        if (r >= 0)
                return submit_text(group, name, text, argument);
        if (r != -ENOENT) {
                cli_complain(group->program, "cannot read %s: %s", argument, strerror(-r));
                return CLI_FAILED;
        }
        if (template) {
                code = fleet_get_unit(group, template, &known);
                if (code == 0 && known) {
                        code = submit_copy(group, name, known);
                        json_decref(known);
                        return code;
                }
                template_file = str_printf("%.*s%s", slash ? (int)(slash + 1 - argument) : 0, argument, template);
                if (code == 0 && template_file && read_file(template_file, &text) >= 0)
                        return submit_text(group, name, text, template_file);
        }
        if (code == 0)
                cli_complain(group->program, "unable to find Unit(%s) in Registry or on filesystem%s%s", name,
                             template ? "; nor its template " : "", template ?: "");
        return CLI_FAILED;
}

int fleet_submit_units(FleetGroup *group, const StringList *arguments, StringList *names) {
        for (size_t i = 0; i < arguments->length; i++) {
                Error error = ERROR_NONE;
                char *name;
                int code;

                if (unit_name_mangle(arguments->items[i], &name, &error) < 0) {
                        cli_complain(group->program, "%s", error.text);
                        return CLI_USAGE;
                }
                if (string_list_take(names, name) < 0)
                        return CLI_FAILED;
                code = submit_one(group, arguments->items[i], name);
                if (code != 0)
                        return code;
        }
        return 0;
}

int fleet_verb_submit(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0}, names = {0};
        int code;

        if (verb_parse(verb_find(fleet_verbs, "submit", false), group->program, NULL, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        if (arguments.length == 0) {
                cli_complain(group->program, "submit needs at least one unit");
                return CLI_USAGE;
        }
        code = fleet_submit_units(group, &arguments, &names);
        for (size_t i = 0; code == 0 && i < names.length; i++)
                printf("Unit %s inactive\n", names.items[i]);
        return code;
}
