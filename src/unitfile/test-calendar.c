#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "unitfile/calendar.h"

static WallUsec at(const char *text) {
        struct tm time = {0};
        const char *rest = strptime(text, "%Y-%m-%d %H:%M:%S", &time);

        assert_non_null(rest);
        return (WallUsec)timegm(&time) * (WallUsec)USEC_PER_SEC;
}

/* The first event after a time, as a text in UTC; "never". */
static void assert_next(const char *spec_text, const CalendarZone *zone, const char *after, const char *expected) {
        CalendarSpec spec;
        char text[64] = "never";
        WallUsec next;
        Error error;

        if (calendar_parse(slice_from(spec_text), &spec, &error) < 0)
                fail_msg("%s", error.text);
        if (calendar_next(&spec, zone, at(after), &next) >= 0) {
                time_t second = next / (WallUsec)USEC_PER_SEC;
                struct tm time;

                (void)gmtime_r(&second, &time);
                (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &time);
                if (next % (WallUsec)USEC_PER_SEC)
                        (void)snprintf(text + strlen(text), 16, ".%06d", (int)(next % (WallUsec)USEC_PER_SEC));
        }
        if (!str_equals(text, expected))
                fail_msg("%s after %s: %s, not %s", spec_text, after, text, expected);
}

static void test_next_events(void **state) {
        static const struct {
                const char *spec, *after, *expected;
        } rows[] = {
                {"minutely", "2024-02-28 23:59:30", "2024-02-29 00:00:00"},
                {"hourly", "2024-02-28 23:59:30", "2024-02-29 00:00:00"},
                {"daily", "2024-02-28 00:00:00", "2024-02-29 00:00:00"},
                {"Weekly", "2026-11-26 05:00:00", "2026-11-30 00:00:00"},
                {"monthly", "2026-12-01 00:00:00", "2027-01-01 00:00:00"},
                {"quarterly", "2026-11-26 05:00:00", "2027-01-01 00:00:00"},
                {"semiannually", "2026-01-26 05:00:00", "2026-07-01 00:00:00"},
                {"yearly", "2026-01-01 00:00:00", "2027-01-01 00:00:00"},
                {"Mon..Fri *-*-* 10:00", "2026-11-27 10:00:00", "2026-11-30 10:00:00"},
                {"Sat,Sun 12:30", "2026-11-26 05:00:00", "2026-11-28 12:30:00"},
                {"Mon-Fri 08:05:40", "2026-11-27 09:00:00", "2026-11-30 08:05:40"},
                {"*-*", "2026-11-26 05:00:00", "2026-11-27 00:00:00"},
                {"*-*~3..5", "2026-11-26 05:00:00", "2026-11-27 00:00:00"},
                {"*-*~5/2", "2026-11-26 05:00:00", "2026-11-28 00:00:00"},
                {"Thursday", "2026-11-26 05:00:00", "2026-12-03 00:00:00"},
                {"*:0/15", "2026-11-26 05:00:00", "2026-11-26 05:15:00"},
                {"*:*:0/7", "2026-11-26 05:00:57", "2026-11-26 05:01:00"},
                {"00:00:00.5", "2026-11-26 05:00:00", "2026-11-27 00:00:00.500000"},
                {"*:*:1..3", "2026-11-26 05:00:01", "2026-11-26 05:00:02"},
                {"*:*:*", "2026-11-26 05:00:01", "2026-11-26 05:00:02"},
                {"2003-02..04-05", "2003-03-01 00:00:00", "2003-03-05 00:00:00"},
                {"2003-02..04-05", "2003-05-01 00:00:00", "never"},
                {"02-29", "2025-01-01 00:00:00", "2028-02-29 00:00:00"},
                {"*-02-30", "2025-01-01 00:00:00", "never"},
                {"*-02~01", "2024-01-01 00:00:00", "2024-02-29 00:00:00"},
                {"*-*~3", "2026-11-26 05:00:00", "2026-11-28 00:00:00"},
                {"Mon *-05~07/1", "2026-01-01 00:00:00", "2026-05-25 00:00:00"},
                {"*-*-31", "2026-01-31 00:00:00", "2026-03-31 00:00:00"},
                {"2020/4-1-1", "2021-01-01 00:00:00", "2024-01-01 00:00:00"},
                {"Fri *-*-13", "2026-11-26 05:00:00", "2027-08-13 00:00:00"},
                {"*-*-1..7 18:00,30", "2026-11-26 05:00:00", "2026-12-01 18:00:00"},
                {"8..17/3:05 UTC", "2026-11-26 08:05:00", "2026-11-26 11:05:00"},
                {"2199-12-31 23:59:59", "2026-11-26 05:00:00", "2199-12-31 23:59:59"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                assert_next(rows[i].spec, NULL, rows[i].after, rows[i].expected);
}

/* Berlin in 2026: one hour ahead, two from 29 March 01:00 to 25 October 01:00 UTC. */
static int64_t berlin(void *userdata, int64_t second) {
        (void)userdata;
        return second >= at("2026-03-29 01:00:00") / 1000000 && second < at("2026-10-25 01:00:00") / 1000000 ? 7200 : 3600;
}

static void test_the_walls_clock_goes_forth_and_back(void **state) {
        const CalendarZone zone = {berlin, NULL};

        (void)state;
        assert_next("12:00", &zone, "2026-01-01 00:00:00", "2026-01-01 11:00:00");
        assert_next("12:00", &zone, "2026-07-01 00:00:00", "2026-07-01 10:00:00");
        assert_next("12:00 UTC", &zone, "2026-07-01 00:00:00", "2026-07-01 12:00:00");
        assert_next("02:30", &zone, "2026-03-29 00:00:00", "2026-03-30 00:30:00"); /* left out on that day */
        assert_next("03:00", &zone, "2026-03-29 00:00:00", "2026-03-29 01:00:00");
        assert_next("*:00", &zone, "2026-03-29 00:00:00", "2026-03-29 01:00:00");
        assert_next("04:00", &zone, "2026-10-25 00:00:00", "2026-10-25 03:00:00");
}

static void test_what_is_no_calendar_event_is_refused(void **state) {
        static const char *const bad[] = {
                "",        "sometimes",   "25:00",    "12:60",      "*-13-01",    "*-*-32",    "*-*-0",   "12",      "12:00:60",
                "Mon..",   "Mon,",        "*:0/0",    "*:5..3",     "1969-01-01", "12:00 13:00", "Foo 12:00", "*:*/20", "Sat..Mon 12:00", "-",
                "12:",     "*-*~0",       "*-*~5..3", "2026-11-26T05:00", "daily daily", "12:00 Europe/Berlin", "*",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                CalendarSpec spec;
                Error error;

                if (calendar_parse(slice_from(bad[i]), &spec, &error) != -EINVAL)
                        fail_msg("\"%s\" was taken", bad[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_next_events),
                cmocka_unit_test(test_the_walls_clock_goes_forth_and_back),
                cmocka_unit_test(test_what_is_no_calendar_event_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
