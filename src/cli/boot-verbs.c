/* What the verbs of `faering boot` share, and validate and apply. All go through one session: open the root, read the file,
 * do what the verb is for. */
#include <errno.h>

#include "cli/boot.h"

void boot_arguments_deinit(BootArguments *arguments) {
        free(arguments->root);
        free(arguments->output);
        string_list_deinit(&arguments->files);
}

int boot_complain(const BootGroup *group, const Error *error) {
        cli_complain(group->program, "%s", error->text[0] ? error->text : "out of memory");
        return CLI_FAILED;
}

int boot_arguments_parse(const BootGroup *group, const char *name, const Option *options, size_t wanted, int argc,
                         char **argv, BootArguments *arguments, int *ret_exit) {
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

int boot_arguments_want_json(const BootGroup *group, const BootArguments *arguments) {
        if (!arguments->output || str_equals(arguments->output, "text"))
                return 0;
        if (str_equals(arguments->output, "json"))
                return 1;
        cli_complain(group->program, "--output is \"%s\": it must be text or json", arguments->output);
        return -1;
}

int boot_arguments_open(const BootArguments *arguments, BootSession *session, Error *error) {
        int r;

        session->strict = arguments->strict;
        r = boot_session_open(arguments->root ?: "/", session, error);
        if (r >= 0 && arguments->files.length > 0)
                r = boot_session_read(session, arguments->files.items[0], error);
        return r;
}

int boot_arguments_plan(const BootArguments *arguments, BootSession *session, Error *error) {
        _cleanup_curl_fetch_ CurlFetch *fetch = NULL;
        int r = curl_fetch_new(&fetch);

        if (r >= 0)
                r = boot_arguments_open(arguments, session, error);
        if (r >= 0 && arguments->strict)
                r = boot_session_check_strict(session, curl_fetch_base(fetch), error);
        if (r >= 0)
                r = boot_session_plan(session, BOOT_WORKSPACE, error);
        return r < 0 ? r : boot_session_fetch_keys(session, curl_fetch_base(fetch), error);
}

void boot_print_warnings(const BootGroup *group, const BootPlan *plan) {
        for (size_t i = 0; i < plan->warnings.length; i++)
                cli_complain(group->program, "warning: %s", plan->warnings.items[i]);
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
        _cleanup_curl_fetch_ CurlFetch *fetch = NULL;

        if (has_errors(report))
                return true; /* that is told already */
        if (session->strict && report->length == 0 &&
            (curl_fetch_new(&fetch) < 0 || boot_session_check_strict(session, curl_fetch_base(fetch), error) < 0))
                return false;
        return boot_session_plan(session, BOOT_WORKSPACE, error) >= 0;
}

int boot_verb_validate(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_boot_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const Option options[] = {BOOT_OPTION_STRICT(&arguments), {0}};
        Error error = ERROR_NONE;
        size_t lines = 0;
        int code;

        if (boot_arguments_parse(group, "validate", options, 1, argc, argv, &arguments, &code) < 0)
                return code;
        if (boot_arguments_open(&arguments, &session, &error) < 0 || boot_session_report(&session, &report) < 0 ||
            report_format(&report, REPORT_OURS, &text, &lines) < 0)
                return boot_complain(group, &error);
        (void)fputs(buffer_string(&text) ?: "", stdout);
        if (!can_be_planned(&session, &report, &error))
                return boot_complain(group, &error);
        return lines > 0 ? CLI_FAILED : CLI_OK;
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
        if (r == UNIT_COMMAND_PENDING && !*result)
                result = "goes on; look at it later";
        printf("%s: %s\n", buffer_string(&text) ?: "", result);
        if (r == UNIT_COMMAND_FAILED)
                printf("  faering boot went on: a unit that fails does not end it\n");
}

int boot_verb_apply(void *userdata, int argc, char **argv) {
        static const ApplyEvents events = {.done = on_step, .ended = on_ended};
        const BootGroup *group = userdata;
        _cleanup_boot_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        const Option options[] = {
                {"root", 0, OPTION_STRING, "DIR", NULL, "write everything below DIR, and start nothing (default: /)",
                 &arguments.root, NULL},
                BOOT_OPTION_STRICT(&arguments),
                {0},
        };
        ApplyCount count;
        Error error = ERROR_NONE;
        int code;

        if (boot_arguments_parse(group, "apply", options, 1, argc, argv, &arguments, &code) < 0)
                return code;
        if (boot_arguments_plan(&arguments, &session, &error) < 0) {
                code = boot_complain(group, &error);
                cli_complain(group->program, "nothing was changed");
                return code;
        }
        boot_print_warnings(group, &session.plan);
        if (boot_session_apply(&session, &events, NULL, &count, &error) < 0)
                return boot_complain(group, &error);
        if (count.changed == 0)
                printf("nothing %shad to be changed: the machine is so already\n", count.remade > 0 ? "else " : "");
        return CLI_OK;
}
