/* What systemd makes of a unit file. */
#include <errno.h>
#include <strings.h>

#include "base/suggest.h"
#include "fleet/unit/lint-internal.h"
#include "unitfile/exec-line.h"
#include "unitfile/known-options.h"
#include "unitfile/known-values.h"

static int check_word(const UnitOption *option, const char *const *words, LintReport *report) {
        const char *near;
        size_t count = 0;

        for (; words[count]; count++)
                if (str_equals(option->value, words[count]))
                        return 0;
        if (!*option->value)
                return 0;
        near = suggest_nearest(option->value, words, count);
        return lint_report_add(report, LINT_WARNING, option->value_at, strlen(option->value),
                               near ? "%s=%s is not known, and systemd passes over it; did you mean %s?"
                                    : "%s=%s is not known, and systemd passes over it",
                               option->name, option->value, near);
}

static int check_exec(const UnitOption *option, LintReport *report) {
        _cleanup_exec_command_list_ ExecCommandList commands = {0};
        _cleanup_buffer_ Buffer value = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r = unitfile_join_value(option->value, &value);

        if (r < 0)
                return r;
        r = exec_line_parse(slice_from(buffer_string(&value) ?: ""), NULL, &commands, &error);
        if (r == -ENOMEM || r >= 0)
                return r;
        return lint_report_add(report, LINT_WARNING, option->value_at, strcspn(option->value, "\n"),
                               "%s= is passed over by systemd: %s", option->name, error.text);
}

static bool is_command(const char *name) {
        return str_starts_with(name, "Exec") && !str_equals(name, "ExecPaths") && !str_equals(name, "ExecSearchPath");
}

static int check_value(const char *section, const UnitOption *option, LintReport *report) {
        const char *const *words = known_value_words(section, option->name);
        const char *expected;

        if (words)
                return check_word(option, words, report);
        if (is_command(option->name))
                return check_exec(option, report);
        expected = known_value_fault(option->name, slice_from(option->value));
        return expected ? lint_report_add(report, LINT_WARNING, option->value_at, strcspn(option->value, "\n"),
                                          "%s= is passed over by systemd: expected %s", option->name, expected)
                        : 0;
}

int lint_systemd_option(const char *section, const UnitOption *option, LintReport *report) {
        size_t length = strlen(option->name);
        const char *other, *near;

        if (known_option(section, option->name))
                return check_value(section, option, report);
        if (str_starts_with(option->name, "X-"))
                return 0;
        near = known_option_near(section, option->name);
        if (near && strcasecmp(near, option->name) == 0)
                return lint_report_add(report, LINT_WARNING, option->name_at, length,
                                       "%s= in [%s] has no effect; did you mean %s=?", option->name, section, near);
        other = unit_requirement_is_known(option->name) ? "X-Fleet" : known_option_section(option->name);
        if (other)
                return lint_report_add(report, LINT_WARNING, option->name_at, length,
                                       "%s= has no effect in [%s]: it belongs to [%s]", option->name, section, other);
        return lint_report_add(report, LINT_WARNING, option->name_at, length,
                               near ? "%s= is not known in [%s], and has no effect; did you mean %s=?"
                                    : "%s= is not known in [%s], and has no effect",
                               option->name, section, near);
}

/* ---- what makes systemd refuse the whole unit ---- */

/* Values of a list option that are left when an empty assignment empties it. */
static size_t count_values(const UnitFile *file, const char *section, const char *name, const UnitOption **ret_last) {
        size_t count = 0;

        for (const UnitOption *option = NULL; (option = unitfile_next(file, section, name, option));) {
                count = *option->value ? count + 1 : 0;
                *ret_last = option;
        }
        return count;
}

static bool last_is(const UnitFile *file, const char *section, const char *name, const char *const *words,
                    const UnitOption **ret) {
        if (count_values(file, section, name, ret) == 0)
                return false;
        for (; *words; words++)
                if (str_equals((*ret)->value, *words))
                        return true;
        return false;
}

/* What systemd refuses the whole service for. */
static int lint_service(const UnitFile *file, LintReport *report) {
        static const char *const oneshots[] = {"oneshot", NULL}, *const always[] = {"always", "on-success", NULL};
        const UnitOption *start = NULL, *unused = NULL, *restart = NULL;
        size_t section = unitfile_find_section(file, slice_from("Service"));
        size_t starts = count_values(file, "Service", "ExecStart", &start);
        bool oneshot = last_is(file, "Service", "Type", oneshots, &unused);

        if (starts == 0 && count_values(file, "Service", "ExecStop", &unused) == 0 &&
            count_values(file, "Unit", "SuccessAction", &unused) == 0)
                return lint_report_add(report, LINT_ERROR,
                                       section == SIZE_MAX ? (TextPosition){0} : file->sections[section].at, 9,
                                       "the service has neither ExecStart= nor ExecStop=: no service manager runs it");
        if (starts > 1 && !oneshot)
                return lint_report_add(report, LINT_ERROR, start->name_at, strlen(start->name),
                                       "several ExecStart= are refused, but for Type=oneshot");
        if (oneshot && last_is(file, "Service", "Restart", always, &restart)) /* newer systemd takes it */
                return lint_report_add(report, LINT_WARNING, restart->value_at, strlen(restart->value),
                                       "Restart=%s is refused beside Type=oneshot by systemd before 254",
                                       restart->value);
        return 0;
}

static int lint_any_of(const UnitFile *file, const char *section, const char *const *names, const char *what,
                       LintReport *report) {
        size_t index = unitfile_find_section(file, slice_from(section));

        for (; *names; names++)
                if (unitfile_next(file, section, *names, NULL))
                        return 0;
        return lint_report_add(report, LINT_ERROR, index == SIZE_MAX ? (TextPosition){0} : file->sections[index].at,
                               strlen(section) + 2, "%s: systemd refuses it", what);
}

int lint_systemd_whole(const UnitFile *file, const char *name, LintReport *report) {
        static const char *const listens[] = {"ListenStream",       "ListenDatagram",    "ListenSequentialPacket",
                                              "ListenFIFO",         "ListenSpecial",     "ListenNetlink",
                                              "ListenMessageQueue", "ListenUSBFunction", NULL};
        static const char *const times[] = {"OnActiveSec",     "OnBootSec",         "OnStartupSec",
                                            "OnUnitActiveSec", "OnUnitInactiveSec", "OnCalendar",
                                            "OnClockChange",   "OnTimezoneChange",  NULL};
        static const char *const paths[] = {"PathExists",   "PathExistsGlob",    "PathChanged",
                                            "PathModified", "DirectoryNotEmpty", NULL};
        static const char *const whats[] = {"What", NULL};

        if (str_ends_with(name, ".service"))
                return lint_service(file, report);
        if (str_ends_with(name, ".socket"))
                return lint_any_of(file, "Socket", listens, "the socket has no Listen…=", report);
        if (str_ends_with(name, ".timer"))
                return lint_any_of(file, "Timer", times, "the timer has no time", report);
        if (str_ends_with(name, ".path"))
                return lint_any_of(file, "Path", paths, "the path unit watches no path", report);
        if (str_ends_with(name, ".mount"))
                return lint_any_of(file, "Mount", whats, "the mount has no What=", report);
        return 0;
}
