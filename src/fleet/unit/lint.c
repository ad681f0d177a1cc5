#include "fleet/unit/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>

#include "base/encode.h"
#include "base/suggest.h"
#include "fleet/unit/lint-internal.h"
#include "fleet/unit/validate.h"
#include "unitfile/known-options.h"

/* ---- the report ---- */

void lint_report_deinit(LintReport *report) {
        for (size_t i = 0; i < report->length; i++)
                free(report->items[i].text);
        free(report->items);
        *report = (LintReport){0};
}

int lint_report_add(LintReport *report, LintSeverity severity, TextPosition at, size_t length, const char *format,
                    ...) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        va_list args;

        if (report->length == LINT_FINDINGS_MAX)
                return 0;
        if (report->length == report->capacity) {
                size_t capacity = report->capacity ? report->capacity * 2 : 8;
                LintFinding *items = reallocarray(report->items, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                report->items = items;
                report->capacity = capacity;
        }
        va_start(args, format);
        (void)buffer_vprintf(&text, format, args);
        va_end(args);
        if (buffer_failed(&text) < 0 || !buffer_string(&text))
                return -ENOMEM;
        report->items[report->length++] = (LintFinding){severity, at, length, buffer_steal_string(&text, NULL), false};
        return 0;
}

size_t lint_report_count(const LintReport *report, LintSeverity severity) {
        size_t count = 0;

        for (size_t i = 0; i < report->length; i++)
                count += report->items[i].severity == severity;
        return count;
}

/* ---- as text ---- */

