/* Any text is either refused or a record that is read again as it is written; the packets and files of shims are read within bounds. */
#include <assert.h>
#include <string.h>

#include "host/unit-record.h"
#include "host/unit-shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void read_record(Slice text) {
        _cleanup_buffer_ Buffer written = BUFFER_INIT;
        UnitRecord record, again;
        Error error;

        if (unit_record_read(text, &record, &error) < 0)
                return;
        assert(unit_record_write(&record, &written) >= 0);
        assert(unit_record_read((Slice){buffer_data(&written), buffer_length(&written)}, &again, &error) >= 0);
        assert(memcmp(&record, &again, sizeof(record)) == 0);
}

static void read_packet(Slice text) {
        _cleanup_buffer_ Buffer written = BUFFER_INIT;
        UnitShimMessage message, again;

        if (unit_shim_message_read(text, &message) < 0)
                return;
        assert(strlen(message.held) <= UNIT_SHIM_FDS_MAX);
        assert(unit_shim_message_write(&message, &written) >= 0);
        assert(unit_shim_message_read((Slice){buffer_data(&written), buffer_length(&written)}, &again) >= 0);
        assert(again.kind == message.kind && again.end.pid == message.end.pid);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        Slice text = {length > 0 ? (const char *)bytes : "", length};
        UnitShimEnd ends[UNIT_SHIM_ENDS_MAX];
        size_t n;

        read_record(text);
        read_packet(text);
        n = unit_shim_ends_read(text, ends, UNIT_SHIM_ENDS_MAX);
        for (size_t i = 0; i < n; i++)
                assert(ends[i].pid > 0);
        return 0;
}
