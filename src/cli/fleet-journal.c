/* journal: what units wrote, wherever they run: one stream of each unit and machine, put together by time. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "cli/fleet.h"

enum {
        LINES_DEFAULT = 10,
        STREAMS_MAX = 256,
        HELD_MAX = 200000, /* lines that wait for their turn */
        WINDOW_MSEC = 200, /* while following: lines that come together are put in order */
        CONNECT_MSEC = 3000,
        HEAD_MSEC = 10000,    /* the daemon asked another machine's, which has less */
        SILENCE_MSEC = 15000, /* it says so when there is nothing to say */
        MOVES_MSEC = 2000,
};

typedef struct Journal Journal;

/* What one unit writes on one machine. */
typedef struct JournalStream {
        Journal *journal;
        char *unit;
        char *machine; /* told with each line: of a global unit; NULL: wherever it is */
        char *target;
        char *at;      /* the machine that is read, of a unit that is followed where it goes; NULL: one that stays */
        json_int_t last; /* time of its newest line */
        json_int_t skip; /* lines that are not newer are not wanted */
        HttpCall *call;  /* NULL: it is over */
        Buffer line;
        bool done;
        bool failed;
} JournalStream;

typedef struct JournalLine {
        const JournalStream *stream;
        json_t *json;
        json_int_t time;
        size_t number; /* in the order of coming */
} JournalLine;

/* journalctl's names for them */
typedef enum JournalForm {
        JOURNAL_SHORT,
        JOURNAL_ISO,
        JOURNAL_CAT,
        JOURNAL_JSON,
} JournalForm;

struct Journal {
        FleetGroup *group;
        JournalForm form;
        uint64_t lines;
        bool follow;
        const char *machine; /* the beginning of the ID that was asked for; NULL: all of the unit's */
        JournalStream *streams;
        size_t n_streams;
        JournalLine *held;
        size_t n_held, capacity, numbered;
        uv_timer_t window;
        uv_timer_t moves; /* when to look whether units have moved */
};

/* ---- lines ---- */

static int compare_lines(const void *a, const void *b) {
        const JournalLine *x = a, *y = b;

        if (x->time != y->time)
                return x->time < y->time ? -1 : 1;
        return x->number < y->number ? -1 : x->number > y->number;
}

static void print_json(const JournalLine *line) {
        const char *machine = line->stream->machine ?: line->stream->at;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_i64(&json, "time", line->time); /* microseconds */
        json_field_string(&json, "unit", line->stream->unit);
        if (machine)
                json_field_string(&json, "machine", machine);
        json_field_i64(&json, "pid", json_integer_value(json_object_get(line->json, "pid")));
        json_field_string(&json, "text", cli_text(line->json, "text"));
        json_end_object(&json);
        printf("%s\n", buffer_string(&text) ?: "");
}

static void print_line(JournalForm form, const JournalLine *line) {
        time_t seconds = (time_t)(line->time / (json_int_t)USEC_PER_SEC);
        json_int_t pid = json_integer_value(json_object_get(line->json, "pid"));
        struct tm parts;
        char at[32] = "";

        if (form == JOURNAL_JSON || form == JOURNAL_CAT) {
                if (form == JOURNAL_JSON)
                        print_json(line);
                else
                        printf("%s\n", cli_text(line->json, "text"));
                return;
        }
        if (localtime_r(&seconds, &parts))
                (void)strftime(at, sizeof(at), form == JOURNAL_ISO ? "%Y-%m-%dT%H:%M:%S%z" : "%b %d %H:%M:%S", &parts);
        printf("%s %s", at, line->stream->unit);
        if (line->stream->machine)
                printf(" on %.8s...", line->stream->machine);
        if (pid > 0) /* otherwise it is the supervisor that says it */
                printf("[%" JSON_INTEGER_FORMAT "]", pid);
        printf(": %s\n", cli_text(line->json, "text"));
}

