#pragma once
/*
 * What is wrong, odd or worth knowing about a unit file, each with its place. Pure: it knows the text, and of the cluster what
 * it is told.
 *
 * An error is what the cluster refuses, or what no service manager would run: never something that fleet 1.0 took silently
 * and ran. All that is doubtful is a warning; a note says what something can mean.
 */
#include "base/buffer.h"
#include "fleet/unit/unit.h"

#define LINT_FINDINGS_MAX 200

typedef enum LintSeverity {
        LINT_NOTE,
        LINT_WARNING,
        LINT_ERROR,
} LintSeverity;

typedef struct LintFinding {
        LintSeverity severity;
        TextPosition at; /* line 0: the file as a whole */
        size_t length;   /* characters that are meant, from there */
        char *text;
        bool refusal; /* the text is what the API answers */
} LintFinding;

typedef struct LintReport {
        LintFinding *items; /* in the order of the text; at most LINT_FINDINGS_MAX, further ones are dropped */
        size_t length, capacity;
} LintReport;

void lint_report_deinit(LintReport *report);
#define _cleanup_lint_report_ _cleanup_(lint_report_deinit)

/* A machine, as far as placements depend on it. Owns nothing. */
typedef struct LintMachine {
        const char *id;
        const char *const *metadata; /* key, value, key, value, …, NULL */
        uint64_t memory;             /* bytes that units may have in all; 0: not known */
        uint64_t cpu;                /* thousandths */
} LintMachine;

typedef struct LintCluster {
        const LintMachine *machines;
        size_t length;
} LintCluster;

/* Looks at the text of the unit of that name; `cluster` NULL: nothing is said of where it could run. -ENOMEM. */
int lint_unit(const char *name, Slice text, const LintCluster *cluster, LintReport *report);

const char *lint_severity_to_string(LintSeverity severity);

int lint_report_add(LintReport *report, LintSeverity severity, TextPosition at, size_t length, const char *format, ...)
        _printf_(5, 6);

size_t lint_report_count(const LintReport *report, LintSeverity severity);

/* "path:line:column: error: text", and below it the line with a caret. */
int lint_finding_write(const LintFinding *finding, const char *path, Slice text, Buffer *to);
