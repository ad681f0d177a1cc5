/* Any body of an answer is a reply or an error, whatever its status. */
#include "storeclient/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        StoreReply reply = {0};

        if (size == 0)
                return 0;
        if (reply_parse((Slice){(const char *)data + 1, size - 1}, data[0] % 2 ? 200 : 400, 0, &reply) >= 0)
                store_reply_deinit(&reply);
        return 0;
}
