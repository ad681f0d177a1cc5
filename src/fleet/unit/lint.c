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

int lint_report_add(LintReport *report, LintSeverity severity, TextPosition at, size_t length, const char *format, ...) {
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
        report->items[report->length++] = (LintFinding){severity, at, length, buffer_steal_string(&text, NULL)};
        return 0;
}

size_t lint_report_count(const LintReport *report, LintSeverity severity) {
        size_t count = 0;

        for (size_t i = 0; i < report->length; i++)
                count += report->items[i].severity == severity;
        return count;
}

/* ---- as text ---- */

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
                (void)buffer_append_byte(to, (unsigned char)line.data[i] < ' ' && line.data[i] != '\t' ? '?' : line.data[i]);
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
        static const char *const words[] = {[LINT_NOTE] = "note", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};
        Slice line;

        if (finding->at.line == 0) {
                (void)buffer_printf(to, "%s: %s: %s\n", path, words[finding->severity], finding->text);
                return buffer_failed(to);
        }
        (void)buffer_printf(to, "%s:%u:%u: %s: %s\n", path, finding->at.line, finding->at.column, words[finding->severity], finding->text);
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

static int compare_findings(const void *a, const void *b) {
        const LintFinding *x = a, *y = b;

        if (x->at.line != y->at.line)
                return x->at.line < y->at.line ? -1 : 1;
        return x->at.column < y->at.column ? -1 : x->at.column > y->at.column;
}

/* What the daemon will say of it, too. */
static int lint_refusals(const UnitFile *file, const char *name, LintReport *report) {
        const UnitOption *first = NULL;
        Error error = ERROR_NONE;
        int r = 0;

        if (unit_validate_name(name, &error) < 0)
                r = lint_report_add(report, LINT_ERROR, (TextPosition){0}, 0, "%s", error.text);
        error = ERROR_NONE;
        if (r < 0 || unit_validate_options(file, &error) >= 0)
                return r;
        for (size_t i = 0; !first && i < file->n_options; i++)
                if (str_equals(unitfile_section_name(file, &file->options[i]), "X-Fleet"))
                        first = &file->options[i];
        return lint_report_add(report, LINT_ERROR, first ? first->name_at : (TextPosition){0}, first ? strlen(first->name) : 0,
                               "the cluster refuses this: %s", error.text);
}

int lint_unit(const char *name, Slice text, LintReport *report) {
        _cleanup_unitfile_ UnitFile file = {0};
        TextPosition at = {0};
        Error error = ERROR_NONE;
        int r = unitfile_parse(&file, text, &at, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return lint_report_add(report, LINT_ERROR, at, 1, "%s", error.text);
        for (size_t i = 0; r >= 0 && i < file.notes.length; i++)
                r = lint_report_add(report, LINT_WARNING, file.notes.items[i].at, 1, "%s", file.notes.items[i].text);
        for (size_t i = 0; r >= 0 && i < file.n_sections; i++)
                r = lint_section(&file.sections[i], report);
        for (size_t i = 0; r >= 0 && i < file.n_options; i++)
                r = lint_option(&file, &file.options[i], report);
        if (r >= 0)
                r = lint_refusals(&file, name, report);
        if (r >= 0)
                r = lint_fleet_whole(&file, name, report);
        if (r >= 0)
                r = lint_systemd_whole(&file, name, report);
        if (r >= 0 && report->length > 1)
                qsort(report->items, report->length, sizeof(*report->items), compare_findings);
        return r;
}
