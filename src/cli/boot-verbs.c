/* The verbs of `faering boot`. All go through one session: open the root, read the file, do what the verb is for. */
#include "boot/session.h"

#include <errno.h>
#include <jansson.h>

#include "cli/boot.h"

typedef struct BootArguments {
        char *root, *output;
        StringList files;
} BootArguments;

static void arguments_deinit(BootArguments *arguments) {
        free(arguments->root);
        free(arguments->output);
        string_list_deinit(&arguments->files);
}
#define _cleanup_arguments_ _cleanup_(arguments_deinit)

static int complain(const BootGroup *group, const Error *error) {
        cli_complain(group->program, "%s", error->text[0] ? error->text : "out of memory");
        return CLI_FAILED;
}

/* 0, or -1 with the exit code. */
static int parse(const BootGroup *group, const char *name, const Option *options, size_t wanted, int argc, char **argv,
                 BootArguments *arguments, int *ret_exit) {
        const Verb *verb = verb_find(boot_verbs, name, false);

        if (verb_parse(verb, group->program, options, OPTIONS_GNU, argc, argv, &arguments->files, ret_exit) < 0)
                return -1;
        if (arguments->files.length == wanted)
                return 0;
        cli_complain(group->program, "%s takes %s; see \"%s %s --help\"", name, wanted ? "one FILE" : "no arguments",
                     group->program, name);
        *ret_exit = CLI_USAGE;
        return -1;
}

static int open_session(const BootArguments *arguments, BootSession *session, Error *error) {
        int r = boot_session_open(arguments->root ?: "/", session, error);

        if (r >= 0 && arguments->files.length > 0)
                r = boot_session_read(session, arguments->files.items[0], error);
        return r;
}

/* ---- validate ---- */

static bool has_errors(const Report *report) {
        for (size_t i = 0; i < report->length; i++)
                if (report->entries[i].level == REPORT_ERROR && report->entries[i].who != REPORT_THEIRS)
                        return true;
        return false;
}

/* The report is of form and values; a plan also finds what could not be carried out. */
static bool can_be_planned(BootSession *session, const Report *report, Error *error) {
        return has_errors(report) || boot_session_plan(session, BOOT_WORKSPACE, error) >= 0;
}

int boot_verb_validate(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;
        size_t lines = 0;
        int code;

        if (parse(group, "validate", NULL, 1, argc, argv, &arguments, &code) < 0)
                return code;
        if (open_session(&arguments, &session, &error) < 0 || boot_session_report(&session, &report) < 0 ||
            report_format(&report, REPORT_OURS, &text, &lines) < 0)
                return complain(group, &error);
        (void)fputs(buffer_string(&text) ?: "", stdout);
        if (!can_be_planned(&session, &report, &error))
                return complain(group, &error);
        return lines > 0 ? CLI_FAILED : CLI_OK;
}

/* ---- plan ---- */

static int print_plan(const BootPlan *plan, bool json) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = 0;

        if (json)
                r = boot_plan_format_json(plan, &text);
        for (size_t i = 0; !json && i < plan->length && r >= 0; i++) {
                r = boot_plan_format_step(&plan->steps[i], &text);
                if (r >= 0)
                        r = buffer_append_byte(&text, '\n');
        }
        if (r >= 0)
                (void)fputs(buffer_string(&text) ?: "", stdout);
        return r;
}

static void print_warnings(const BootGroup *group, const BootPlan *plan) {
        for (size_t i = 0; i < plan->warnings.length; i++)
                cli_complain(group->program, "warning: %s", plan->warnings.items[i]);
}

int boot_verb_plan(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        const Option options[] = {
                {"root", 0, OPTION_STRING, "DIR", NULL, "the machine whose files lie below DIR (default: /)",
                 &arguments.root, NULL},
                {"output", 'o', OPTION_STRING, "FORMAT", NULL, "text or json (default: text)", &arguments.output, NULL},
                {0},
        };
        Error error = ERROR_NONE;
        bool json;
        int code;

        if (parse(group, "plan", options, 1, argc, argv, &arguments, &code) < 0)
                return code;
        json = arguments.output && str_equals(arguments.output, "json");
        if (arguments.output && !json && !str_equals(arguments.output, "text")) {
                cli_complain(group->program, "--output is \"%s\": it must be text or json", arguments.output);
                return CLI_USAGE;
        }
        if (open_session(&arguments, &session, &error) < 0 || boot_session_plan(&session, BOOT_WORKSPACE, &error) < 0)
                return complain(group, &error);
        print_warnings(group, &session.plan);
        return print_plan(&session.plan, json) < 0 ? complain(group, &error) : CLI_OK;
}

