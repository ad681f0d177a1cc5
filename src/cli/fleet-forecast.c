/* plan and whatif: what would be. */
#include <errno.h>

#include "cli/fleet.h"

static void add_short_id(Table *table, const char *id) {
        _cleanup_free_ char *text = *id ? str_printf("%.8s...", id) : strdup("-");

        (void)table_add(table, text ?: "-");
}

/* 0, or 1 when any finds no home. */
static int print_units(const FleetGroup *group, json_t *answer, const char *nothing) {
        json_t *units = json_object_get(answer, "units"), *unit;
        _cleanup_table_ Table table = {0};
        size_t i;

        if (json_array_size(units) == 0) {
                printf("%s\n", nothing);
                return CLI_OK;
        }
        table_init(&table, 4);
        (void)table_add(&table, "UNIT");
        (void)table_add(&table, "FROM");
        (void)table_add(&table, "TO");
        (void)table_add(&table, "WHY");
        json_array_foreach(units, i, unit) {
                (void)table_add(&table, cli_text(unit, "unit"));
                add_short_id(&table, cli_text(unit, "from"));
                if (json_is_true(json_object_get(unit, "homeless")))
                        (void)table_add(&table, "no home");
                else
                        add_short_id(&table, cli_text(unit, "to"));
                (void)table_add(&table, cli_text(unit, "why"));
        }
        table_print(&table, group->old ? TABLE_TABS : TABLE_SPACES, true);
        return json_integer_value(json_object_get(answer, "homeless")) > 0 ? CLI_FAILED : CLI_OK;
}

/* ---- whatif ---- */

static char *loss_target(const StringList *ids) {
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        (void)buffer_append_string(&target, "/faering/v1/whatif/node-loss");
        for (size_t i = 0; i < ids->length; i++) {
                (void)buffer_append_string(&target, i ? "&machine=" : "?machine=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(ids->items[i]));
        }
        return buffer_steal_string(&target, NULL);
}

static int print_losses(const FleetGroup *group, json_t *losses) {
        json_t *loss, *id;
        size_t i, j;
        int result = CLI_OK;

        json_array_foreach(losses, i, loss) {
                printf("%sWithout", i ? "\n" : "");
                json_array_foreach(json_object_get(loss, "machines"), j, id)
                        printf(" %.8s...", json_string_value(id));
                printf(":\n");
                if (print_units(group, loss, "no unit moves") != CLI_OK)
                        result = CLI_FAILED;
        }
        return result;
}

static int ask_whatif(FleetGroup *group, const StringList *arguments, CliAnswer *ret) {
        _cleanup_string_list_ StringList ids = {0}, names = {0};
        _cleanup_free_ char *target = NULL;
        int code = 0;

        if (arguments->length == 1 && str_equals(arguments->items[0], "any-1"))
                return fleet_request(group, "GET", "/faering/v1/whatif/any-1", NULL, ret);
        if (arguments->length < 2 || !str_equals(arguments->items[0], "node-loss")) {
                fleet_complain(group, "whatif takes \"node-loss MACHINE…\" or \"any-1\"");
                return CLI_USAGE;
        }
        for (size_t i = 1; i < arguments->length; i++)
                if (string_list_add(&names, arguments->items[i]) < 0)
                        return CLI_FAILED;
        code = fleet_find_machines(group, &names, &ids);
        target = loss_target(&ids);
        if (code == 0)
                code = target ? fleet_request(group, "GET", target, NULL, ret) : CLI_FAILED;
        return code;
}

int fleet_verb_whatif(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        bool as_json = false;
        const Option options[] = {FLEET_FORM_OPTION(as_json), {0}};
        json_t *losses, *loss;
        size_t i;
        int code, result = CLI_OK;

        if (verb_parse(verb_find(fleet_verbs, "whatif", false), group->program, options, OPTIONS_GNU, argc, argv, &arguments, &code) < 0)
                return code;
        code = ask_whatif(group, &arguments, &answer);
        if (code != 0)
                return code;
        losses = json_object_get(answer.json, "losses");
        if (!as_json)
                return print_losses(group, losses);
        fleet_print_answer(&answer);
        json_array_foreach(losses, i, loss)
                if (json_integer_value(json_object_get(loss, "homeless")) > 0)
                        result = CLI_FAILED;
        return result;
}

/* ---- plan ---- */

static int add_file(FleetGroup *group, const char *argument, bool replace, json_t *units) {
        _cleanup_free_ char *name = NULL;
        _cleanup_unitfile_ UnitFile file = {0};
        json_t *known = NULL, *options = json_array();
        Error error = ERROR_NONE;
        bool found = false;
        int code = unit_name_mangle(argument, &name, &error) < 0 ? CLI_USAGE : 0;

        if (code == 0)
                code = fleet_get_unit(group, name, &known);
        else
                fleet_complain(group, "%s", error.text);
        if (code == 0)
                code = fleet_read_local(group, argument, name, &file, &found);
        /* as start does it: without --replace the cluster's own text counts */
        if (code == 0 && known && (!replace || !found)) {
                json_decref(options);
                options = json_incref(json_object_get(known, "options"));
        } else if (code == 0 && found) {
                for (size_t i = 0; i < file.n_options; i++)
                        (void)json_array_append_new(options, json_pack("{s:s, s:s, s:s}", "section", unitfile_section_name(&file, &file.options[i]),
                                                                       "name", file.options[i].name, "value", file.options[i].value));
        } else if (code == 0) {
                fleet_complain(group, "there is neither a file %s nor a unit %s in the cluster", argument, name);
                code = CLI_FAILED;
        }
        if (code == 0)
                (void)json_array_append_new(units, json_pack("{s:s, s:s, s:O}", "name", name, "desiredState", "launched", "options", options));
        json_decref(options);
        json_decref(known);
        return code;
}

static int add_destroyed(FleetGroup *group, const char *argument, json_t *destroy) {
        _cleanup_free_ char *name = NULL;
        json_auto_t *unit = NULL;
        int code = fleet_show_unit(group, argument, "does not exist", &name, &unit);

        if (code != 0)
                return code;
        (void)json_array_append_new(destroy, json_string(name));
        return 0;
}

int fleet_verb_plan(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_free_ char *text = NULL;
        bool replace = false, destroy = false, as_json = false;
        const Option options[] = {{"replace", 0, OPTION_SWITCH, NULL, NULL, "as if the files were put in place of what the cluster has", &replace, NULL},
                                  {"destroy", 0, OPTION_SWITCH, NULL, NULL, "as if the units were destroyed", &destroy, NULL},
                                  FLEET_FORM_OPTION(as_json),
                                  {0}};
        int code = fleet_parse_names(group, "plan", options, argc, argv, true, &arguments);
        json_t *body;

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        body = json_pack("{s:[], s:[]}", "units", "destroy");
        for (size_t i = 0; code == 0 && i < arguments.length; i++)
                code = destroy ? add_destroyed(group, arguments.items[i], json_object_get(body, "destroy"))
                               : add_file(group, arguments.items[i], replace, json_object_get(body, "units"));
        text = json_dumps(body, 0);
        json_decref(body);
        if (code == 0)
                code = text ? fleet_request(group, "POST", "/faering/v1/plan", text, &answer) : CLI_FAILED;
        if (code != 0)
                return code;
        if (!as_json)
                return print_units(group, answer.json, "nothing would change its place");
        fleet_print_answer(&answer);
        return json_integer_value(json_object_get(answer.json, "homeless")) > 0 ? CLI_FAILED : CLI_OK;
}
