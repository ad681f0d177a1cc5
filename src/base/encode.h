#pragma once
/* Text encodings of bytes: hexadecimal, base64, UTF-8. */
#include "base/buffer.h"
#include "base/str.h"

/* Lower-case digits, appended. */
int encode_hex(Buffer *buffer, const void *bytes, size_t length);

/* Hexadecimal digits of either case to bytes, appended. -EINVAL; the buffer then stays as it was. */
int decode_hex(Buffer *buffer, Slice text);

typedef enum Base64Alphabet {
        BASE64_STANDARD, /* RFC 4648 section 4, with padding */
        BASE64_URL,      /* section 5, without padding */
} Base64Alphabet;

int encode_base64(Buffer *buffer, Base64Alphabet alphabet, const void *bytes, size_t length);

/* Strict: no other characters than line ends, padding right (for BASE64_URL: optional). -EINVAL; the buffer then stays
 * as it was. */
int decode_base64(Buffer *buffer, Base64Alphabet alphabet, Slice text);

/* Length (1 to 4) of the valid UTF-8 sequence at the front, or 0: not shortest form, surrogate, above U+10FFFF, cut. */
size_t utf8_sequence_length(const char *bytes, size_t length);
bool utf8_is_valid(Slice text);
