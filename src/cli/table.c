#include "cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TAB_WIDTH = 8, SPACING = 2 };

void table_init(Table *table, size_t columns) {
        *table = (Table){.columns = columns};
}

void table_deinit(Table *table) {
        string_list_deinit(&table->cells);
        free(table->widths);
        table->widths = NULL;
}

int table_add(Table *table, const char *text) {
        if (!table->widths)
                table->widths = calloc(table->columns, sizeof(*table->widths));
        return table->widths ? string_list_add(&table->cells, text) : -ENOMEM;
}

/* Characters, not bytes. */
static size_t text_width(const char *text) {
        size_t width = 0;

        for (; *text; text++)
                width += (*text & 0xc0) != 0x80;
        return width;
}

static void measure_columns(const Table *table, size_t first) {
        for (size_t column = 0; column < table->columns; column++)
                table->widths[column] = 0;
        for (size_t i = first * table->columns; i < table->cells.length; i++)
                table->widths[i % table->columns] = max_of(table->widths[i % table->columns], text_width(table->cells.items[i]));
}

static void print_padding(TableStyle style, size_t width, size_t used) {
        size_t cell = (width + 1 + TAB_WIDTH - 1) / TAB_WIDTH * TAB_WIDTH;

        if (style != TABLE_TABS) {
                printf("%*s", (int)(width + SPACING + (style == TABLE_WIDE) - used), "");
                return;
        }
        for (size_t tabs = (cell - used + TAB_WIDTH - 1) / TAB_WIDTH; tabs > 0; tabs--)
                (void)putchar('\t');
}

void table_print(const Table *table, TableStyle style, bool header) {
        size_t rows = table->cells.length / table->columns, first = header ? 0 : 1;

        if (!table->widths)
                return; /* it is empty */
        measure_columns(table, first);
        for (size_t row = first; row < rows; row++) {
                if (table->most > 0 && row - first + 1 >= table->most && row + 1 < rows) {
                        printf("… and %zu more\n", rows - row);
                        return;
                }
                for (size_t column = 0; column < table->columns; column++) {
                        const char *text = table->cells.items[row * table->columns + column];

                        (void)fputs(text, stdout);
                        if (column + 1 < table->columns)
                                print_padding(style, table->widths[column], text_width(text));
                }
                (void)putchar('\n');
        }
}
