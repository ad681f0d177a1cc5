#pragma once
/*
 * What there is to say of a user-data, in the words of coreos-cloudinit -validate. Entries know whether it says them
 * too: the report under its name has exactly its lines, ours has what we know better.
 */
#include "base/buffer.h"
#include "boot/config/node.h"

#define REPORT_ENTRIES_MAX ((size_t)2000)

typedef enum ReportLevel {
        REPORT_INFO,
        REPORT_WARNING,
        REPORT_ERROR,
} ReportLevel;

typedef enum ReportWho {
        REPORT_BOTH,
        REPORT_THEIRS, /* only coreos-cloudinit says so */
        REPORT_OURS,   /* only Faering says so */
} ReportWho;

typedef struct ReportEntry {
        ReportLevel level;
        ReportWho who;
        size_t line, column; /* from 1; 0: not known */
        char *text;
        char *hint; /* the way out, which only ours says; or NULL */
} ReportEntry;

typedef struct Report {
        ReportEntry *entries;
        size_t length, capacity;
        bool more; /* entries beyond the limit were left out */
} Report;

void report_deinit(Report *report);
#define _cleanup_report_ _cleanup_(report_deinit)

/* -ENOMEM. */
int report_add(Report *report, ReportLevel level, ReportWho who, size_t line, size_t column, const char *format, ...)
        _printf_(6, 7);

/* Adds the way out to the last entry. -ENOMEM. */
int report_hint(Report *report, const char *format, ...) _printf_(2, 3);

/* By line, then column; what stands at one place keeps its order. */
void report_sort(Report *report);

/* "line N: warning: text" for each entry that `who` (REPORT_THEIRS or REPORT_OURS) says; ours also has the column, and the
 * hint. *ret_lines is their number. */
int report_format(const Report *report, ReportWho who, Buffer *to, size_t *ret_lines);

/* -EINVAL with `error`, the first, when ours says a warning or an error: for -strict. */
int report_refuse(const Report *report, Error *error);

/* The discovery URLs of the stores in a cloud-config; nothing in what is none. -ENOMEM. */
int report_discovery_urls(Slice user_data, StringList *urls);

/* Checks any user-data. 0 whatever it finds; -ENOMEM. */
int report_check(Slice user_data, Report *report);

/* The part for a cloud-config that is parsed. */
int report_check_tree(const ConfigTree *tree, Report *report);
