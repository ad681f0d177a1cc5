/* Any text is either refused or gives events that go forward, each of which is again the first one after the time before it. */
#include <assert.h>

#include "unitfile/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        WallUsec now = 1795669200000000, next, again;
        CalendarSpec spec;
        Error error;

        if (calendar_parse((Slice){(const char *)bytes, length}, &spec, &error) < 0)
                return 0;
        for (int i = 0; i < 4 && calendar_next(&spec, NULL, now, &next) >= 0; i++) {
                assert(next > now);
                assert(calendar_next(&spec, NULL, next - 1, &again) >= 0 && again == next);
                now = next;
        }
        return 0;
}