static int set_form(void *target, const char *value, Error *error) {
        static const char *const forms[] = {[JOURNAL_SHORT] = "short", [JOURNAL_ISO] = "short-iso", [JOURNAL_CAT] = "cat", [JOURNAL_JSON] = "json"};

        for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
                if (str_equals(value, forms[i])) {
                        *(JournalForm *)target = (JournalForm)i;
                        return 0;
                }
        return error_set(error, -EINVAL, "unknown form \"%s\": it is short, short-iso, cat or json", value);
}

static void print_held(Journal *journal) {
        if (journal->n_held > 1)
                qsort(journal->held, journal->n_held, sizeof(*journal->held), compare_lines);
        for (size_t i = 0; i < journal->n_held; i++) {
                print_line(journal->form, &journal->held[i]);
                json_decref(journal->held[i].json);
        }
        journal->n_held = 0;
        cli_flush();
}

static void on_window(uv_timer_t *timer) {
        print_held(timer->data);
}

/* Takes `json`. */
static void hold_line(JournalStream *stream, json_t *json) {
        Journal *journal = stream->journal;
        json_int_t time = json_integer_value(json_object_get(json, "time"));

        if (stream->skip > 0 && time <= stream->skip) {
                json_decref(json);
                return;
        }
        stream->last = max_of(stream->last, time);

        if (journal->n_held == journal->capacity) {
                size_t capacity = journal->capacity ? journal->capacity * 2 : 64;
                JournalLine *larger = reallocarray(journal->held, capacity, sizeof(*larger));

                if (!larger) {
                        json_decref(json);
                        return;
                }
                journal->held = larger;
                journal->capacity = capacity;
        }
        journal->held[journal->n_held++] =
                (JournalLine){stream, json, time, journal->numbered++};
        if (journal->n_held == HELD_MAX)
                print_held(journal);
        else if (journal->follow && !uv_is_active((uv_handle_t *)&journal->window))
                (void)uv_timer_start(&journal->window, on_window, WINDOW_MSEC, 0);
}

/* ---- streams ---- */

static void on_body(HttpCall *call, Slice bytes) {
        JournalStream *stream = http_call_userdata(call);

        if (http_call_status(call) != 200) {
                (void)buffer_append(&stream->line, bytes.data, bytes.length);
                return;
        }
        for (size_t i = 0; i < bytes.length; i++) {
                json_t *line;

                if (bytes.data[i] != '\n') {
                        (void)buffer_append_byte(&stream->line, bytes.data[i]);
                        continue;
                }
                line = buffer_length(&stream->line)
                               ? json_loadb(buffer_data(&stream->line), buffer_length(&stream->line), 0, NULL)
                               : NULL;
                if (line)
                        hold_line(stream, line);
                buffer_clear(&stream->line);
        }
}

/* With what the others have written before it, so that nobody takes the silence for an end of these. */
static void complain(const JournalStream *stream, const char *why) {
        FleetGroup *group = stream->journal->group;

        print_held(stream->journal);
        if (stream->machine)
                fleet_complain(group, "cannot read what %s wrote on %.8s...: %s", stream->unit, stream->machine, why);
        else
                fleet_complain(group, "cannot read what %s wrote: %s", stream->unit, why);
}

static void on_done(HttpCall *call, int r, const Error *error) {
        JournalStream *stream = http_call_userdata(call);
        json_t *body;
        const char *message;

        stream->call = NULL;
        stream->done = true;
        stream->failed = r < 0 || http_call_status(call) != 200;
        if (!stream->failed)
                return;
        body = r < 0 ? NULL
                     : json_loadb(buffer_length(&stream->line) ? buffer_data(&stream->line) : "",
                                  buffer_length(&stream->line), 0, NULL);
        message = cli_text(json_object_get(body, "error"), "message");
        complain(stream, r < 0 ? error->text : *message ? message : "there is nothing of it");
        json_decref(body);
}

static const HttpCallOps stream_ops = {.body = on_body, .done = on_done};

