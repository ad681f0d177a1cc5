#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "boot/fetch.h"

enum { POLL_MSEC = 1000 };

struct CurlFetch {
        Fetch base;
        CURLM *multi;
        CURL *easy;
        atomic_bool stopped;
};

typedef struct Answer {
        Buffer *to;
        size_t max, before;
        bool too_long;
} Answer;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void) {
        (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *userdata) {
        Answer *answer = userdata;
        size_t length;

        if (size_mul_overflows(size, count, &length) ||
            buffer_length(answer->to) - answer->before + length > answer->max) {
                answer->too_long = true;
                return 0;
        }
        return buffer_append(answer->to, bytes, length) < 0 ? 0 : count;
}

static int set_options(CURL *easy, const char *url, struct curl_slist *headers, Answer *answer, char *text) {
        bool bad = curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
                   curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
                   curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") != CURLE_OK ||
                   curl_easy_setopt(easy, CURLOPT_USERAGENT, "faering/" FAERING_VERSION) != CURLE_OK;

        (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        (void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)FETCH_REDIRECTS_MAX);
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)FETCH_SECONDS);
        (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
        return bad ? -ENOMEM : 0;
}

static int code_to_errno(CURLcode code) {
        switch (code) {
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
                return -EINVAL;
        case CURLE_OPERATION_TIMEDOUT:
                return -ETIMEDOUT;
        case CURLE_COULDNT_CONNECT:
                return -ECONNREFUSED;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
                return -EHOSTUNREACH;
        case CURLE_OUT_OF_MEMORY:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

/* Until the transfer is over, or curl_fetch_stop(). */
static int perform(CurlFetch *fetch, CURLcode *ret_code) {
        int running = 1, left;
        const CURLMsg *message;

        while (running > 0) {
                if (atomic_load(&fetch->stopped))
                        return -ECANCELED;
                if (curl_multi_perform(fetch->multi, &running) != CURLM_OK)
                        return -EIO;
                if (running > 0 && curl_multi_poll(fetch->multi, NULL, 0, POLL_MSEC, NULL) != CURLM_OK)
                        return -EIO;
        }
        message = curl_multi_info_read(fetch->multi, &left);
        *ret_code = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
        return 0;
}

static int transfer(CurlFetch *fetch, Answer *answer, const char *curl_text, unsigned *ret_status, Error *error) {
        CURLcode code = CURLE_OK;
        long status = 0;
        int r;

        if (curl_multi_add_handle(fetch->multi, fetch->easy) != CURLM_OK)
                return -ENOMEM;
        r = perform(fetch, &code);
        (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_multi_remove_handle(fetch->multi, fetch->easy);
        if (r < 0)
                return error_set(error, r, r == -ECANCELED ? "stopped" : "the transfer failed");
        if (answer->too_long)
                return error_set(error, -EMSGSIZE, "the answer has more than %zu bytes", answer->max);
        if (code != CURLE_OK)
                return error_set(error, code_to_errno(code), "%s", *curl_text ? curl_text : curl_easy_strerror(code));
        *ret_status = (unsigned)status;
        return 0;
}

static int curl_get(Fetch *base, const char *url, const char *header, size_t max, Buffer *to, unsigned *ret_status,
                    Error *error) {
        CurlFetch *fetch = container_of(base, CurlFetch, base);
        struct curl_slist *headers = header ? curl_slist_append(NULL, header) : NULL;
        Answer answer = {.to = to, .max = max, .before = buffer_length(to)};
        char curl_text[CURL_ERROR_SIZE] = "";
        int r;

        if (header && !headers)
                return -ENOMEM;
        curl_easy_reset(fetch->easy);
        r = set_options(fetch->easy, url, headers, &answer, curl_text);
        if (r >= 0)
                r = transfer(fetch, &answer, curl_text, ret_status, error);
        curl_easy_reset(fetch->easy);
        curl_slist_free_all(headers);
        return r;
}

static int curl_pause(Fetch *base, Usec time) {
        CurlFetch *fetch = container_of(base, CurlFetch, base);
        Usec end = clock_monotonic() + time, now;

        while (!atomic_load(&fetch->stopped) && (now = clock_monotonic()) < end)
                (void)curl_multi_poll(fetch->multi, NULL, 0, (int)min_of((end - now) / USEC_PER_MSEC + 1, (Usec)60000),
                                      NULL);
        return atomic_load(&fetch->stopped) ? -ECANCELED : 0;
}

int curl_fetch_new(CurlFetch **ret) {
        static const FetchOps ops = {.get = curl_get, .pause = curl_pause};
        CurlFetch *fetch = calloc(1, sizeof(*fetch));

        (void)pthread_once(&curl_once, curl_begin);
        if (!fetch)
                return -ENOMEM;
        fetch->base.ops = &ops;
        fetch->multi = curl_multi_init();
        fetch->easy = curl_easy_init();
        if (!fetch->multi || !fetch->easy) {
                curl_fetch_free(fetch);
                return -ENOMEM;
        }
        *ret = fetch;
        return 0;
}

CurlFetch *curl_fetch_free(CurlFetch *fetch) {
        if (!fetch)
                return NULL;
        curl_easy_cleanup(fetch->easy);
        (void)curl_multi_cleanup(fetch->multi);
        free(fetch);
        return NULL;
}

Fetch *curl_fetch_base(CurlFetch *fetch) {
        return &fetch->base;
}

void curl_fetch_stop(CurlFetch *fetch) {
        atomic_store(&fetch->stopped, true);
        (void)curl_multi_wakeup(fetch->multi);
}
