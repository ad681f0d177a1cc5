#include "unitfile/value.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>

static Slice skip(Slice text, size_t length) {
        return (Slice){text.data + length, text.length - length};
}

static Slice skip_blanks(Slice text) {
        while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t' || text.data[0] == '\n'))
                text = skip(text, 1);
        return text;
}

/* Digits, perhaps with a fraction, times `unit`: the whole part exactly, the fraction to what the unit resolves. */
typedef struct Decimal {
        uint64_t whole;
        uint64_t fraction; /* in billionths */
} Decimal;

static int take_decimal(Slice *text, Decimal *ret) {
        Decimal result = {0};
        uint64_t weight = 100000000;
        size_t digits = 0;

        for (; text->length > 0 && isdigit((unsigned char)text->data[0]); *text = skip(*text, 1), digits++)
                if (__builtin_mul_overflow(result.whole, 10, &result.whole) ||
                    __builtin_add_overflow(result.whole, (uint64_t)(text->data[0] - '0'), &result.whole))
                        return -ERANGE;
        if (text->length > 1 && text->data[0] == '.' && isdigit((unsigned char)text->data[1])) {
                *text = skip(*text, 1);
                for (; text->length > 0 && isdigit((unsigned char)text->data[0]); *text = skip(*text, 1), digits++) {
                        result.fraction += weight * (uint64_t)(text->data[0] - '0');
                        weight /= 10;
                }
        }
        if (digits == 0)
                return -EINVAL;
        *ret = result;
        return 0;
}

static int decimal_scale(Decimal decimal, uint64_t unit, uint64_t *ret) {
        unsigned __int128 value = (unsigned __int128)decimal.whole * unit +
                                  (unsigned __int128)decimal.fraction * unit / 1000000000;

        if (value >= UINT64_MAX)
                return -ERANGE;
        *ret = (uint64_t)value;
        return 0;
}

/* A unit of time off the front; without one, `bare`. */
static int take_time_unit(Slice *text, Usec bare, Usec *ret) {
        static const struct {
                const char *name;
                Usec usec;
        } units[] = {
                {"us", 1}, {"usec", 1}, {"\xc2\xb5s", 1}, {"\xce\xbcs", 1}, {"ms", 1000}, {"msec", 1000},
                {"s", 1000000}, {"sec", 1000000}, {"second", 1000000}, {"seconds", 1000000},
                {"m", 60000000}, {"min", 60000000}, {"minute", 60000000}, {"minutes", 60000000},
                {"h", 3600000000}, {"hr", 3600000000}, {"hour", 3600000000}, {"hours", 3600000000},
                {"d", 86400000000}, {"day", 86400000000}, {"days", 86400000000},
                {"w", 604800000000}, {"week", 604800000000}, {"weeks", 604800000000},
                {"M", 2629800000000}, {"month", 2629800000000}, {"months", 2629800000000},
                {"y", 31557600000000}, {"year", 31557600000000}, {"years", 31557600000000},
        };
        size_t length = 0;

        while (length < text->length && !isdigit((unsigned char)text->data[length]) &&
               !strchr(" \t\n+-.", text->data[length]))
                length++;
        if (length == 0) {
                *ret = bare;
                return 0;
        }
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
                if (!slice_equals((Slice){text->data, length}, slice_from(units[i].name)))
                        continue;
                *text = skip(*text, length);
                *ret = units[i].usec;
                return 0;
        }
        return -EINVAL;
}

static int parse_span(Slice text, Usec bare, Usec *ret) {
        Usec total = 0;

        text = slice_trim(text);
        if (slice_equals(text, slice_from("infinity"))) {
                *ret = USEC_INFINITY;
                return 0;
        }
        if (text.length == 0)
                return -EINVAL;
        while (text.length > 0) {
                Decimal number;
                Usec unit, part;
                int r;

                r = take_decimal(&text, &number);
                if (r < 0)
                        return r;
                text = skip_blanks(text);
                r = take_time_unit(&text, bare, &unit);
                if (r < 0)
                        return r;
                text = skip_blanks(text);
                r = decimal_scale(number, unit, &part);
                if (r < 0)
                        return r;
                if (__builtin_add_overflow(total, part, &total) || total == USEC_INFINITY)
                        return -ERANGE;
        }
        *ret = total;
        return 0;
}

int value_parse_span(Slice text, Usec *ret) {
        return parse_span(text, USEC_PER_SEC, ret);
}

