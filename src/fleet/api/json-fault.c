#include "fleet/api/json-fault.h"

/* What may come next. */
typedef enum Expect {
        EXPECT_VALUE,
        EXPECT_VALUE_OR_END, /* behind '[' */
        EXPECT_KEY,
        EXPECT_KEY_OR_END, /* behind '{' */
        EXPECT_COLON,
        EXPECT_MORE, /* behind a value */
} Expect;

typedef struct Scan {
        const char *at, *end;
        Expect expect;
        char stack[JSON_FAULT_DEPTH_MAX]; /* '{' or '[' of what is open */
        size_t depth;
        const char *where; /* of the fault; NULL: the text ended too early */
} Scan;

static bool fault(Scan *scan, const char *where) {
        scan->where = where;
        return false;
}

/* Whether there is a byte to look at; the text's end is a fault. */
static bool have(Scan *scan) {
        return scan->at < scan->end || fault(scan, NULL);
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_hex(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool scan_escape(Scan *scan) {
        if (!have(scan))
                return false;
        if (*scan->at != 'u') {
                if (!*scan->at || !strchr("bfnrt\\/\"", *scan->at))
                        return fault(scan, "in string escape code");
                scan->at++;
                return true;
        }
        scan->at++;
        for (size_t i = 0; i < 4; i++, scan->at++)
                if (!have(scan) || !is_hex(*scan->at))
                        return scan->at < scan->end ? fault(scan, "in \\u hexadecimal character escape") : false;
        return true;
}

/* From behind the opening quote to behind the closing one. */
static bool scan_string(Scan *scan) {
        while (have(scan)) {
                char c = *scan->at;

                if ((unsigned char)c < 0x20)
                        return fault(scan, "in string literal");
                scan->at++;
                if (c == '"')
                        return true;
                if (c == '\\' && !scan_escape(scan))
                        return false;
        }
        return false;
}

/* One digit at least. */
static bool scan_digits(Scan *scan, const char *where) {
        if (!have(scan))
                return false;
        if (!is_digit(*scan->at))
                return fault(scan, where);
        while (scan->at < scan->end && is_digit(*scan->at))
                scan->at++;
        return true;
}

static bool scan_number(Scan *scan) {
        if (*scan->at == '-')
                scan->at++;
        if (scan->at < scan->end && *scan->at == '0')
                scan->at++;
        else if (!scan_digits(scan, "in numeric literal"))
                return false;
        if (scan->at < scan->end && *scan->at == '.') {
                scan->at++;
                if (!scan_digits(scan, "after decimal point in numeric literal"))
                        return false;
        }
        if (scan->at == scan->end || (*scan->at != 'e' && *scan->at != 'E'))
                return true;
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
                scan->at++;
        return scan_digits(scan, "in exponent of numeric literal");
}

static bool scan_word(Scan *scan, const char *word, const char *const *where) {
        for (scan->at++; *++word; scan->at++, where++)
                if (!have(scan))
                        return false;
                else if (*scan->at != *word)
                        return fault(scan, *where);
        return true;
}

static bool scan_literal(Scan *scan) {
        static const char *const in_true[] = {"in literal true (expecting 'r')", "in literal true (expecting 'u')",
                                              "in literal true (expecting 'e')"};
        static const char *const in_false[] = {"in literal false (expecting 'a')", "in literal false (expecting 'l')",
                                               "in literal false (expecting 's')", "in literal false (expecting 'e')"};
        static const char *const in_null[] = {"in literal null (expecting 'u')", "in literal null (expecting 'l')",
                                              "in literal null (expecting 'l')"};

        switch (*scan->at) {
        case 't':
                return scan_word(scan, "true", in_true);
        case 'f':
                return scan_word(scan, "false", in_false);
        case 'n':
                return scan_word(scan, "null", in_null);
        default:
                if (*scan->at == '-' || is_digit(*scan->at))
                        return scan_number(scan);
                return fault(scan, "looking for beginning of value");
        }
}

static bool scan_open(Scan *scan) {
        if (scan->depth == sizeof(scan->stack))
                return fault(scan, "in a nesting that is too deep");
        scan->stack[scan->depth++] = *scan->at;
        scan->expect = *scan->at == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
        scan->at++;
        return true;
}

static void scan_close(Scan *scan) {
        scan->at++;
        scan->depth--;
        scan->expect = EXPECT_MORE;
}

static bool scan_value(Scan *scan) {
        if (*scan->at == '{' || *scan->at == '[')
                return scan_open(scan);
        scan->expect = EXPECT_MORE;
        if (*scan->at == '"') {
                scan->at++;
                return scan_string(scan);
        }
        return scan_literal(scan);
}

static bool scan_key(Scan *scan) {
        if (*scan->at != '"')
                return fault(scan, "looking for beginning of object key string");
        scan->at++;
        scan->expect = EXPECT_COLON;
        return scan_string(scan);
}

static bool scan_more(Scan *scan) {
        bool object = scan->stack[scan->depth - 1] == '{';

        if (*scan->at == (object ? '}' : ']')) {
                scan_close(scan);
                return true;
        }
        if (*scan->at != ',')
                return fault(scan, object ? "after object key:value pair" : "after array element");
        scan->at++;
        scan->expect = object ? EXPECT_KEY : EXPECT_VALUE;
        return true;
}

static bool scan_next(Scan *scan) {
        char c = *scan->at;

        switch (scan->expect) {
        case EXPECT_VALUE_OR_END:
        case EXPECT_VALUE:
                if (c != ']' || scan->expect == EXPECT_VALUE)
                        return scan_value(scan);
                scan_close(scan);
                return true;
        case EXPECT_KEY_OR_END:
        case EXPECT_KEY:
                if (c != '}' || scan->expect == EXPECT_KEY)
                        return scan_key(scan);
                scan_close(scan);
                return true;
        case EXPECT_COLON:
                if (c != ':')
                        return fault(scan, "after object key");
                scan->at++;
                scan->expect = EXPECT_VALUE;
                return true;
        case EXPECT_MORE:
                break;
        }
        return scan_more(scan);
}

static int describe(const Scan *scan, bool blank, Buffer *message) {
        unsigned char c;

        if (!scan->where) {
                (void)buffer_append_string(message, blank ? "EOF" : "unexpected EOF");
                return buffer_failed(message) ?: 1;
        }
        c = (unsigned char)*scan->at;
        (void)buffer_append_string(message, "invalid character '");
        if (c == '\'' || c == '\\')
                (void)buffer_printf(message, "\\%c", c);
        else if (c == '\n' || c == '\t' || c == '\r')
                (void)buffer_printf(message, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (c < ' ' || c == 0x7f)
                (void)buffer_printf(message, "\\x%02x", c);
        else if (c < 0x80)
                (void)buffer_append_byte(message, (char)c);
        else /* Go reads the byte as a character of its own */
                (void)buffer_append(message, (char[]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))}, 2);
        (void)buffer_printf(message, "' %s", scan->where);
        return buffer_failed(message) ?: 1;
}

int json_fault_find(Slice text, Buffer *message) {
        Scan scan = {.at = text.data, .end = text.data + text.length};
        bool blank = true;

        while (scan.depth > 0 || scan.expect != EXPECT_MORE) {
                while (scan.at < scan.end && *scan.at && strchr(" \t\r\n", *scan.at))
                        scan.at++;
                if (!have(&scan))
                        return describe(&scan, blank, message);
                blank = false;
                if (!scan_next(&scan))
                        return describe(&scan, false, message);
        }
        return 0;
}