static int start_stream(JournalStream *stream) {
        FleetGroup *group = stream->journal->group;
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .target = stream->target,
                .connect_timeout = CONNECT_MSEC * USEC_PER_MSEC,
                .head_timeout = HEAD_MSEC * USEC_PER_MSEC,
                .idle_timeout = SILENCE_MSEC * USEC_PER_MSEC,
        };

        return http_client_call(group->http, &spec, &stream_ops, stream, &stream->call) < 0 ? CLI_FAILED : 0;
}

/* "…/logs/NAME?lines=N&follow=true&machine=ID" */
static char *stream_target(const Journal *journal, const char *unit, const char *machine) {
        _cleanup_free_ char *base = fleet_unit_target("/faering/v1/logs", unit);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;

        if (!base)
                return NULL;
        (void)buffer_printf(&target, "%s?lines=%" PRIu64 "%s", base, journal->lines,
                            journal->follow ? "&follow=true" : "");
        if (machine) {
                (void)buffer_append_string(&target, "&machine=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(machine));
        }
        return buffer_steal_string(&target, NULL);
}

/* `machine`: that is asked; `told`: it stands in each line. */
static int add_stream(Journal *journal, const char *unit, const char *machine, bool told) {
        JournalStream *stream = &journal->streams[journal->n_streams];

        if (journal->n_streams == STREAMS_MAX) {
                fleet_complain(journal->group, "more than %d logs at once: name fewer units", STREAMS_MAX);
                return CLI_USAGE;
        }
        *stream = (JournalStream){
                .journal = journal, .unit = strdup(unit), .target = stream_target(journal, unit, machine)};
        journal->n_streams++;
        if (told)
                stream->machine = strdup(machine);
        return stream->unit && stream->target && (!told || stream->machine) ? 0 : CLI_FAILED;
}

/* One for each machine that has told of it. */
static int add_global(Journal *journal, const char *unit) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code = fleet_ask_of(journal->group, "/faering/v1/states", unit, &answer);
        json_t *state;
        size_t i;

        json_array_foreach (json_object_get(answer.json, "states"), i, state)
                if (code == 0)
                        code = add_stream(journal, unit, cli_text(state, "machine"), true);
        if (code == 0 && json_array_size(json_object_get(answer.json, "states")) == 0)
                (void)fprintf(stderr, "%s runs on no machine\n", unit);
        return code;
}

/* Wherever it is now, and goes. */
static int add_mobile(Journal *journal, const char *name, const char *machine) {
        int code = add_stream(journal, name, NULL, false);

        if (code == 0)
                journal->streams[journal->n_streams - 1].at = strdup(machine);
        return code;
}

static int add_unit(Journal *journal, const char *argument) {
        _cleanup_free_ char *name = NULL;
        json_t *unit = NULL;
        int code = fleet_show_unit(journal->group, argument, "does not exist.", &name, &unit);

        if (code == 0 && journal->machine)
                code = add_stream(journal, name, journal->machine, false);
        else if (code == 0)
                code = fleet_unit_is_global(unit) ? add_global(journal, name) : add_mobile(journal, name, cli_text(unit, "machineID"));
        json_decref(unit);
        return code;
}

/* ---- units that move while they are followed ---- */

static void on_looked(HttpCall *call, int r, const Error *error) {
        JournalStream *stream = http_call_userdata(call);
        Slice body = http_call_body(call);
        json_t *unit = r < 0 ? NULL : json_loadb(body.length ? body.data : "", body.length, 0, NULL);
        const char *machine = cli_text(unit, "machineID");
        char *copy;

        (void)error; /* looked at again in a while */
        if (*machine && !str_equals(machine, stream->at) && (copy = strdup(machine))) {
                free(stream->at);
                stream->at = copy;
                if (stream->call)
                        http_call_cancel(stream->call);
                stream->call = NULL;
                buffer_clear(&stream->line);
                stream->skip = stream->last; /* what an earlier stay has left there is old */
                stream->failed = start_stream(stream) != 0;
                stream->done = stream->failed;
        }
        json_decref(unit);
}

static const HttpCallOps look_ops = {.done = on_looked};

