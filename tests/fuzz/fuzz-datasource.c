/*
 * What datasources behind HTTP are answered: the first byte says which one asks; then each answer is a byte for the status, a byte
 * for the length, and so many bytes. When they are used up nothing is there any more.
 */
#include <assert.h>

#include "boot/datasource.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

typedef struct Answers {
        Fetch base;
        Slice rest;
        unsigned asked;
} Answers;

static int answer(Fetch *base, const char *url, const char *header, size_t max, Buffer *to, unsigned *ret_status,
                  Error *error) {
        static const unsigned statuses[] = {200, 200, 200, 404, 500, 301};
        Answers *answers = container_of(base, Answers, base);
        Slice *rest = &answers->rest;
        size_t length;

        (void)header;
        (void)error;
        assert(url[0] && !strchr(url, '\n'));
        answers->asked++;
        *ret_status = 404;
        if (rest->length < 2)
                return 0;
        *ret_status = statuses[(uint8_t)rest->data[0] % ARRAY_SIZE(statuses)];
        length = min_of((size_t)(uint8_t)rest->data[1], rest->length - 2);
        length = min_of(length, max);
        (void)buffer_append(to, rest->data + 2, length);
        *rest = (Slice){rest->data + 2 + length, rest->length - 2 - length};
        return 0;
}

static int no_pause(Fetch *base, Usec time) {
        (void)base;
        (void)time;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static const DatasourceKind *const kinds[] = {&datasource_ec2,    &datasource_digitalocean, &datasource_gce,
                                                      &datasource_packet, &datasource_openstack,    &datasource_url};
        static const FetchOps ops = {.get = answer, .pause = no_pause};
        Answers answers = {.base = {&ops}};
        char location[] = "http://m/";
        Datasource source = {NULL, location};
        _cleanup_buffer_ Buffer user_data = BUFFER_INIT;
        _cleanup_metadata_ Metadata metadata = {0};
        Error error = ERROR_NONE;

        if (length == 0)
                return 0;
        source.kind = kinds[bytes[0] % ARRAY_SIZE(kinds)];
        answers.rest = (Slice){(const char *)bytes + 1, length - 1};
        (void)source.kind->look(&source, &answers.base, NULL);
        assert(source.kind->user_data(&source, &answers.base, &user_data, &error) >= 0 || error.text[0]);
        if (!source.kind->metadata)
                return 0;
        error = ERROR_NONE;
        assert(source.kind->metadata(&source, &answers.base, &metadata, &error) >= 0 || error.text[0]);
        assert(metadata.keys.length <= METADATA_KEYS_MAX);
        assert(!metadata.hostname || metadata.hostname[0]);
        return 0;
}
