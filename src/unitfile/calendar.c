#include "unitfile/calendar.h"

#include <errno.h>
#include <strings.h>

enum {
        MINUTE_USEC = 60000000,
        DAY_SECONDS = 86400,
        TRIES_MAX = 64, /* local times that do not exist, one after the other */
};

static const char *const day_names[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

static const struct {
        const char *word, *meaning;
} shorthands[] = {
        {"minutely", "*-*-* *:*:00"},
        {"hourly", "*-*-* *:00:00"},
        {"daily", "*-*-* 00:00:00"},
        {"weekly", "mon *-*-* 00:00:00"},
        {"monthly", "*-*-01 00:00:00"},
        {"quarterly", "*-01,04,07,10-01 00:00:00"},
        {"semiannually", "*-01,07-01 00:00:00"},
        {"semi-annually", "*-01,07-01 00:00:00"},
        {"biannually", "*-01,07-01 00:00:00"},
        {"bi-annually", "*-01,07-01 00:00:00"},
        {"annually", "*-01-01 00:00:00"},
        {"yearly", "*-01-01 00:00:00"},
        {"anually", "*-01-01 00:00:00"},
};

/* ---- reading ---- */

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* A number, with `fraction` one of seconds as microseconds. */
static int read_value(const char **at, bool fraction, uint64_t *ret) {
        uint64_t value = 0, scale = 100000;

        if (!is_digit(**at))
                return -EINVAL;
        for (; is_digit(**at); (*at)++) {
                if (value > 100000)
                        return -ERANGE;
                value = value * 10 + (uint64_t)(**at - '0');
        }
        if (!fraction) {
                *ret = value;
                return 0;
        }
        value *= USEC_PER_SEC;
        if (**at == '.' && is_digit((*at)[1]))
                for ((*at)++; is_digit(**at); (*at)++) {
                        value += (uint64_t)(**at - '0') * scale;
                        scale /= 10;
                }
        *ret = value;
        return 0;
}

/* "*", or values, ranges and repetitions with commas between. An empty list stands for "*". `last`: the greatest value. */
static int read_ranges(const char **at, bool fraction, uint64_t first, uint64_t last, CalendarRanges *ret) {
        uint64_t step = fraction ? USEC_PER_SEC : 1;

        ret->length = 0;
        if (**at == '*') {
                (*at)++;
                if (fraction)
                        ret->items[ret->length++] = (CalendarRange){0, last, USEC_PER_SEC};
                return 0;
        }
        for (;; (*at)++) {
                CalendarRange range = {.repeat = step};
                int r;

                r = read_value(at, fraction, &range.start);
                range.stop = range.start;
                if (r >= 0 && (*at)[0] == '.' && (*at)[1] == '.') {
                        *at += 2;
                        r = read_value(at, fraction, &range.stop);
                }
                if (r >= 0 && **at == '/') {
                        (*at)++;
                        r = read_value(at, fraction, &range.repeat);
                        if (range.stop == range.start)
                                range.stop = last;
                }
                if (r < 0)
                        return r;
                if (range.start < first || range.start > last || range.stop < range.start || range.stop > last ||
                    range.repeat == 0)
                        return -ERANGE;
                if (ret->length == CALENDAR_RANGES_MAX)
                        return -EMSGSIZE;
                ret->items[ret->length++] = range;
                if (**at != ',')
                        return 0;
        }
}

static uint64_t bits_of(const CalendarRanges *ranges, uint64_t first, uint64_t last) {
        uint64_t bits = 0;

        for (uint64_t value = first; ranges->length == 0 && value <= last; value++)
                bits |= UINT64_C(1) << value;
        for (size_t i = 0; i < ranges->length; i++)
                for (uint64_t value = ranges->items[i].start; value <= ranges->items[i].stop;
                     value += ranges->items[i].repeat)
                        bits |= UINT64_C(1) << value;
        return bits;
}

static int read_bits(const char **at, uint64_t first, uint64_t last, uint64_t *ret) {
        CalendarRanges ranges;
        int r = read_ranges(at, false, first, last, &ranges);

        if (r >= 0)
                *ret = bits_of(&ranges, first, last);
        return r;
}

/* ~03: the third day from the end; ~07/1: from the seventh on each. */
static int read_days_from_end(const char **at, uint32_t *ret) {
        uint32_t bits = 0;

        for (;; (*at)++) {
                uint64_t nearest, farthest, repeat = 1;
                int r = read_value(at, false, &nearest);

                farthest = nearest;
                if (r >= 0 && (*at)[0] == '.' && (*at)[1] == '.') {
                        *at += 2;
                        r = read_value(at, false, &farthest);
                }
                if (r >= 0 && **at == '/') {
                        (*at)++;
                        r = read_value(at, false, &repeat);
                        if (nearest == farthest)
                                nearest = 1;
                }
                if (r < 0)
                        return r;
                if (nearest < 1 || nearest > farthest || farthest > 31 || repeat == 0)
                        return -ERANGE;
                for (uint64_t day = farthest; day >= nearest; day -= min_of(repeat, day))
                        bits |= UINT32_C(1) << day;
                if (**at != ',')
                        break;
        }
        *ret = bits;
        return 0;
}

static int read_weekday(const char **at, unsigned *ret) {
        for (unsigned i = 0; i < ARRAY_SIZE(day_names); i++) {
                size_t length = strlen(day_names[i]);

                if (strncmp(*at, day_names[i], length) != 0)
                        length = 3;
                if (strncmp(*at, day_names[i], length) == 0) {
                        *at += length;
                        *ret = i;
                        return 0;
                }
        }
        return -EINVAL;
}

static int read_weekdays(const char **at, unsigned *ret) {
        unsigned days = 0;

        for (;; (*at)++) {
                unsigned first, last;

                if (read_weekday(at, &first) < 0)
                        return -EINVAL;
                last = first;
                if (str_starts_with(*at, "..") || **at == '-') {
                        *at += **at == '-' ? 1 : 2;
                        if (read_weekday(at, &last) < 0)
                                return -EINVAL;
                }
                if (first > last)
                        return -EINVAL; /* as in systemd */
                for (unsigned day = first; day <= last; day++)
                        days |= 1U << day;
                if (**at != ',')
                        break;
        }
        if (**at != '\0' && **at != ' ')
                return -EINVAL;
        *ret = days;
        return 0;
}

/* [YEAR-]MONTH-DAY or [YEAR-]MONTH~DAY. */
static int read_date(const char **at, CalendarSpec *spec) {
        uint64_t months, days;
        size_t dashes = 0;
        int r = 0;

        for (const char *c = *at; *c && *c != ' '; c++)
                dashes += *c == '-' || *c == '~';
        if (dashes > 1) {
                r = read_ranges(at, false, CALENDAR_YEAR_FIRST, CALENDAR_YEAR_LAST, &spec->years);
                if (r >= 0 && *(*at)++ != '-')
                        r = -EINVAL;
        }
        if (r >= 0)
                r = read_bits(at, 1, 12, &months);
        if (r < 0)
                return r;
        spec->months = (unsigned)months;
        if (**at == '~') {
                (*at)++;
                spec->days = 0;
                r = read_days_from_end(at, &spec->days_from_end);
        } else if (**at == '-') {
                (*at)++;
                r = read_bits(at, 1, 31, &days);
                spec->days = r >= 0 ? (uint32_t)days : 0;
        } else {
                return -EINVAL;
        }
        return r >= 0 && **at != '\0' && **at != ' ' ? -EINVAL : r;
}

/* HOUR:MINUTE[:SECOND] */
static int read_time(const char **at, CalendarSpec *spec) {
        uint64_t hours;
        int r = read_bits(at, 0, 23, &hours);

        if (r >= 0 && *(*at)++ != ':')
                r = -EINVAL;
        if (r >= 0)
                r = read_bits(at, 0, 59, &spec->minutes);
        if (r < 0)
                return r;
        spec->hours = (uint32_t)hours;
        if (**at == ':') {
                (*at)++;
                r = read_ranges(at, true, 0, MINUTE_USEC - 1, &spec->seconds);
        }
        return r >= 0 && **at != '\0' && **at != ' ' ? -EINVAL : r;
}

static void skip_blanks(const char **at) {
        while (**at == ' ')
                (*at)++;
}

static bool word_has(const char *at, char wanted) {
        size_t length = strcspn(at, " ");

        return memchr(at, wanted, length) != NULL;
}

static int read_spec(const char *at, CalendarSpec *spec) {
        int r = 0;

        if (*at >= 'a' && *at <= 'z')
                r = read_weekdays(&at, &spec->weekdays);
        skip_blanks(&at);
        if (r >= 0 && *at && !word_has(at, ':'))
                r = read_date(&at, spec);
        skip_blanks(&at);
        if (r >= 0 && *at)
                r = read_time(&at, spec);
        skip_blanks(&at);
        return r >= 0 && *at ? -EINVAL : r;
}

int calendar_parse(Slice text, CalendarSpec *ret, Error *error) {
        CalendarSpec spec = {
                .weekdays = 0x7f,
                .months = 0x1ffe,
                .days = 0xfffffffe,
                .hours = 1,
                .minutes = 1,
                .seconds = {.items = {{0, 0, 1}}, .length = 1},
        };
        Slice all = slice_trim(text);
        char copy[CALENDAR_TEXT_MAX + 1];
        const char *meaning = copy;
        int r;

        if (all.length == 0 || all.length > CALENDAR_TEXT_MAX || memchr(all.data, '\0', all.length))
                return error_set(error, -EINVAL, "expected a calendar event such as daily or Mon..Fri *-*-* 10:00");
        for (size_t i = 0; i < all.length; i++) {
                char c = all.data[i] == '\t' ? ' ' : all.data[i];

                copy[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        copy[all.length] = '\0';
        if (str_ends_with(copy, " utc")) {
                spec.utc = true;
                copy[all.length - 4] = '\0';
        }
        for (size_t i = 0; i < ARRAY_SIZE(shorthands); i++)
                if (str_equals(copy, shorthands[i].word))
                        meaning = shorthands[i].meaning;
        r = read_spec(meaning, &spec);
        if (r < 0)
                return error_set(
                        error, -EINVAL,
                        "\"%.*s\" is no calendar event such as daily, *:0/15 or Mon..Fri *-*-* 10:00 (of zones, UTC "
                        "and the machine's own are known)",
                        (int)all.length, all.data);
        *ret = spec;
        return 0;
}

/* ---- the next event ---- */

typedef struct Civil {
        int64_t year;
        unsigned month, day, hour, minute;
        uint64_t usec; /* of the minute */
} Civil;

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t civil_days(int64_t year, unsigned month, unsigned day) {
        int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
        unsigned year_of_era = (unsigned)(y - era * 400);
        unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
        unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

        return era * 146097 + (int64_t)day_of_era - 719468;
}

static int64_t floor_divide(int64_t value, int64_t by) {
        return value / by - (value % by < 0);
}

/* Of microseconds since 1970 on the wall's clock. */
static Civil civil_from(int64_t local) {
        int64_t days = floor_divide(local, (int64_t)DAY_SECONDS * (int64_t)USEC_PER_SEC);
        uint64_t rest = (uint64_t)(local - days * DAY_SECONDS * (int64_t)USEC_PER_SEC);
        int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
        unsigned day_of_era = (unsigned)(z - era * 146097);
        unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        unsigned month_shifted = (5 * day_of_year + 2) / 153;
        Civil civil = {
                .day = day_of_year - (153 * month_shifted + 2) / 5 + 1,
                .month = month_shifted < 10 ? month_shifted + 3 : month_shifted - 9,
                .hour = (unsigned)(rest / 3600 / USEC_PER_SEC),
                .minute = (unsigned)(rest / MINUTE_USEC % 60),
                .usec = rest % MINUTE_USEC,
        };

        civil.year = (int64_t)year_of_era + era * 400 + (civil.month <= 2);
        return civil;
}

static int64_t civil_to(const Civil *civil) {
        int64_t days = civil_days(civil->year, civil->month, civil->day);

        return ((days * 24 + civil->hour) * 60 + civil->minute) * MINUTE_USEC + (int64_t)civil->usec;
}

static unsigned month_length(int64_t year, unsigned month) {
        int64_t next = month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, month + 1, 1);

        return (unsigned)(next - civil_days(year, month, 1));
}

/* The least value of the ranges that is `from` or above; UINT64_MAX: none. */
static uint64_t ranges_next(const CalendarRanges *ranges, uint64_t from) {
        uint64_t least = UINT64_MAX;

        if (ranges->length == 0)
                return from;
        for (size_t i = 0; i < ranges->length; i++) {
                const CalendarRange *range = &ranges->items[i];
                uint64_t value = range->start;

                if (value < from)
                        value += (from - value + range->repeat - 1) / range->repeat * range->repeat;
                if (value <= range->stop && value < least)
                        least = value;
        }
        return least;
}

static bool day_matches(const CalendarSpec *spec, const Civil *civil) {
        unsigned from_end = month_length(civil->year, civil->month) - civil->day + 1;
        int64_t weekday = (civil_days(civil->year, civil->month, civil->day) + 3) % 7; /* 1970-01-01 was a Thursday */

        return (spec->days >> civil->day & 1 || spec->days_from_end >> from_end & 1) && (spec->weekdays >> weekday & 1);
}

/* The first time of the day at or after what `civil` has, put into it. */
static bool next_time(const CalendarSpec *spec, Civil *civil) {
        for (; civil->hour < 24; civil->hour++, civil->minute = 0, civil->usec = 0) {
                if (!(spec->hours >> civil->hour & 1))
                        continue;
                for (; civil->minute < 60; civil->minute++, civil->usec = 0) {
                        uint64_t usec;

                        if (!(spec->minutes >> civil->minute & 1))
                                continue;
                        usec = ranges_next(&spec->seconds, civil->usec);
                        if (usec != UINT64_MAX) {
                                civil->usec = usec;
                                return true;
                        }
                }
        }
        return false;
}

static void begin_day(Civil *civil, unsigned day) {
        civil->day = day;
        civil->hour = civil->minute = 0;
        civil->usec = 0;
}

/* The first event on the wall's clock at or after `civil`. */
static bool next_civil(const CalendarSpec *spec, Civil *civil) {
        while (civil->year <= CALENDAR_YEAR_LAST) {
                uint64_t year = ranges_next(&spec->years, (uint64_t)civil->year);

                if (year > CALENDAR_YEAR_LAST)
                        return false;
                if ((int64_t)year != civil->year) {
                        *civil = (Civil){.year = (int64_t)year, .month = 1, .day = 1};
                }
                for (; civil->month <= 12; civil->month++, begin_day(civil, 1)) {
                        unsigned length;

                        if (!(spec->months >> civil->month & 1))
                                continue;
                        length = month_length(civil->year, civil->month);
                        for (; civil->day <= length; begin_day(civil, civil->day + 1))
                                if (day_matches(spec, civil) && next_time(spec, civil))
                                        return true;
                }
                *civil = (Civil){.year = civil->year + 1, .month = 1, .day = 1};
        }
        return false;
}

static int64_t zone_offset(const CalendarZone *zone, int64_t second) {
        return zone && zone->offset ? zone->offset(zone->userdata, second) : 0;
}

/* Microseconds since 1970 UTC of a time on the wall's clock; false: the clock leaves it out. */
static bool to_utc(const CalendarZone *zone, int64_t local, int64_t *ret) {
        int64_t second = floor_divide(local, (int64_t)USEC_PER_SEC), usec = (int64_t)USEC_PER_SEC, guess;

        guess = second - zone_offset(zone, second);
        for (int i = 0; i < 3; i++) {
                int64_t offset = zone_offset(zone, guess);

                if (guess + offset == second) {
                        *ret = local - offset * usec;
                        return true;
                }
                guess = second - offset;
        }
        return false;
}

int calendar_next(const CalendarSpec *spec, const CalendarZone *zone, WallUsec after, WallUsec *ret) {
        const CalendarZone *used = spec->utc ? NULL : zone;
        int64_t local;

        if (after < 0)
                after = 0;
        if (after > civil_days(CALENDAR_YEAR_LAST + 1, 1, 2) * DAY_SECONDS * (int64_t)USEC_PER_SEC)
                return -ENOENT;
        local = after + zone_offset(used, after / (int64_t)USEC_PER_SEC) * (int64_t)USEC_PER_SEC + 1;
        if (local < 0)
                local = 0;
        for (int i = 0; i < TRIES_MAX; i++) {
                Civil civil = civil_from(local);
                int64_t found;

                if (!next_civil(spec, &civil))
                        return -ENOENT;
                local = civil_to(&civil) + 1;
                /* where the clock goes back, the same time comes twice: the one that is still to come */
                if (to_utc(used, local - 1, &found) && found > after) {
                        *ret = found;
                        return 0;
                }
        }
        return -ENOENT;
}
