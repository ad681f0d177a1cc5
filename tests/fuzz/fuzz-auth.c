/* Bodies and records of users and roles, and the Authorization field. What is accepted can be written, reads back as the same, and can
 * be merged with itself or is refused with a text. */
#include <assert.h>
#include <errno.h>

#include "store/api/auth-json.h"
#include "store/api/basic-auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_refused(int r, const Error *error) {
        assert(r == 0 || ((r == 400 || r == 409) && error->text[0]));
}

static void try_user(Slice text) {
        _cleanup_auth_user_ AuthUser user = {0}, again = {0}, merged = {0};
        _cleanup_buffer_ Buffer first = BUFFER_INIT, second = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r = auth_user_parse(text, &user);

        assert(r == 0 || r == -EINVAL);
        if (r < 0)
                return;
        r = auth_user_format(&user, &first);
        assert(r == 0);
        r = auth_user_parse((Slice){buffer_data(&first), buffer_length(&first)}, &again);
        assert(r == 0 || buffer_length(&first) > AUTH_JSON_MAX);
        if (r < 0)
                return;
        r = auth_user_format(&again, &second);
        assert(r == 0 && buffer_length(&first) == buffer_length(&second));
        assert(memcmp(buffer_data(&first), buffer_data(&second), buffer_length(&first)) == 0);
        assert_refused(auth_user_merge(&user, &again, NULL, &merged, &error), &error);
}

static void try_role(Slice text) {
        _cleanup_auth_role_ AuthRole role = {0}, again = {0}, merged = {0};
        _cleanup_buffer_ Buffer first = BUFFER_INIT;
        Error error = ERROR_NONE;
        int r = auth_role_parse(text, &role);

        assert(r == 0 || r == -EINVAL);
        if (r < 0)
                return;
        r = auth_role_format(&role, &first);
        assert(r == 0);
        r = auth_role_parse((Slice){buffer_data(&first), buffer_length(&first)}, &again);
        assert(r == 0 || buffer_length(&first) > AUTH_JSON_MAX);
        if (r < 0)
                return;
        assert_refused(auth_role_merge(&role, &again, &merged, &error), &error);
        /* what one may do with all below a key, one may do with the key */
        for (int write = 0; write < 2; write++)
                assert(!auth_role_allows(&role, text, write, true) || auth_role_allows(&role, text, write, false));
}

static void try_field(Slice text) {
        _cleanup_basic_auth_ BasicAuth basic = {0};
        int r = basic_auth_parse(text, &basic);

        assert(r == 0 || r == -EINVAL);
        if (r == 0)
                assert(basic.user.length + 1 + basic.password.length == buffer_length(&basic.text) &&
                       !memchr(basic.user.data, ':', basic.user.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Slice text = {(const char *)data, size};

        try_user(text);
        try_role(text);
        try_field(text);
        return 0;
}
