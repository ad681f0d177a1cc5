#pragma once
/* Strings: borrowed slices, strict number parsing, lists of owned strings. */
#include <string.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"

/* Borrowed bytes, not NUL-terminated. */
typedef struct Slice {
        const char *data;
        size_t length;
} Slice;

static inline Slice slice_from(const char *string) {
        return (Slice){string, strlen(string)};
}

static inline bool slice_equals(Slice a, Slice b) {
        return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline bool str_equals(const char *a, const char *b) {
        return strcmp(a, b) == 0;
}

#define U64_DIGITS 20

/* In decimal, at the end of `room`. */
static inline Slice u64_digits(uint64_t value, char room[static U64_DIGITS]) {
        size_t first = U64_DIGITS;

        do {
                room[--first] = (char)('0' + value % 10);
                value /= 10;
        } while (value > 0);
        return (Slice){room + first, U64_DIGITS - first};
}

/* Bytewise order, shorter first on a tie: the order of sorted listings. */
int slice_compare(Slice a, Slice b);

/* Without blanks (space, tab, CR, LF) on both ends. */
Slice slice_trim(Slice slice);

/* Cuts the part up to the first `separator` off the front of *rest. False when *rest was exhausted before. A string
 * with n separators gives n + 1 parts. Start with rest->data not NULL; it is set to NULL after the last part. */
bool slice_split(Slice *rest, char separator, Slice *ret_part);

/* Heap copy with NUL; NULL when there is no memory. */
char *slice_dup(Slice slice);

static inline bool str_starts_with(const char *string, const char *prefix) {
        return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *string, const char *suffix);

/* Formats to a heap string that the caller frees; NULL when there is no memory. */
char *str_printf(const char *format, ...) _printf_(1, 2);

/* Whole decimal numbers: no sign, blank or prefix. -EINVAL when malformed, -ERANGE when above `max`. */
int str_parse_u64(Slice text, uint64_t max, uint64_t *ret);

/* Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False. -EINVAL otherwise. */
int str_parse_bool(Slice text, bool *ret);

/* Go's time.ParseDuration for values ≥ 0, such as "1h2m3.5s" or "150ms"; "0" needs no unit. -EINVAL, -ERANGE. */
int str_parse_duration(Slice text, Usec *ret);

/* Bytes with an optional suffix k, m, g, t (binary, any case, an optional "b" or "ib" after it). -EINVAL, -ERANGE. */
int str_parse_size(Slice text, uint64_t *ret);

/* A list of owned strings. Zeroed is empty; items[length] is always NULL once anything was added. */
typedef struct StringList {
        char **items;
        size_t length;
        size_t capacity;
} StringList;

void string_list_deinit(StringList *list);
#define _cleanup_string_list_ _cleanup_(string_list_deinit)

/* Adds a copy. -ENOMEM. */
int string_list_add(StringList *list, const char *string);
int string_list_add_slice(StringList *list, Slice slice);

/* Adds `string` itself, which it then owns; frees it on failure. NULL is -ENOMEM. */
int string_list_take(StringList *list, char *string);

bool string_list_contains(const StringList *list, const char *string);
void string_list_sort(StringList *list);
