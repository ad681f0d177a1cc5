/* What YAML 1.1 makes of plain scalars, in the manner of Go's yaml package: case decides, and a leading 0 is octal. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "boot/config/node.h"

enum { NUMBER_MAX = 64 };

typedef struct Word {
        const char *text;
        ScalarType type;
        bool is_true;
} Word;

static const Word words[] = {
        {"", SCALAR_NULL, false},      {"~", SCALAR_NULL, false},     {"null", SCALAR_NULL, false},
        {"Null", SCALAR_NULL, false},  {"NULL", SCALAR_NULL, false},  {"y", SCALAR_BOOL, true},
        {"Y", SCALAR_BOOL, true},      {"yes", SCALAR_BOOL, true},    {"Yes", SCALAR_BOOL, true},
        {"YES", SCALAR_BOOL, true},    {"true", SCALAR_BOOL, true},   {"True", SCALAR_BOOL, true},
        {"TRUE", SCALAR_BOOL, true},   {"on", SCALAR_BOOL, true},     {"On", SCALAR_BOOL, true},
        {"ON", SCALAR_BOOL, true},     {"n", SCALAR_BOOL, false},     {"N", SCALAR_BOOL, false},
        {"no", SCALAR_BOOL, false},    {"No", SCALAR_BOOL, false},    {"NO", SCALAR_BOOL, false},
        {"false", SCALAR_BOOL, false}, {"False", SCALAR_BOOL, false}, {"FALSE", SCALAR_BOOL, false},
        {"off", SCALAR_BOOL, false},   {"Off", SCALAR_BOOL, false},   {"OFF", SCALAR_BOOL, false},
};

static const Word *find_word(Slice text) {
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (slice_equals(text, slice_from(words[i].text)))
                        return &words[i];
        return NULL;
}

bool scalar_is_true(Slice text) {
        const Word *word = find_word(text);

        return word && word->is_true;
}

/* Copies without '_'. False: too long for any number. */
static bool copy_number(Slice text, char number[static NUMBER_MAX]) {
        size_t length = 0;

        for (size_t i = 0; i < text.length; i++) {
                if (text.data[i] == '_')
                        continue;
                if (length + 1 >= NUMBER_MAX || text.data[i] == '\0')
                        return false;
                number[length++] = text.data[i];
        }
        number[length] = '\0';
        return length > 0;
}

static int digits_base(const char **digits) {
        if ((*digits)[0] != '0' || (*digits)[1] == '\0')
                return 10;
        if ((*digits)[1] == 'x' || (*digits)[1] == 'X')
                return *digits += 2, 16;
        if ((*digits)[1] == 'b')
                return *digits += 2, 2;
        return *digits += 1, 8;
}

int scalar_parse_int(Slice text, int64_t *ret) {
        char number[NUMBER_MAX], *end;
        const char *digits = number;
        bool negative;
        uint64_t value;
        int base;

        if (!copy_number(text, number))
                return -EINVAL;
        negative = *digits == '-';
        if (*digits == '-' || *digits == '+')
                digits++;
        base = digits_base(&digits);
        if (!strchr("0123456789abcdefABCDEF", *digits) || *digits == '\0')
                return -EINVAL;
        errno = 0;
        value = strtoull(digits, &end, base);
        if (*end != '\0')
                return -EINVAL;
        if (errno == ERANGE || value > (uint64_t)INT64_MAX + negative)
                return -ERANGE;
        *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
        return 0;
}

int scalar_parse_float(Slice text, double *ret) {
        char number[NUMBER_MAX], *end;

        if (!copy_number(text, number) || number[strspn(number, "0123456789+-.eE")] != '\0')
                return -EINVAL;
        errno = 0;
        *ret = strtod(number, &end);
        if (*end != '\0' || end == number)
                return -EINVAL;
        return isfinite(*ret) ? 0 : -ERANGE;
}

ScalarType scalar_type_of(Slice text) {
        const Word *word = find_word(text);
        int64_t whole;
        double number;

        if (word)
                return word->type;
        if (scalar_parse_int(text, &whole) >= 0)
                return SCALAR_INT;
        if (scalar_parse_float(text, &number) >= 0)
                return SCALAR_FLOAT;
        return SCALAR_STRING;
}