/* ---- apply ---- */

static void on_step(void *userdata, const Step *step, int r, const char *result) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)userdata;
        if (r == BOOT_SAME || r == BOOT_NOT_MASKED)
                return;
        (void)boot_plan_format_step(step, &text);
        printf("%s%s%s\n", buffer_string(&text) ?: "", *result ? ": " : "", result);
}

static void on_ended(void *userdata, const Step *step, int r, const char *result) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)userdata;
        (void)boot_plan_format_step(step, &text);
        if (r == UNIT_COMMAND_PENDING)
                result = *result ? result : "goes on; look at it later";
        printf("%s: %s\n", buffer_string(&text) ?: "", result);
        if (r == UNIT_COMMAND_FAILED)
                printf("  faering boot went on: a unit that fails does not end it\n");
}

int boot_verb_apply(void *userdata, int argc, char **argv) {
        static const ApplyEvents events = {.done = on_step, .ended = on_ended};
        const BootGroup *group = userdata;
        _cleanup_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        const Option options[] = {
                {"root", 0, OPTION_STRING, "DIR", NULL, "write everything below DIR, and start nothing (default: /)",
                 &arguments.root, NULL},
                {0},
        };
        ApplyCount count;
        Error error = ERROR_NONE;
        int code;

        if (parse(group, "apply", options, 1, argc, argv, &arguments, &code) < 0)
                return code;
        if (open_session(&arguments, &session, &error) < 0 || boot_session_plan(&session, BOOT_WORKSPACE, &error) < 0) {
                code = complain(group, &error);
                cli_complain(group->program, "nothing was changed");
                return code;
        }
        print_warnings(group, &session.plan);
        if (boot_session_apply(&session, &events, NULL, &count, &error) < 0)
                return complain(group, &error);
        if (count.changed == 0)
                printf("nothing had to be changed: the machine is so already\n");
        return CLI_OK;
}

/* ---- status ---- */

static int print_status(const BootGroup *group, json_t *state) {
        const char *when, *source, *outcome, *why, *manager;
        json_int_t steps, done;

        if (json_unpack(state, "{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "when", &when, "source", &source, "outcome",
                        &outcome, "error", &why, "unitManager", &manager, "steps", &steps, "done", &done) < 0) {
                cli_complain(group->program, "%s is damaged; the next run writes it anew", BOOT_STATE_PATH);
                return CLI_FAILED;
        }
        printf("outcome  %s\nwhen     %s\nsource   %s\nsteps    %lld of %lld\n", outcome, when, source, (long long)done,
               (long long)steps);
        if (*manager)
                printf("units    %s\n", manager);
        if (*why)
                printf("error    %s\n", why);
        return str_equals(outcome, "applied") ? CLI_OK : CLI_FAILED;
}

int boot_verb_status(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_arguments_ BootArguments arguments = {0};
        _cleanup_root_files_ RootFiles files = {.fd = -1};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const Option options[] = {
                {"root", 0, OPTION_STRING, "DIR", NULL, "the machine whose files lie below DIR (default: /)",
                 &arguments.root, NULL},
                {0},
        };
        Error error = ERROR_NONE;
        json_t *state;
        int code, r;

        if (parse(group, "status", options, 0, argc, argv, &arguments, &code) < 0)
                return code;
        if (root_files_open(arguments.root ?: "/", &files, &error) < 0)
                return complain(group, &error);
        r = root_files_read(&files, BOOT_STATE_PATH, BOOT_STATE_MAX, &text, &error);
        if (r == -ENOENT) {
                printf("nothing was applied yet\n");
                return CLI_OK;
        }
        if (r < 0)
                return complain(group, &error);
        state = json_loadb(buffer_data(&text), buffer_length(&text), 0, NULL);
        code = print_status(group, state);
        json_decref(state);
        return code;
}
