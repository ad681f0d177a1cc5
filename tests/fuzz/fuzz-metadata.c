/* The documents of datasources: the first byte says which. Any bytes are refused with a reason, or give what is whole. */
#include <assert.h>

#include "boot/config/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_vmware(Slice text) {
        _cleanup_string_list_ StringList properties = {0};
        _cleanup_metadata_ Metadata metadata = {0};

        if (ovf_parse_properties(text, &properties, NULL) >= 0)
                (void)metadata_read_vmware(ovf_read, &properties, &metadata, NULL);
}

static int find_address(Slice mac, Buffer *to) {
        return mac.length > 0 ? buffer_append_string(to, "10.0.0.1") : 0;
}

static int check_cloudsigma(Slice context, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)cloudsigma_user_data(context, &text, NULL);
        return metadata_parse_cloudsigma(context, find_address, metadata, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static int (*const parsers[])(Slice, Metadata *, Error *) = {metadata_parse_openstack,
                                                                     metadata_parse_digitalocean, metadata_parse_packet,
                                                                     metadata_parse_waagent, check_cloudsigma};
        _cleanup_metadata_ Metadata metadata = {0};
        Error error = ERROR_NONE;
        Slice text;
        size_t which;
        int r;

        if (length == 0)
                return 0;
        which = bytes[0] % (ARRAY_SIZE(parsers) + 2);
        text = (Slice){(const char *)bytes + 1, length - 1};
        if (which == ARRAY_SIZE(parsers)) {
                check_vmware(text);
                return 0;
        }
        if (which > ARRAY_SIZE(parsers)) {
                (void)cmdline_find_url(text);
                return 0;
        }
        r = parsers[which](text, &metadata, &error);
        assert(r >= 0 || error.text[0]);
        assert(!metadata.hostname || metadata.hostname[0]);
        return 0;
}
