#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int slice_compare(Slice a, Slice b) {
        size_t common = min_of(a.length, b.length);
        int r = common ? memcmp(a.data, b.data, common) : 0;

        if (r != 0)
                return r;
        return (a.length > b.length) - (a.length < b.length);
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

Slice slice_trim(Slice slice) {
        while (slice.length > 0 && is_blank(slice.data[0])) {
                slice.data++;
                slice.length--;
        }
        while (slice.length > 0 && is_blank(slice.data[slice.length - 1]))
                slice.length--;
        return slice;
}

bool slice_split(Slice *rest, char separator, Slice *ret_part) {
        const char *at;

        if (!rest->data)
                return false;
        at = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
        if (!at) {
                *ret_part = *rest;
                *rest = (Slice){0};
                return true;
        }
        *ret_part = (Slice){rest->data, (size_t)(at - rest->data)};
        rest->length -= ret_part->length + 1;
        rest->data = at + 1;
        return true;
}

char *slice_dup(Slice slice) {
        char *copy = malloc(slice.length + 1);

        if (!copy)
                return NULL;
        if (slice.length)
                memcpy(copy, slice.data, slice.length);
        copy[slice.length] = '\0';
        return copy;
}

bool str_ends_with(const char *string, const char *suffix) {
        size_t length = strlen(string), tail = strlen(suffix);

        return length >= tail && memcmp(string + length - tail, suffix, tail) == 0;
}

char *str_printf(const char *format, ...) {
        char *string;
        va_list args;
        int r;

        va_start(args, format);
        r = vasprintf(&string, format, args);
        va_end(args);
        return r < 0 ? NULL : string;
}

int str_parse_u64(Slice text, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (text.length == 0)
                return -EINVAL;
        for (size_t i = 0; i < text.length; i++)
                if (text.data[i] < '0' || text.data[i] > '9')
                        return -EINVAL;
        for (size_t i = 0; i < text.length; i++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
                        return -ERANGE;
        if (value > max)
                return -ERANGE;
        *ret = value;
        return 0;
}

int str_parse_bool(Slice text, bool *ret) {
        static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
        static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
                if (slice_equals(text, slice_from(yes[i]))) {
                        *ret = true;
                        return 0;
                }
                if (slice_equals(text, slice_from(no[i]))) {
                        *ret = false;
                        return 0;
                }
        }
        return -EINVAL;
}

static int duration_unit(Slice *text, double *ret) {
        static const struct {
                const char *name;
                double usec;
        } units[] = {{"ns", 1e-3}, {"us", 1}, {"\xc2\xb5s", 1}, {"\xce\xbcs", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}};

        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                size_t length = strlen(units[i].name);

                if (text->length < length || memcmp(text->data, units[i].name, length) != 0)
                        continue;
                if (text->length > length && isalpha((unsigned char)text->data[length]))
                        continue;
                text->data += length;
                text->length -= length;
                *ret = units[i].usec;
                return 0;
        }
        return -EINVAL;
}

int str_parse_duration(Slice text, Usec *ret) {
        double total = 0;

        if (slice_equals(text, slice_from("0"))) {
                *ret = 0;
                return 0;
        }
        if (text.length == 0)
                return -EINVAL;
        while (text.length > 0) {
                double value = 0, scale = 1, unit;
                bool digits = false, point = false;

                for (; text.length > 0; text.data++, text.length--) {
                        char c = text.data[0];

                        if (c == '.' && !point) {
                                point = true;
                                continue;
                        }
                        if (c < '0' || c > '9')
                                break;
                        digits = true;
                        if (point)
                                scale /= 10;
                        value = point ? value + scale * (c - '0') : value * 10 + (c - '0');
                }
                if (!digits || duration_unit(&text, &unit) < 0)
                        return -EINVAL;
                total += value * unit;
        }
        if (total > 9e18)
                return -ERANGE;
        *ret = (Usec)(total + 0.5);
        return 0;
}

int str_parse_size(Slice text, uint64_t *ret) {
        static const char suffixes[] = "kmgt";
        size_t digits = 0;
        uint64_t value;
        unsigned shift = 0;
        int r;

        while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
                digits++;
        r = str_parse_u64((Slice){text.data, digits}, UINT64_MAX, &value);
        if (r < 0)
                return r;
        text.data += digits;
        text.length -= digits;
        if (text.length > 0) {
                const char *at = strchr(suffixes, tolower((unsigned char)text.data[0]));

                if (at && *at) {
                        shift = 10 * (unsigned)(at - suffixes + 1);
                        text.data++;
                        text.length--;
                }
        }
        if (!(text.length == 0 || (text.length == 1 && strncasecmp(text.data, "b", 1) == 0) ||
              (shift && text.length == 2 && strncasecmp(text.data, "ib", 2) == 0)))
                return -EINVAL;
        if (shift && value > UINT64_MAX >> shift)
                return -ERANGE;
        *ret = value << shift;
        return 0;
}

void string_list_deinit(StringList *list) {
        for (size_t i = 0; i < list->length; i++)
                free(list->items[i]);
        free(list->items);
        *list = (StringList){0};
}

int string_list_take(StringList *list, char *string) {
        if (!string)
                return -ENOMEM;
        if (list->length + 1 >= list->capacity) {
                size_t capacity = list->capacity ? list->capacity * 2 : 8;
                char **items = reallocarray(list->items, capacity, sizeof(*items));

                if (!items) {
                        free(string);
                        return -ENOMEM;
                }
                list->items = items;
                list->capacity = capacity;
        }
        list->items[list->length++] = string;
        list->items[list->length] = NULL;
        return 0;
}

int string_list_add(StringList *list, const char *string) {
        return string_list_take(list, strdup(string));
}

int string_list_add_slice(StringList *list, Slice slice) {
        return string_list_take(list, slice_dup(slice));
}

bool string_list_contains(const StringList *list, const char *string) {
        for (size_t i = 0; i < list->length; i++)
                if (str_equals(list->items[i], string))
                        return true;
        return false;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void string_list_sort(StringList *list) {
        if (list->length > 1)
                qsort(list->items, list->length, sizeof(*list->items), compare_strings);
}
