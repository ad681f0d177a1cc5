/* Keys of [X-Fleet] and their values. */
#include <errno.h>
#include <strings.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "fleet/unit/health-check.h"
#include "fleet/unit/lint-internal.h"
#include "fleet/unit/resources.h"
#include "unitfile/word.h"

typedef int (*ValueCheck)(const UnitOption *option, LintReport *report);

static int complain(const UnitOption *option, LintReport *report, LintSeverity severity, const char *what) {
        return lint_report_add(report, severity, option->value_at, strlen(option->value), "%s=%s: %s", option->name,
                               option->value, what);
}

static int complain_words(const UnitOption *option, LintReport *report, LintSeverity severity, const char *what,
                          const char *const *words, size_t count) {
        const char *near = suggest_nearest(option->value, words, count);

        for (size_t i = 0; i < count; i++)
                if (strcasecmp(option->value, words[i]) == 0)
                        return 0;
        return lint_report_add(report, severity, option->value_at, strlen(option->value),
                               near ? "%s=%s: %s; did you mean %s?" : "%s=%s: %s", option->name, option->value, what,
                               near);
}

static int check_global(const UnitOption *option, LintReport *report) {
        static const char *const words[] = {"true", "yes", "1", "on", "t", "false", "no", "0", "off", "f"};

        return complain_words(option, report, LINT_WARNING, "this is read as false", words, ARRAY_SIZE(words));
}

static int check_overlap(const UnitOption *option, LintReport *report) {
        static const char *const words[] = {"true", "yes", "1", "on", "t", "false", "no", "0", "off", "f"};

        return complain_words(option, report, LINT_ERROR, "expected yes or no", words, ARRAY_SIZE(words));
}

static int check_partition(const UnitOption *option, LintReport *report) {
        static const char *const words[] = {"keep", "stop"};

        return complain_words(option, report, LINT_ERROR, "expected keep or stop", words, ARRAY_SIZE(words));
}

static int check_memory(const UnitOption *option, LintReport *report) {
        UnitResources resources = {0};

        return unit_parse_memory(option->value, &resources) >= 0
                       ? 0
                       : complain(option, report, LINT_ERROR, "expected an amount as 512M, 2G or 10%");
}

static int check_cpu(const UnitOption *option, LintReport *report) {
        uint64_t cpu;

        return unit_parse_cpu(option->value, &cpu) >= 0
                       ? 0
                       : complain(option, report, LINT_ERROR, "expected a number of CPUs as 1.5, or 150%");
}

static int check_move(const UnitOption *option, LintReport *report) {
        uint64_t number;

        if (str_parse_u64(slice_from(option->value), UINT32_MAX, &number) < 0)
                return complain(option, report, LINT_ERROR, "expected a number");
        return number <= 32
                       ? 0
                       : complain(option, report, LINT_WARNING, "only 32 failures are remembered: it will never move");
}

static int check_time(const UnitOption *option, LintReport *report) {
        Usec time;

        return str_parse_duration(slice_from(option->value), &time) >= 0
                       ? 0
                       : complain(option, report, LINT_ERROR, "expected a time as 30s or 10m");
}

static int check_spread(const UnitOption *option, LintReport *report) {
        _cleanup_string_list_ StringList words = {0};

        if (word_split(slice_from(option->value), WORD_ESCAPES_KEEP, &words, NULL) >= 0 && words.length > 0 &&
            words.length <= 2)
                return 0;
        return complain(option, report, LINT_ERROR, "expected a key of the metadata, and perhaps the name of a group");
}

static int check_health(const UnitOption *option, LintReport *report) {
        _cleanup_health_check_ HealthCheck check = {0};
        Error error = ERROR_NONE;
        int r;

        if (strchr(option->value, '%')) /* known only for an instance */
                return 0;
        r = health_check_parse(option->value, &check, &error);
        return r >= 0 || r == -ENOMEM ? r : complain(option, report, LINT_ERROR, error.text);
}

static bool is_pair(const char *word) {
        const char *equals = strchr(word, '=');

        return equals && equals != word && equals[1] && !strchr(equals + 1, '=');
}

static int check_metadata(const UnitOption *option, LintReport *report) {
        _cleanup_string_list_ StringList words = {0};
        bool quoted = option->value[0] == '"';
        int r;

        if (!quoted)
                return is_pair(option->value)
                               ? 0
                               : complain(option, report, LINT_WARNING, "this is no key=value, and is passed over");
        r = word_split(slice_from(option->value), WORD_ESCAPES_KEEP, &words, NULL);
        if (r == -ENOMEM)
                return r;
        for (size_t i = 0; i < words.length; i++)
                if (!is_pair(words.items[i]))
                        return complain(option, report, LINT_WARNING,
                                        "a part of it is no key=value, and is passed over");
        return 0;
}

/* A list without quotes is one name to fleet. */
static int check_peer(const UnitOption *option, LintReport *report) {
        if (option->value[0] != '"' && strchr(option->value, ' '))
                return complain(
                        option, report, LINT_WARNING,
                        "this is read as the name of one unit: several are written \"a.service\" \"b.service\"");
        if (option->value[0] && !strchr(option->value, '.'))
                return complain(option, report, LINT_WARNING, "no unit has such a name: it needs a type, as .service");
        return 0;
}

static const struct {
        const char *key;
        ValueCheck check;
} checks[] = {
        {"Global", check_global},
        {"Overlap", check_overlap},
        {"OnPartition", check_partition},
        {"Memory", check_memory},
        {"CPU", check_cpu},
        {"MoveAfterFailures", check_move},
        {"FailuresWithin", check_time},
        {"HealthCheck", check_health},
        {"HealthInterval", check_time},
        {"HealthTimeout", check_time},
        {"Spread", check_spread},
        {"MachineMetadata", check_metadata},
        {"X-ConditionMachineMetadata", check_metadata},
        {"MachineOf", check_peer},
        {"X-ConditionMachineOf", check_peer},
};

int lint_fleet_option(const UnitOption *option, LintReport *report) {
        const char *near;

        for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
                if (str_equals(option->name, checks[i].key))
                        return checks[i].check(option, report);
        if (unit_requirement_is_known(option->name))
                return 0;
        near = unit_requirement_near(option->name);
        return lint_report_add(report, LINT_WARNING, option->name_at, strlen(option->name),
                               near ? "%s= is no key of [X-Fleet], and has no effect; did you mean %s=?"
                                    : "%s= is no key of [X-Fleet], and has no effect",
                               option->name, near);
}

/* ---- what is not said ---- */

static int note_partition(const UnitFile *file, const UnitRequirements *requirements, LintReport *report) {
        const UnitOption *said = unitfile_next(file, "X-Fleet", "OnPartition", NULL);

        if (requirements->global || requirements->machine_id || requirements->stop_on_partition)
                return 0;
        return lint_report_add(report, LINT_NOTE, said ? said->value_at : (TextPosition){0},
                               said ? strlen(said->value) : 0,
                               "OnPartition=keep%s: if its machine loses the cluster, the unit goes on there, and is "
                               "started elsewhere as "
                               "well; OnPartition=stop stops it first",
                               said ? "" : " (the default)");
}

int lint_fleet_whole(const UnitFile *file, const char *name, LintReport *report) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        int r = unit_requirements_read(file, name, &requirements);

        return r < 0 ? r : note_partition(file, &requirements, report);
}
