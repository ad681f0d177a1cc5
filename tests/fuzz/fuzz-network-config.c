/* Configurations of networks: the first byte says which format. What is taken gives units, whose lines are whole. */
#include <assert.h>

#include "boot/config/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_lines(Buffer *text) {
        assert(buffer_failed(text) == 0);
        assert(buffer_length(text) == 0 || buffer_data(text)[buffer_length(text) - 1] == '\n');
        assert(buffer_length(text) == 0 || !memchr(buffer_data(text), '\0', buffer_length(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static int (*const parsers[])(Slice, Network *, Error *) = {network_parse_debian, network_parse_packet,
                                                                    network_parse_vmware};
        _cleanup_network_ Network network = {0};
        Error error = ERROR_NONE;
        int r;

        if (length == 0)
                return 0;
        r = parsers[bytes[0] % ARRAY_SIZE(parsers)]((Slice){(const char *)bytes + 1, length - 1}, &network, &error);
        assert(r >= 0 || error.text[0]);
        for (size_t i = 0; r >= 0 && i < network.length; i++) {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;

                assert(network.items[i].destinations.length == network.items[i].gateways.length);
                (void)network_format_netdev(&network.items[i], &text);
                (void)network_format_network(&network, &network.items[i], &text);
                check_lines(&text);
        }
        return 0;
}
