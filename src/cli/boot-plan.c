/* `faering boot plan`: what applying would change here, files as diffs. What is so already is left out. */
#include <errno.h>

#include "boot/text-diff.h"
#include "cli/boot.h"

enum { FILE_SHOWN_MAX = 1024 * 1024 };

typedef struct Shown {
        BootSession *session;
        bool *same; /* of each step, for JSON; NULL: text is printed */
        size_t changes;
        Buffer text;
} Shown;

static void append_diff(const Shown *shown, const Step *step, Buffer *to) {
        _cleanup_buffer_ Buffer before = BUFFER_INIT;
        int r = root_files_read(&shown->session->files, step->path, FILE_SHOWN_MAX, &before, NULL);
        Slice have = {buffer_length(&before) ? buffer_data(&before) : "", buffer_length(&before)},
              want = {step->text, step->text_length};

        if (r < 0 && r != -ENOENT)
                (void)buffer_printf(to, "  %zu bytes come in place of what is there\n", step->text_length);
        else if (r >= 0 && slice_equals(have, want))
                (void)buffer_append_string(to, "  the text is the same; mode, owner or kind of file are not\n");
        else
                (void)text_diff(have, want, to);
}

static void on_step(void *userdata, const Step *step, int r, const char *result) {
        Shown *shown = userdata;
        bool same = r == BOOT_SAME || r == BOOT_NOT_MASKED;
        bool is_change = !same && step->kind != STEP_COMMAND && step->kind != STEP_RELOAD;

        (void)result;
        if (shown->same)
                shown->same[step - shown->session->plan.steps] = same;
        shown->changes += is_change;
        if (same || step->kind == STEP_RELOAD)
                return;
        (void)boot_plan_format_step(step, &shown->text);
        (void)buffer_append_byte(&shown->text, '\n');
        if (step->kind == STEP_FILE)
                append_diff(shown, step, &shown->text);
}

static int look(BootSession *session, bool json, Error *error) {
        static const ApplyEvents events = {.done = on_step};
        _cleanup_free_ bool *same = json ? calloc(session->plan.length + 1, sizeof(*same)) : NULL;
        Shown shown = {.session = session, .same = same};
        int r = json && !same ? -ENOMEM : boot_session_look(session, &events, &shown, error);

        if (r >= 0 && json) {
                buffer_clear(&shown.text);
                r = boot_plan_format_json(&session->plan, same, &shown.text);
        } else if (r >= 0 && shown.changes == 0) {
                r = buffer_printf(&shown.text, "nothing %swould be changed: the machine is so already\n",
                                  buffer_length(&shown.text) ? "else " : "");
        }
        if (r >= 0)
                (void)fputs(buffer_string(&shown.text) ?: "", stdout);
        buffer_deinit(&shown.text);
        return r;
}

int boot_verb_plan(void *userdata, int argc, char **argv) {
        const BootGroup *group = userdata;
        _cleanup_boot_arguments_ BootArguments arguments = {0};
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        const Option options[] = {
                BOOT_OPTION_ROOT(&arguments), BOOT_OPTION_OUTPUT(&arguments), BOOT_OPTION_STRICT(&arguments), {0}};
        Error error = ERROR_NONE;
        int code, json;

        if (boot_arguments_parse(group, "plan", options, 1, argc, argv, &arguments, &code) < 0)
                return code;
        json = boot_arguments_want_json(group, &arguments);
        if (json < 0)
                return CLI_USAGE;
        if (boot_arguments_plan(&arguments, &session, &error) < 0)
                return boot_complain(group, &error);
        boot_print_warnings(group, &session.plan);
        return look(&session, json > 0, &error) < 0 ? boot_complain(group, &error) : CLI_OK;
}