const char *lint_severity_to_string(LintSeverity severity) {
        static const char *const words[] = {[LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};

        return words[severity];
}

static bool find_line(Slice text, uint32_t number, Slice *ret) {
        Slice line = {text.data, 0};

        for (uint32_t i = 1;; i++) {
                const char *end;

                line.length = text.length - (size_t)(line.data - text.data);
                end = line.length ? memchr(line.data, '\n', line.length) : NULL;
                if (end)
                        line.length = (size_t)(end - line.data);
                if (i == number) {
                        *ret = line;
                        return true;
                }
                if (!end)
                        return false;
                line.data = end + 1;
        }
}

/* The line, and under it blanks (tabs where it has tabs) up to the column, a caret and tildes. */
static void write_place(const LintFinding *finding, Slice line, Buffer *to) {
        size_t left = finding->at.column ? finding->at.column - 1 : 0;

        (void)buffer_append_string(to, "        ");
        for (size_t i = 0; i < line.length; i++) /* a control character of the file is none of the terminal's */
                (void)buffer_append_byte(to, (unsigned char)line.data[i] < ' ' && line.data[i] != '\t' ? '?'
                                                                                                       : line.data[i]);
        (void)buffer_append_string(to, "\n        ");
        for (size_t i = 0; i < line.length && left > 0; left--) {
                size_t length = max_of(utf8_sequence_length(line.data + i, line.length - i), (size_t)1);

                (void)buffer_append_byte(to, line.data[i] == '\t' ? '\t' : ' ');
                i += length;
        }
        (void)buffer_append_byte(to, '^');
        for (size_t i = 1; i < finding->length && i < line.length; i++)
                (void)buffer_append_byte(to, '~');
        (void)buffer_append_byte(to, '\n');
}

int lint_finding_write(const LintFinding *finding, const char *path, Slice text, Buffer *to) {
        const char *severity = lint_severity_to_string(finding->severity);
        Slice line;

        if (finding->at.line == 0) {
                (void)buffer_printf(to, "%s: %s: %s\n", path, severity, finding->text);
                return buffer_failed(to);
        }
        (void)buffer_printf(to, "%s:%u:%u: %s: %s\n", path, finding->at.line, finding->at.column, severity,
                            finding->text);
        if (find_line(text, finding->at.line, &line))
                write_place(finding, line, to);
        return buffer_failed(to);
}

/* ---- the file ---- */

static int lint_section(const UnitSection *section, LintReport *report) {
        const char *near;

        if (known_section(section->name) || str_equals(section->name, "X-Fleet"))
                return 0;
        near = known_section_near(section->name);
        if (str_starts_with(section->name, "X-") && !(near && str_equals(near, "X-Fleet")))
                return 0; /* for other programs */
        return lint_report_add(report, LINT_WARNING, section->at, strlen(section->name) + 2,
                               near ? "section [%s] is not known and has no effect; did you mean [%s]?"
                                    : "section [%s] is not known and has no effect",
                               section->name, near);
}

static int lint_option(const UnitFile *file, const UnitOption *option, LintReport *report) {
        const char *section = unitfile_section_name(file, option);

        if (str_equals(section, "X-Fleet"))
                return lint_fleet_option(option, report);
        return known_section(section) ? lint_systemd_option(section, option, report) : 0;
}

static int compare_positions(const LintFinding *x, const LintFinding *y) {
        if (x->at.line != y->at.line)
                return x->at.line < y->at.line ? -1 : 1;
        return x->at.column < y->at.column ? -1 : x->at.column > y->at.column;
}

/* The last line that the refusal speaks of: it speaks of keys by what they mean. */
static const UnitOption *refused_option(const UnitFile *file, const char *text) {
        static const char *const meanings[][2] = {
                {"MachineID", "MachineID"},
                {"X-ConditionMachineID", "MachineID"},
                {"X-ConditionMachineBootID", "MachineID"},
                {"Global", "Global"},
                {"Replaces", "Replaces"},
                {"MachineOf", "Peers"},
                {"MachineOf", "peer"},
                {"X-ConditionMachineOf", "Peers"},
                {"X-ConditionMachineOf", "peer"},
                {"Conflicts", "onflict"},
                {"X-Conflicts", "onflict"},
                {"Replaces", "replace"},
        };
        const UnitOption *found = NULL;

        for (size_t i = 0; i < file->n_options; i++) {
                const UnitOption *option = &file->options[i];

                for (size_t j = 0;
                     str_equals(unitfile_section_name(file, option), "X-Fleet") && j < ARRAY_SIZE(meanings); j++)
                        if (str_equals(option->name, meanings[j][0]) && strstr(text, meanings[j][1]))
                                found = option;
        }
        return found;
}

static int add_refusal(LintReport *report, const UnitOption *option, const Error *error) {
        int r = lint_report_add(report, LINT_ERROR, option ? option->name_at : (TextPosition){0},
                                option ? strlen(option->name) : 0, "%s", error->text);

        if (r >= 0 && report->length > 0)
                report->items[report->length - 1].refusal = true;
        return r;
}

/* What the daemon will say of it, too, in its own words. */
static int lint_refusals(const UnitFile *file, const char *name, LintReport *report) {
        Error error = ERROR_NONE;
        int r = 0;

        if (unit_validate_name(name, &error) < 0)
                r = add_refusal(report, NULL, &error);
        error = ERROR_NONE;
        if (r < 0 || unit_validate_options(file, &error) >= 0)
                return r;
        return add_refusal(report, refused_option(file, error.text), &error);
}

/* Those that came first stay before others of their line. */
static void sort_findings(LintReport *report) {
        for (size_t i = 1; i < report->length; i++) {
                LintFinding one = report->items[i];
                size_t at = i;

                for (; at > 0 && compare_positions(&report->items[at - 1], &one) > 0; at--)
                        report->items[at] = report->items[at - 1];
                report->items[at] = one;
        }
}

int lint_unit(const char *name, Slice text, const LintCluster *cluster, LintReport *report) {
        _cleanup_unitfile_ UnitFile file = {0};
        TextPosition at = {0};
        Error error = ERROR_NONE;
        int r = unitfile_parse(&file, text, &at, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return lint_report_add(report, LINT_ERROR, at, 1, "%s", error.text);
        r = lint_refusals(&file, name, report); /* these and other errors come first: the limit must not hide them */
        if (r >= 0)
                r = lint_systemd_whole(&file, name, report);
        for (size_t i = 0; r >= 0 && i < file.notes.length; i++)
                r = lint_report_add(report, LINT_WARNING, file.notes.items[i].at, 1, "%s", file.notes.items[i].text);
        for (size_t i = 0; r >= 0 && i < file.n_sections; i++)
                r = lint_section(&file.sections[i], report);
        for (size_t i = 0; r >= 0 && i < file.n_options; i++)
                r = lint_option(&file, &file.options[i], report);
        if (r >= 0)
                r = lint_fleet_whole(&file, name, report);
        if (r >= 0 && cluster)
                r = lint_placement(&file, name, cluster, report);
        sort_findings(report);
        return r;
}
