#pragma once
/*
 * Calendar events of systemd.time(7): "daily", "Mon..Fri *-*-* 10:00", "*-*~1 23:59:59", "*:0/15 UTC". When the next one
 * is follows from the text, the time and the zone alone.
 */
#include "base/error.h"
#include "base/str.h"

#define CALENDAR_TEXT_MAX 255
#define CALENDAR_RANGES_MAX 64 /* parts of one list */
#define CALENDAR_YEAR_FIRST 1970
#define CALENDAR_YEAR_LAST 2199

/* start, start + repeat, … up to stop. */
typedef struct CalendarRange {
        uint64_t start, stop, repeat;
} CalendarRange;

typedef struct CalendarRanges {
        CalendarRange items[CALENDAR_RANGES_MAX];
        size_t length; /* 0: any */
} CalendarRanges;

typedef struct CalendarSpec {
        unsigned weekdays; /* bit 0 is Monday */
        CalendarRanges years;
        unsigned months;        /* bit 1 is January */
        uint32_t days;          /* bit 1 is the first of the month */
        uint32_t days_from_end; /* bit 1 is the last of the month */
        uint32_t hours;
        uint64_t minutes;
        CalendarRanges seconds; /* in microseconds; never any */
        bool utc;
} CalendarSpec;

/* Where the clock on the wall differs from UTC. */
typedef struct CalendarZone {
        /* Seconds that local time is ahead of UTC at a second since 1970. */
        int64_t (*offset)(void *userdata, int64_t second);
        void *userdata;
} CalendarZone;

/* -EINVAL: not understood; the error says what. Zones other than UTC and the machine's own are not known. */
int calendar_parse(Slice text, CalendarSpec *ret, Error *error);

/* The first event after `after`. A time that the clock on the wall leaves out (summer time begins) is no event. `zone` may be
 * NULL: UTC. -ENOENT: there is none before 2200. */
int calendar_next(const CalendarSpec *spec, const CalendarZone *zone, WallUsec after, WallUsec *ret);
