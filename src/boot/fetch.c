#include "boot/fetch.h"

#include <errno.h>

#include "boot/config/user-data.h"

enum { PAUSE_FIRST_MSEC = 100, PAUSE_MAX_MSEC = 5000 };

int fetch_once(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, Error *error) {
        _cleanup_buffer_ Buffer shown = BUFFER_INIT;
        size_t before = buffer_length(to);
        unsigned status = 0;
        int r;

        if (url_format_shown(url, &shown) < 0 || !buffer_string(&shown))
                return -ENOMEM;
        if (!str_starts_with(url, "http://") && !str_starts_with(url, "https://"))
                return error_set(error, -EINVAL, "\"%s\" is no URL that begins with http:// or https://",
                                 buffer_string(&shown));
        r = fetch->ops->get(fetch, url, header, max, to, &status, error);
        if (r >= 0 && status / 100 == 2)
                return 0;
        buffer_truncate(to, before);
        if (r < 0)
                return r;
        return error_set(error, status / 100 == 4 ? -ENOENT : -EIO, "%s answered %u", buffer_string(&shown), status);
}

static bool is_worth_a_retry(int r) {
        return r != -ENOENT && r != -EINVAL && r != -EMSGSIZE && r != -ENOMEM && r != -ECANCELED;
}

int fetch_retry(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, Error *error) {
        Usec pause = PAUSE_FIRST_MSEC * USEC_PER_MSEC;

        for (int tries = 1;; tries++) {
                int r = fetch_once(fetch, url, header, max, to, error);

                if (r >= 0 || !is_worth_a_retry(r))
                        return r;
                if (tries == FETCH_TRIES)
                        return error_prefix(error, r, "given up after %d tries", tries);
                if (fetch->ops->pause(fetch, pause) < 0)
                        return error_set(error, -ECANCELED, "stopped");
                pause = min_of(pause * 2, PAUSE_MAX_MSEC * USEC_PER_MSEC);
        }
}
