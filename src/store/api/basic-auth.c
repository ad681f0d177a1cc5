#include "store/api/basic-auth.h"

#include <errno.h>

#include "base/encode.h"

void basic_auth_deinit(BasicAuth *basic) {
        if (basic->text.memory)
                explicit_bzero(basic->text.memory, basic->text.capacity);
        buffer_deinit(&basic->text);
        *basic = (BasicAuth){0};
}

int basic_auth_parse(Slice field, BasicAuth *ret_basic) {
        static const char prefix[] = "Basic ";
        _cleanup_basic_auth_ BasicAuth basic = {0};
        size_t skip = sizeof(prefix) - 1, length;
        const char *data, *colon;
        int r;

        if (field.length < skip || strncasecmp(field.data, prefix, skip) != 0)
                return -EINVAL;
        /* all at once: growing would leave copies of the secret behind */
        if (!buffer_reserve(&basic.text, field.length))
                return -ENOMEM;
        r = decode_base64(&basic.text, BASE64_STANDARD, (Slice){field.data + skip, field.length - skip});
        if (r < 0)
                return r;
        data = buffer_data(&basic.text);
        length = buffer_length(&basic.text);
        colon = length ? memchr(data, ':', length) : NULL;
        if (!colon)
                return -EINVAL;
        basic.user = (Slice){data, (size_t)(colon - data)};
        basic.password = (Slice){colon + 1, length - basic.user.length - 1};
        *ret_basic = basic;
        basic = (BasicAuth){0};
        return 0;
}
