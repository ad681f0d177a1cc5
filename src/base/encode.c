#include "base/encode.h"

#include <errno.h>

int encode_hex(Buffer *buffer, const void *bytes, size_t length) {
        static const char digits[] = "0123456789abcdef";
        const uint8_t *p = bytes;
        char *to;

        if (length > SIZE_MAX / 2)
                return -ENOMEM;
        to = buffer_reserve(buffer, length * 2);
        if (!to)
                return buffer_failed(buffer);
        for (size_t i = 0; i < length; i++) {
                to[2 * i] = digits[p[i] >> 4];
                to[2 * i + 1] = digits[p[i] & 15];
        }
        buffer_commit(buffer, length * 2);
        return 0;
}

static int hex_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -EINVAL;
}

int decode_hex(Buffer *buffer, Slice text) {
        char *to;

        if (text.length % 2)
                return -EINVAL;
        for (size_t i = 0; i < text.length; i++)
                if (hex_value(text.data[i]) < 0)
                        return -EINVAL;
        to = buffer_reserve(buffer, text.length / 2);
        if (!to)
                return buffer_failed(buffer);
        for (size_t i = 0; i < text.length / 2; i++)
                to[i] = (char)(hex_value(text.data[2 * i]) << 4 | hex_value(text.data[2 * i + 1]));
        buffer_commit(buffer, text.length / 2);
        return 0;
}

static const char base64_digits[2][65] = {
        [BASE64_STANDARD] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        [BASE64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

int encode_base64(Buffer *buffer, Base64Alphabet alphabet, const void *bytes, size_t length) {
        const char *digits = base64_digits[alphabet];
        const uint8_t *p = bytes;

        for (size_t i = 0; i < length; i += 3) {
                size_t n = min_of(length - i, (size_t)3);
                uint32_t group = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
                char text[4];
                size_t used = n + 1;

                for (size_t d = 0; d < 4; d++)
                        text[d] = d <= n ? digits[group >> (18 - 6 * d) & 63] : '=';
                if (alphabet == BASE64_STANDARD)
                        used = 4;
                if (buffer_append(buffer, text, used) < 0)
                        return buffer_failed(buffer);
        }
        return 0;
}

static int base64_value(Base64Alphabet alphabet, char c) {
        const char *at = c ? strchr(base64_digits[alphabet], c) : NULL;

        return at ? (int)(at - base64_digits[alphabet]) : -EINVAL;
}

int decode_base64(Buffer *buffer, Base64Alphabet alphabet, Slice text) {
        size_t start = buffer_length(buffer), padding = 0, digits = 0;
        uint32_t group = 0;
        int r;

        for (size_t i = 0; i < text.length; i++) {
                char c = text.data[i];
                int value;

                if (c == '\n' || c == '\r')
                        continue;
                if (c == '=') {
                        padding++;
                        continue;
                }
                value = base64_value(alphabet, c);
                if (value < 0 || padding > 0)
                        goto invalid;
                group = group << 6 | (uint32_t)value;
                digits++;
                if (digits % 4 == 0) {
                        char bytes[3] = {(char)(group >> 16), (char)(group >> 8), (char)group};

                        r = buffer_append(buffer, bytes, sizeof(bytes));
                        if (r < 0)
                                goto failed;
                        group = 0;
                }
        }
        if (padding > 2 || digits % 4 == 1)
                goto invalid;
        if (padding > 0 || alphabet == BASE64_STANDARD)
                if ((digits + padding) % 4 != 0)
                        goto invalid;
        if (digits % 4 == 2 || digits % 4 == 3) {
                char bytes[2];

                group <<= digits % 4 == 2 ? 12 : 6;
                bytes[0] = (char)(group >> 16);
                bytes[1] = (char)(group >> 8);
                r = buffer_append(buffer, bytes, digits % 4 - 1);
                if (r < 0)
                        goto failed;
        }
        return 0;

invalid:
        r = -EINVAL;
failed:
        buffer_truncate(buffer, start);
        return r;
}

size_t utf8_sequence_length(const char *bytes, size_t length) {
        const uint8_t *p = (const uint8_t *)bytes;
        uint32_t rune;
        size_t need;

        if (length == 0)
                return 0;
        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                need = 2;
        else if ((p[0] & 0xf0) == 0xe0)
                need = 3;
        else if (p[0] >= 0xf0 && p[0] <= 0xf4)
                need = 4;
        else
                return 0;
        if (length < need)
                return 0;
        rune = p[0] & (0x7fu >> need);
        for (size_t i = 1; i < need; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                rune = rune << 6 | (p[i] & 0x3f);
        }
        if ((need == 3 && rune < 0x800) || (need == 4 && (rune < 0x10000 || rune > 0x10ffff)))
                return 0;
        if (rune >= 0xd800 && rune <= 0xdfff)
                return 0;
        return need;
}

bool utf8_is_valid(Slice text) {
        for (size_t i = 0; i < text.length;) {
                size_t n = utf8_sequence_length(text.data + i, text.length - i);

                if (n == 0)
                        return false;
                i += n;
        }
        return true;
}
