#include "store/bootstrap.h"

#include <endian.h>
#include <errno.h>
#include <openssl/sha.h>

#include "base/json-write.h"

enum { BOOTSTRAP_MEMBERS_MAX = 64 };

void bootstrap_deinit(Bootstrap *bootstrap) {
        for (size_t i = 0; i < bootstrap->count; i++) {
                free(bootstrap->members[i].name);
                free(bootstrap->members[i].urls);
                free(bootstrap->members[i].attributes);
        }
        free(bootstrap->members);
        *bootstrap = (Bootstrap){0};
}

static uint64_t sha1_prefix(const Buffer *bytes) {
        unsigned char digest[SHA_DIGEST_LENGTH];
        uint64_t prefix;

        (void)SHA1((const unsigned char *)buffer_data(bytes), buffer_length(bytes), digest);
        memcpy(&prefix, digest, sizeof(prefix));
        return be64toh(prefix);
}

static int compare_urls(const void *a, const void *b) {
        char x[URL_TEXT_MAX], y[URL_TEXT_MAX];

        url_format(a, x);
        url_format(b, y);
        return strcmp(x, y);
}

static int member_finish(BootstrapMember *member, const char *token) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT, json = BUFFER_INIT;
        JsonWriter writer = json_writer(&json);
        char text[URL_TEXT_MAX];

        qsort(member->urls, member->url_count, sizeof(*member->urls), compare_urls);
        json_begin_object(&writer);
        json_key(&writer, "peerURLs");
        json_begin_array(&writer);
        for (size_t i = 0; i < member->url_count; i++) {
                url_format(&member->urls[i], text);
                (void)buffer_append_string(&bytes, text);
                json_write_string(&writer, slice_from(text));
        }
        json_end_array(&writer);
        json_end_object(&writer);
        (void)buffer_append_string(&bytes, token);
        if (buffer_failed(&bytes) || buffer_failed(&json))
                return -ENOMEM;
        member->id = sha1_prefix(&bytes);
        member->attributes = buffer_steal_string(&json, NULL);
        return member->attributes ? 0 : -ENOMEM;
}

static int compare_members(const void *a, const void *b) {
        uint64_t x = ((const BootstrapMember *)a)->id, y = ((const BootstrapMember *)b)->id;

        return (x > y) - (x < y);
}

static BootstrapMember *bootstrap_member(Bootstrap *bootstrap, Slice name) {
        BootstrapMember *members;

        for (size_t i = 0; i < bootstrap->count; i++)
                if (slice_equals(name, slice_from(bootstrap->members[i].name)))
                        return &bootstrap->members[i];
        members = reallocarray(bootstrap->members, bootstrap->count + 1, sizeof(*members));
        if (!members)
                return NULL;
        bootstrap->members = members;
        members[bootstrap->count] = (BootstrapMember){.name = slice_dup(name)};
        return members[bootstrap->count].name ? &members[bootstrap->count++] : NULL;
}

static int bootstrap_add(Bootstrap *bootstrap, Slice part, Error *error) {
        const char *equals = memchr(part.data, '=', part.length);
        _cleanup_free_ char *text = NULL;
        BootstrapMember *member;
        Url url, *urls;
        int r;

        if (!equals)
                return error_set(error, -EINVAL, "--initial-cluster: \"%.*s\" is not name=URL, as in "
                                 "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380", (int)min_of(part.length, (size_t)200),
                                 part.data);
        text = slice_dup((Slice){equals + 1, part.length - (size_t)(equals + 1 - part.data)});
        if (!text)
                return -ENOMEM;
        r = url_parse(text, 0, &url, error);
        if (r < 0)
                return error_prefix(error, r, "--initial-cluster");
        member = bootstrap_member(bootstrap, (Slice){part.data, (size_t)(equals - part.data)});
        if (!member)
                return -ENOMEM;
        urls = reallocarray(member->urls, member->url_count + 1, sizeof(*urls));
        if (!urls)
                return -ENOMEM;
        member->urls = urls;
        urls[member->url_count++] = url;
        return bootstrap->count > BOOTSTRAP_MEMBERS_MAX ? error_set(error, -E2BIG, "--initial-cluster names more than %d members",
                                                                    BOOTSTRAP_MEMBERS_MAX)
                                                        : 0;
}

int bootstrap_parse(const char *text, const char *token, Bootstrap *ret_bootstrap, Error *error) {
        _cleanup_(bootstrap_deinit) Bootstrap bootstrap = {0};
        _cleanup_buffer_ Buffer ids = BUFFER_INIT;
        Slice rest = slice_from(text), part;
        int r;

        while (slice_split(&rest, ',', &part)) {
                r = bootstrap_add(&bootstrap, slice_trim(part), error);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < bootstrap.count; i++) {
                r = member_finish(&bootstrap.members[i], token);
                if (r < 0)
                        return r;
        }
        qsort(bootstrap.members, bootstrap.count, sizeof(*bootstrap.members), compare_members);
        for (size_t i = 0; i < bootstrap.count; i++) {
                uint64_t id = htobe64(bootstrap.members[i].id);

                if (i > 0 && bootstrap.members[i].id == bootstrap.members[i - 1].id)
                        return error_set(error, -EINVAL, "--initial-cluster gives %s and %s the same URLs",
                                         bootstrap.members[i - 1].name, bootstrap.members[i].name);
                if (buffer_append(&ids, &id, sizeof(id)) < 0)
                        return -ENOMEM;
        }
        bootstrap.cluster = sha1_prefix(&ids);
        *ret_bootstrap = bootstrap;
        bootstrap = (Bootstrap){0};
        return 0;
}

const BootstrapMember *bootstrap_find(const Bootstrap *bootstrap, const char *name) {
        for (size_t i = 0; i < bootstrap->count; i++)
                if (str_equals(bootstrap->members[i].name, name))
                        return &bootstrap->members[i];
        return NULL;
}
