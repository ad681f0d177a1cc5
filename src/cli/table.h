#pragma once
/* Rows and columns on a terminal. Owns copies of its cells. */
#include "base/str.h"

typedef struct Table {
        size_t columns;
        StringList cells; /* row after row */
        size_t *widths;   /* of the columns, while it is printed; NULL: no cells */
        size_t most;      /* lines that there is room for; 0: all */
} Table;

void table_init(Table *table, size_t columns);
void table_deinit(Table *table);
#define _cleanup_table_ _cleanup_(table_deinit)

/* The next cell. -ENOMEM. */
int table_add(Table *table, const char *text);

typedef enum TableStyle {
        TABLE_SPACES, /* columns two blanks apart */
        TABLE_WIDE,   /* three, as docker has it */
        TABLE_TABS,   /* as Go's tabwriter fills them in fleetctl: tabs to the next multiple of eight */
} TableStyle;

/* `header`: the first row is one; without it that row is left out but counts for no width. */
void table_print(const Table *table, TableStyle style, bool header);
