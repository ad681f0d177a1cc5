#include "base/wire.h"

void wire_put_u8(Buffer *buffer, uint8_t value) {
        (void)buffer_append_byte(buffer, (char)value);
}

static void wire_put_little(Buffer *buffer, uint64_t value, size_t width) {
        char bytes[8];

        for (size_t i = 0; i < width; i++)
                bytes[i] = (char)(uint8_t)(value >> (8 * i));
        (void)buffer_append(buffer, bytes, width);
}

void wire_put_u32(Buffer *buffer, uint32_t value) {
        wire_put_little(buffer, value, 4);
}

void wire_put_u64(Buffer *buffer, uint64_t value) {
        wire_put_little(buffer, value, 8);
}

void wire_put_varint(Buffer *buffer, uint64_t value) {
        char bytes[WIRE_VARINT_MAX];
        size_t length = 0;

        while (value >= 0x80) {
                bytes[length++] = (char)(uint8_t)(value | 0x80);
                value >>= 7;
        }
        bytes[length++] = (char)(uint8_t)value;
        (void)buffer_append(buffer, bytes, length);
}

void wire_put_bytes(Buffer *buffer, Slice bytes) {
        wire_put_varint(buffer, bytes.length);
        (void)buffer_append(buffer, bytes.data, bytes.length);
}

Slice wire_get_raw(WireReader *reader, size_t length) {
        Slice slice;

        if (reader->failed || length > reader->rest.length) {
                reader->failed = true;
                return (Slice){"", 0};
        }
        slice = (Slice){reader->rest.data, length};
        reader->rest.data += length;
        reader->rest.length -= length;
        return slice;
}

static uint64_t wire_get_little(WireReader *reader, size_t width) {
        Slice bytes = wire_get_raw(reader, width);
        uint64_t value = 0;

        for (size_t i = 0; i < bytes.length; i++)
                value |= (uint64_t)(uint8_t)bytes.data[i] << (8 * i);
        return value;
}

uint8_t wire_get_u8(WireReader *reader) {
        return (uint8_t)wire_get_little(reader, 1);
}

uint32_t wire_get_u32(WireReader *reader) {
        return (uint32_t)wire_get_little(reader, 4);
}

uint64_t wire_get_u64(WireReader *reader) {
        return wire_get_little(reader, 8);
}

uint64_t wire_get_varint(WireReader *reader) {
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                uint8_t byte = wire_get_u8(reader);

                if (reader->failed)
                        return 0;
                if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
                        break; /* does not fit, or a shorter form exists */
                value |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80)
                        return value;
        }
        reader->failed = true;
        return 0;
}

Slice wire_get_bytes(WireReader *reader, size_t max) {
        uint64_t length = wire_get_varint(reader);

        if (length > max)
                reader->failed = true;
        return wire_get_raw(reader, reader->failed ? 0 : (size_t)length);
}
