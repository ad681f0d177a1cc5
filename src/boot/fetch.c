#include "boot/fetch.h"

#include <errno.h>

enum { PAUSE_FIRST_MSEC = 100, PAUSE_MAX_MSEC = 5000 };

/* The scheme and the host: an URL may have a token in its path or query, and this goes to logs. */
static Slice url_shown(const char *url) {
        const char *host = strstr(url, "://");
        size_t length = host ? (size_t)(host - url) + 3 : 0;

        return (Slice){url, host ? length + strcspn(url + length, "/?#") : strcspn(url, "/?#")};
}

int fetch_once(Fetch *fetch, const char *url, const char *header, size_t max, Buffer *to, Error *error) {
        size_t before = buffer_length(to);
        Slice shown = url_shown(url);
        unsigned status = 0;
        int r;

        if (!str_starts_with(url, "http://") && !str_starts_with(url, "https://"))
                return error_set(error, -EINVAL, "\"%.*s\" is no URL that begins with http:// or https://",
                                 (int)min_of(shown.length, (size_t)256), shown.data);
        r = fetch->ops->get(fetch, url, header, max, to, &status, error);
        if (r >= 0 && status / 100 == 2)
                return 0;
        buffer_truncate(to, before);
        if (r < 0)
                return r;
        return error_set(error, status / 100 == 4 ? -ENOENT : -EIO, "%.*s answered %u",
                         (int)min_of(shown.length, (size_t)256), shown.data, status);
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
