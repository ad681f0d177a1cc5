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

static int print_journal(FleetGroup *group, const char *name, uint64_t lines, bool follow) {
        _cleanup_free_ char *base = fleet_unit_target("/faering/v1/logs", name), *target = NULL;
        Journal journal = {.name = name};
        HttpCallSpec spec = {.url = &group->endpoint};
        int r;

        if (base)
                target = str_printf("%s?lines=%" PRIu64 "%s", base, lines, follow ? "&follow=true" : "");
        if (!target)
                return CLI_FAILED;
        spec.target = target;
        r = http_client_call(group->http, &spec, &journal_ops, &journal, NULL);
        while (r >= 0 && !journal.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        buffer_deinit(&journal.line);
        if (r < 0 || journal.r < 0 || journal.status != 200) {
                fleet_complain(group, "cannot read what %s wrote: %s", name,
                               journal.error.text[0] ? journal.error.text : "this machine has nothing of it");
                return CLI_FAILED;
        }
        return CLI_OK;
}

int fleet_verb_journal(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *name = NULL;
        uint64_t lines = 10;
        bool follow = false;
        const Option options[] = {
                {"lines", 'n', OPTION_U64, "N", NULL, "how many old lines (default: 10)", &lines, NULL},
                {"follow", 'f', OPTION_SWITCH, NULL, NULL, "go on with new ones until interrupted", &follow, NULL},
                {0},
        };
        json_t *unit = NULL;
        int code = fleet_parse_names(group, "journal", options, argc, argv, false, &arguments);

        if (code == 0)
                code = fleet_show_unit(group, arguments.items[0], "does not exist.", &name, &unit);
        if (code != 0)
                return code < 0 ? CLI_OK : code;
        json_decref(unit);
        return print_journal(group, name, lines, follow);
}