static void on_moves(uv_timer_t *timer) {
        Journal *journal = timer->data;
        FleetGroup *group = journal->group;

        cli_flush(); /* also when nothing is written: perhaps nobody reads any more */
        for (size_t i = 0; i < journal->n_streams; i++) {
                JournalStream *stream = &journal->streams[i];
                _cleanup_free_ char *target = stream->at ? fleet_unit_target("/fleet/v1/units", stream->unit) : NULL;
                const HttpCallSpec spec = {
                        .url = &group->endpoint,
                        .target = target,
                        .connect_timeout = CONNECT_MSEC * USEC_PER_MSEC,
                        .head_timeout = MOVES_MSEC * USEC_PER_MSEC,
                };

                if (target)
                        (void)http_client_call(group->http, &spec, &look_ops, stream, NULL);
        }
}

/* ---- all ---- */

static bool is_over(const Journal *journal) {
        for (size_t i = 0; i < journal->n_streams; i++)
                if (!journal->streams[i].done)
                        return false;
        return true;
}

static int run(Journal *journal) {
        int code = 0;

        for (size_t i = 0; code == 0 && i < journal->n_streams; i++)
                code = start_stream(&journal->streams[i]);
        if (journal->follow)
                (void)uv_timer_start(&journal->moves, on_moves, MOVES_MSEC, MOVES_MSEC);
        while (code == 0 && !is_over(journal))
                (void)uv_run(&journal->group->loop, UV_RUN_ONCE);
        print_held(journal);
        for (size_t i = 0; i < journal->n_streams; i++)
                if (journal->streams[i].failed)
                        code = CLI_FAILED;
        return code;
}

static void journal_deinit(Journal *journal) {
        for (size_t i = 0; i < journal->n_streams; i++) {
                free(journal->streams[i].unit);
                free(journal->streams[i].machine);
                free(journal->streams[i].target);
                free(journal->streams[i].at);
                buffer_deinit(&journal->streams[i].line);
        }
        free(journal->streams);
        free(journal->held);
}

static int print_journal(Journal *journal, const StringList *arguments) {
        int code = 0;

        journal->streams = calloc(STREAMS_MAX, sizeof(*journal->streams));
        if (!journal->streams)
                return CLI_FAILED;
        (void)uv_timer_init(&journal->group->loop, &journal->window);
        (void)uv_timer_init(&journal->group->loop, &journal->moves);
        journal->window.data = journal->moves.data = journal;
        for (size_t i = 0; code == 0 && i < arguments->length; i++)
                code = add_unit(journal, arguments->items[i]);
        if (code == 0)
                code = run(journal);
        uv_close((uv_handle_t *)&journal->window, NULL);
        uv_close((uv_handle_t *)&journal->moves, NULL);
        (void)uv_run(&journal->group->loop, UV_RUN_NOWAIT);
        return code;
}

int fleet_verb_journal(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_(journal_deinit) Journal journal = {.group = group, .lines = LINES_DEFAULT};
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_free_ char *machine = NULL;
        uint64_t unused = 0;
        bool unused_switch = false;
        const Option options[] = {
                {"lines", 'n', OPTION_U64, "N", NULL, "how many old lines of each (default: 10)", &journal.lines, NULL},
                {"follow", 'f', OPTION_SWITCH, NULL, NULL, "go on with new ones until interrupted", &journal.follow,
                 NULL},
                {"f", 0, OPTION_SWITCH, NULL, NULL, NULL, &journal.follow, NULL},
                {"machine", 'm', OPTION_STRING, "ID", NULL, "of a global unit: which machine's (default: all)",
                 &machine, NULL},
                {"output", 'o', OPTION_CALL, "FORM", NULL, "short, short-iso, cat or json", &journal.form, set_form},
                {"ssh-port", 0, OPTION_U64, NULL, NULL, NULL, &unused, NULL},
                {"sudo", 0, OPTION_SWITCH, NULL, NULL, NULL, &unused_switch, NULL},
                {0},
        };
        int code = fleet_parse_names(group, "journal", options, argc, argv, true, &arguments);

        if (code != 0)
                return code < 0 ? CLI_OK : code;
        journal.machine = machine;
        return print_journal(&journal, &arguments);
}
