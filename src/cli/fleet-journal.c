/* journal: what a unit wrote, wherever it runs. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "cli/fleet.h"

static void print_log_line(const char *name, json_t *line) {
        time_t seconds = (time_t)(json_integer_value(json_object_get(line, "time")) / (json_int_t)USEC_PER_SEC);
        struct tm parts;
        char at[32] = "";

        if (localtime_r(&seconds, &parts))
                (void)strftime(at, sizeof(at), "%b %d %H:%M:%S", &parts);
        printf("%s %s[%" JSON_INTEGER_FORMAT "]: %s\n", at, name, json_integer_value(json_object_get(line, "pid")),
               cli_text(line, "text"));
}

typedef struct Journal {
        const char *name;
        Buffer line;
        bool done;
        int r;
        unsigned status;
        Error error;
} Journal;

static void on_journal_body(HttpCall *call, Slice bytes) {
        Journal *journal = http_call_userdata(call);

        if (http_call_status(call) != 200) {
                (void)buffer_append(&journal->line, bytes.data, bytes.length);
                return;
        }
        for (size_t i = 0; i < bytes.length; i++) {
                json_t *line;

                if (bytes.data[i] != '\n') {
                        (void)buffer_append_byte(&journal->line, bytes.data[i]);
                        continue;
                }
                line = json_loadb(buffer_data(&journal->line), buffer_length(&journal->line), 0, NULL);
                if (line)
                        print_log_line(journal->name, line);
                json_decref(line);
                buffer_clear(&journal->line);
        }
        (void)fflush(stdout);
}

static void on_journal_done(HttpCall *call, int r, const Error *error) {
        Journal *journal = http_call_userdata(call);

        journal->status = http_call_status(call);
        journal->done = true;
        journal->r = r;
        journal->error = *error;
}

static const HttpCallOps journal_ops = {.body = on_journal_body, .done = on_journal_done};

/* "…/logs/NAME?lines=N&follow=true&machine=ID" */
static char *journal_target(const char *name, const FleetJournal *what) {
        _cleanup_free_ char *base = fleet_unit_target("/faering/v1/logs", name);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        if (!base)
                return NULL;
        (void)buffer_printf(&target, "%s?lines=%" PRIu64 "%s", base, what->lines, what->follow ? "&follow=true" : "");
        if (what->machine) {
                (void)buffer_append_string(&target, "&machine=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(what->machine));
        }
        return buffer_steal_string(&target, NULL);
}

static void complain_journal(FleetGroup *group, const char *name, Journal *journal) {
        json_t *body = json_loadb(buffer_data(&journal->line), buffer_length(&journal->line), 0, NULL);
        const char *message = cli_text(json_object_get(body, "error"), "message");

        fleet_complain(group, "cannot read what %s wrote: %s", name,
                       journal->error.text[0] ? journal->error.text
                       : *message             ? message
                                              : "there is nothing of it");
        json_decref(body);
}

int fleet_print_journal(FleetGroup *group, const char *name, const FleetJournal *what) {
        _cleanup_free_ char *target = journal_target(name, what);
        Journal journal = {.name = name};
        HttpCallSpec spec = {.url = &group->endpoint, .target = target};
        int code = CLI_OK, r;

        if (!target)
                return CLI_FAILED;
        r = http_client_call(group->http, &spec, &journal_ops, &journal, NULL);
        while (r >= 0 && !journal.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        if (r < 0 || journal.r < 0 || journal.status != 200) {
                complain_journal(group, name, &journal);
                code = CLI_FAILED;
        }
        buffer_deinit(&journal.line);
        return code;
}

int fleet_verb_journal(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *name = NULL;
        _cleanup_free_ char *output = NULL, *machine = NULL;
        FleetJournal what = {.lines = FLEET_JOURNAL_LINES};
        uint64_t unused = 0;
        bool unused_switch = false;
        const Option options[] = {
                {"lines", 'n', OPTION_U64, "N", NULL, "how many old lines (default: 10)", &what.lines, NULL},
                {"follow", 'f', OPTION_SWITCH, NULL, NULL, "go on with new ones until interrupted", &what.follow, NULL},
                {"f", 0, OPTION_SWITCH, NULL, NULL, NULL, &what.follow, NULL},
                {"machine", 'm', OPTION_STRING, "ID", NULL, "of a global unit: which machine's", &machine, NULL},
                {"output", 'o', OPTION_STRING, NULL, NULL, NULL, &output, NULL},
                {"ssh-port", 0, OPTION_U64, NULL, NULL, NULL, &unused, NULL},
                {"sudo", 0, OPTION_SWITCH, NULL, NULL, NULL, &unused_switch, NULL},
                {0},
        };
        json_t *unit = NULL;
        int code = fleet_parse_names(group, "journal", options, argc, argv, false, &arguments);

        if (code == 0)
                code = fleet_show_unit(group, arguments.items[0], "does not exist.", &name, &unit);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        what.machine = machine;
        if (!machine && fleet_unit_is_global(unit)) {
                fleet_complain(group, "Unable to retrieve journal of global unit %s. --machine says of which machine",
                               name);
                code = CLI_FAILED;
        }
        json_decref(unit);
        return code != 0 ? code : fleet_print_journal(group, name, &what);
}
