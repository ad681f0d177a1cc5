#include "fleet/unit/glob.h"

#include "base/encode.h"

enum { RUNE_INVALID = 0xfffd };

static Slice rest_of(Slice text, size_t from) {
        return (Slice){text.data + from, text.length - from};
}

/* One character off the front; a byte that is no UTF-8 counts as one character, as in Go. */
static uint32_t take_rune(Slice *text) {
        size_t length = utf8_sequence_length(text->data, text->length);
        const unsigned char *bytes = (const unsigned char *)text->data;
        uint32_t rune;

        if (length <= 1) {
                rune = length ? bytes[0] : RUNE_INVALID;
                *text = rest_of(*text, 1);
                return rune;
        }
        rune = bytes[0] & (0xffU >> (length + 1));
        for (size_t i = 1; i < length; i++)
                rune = rune << 6 | (bytes[i] & 0x3f);
        *text = rest_of(*text, length);
        return rune;
}

/* A character of a class, perhaps after a backslash. False: malformed. */
static bool take_class_rune(Slice *pattern, uint32_t *ret) {
        if (pattern->length == 0 || pattern->data[0] == '-' || pattern->data[0] == ']')
                return false;
        if (pattern->data[0] == '\\') {
                *pattern = rest_of(*pattern, 1);
                if (pattern->length == 0)
                        return false;
        }
        if (utf8_sequence_length(pattern->data, pattern->length) == 0)
                return false;
        *ret = take_rune(pattern);
        return pattern->length > 0; /* the class must still be closed */
}

/* `pattern` begins after '['; on success it ends after ']'. False: malformed. */
static bool match_class(Slice *pattern, uint32_t rune, bool *ret_matched) {
        bool negated = pattern->length > 0 && pattern->data[0] == '^', found = false;
        size_t ranges = 0;

        if (negated)
                *pattern = rest_of(*pattern, 1);
        for (;; ranges++) {
                uint32_t low, high;

                if (pattern->length > 0 && pattern->data[0] == ']' && ranges > 0)
                        break;
                if (!take_class_rune(pattern, &low))
                        return false;
                high = low;
                if (pattern->data[0] == '-') {
                        *pattern = rest_of(*pattern, 1);
                        if (!take_class_rune(pattern, &high))
                                return false;
                }
                if (low <= rune && rune <= high)
                        found = true;
        }
        *pattern = rest_of(*pattern, 1);
        *ret_matched = found != negated;
        return true;
}

/* Matches one element of the pattern that is not '*' against the front of the name, and moves both past it. */
static bool match_element(Slice *pattern, Slice *name) {
        bool matched;

        if (name->length == 0)
                return false;
        switch (pattern->data[0]) {
        case '[':
                *pattern = rest_of(*pattern, 1);
                return match_class(pattern, take_rune(name), &matched) && matched;
        case '?':
                if (name->data[0] == '/')
                        return false;
                *pattern = rest_of(*pattern, 1);
                (void)take_rune(name);
                return true;
        case '\\':
                *pattern = rest_of(*pattern, 1);
                if (pattern->length == 0)
                        return false;
                break;
        default:
                break;
        }
        if (pattern->data[0] != name->data[0])
                return false;
        *pattern = rest_of(*pattern, 1);
        *name = rest_of(*name, 1);
        return true;
}

/* The last '*' is the only one that need be tried again: what matched before it is as short as it can be. So the work
 * is at most pattern times name. */
bool glob_matches(Slice pattern, Slice name) {
        Slice star_pattern = {0}, star_name = {0};

        if (!glob_is_valid(pattern))
                return false;
        while (pattern.length > 0 || name.length > 0) {
                if (pattern.length > 0 && pattern.data[0] == '*') {
                        pattern = rest_of(pattern, 1);
                        star_pattern = pattern;
                        star_name = name;
                        continue;
                }
                if (pattern.length > 0 && match_element(&pattern, &name))
                        continue;
                if (!star_pattern.data || star_name.length == 0 || star_name.data[0] == '/')
                        return false;
                star_name = rest_of(star_name, 1);
                pattern = star_pattern;
                name = star_name;
        }
        return true;
}

bool glob_is_valid(Slice pattern) {
        while (pattern.length > 0) {
                char c = pattern.data[0];
                bool matched;

                pattern = rest_of(pattern, 1);
                if (c == '[' && !match_class(&pattern, 0, &matched))
                        return false;
                if (c == '\\') {
                        if (pattern.length == 0)
                                return false;
                        pattern = rest_of(pattern, 1);
                }
        }
        return true;
}

bool glob_is_literal(Slice pattern) {
        for (size_t i = 0; i < pattern.length; i++)
                if (strchr("*?[\\", pattern.data[i]))
                        return false;
        return true;
}
