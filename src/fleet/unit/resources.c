#include "fleet/unit/resources.h"

#include <errno.h>

enum { HUNDREDTHS_OF_ALL = 10000, MILLI = 1000 };

/* Digits with at most `places` behind the point, as a whole number of 10^-places. Further places are cut off. */
static int parse_decimal(Slice text, unsigned places, uint64_t *ret) {
        uint64_t value = 0;
        unsigned seen = 0, digits = 0;
        bool point = false;

        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];

                if (c == '.' && !point) {
                        point = true;
                        continue;
                }
                if (c < '0' || c > '9')
                        return -EINVAL;
                digits++;
                if (point && seen == places)
                        continue;
                seen += point;
                if (value > (UINT32_MAX - 9) / 10)
                        return -EINVAL;
                value = value * 10 + (uint64_t)(c - '0');
        }
        for (; seen < places; seen++)
                value *= 10;
        if (digits == 0)
                return -EINVAL;
        *ret = value;
        return 0;
}

static bool cut_percent(Slice *text) {
        if (text->length == 0 || text->data[text->length - 1] != '%')
                return false;
        text->length--;
        return true;
}

int unit_parse_memory(const char *text, UnitResources *ret) {
        Slice value = slice_trim(slice_from(text));
        uint64_t amount;
        int r;

        if (slice_equals(value, slice_from("infinity"))) {
                ret->memory = ret->memory_percent = 0;
                return 0;
        }
        if (cut_percent(&value)) {
                r = parse_decimal(value, 2, &amount);
                if (r < 0 || amount > HUNDREDTHS_OF_ALL)
                        return -EINVAL;
                ret->memory = 0;
                ret->memory_percent = amount;
                return 0;
        }
        if (str_parse_size(value, &amount) < 0)
                return -EINVAL;
        ret->memory = amount;
        ret->memory_percent = 0;
        return 0;
}

int unit_parse_cpu(const char *text, uint64_t *ret) {
        Slice value = slice_trim(slice_from(text));

        if (cut_percent(&value)) {
                uint64_t hundredths;

                if (parse_decimal(value, 1, &hundredths) < 0)
                        return -EINVAL;
                *ret = hundredths;
                return 0;
        }
        return parse_decimal(value, 3, ret);
}

uint64_t unit_resources_memory(const UnitResources *resources, uint64_t machine_memory) {
        if (resources->memory_percent == 0)
                return resources->memory;
        return machine_memory / HUNDREDTHS_OF_ALL * resources->memory_percent;
}

void unit_format_memory(uint64_t bytes, Buffer *to) {
        static const char letters[] = "BKMGT";
        size_t unit = 0;
        uint64_t tenths = bytes < UINT64_MAX / 10 ? bytes * 10 : bytes;

        while (tenths >= 10240 && unit + 2 < sizeof(letters)) {
                tenths /= 1024;
                unit++;
        }
        (void)buffer_printf(to, "%llu", (unsigned long long)(tenths / 10));
        if (unit > 0 && tenths % 10 != 0)
                (void)buffer_printf(to, ".%llu", (unsigned long long)(tenths % 10));
        (void)buffer_append_byte(to, letters[unit]);
}

void unit_format_cpu(uint64_t cpu, Buffer *to) {
        (void)buffer_printf(to, "%llu.%02llu", (unsigned long long)(cpu / MILLI), (unsigned long long)(cpu % MILLI / 10));
}