int value_parse_bool(Slice text, bool *ret) {
        static const char *const words[][2] = {
                {"1", "0"}, {"yes", "no"}, {"y", "n"}, {"true", "false"}, {"t", "f"}, {"on", "off"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                for (size_t side = 0; side < 2; side++)
                        if (text.length == strlen(words[i][side]) &&
                            strncasecmp(text.data, words[i][side], text.length) == 0) {
                                *ret = side == 0;
                                return 0;
                        }
        return -EINVAL;
}

int value_parse_size(Slice text, uint64_t *ret) {
        static const char suffixes[] = "KMGTPE";
        Decimal number;
        unsigned shift = 0;
        int r;

        text = slice_trim(text);
        r = take_decimal(&text, &number);
        if (r < 0)
                return r;
        text = skip_blanks(text);
        if (text.length > 0) {
                const char *at = strchr(suffixes, text.data[0]);

                if (at && *at) {
                        shift = 10 * (unsigned)(at - suffixes + 1);
                        text = skip(text, 1);
                }
        }
        if (text.length > 0 && text.data[0] == 'B')
                text = skip(text, 1);
        if (text.length > 0)
                return -EINVAL;
        return decimal_scale(number, (uint64_t)1 << shift, ret);
}

int value_parse_signal(Slice text, int *ret) {
        uint64_t number, offset = 0;
        bool from_minimum;

        if (str_parse_u64(text, (uint64_t)SIGRTMAX, &number) == 0) {
                if (number == 0)
                        return -EINVAL;
                *ret = (int)number;
                return 0;
        }
        if (text.length > 3 && memcmp(text.data, "SIG", 3) == 0)
                text = skip(text, 3);
        for (int signal = 1; signal < SIGRTMIN; signal++) {
                const char *name = sigabbrev_np(signal);

                if (name && slice_equals(text, slice_from(name))) {
                        *ret = signal;
                        return 0;
                }
        }
        if (text.length < 5 || (memcmp(text.data, "RTMIN", 5) != 0 && memcmp(text.data, "RTMAX", 5) != 0))
                return -EINVAL;
        from_minimum = text.data[3] == 'I';
        text = skip(text, 5);
        if (text.length > 0 && (text.data[0] != (from_minimum ? '+' : '-') ||
                                str_parse_u64(skip(text, 1), (uint64_t)(SIGRTMAX - SIGRTMIN), &offset) < 0))
                return -EINVAL;
        *ret = from_minimum ? SIGRTMIN + (int)offset : SIGRTMAX - (int)offset;
        return 0;
}

int value_parse_mode(Slice text, unsigned *ret) {
        unsigned mode = 0;

        if (text.length == 0)
                return -EINVAL;
        for (size_t i = 0; i < text.length; i++) {
                if (text.data[i] < '0' || text.data[i] > '7')
                        return -EINVAL;
                mode = mode * 8 + (unsigned)(text.data[i] - '0');
                if (mode > 07777)
                        return -ERANGE;
        }
        *ret = mode;
        return 0;
}

int value_parse_number(Slice text, int64_t low, int64_t high, int64_t *ret) {
        bool negative = text.length > 0 && text.data[0] == '-';
        uint64_t magnitude;
        int64_t value;
        int r;

        if (text.length > 0 && (text.data[0] == '-' || text.data[0] == '+'))
                text = skip(text, 1);
        r = str_parse_u64(text, INT64_MAX, &magnitude);
        if (r < 0)
                return r;
        value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
        if (value < low || value > high)
                return -ERANGE;
        *ret = value;
        return 0;
}

static int parse_one_limit(Slice text, LimitUnit unit, uint64_t *ret) {
        Usec span;
        int64_t nice;
        int r;

        if (slice_equals(text, slice_from("infinity"))) {
                *ret = VALUE_LIMIT_INFINITY;
                return 0;
        }
        switch (unit) {
        case LIMIT_BYTES:
                return value_parse_size(text, ret);
        case LIMIT_SECONDS:
        case LIMIT_USEC:
                r = parse_span(text, unit == LIMIT_USEC ? 1 : USEC_PER_SEC, &span);
                if (r < 0)
                        return r;
                *ret = unit == LIMIT_USEC ? span : span / USEC_PER_SEC + (span % USEC_PER_SEC > 0);
                return 0;
        case LIMIT_NICE:
                if (text.length > 0 && (text.data[0] == '+' || text.data[0] == '-')) {
                        r = value_parse_number(text, -20, 19, &nice);
                        if (r < 0)
                                return r;
                        *ret = (uint64_t)(20 - nice);
                        return 0;
                }
                break;
        case LIMIT_PLAIN:
                break;
        }
        return str_parse_u64(text, UINT64_MAX - 1, ret);
}

int value_parse_limit(Slice text, LimitUnit unit, uint64_t *ret_soft, uint64_t *ret_hard) {
        Slice rest = text, first;
        uint64_t soft, hard;
        int r;

        if (!slice_split(&rest, ':', &first))
                return -EINVAL;
        r = parse_one_limit(slice_trim(first), unit, &soft);
        if (r < 0)
                return r;
        hard = soft;
        if (rest.data) {
                r = parse_one_limit(slice_trim(rest), unit, &hard);
                if (r < 0)
                        return r;
        }
        if (soft > hard)
                return -EINVAL;
        *ret_soft = soft;
        *ret_hard = hard;
        return 0;
}
