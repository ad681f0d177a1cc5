#include "boot/config/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void report_deinit(Report *report) {
        for (size_t i = 0; i < report->length; i++) {
                free(report->entries[i].text);
                free(report->entries[i].hint);
        }
        free(report->entries);
        *report = (Report){0};
}

int report_add(Report *report, ReportLevel level, ReportWho who, size_t line, size_t column, const char *format, ...) {
        ReportEntry *entry;
        va_list args;
        int r;

        if (report->length == REPORT_ENTRIES_MAX) {
                report->more = true;
                return 0;
        }
        if (report->length == report->capacity) {
                size_t wanted = report->capacity ? report->capacity * 2 : 16;
                ReportEntry *more = reallocarray(report->entries, wanted, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                report->entries = more;
                report->capacity = wanted;
        }
        entry = &report->entries[report->length];
        *entry = (ReportEntry){.level = level, .who = who, .line = line, .column = column};
        va_start(args, format);
        r = vasprintf(&entry->text, format, args);
        va_end(args);
        if (r < 0)
                return -ENOMEM;
        report->length++;
        return 0;
}

int report_hint(Report *report, const char *format, ...) {
        ReportEntry *entry = &report->entries[report->length - 1];
        va_list args;
        char *text;
        int r;

        if (report->more) /* the entry that it is for was left out */
                return 0;
        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        if (r < 0)
                return -ENOMEM;
        free(entry->hint);
        entry->hint = text;
        return 0;
}

static bool stands_before(const ReportEntry *a, const ReportEntry *b) {
        return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* Entries come almost in order, so insertion is quick; and it keeps the order of equals. */
void report_sort(Report *report) {
        for (size_t i = 1; i < report->length; i++) {
                ReportEntry one = report->entries[i];
                size_t at = i;

                for (; at > 0 && stands_before(&one, &report->entries[at - 1]); at--)
                        report->entries[at] = report->entries[at - 1];
                report->entries[at] = one;
        }
}

static const char *const levels[] = {[REPORT_INFO] = "info", [REPORT_WARNING] = "warning", [REPORT_ERROR] = "error"};

static void format_ours(const ReportEntry *entry, Buffer *to) {
        if (entry->column)
                (void)buffer_printf(to, "line %zu, column %zu: ", entry->line, entry->column);
        else
                (void)buffer_printf(to, "line %zu: ", entry->line);
        (void)buffer_printf(to, "%s: %s%s%s", levels[entry->level], entry->text, entry->hint ? "; " : "",
                            entry->hint ?: "");
}

int report_refuse(const Report *report, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        size_t others = 0;

        for (size_t i = 0; i < report->length; i++) {
                const ReportEntry *entry = &report->entries[i];

                if (entry->who == REPORT_THEIRS || entry->level == REPORT_INFO)
                        continue;
                if (buffer_length(&text) > 0)
                        others++;
                else
                        format_ours(entry, &text);
        }
        if (buffer_length(&text) == 0)
                return 0;
        if (others > 0)
                (void)buffer_printf(&text, " (and %zu more, which \"faering boot validate\" shows)", others);
        return error_set(error, -EINVAL, "%s", buffer_string(&text) ?: "");
}

/* What an alias leads to is looked at wherever it stands, and said once. */
static bool is_said_before(const Report *report, size_t at) {
        const ReportEntry *one = &report->entries[at], *before = at > 0 ? one - 1 : NULL;

        return before && before->line == one->line && before->column == one->column && before->who == one->who &&
               str_equals(before->text, one->text);
}

int report_format(const Report *report, ReportWho who, Buffer *to, size_t *ret_lines) {
        size_t lines = 0;

        for (size_t i = 0; i < report->length; i++) {
                const ReportEntry *entry = &report->entries[i];

                if (entry->who != REPORT_BOTH && entry->who != who)
                        continue;
                if (who == REPORT_OURS && is_said_before(report, i))
                        continue;
                if (who == REPORT_OURS)
                        format_ours(entry, to);
                else
                        (void)buffer_printf(to, "line %zu: %s: %s", entry->line, levels[entry->level], entry->text);
                (void)buffer_append_byte(to, '\n');
                lines++;
        }
        if (report->more)
                (void)buffer_printf(to, "line 0: info: only the first %zu findings are shown\n", REPORT_ENTRIES_MAX);
        if (ret_lines)
                *ret_lines = lines;
        return buffer_failed(to);
}
