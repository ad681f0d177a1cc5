#include "cli/human.h"

#include <stdio.h>

void human_duration(Usec length, Buffer *to) {
        uint64_t seconds = length / USEC_PER_SEC, minutes = seconds / 60, hours = (minutes + 30) / 60;

        if (seconds < 1)
                (void)buffer_append_string(to, "Less than a second");
        else if (seconds == 1)
                (void)buffer_append_string(to, "1 second");
        else if (seconds < 60)
                (void)buffer_printf(to, "%llu seconds", (unsigned long long)seconds);
        else if (minutes == 1)
                (void)buffer_append_string(to, "About a minute");
        else if (minutes < 60)
                (void)buffer_printf(to, "%llu minutes", (unsigned long long)minutes);
        else if (hours == 1)
                (void)buffer_append_string(to, "About an hour");
        else if (hours < 48)
                (void)buffer_printf(to, "%llu hours", (unsigned long long)hours);
        else if (hours < 24 * 7 * 2)
                (void)buffer_printf(to, "%llu days", (unsigned long long)(hours / 24));
        else if (hours < 24 * 30 * 2)
                (void)buffer_printf(to, "%llu weeks", (unsigned long long)(hours / 24 / 7));
        else if (hours < 24 * 365 * 2)
                (void)buffer_printf(to, "%llu months", (unsigned long long)(hours / 24 / 30));
        else
                (void)buffer_printf(to, "%llu years", (unsigned long long)(hours / 24 / 365));
}

void human_size(uint64_t bytes, Buffer *to) {
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
        double value = (double)bytes;
        size_t unit = 0;

        while (value >= 1000.0 && unit + 1 < ARRAY_SIZE(units)) {
                value /= 1000.0;
                unit++;
        }
        (void)buffer_printf(to, "%.3g%s", value, units[unit]);
}
