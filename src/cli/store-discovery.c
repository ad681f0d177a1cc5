/* discovery new: a token where the founders of a cluster meet, as discovery.etcd.io made them. */
#include "base/encode.h"
#include "base/random.h"
#include "cli/store.h"
#include "store/discovery/discovery.h"

enum { TOKEN_BYTES = 16 };

/* Where others find it: the endpoint as the user wrote it, or what the member says of itself. */
static int connect_for_url(StoreGroup *group) {
        return group->endpoints && *group->endpoints ? store_connect_without_sync(group) : store_connect(group);
}

static int make_token(StoreGroup *group, const char *token, uint64_t size) {
        _cleanup_free_ char *key = str_printf("/discovery/%s/_config/size", token),
                            *value = str_printf("%llu", (unsigned long long)size);
        StoreReply reply;
        int code;

        if (!key || !value)
                return CLI_FAILED;
        code = store_request(
                group, &(StoreRequest){.verb = STORE_SET, .key = key, .value = value, .exist = STORE_EXIST_MUST_NOT},
                &reply);
        if (code == 0)
                store_reply_deinit(&reply);
        return code;
}

static void print_url(const char *endpoint, const char *token) {
        size_t length = strlen(endpoint);
        Url url;

        while (length > 0 && endpoint[length - 1] == '/')
                length--;
        printf("%.*s/v2/keys/discovery/%s\n", (int)length, endpoint, token);
        if (url_parse(endpoint, 0, &url, NULL) >= 0 &&
            (str_equals(url.host, "localhost") || str_equals(url.host, "::1") || str_starts_with(url.host, "127.")))
                (void)fprintf(stderr,
                              "Only this machine finds %s: name an address that the founders reach with --endpoints.\n",
                              url.host);
}

static int run_new(StoreGroup *group, const StoreArguments *arguments) {
        _cleanup_buffer_ Buffer token = BUFFER_INIT;
        uint8_t bytes[TOKEN_BYTES];
        int code;

        if (arguments->words.length > 0)
                return store_complain(group, CLI_USAGE, "", "discovery new takes no arguments; --endpoints says where");
        if (arguments->size == 0 || arguments->size > DISCOVERY_SIZE_MAX) {
                cli_complain(group->program, "--size is %llu: a cluster is founded by 1 to %d members",
                             (unsigned long long)arguments->size, DISCOVERY_SIZE_MAX);
                return CLI_USAGE;
        }
        random_secret(bytes, sizeof(bytes));
        if (encode_hex(&token, bytes, sizeof(bytes)) < 0 || !buffer_string(&token))
                return CLI_FAILED;
        code = connect_for_url(group);
        if (code == 0)
                code = make_token(group, buffer_string(&token), arguments->size);
        if (code == 0)
                print_url(store_http_endpoint(group->http, 0), buffer_string(&token));
        return code;
}

static const StoreFlag flags[] = {
        {"size", NULL, STORE_FLAG_NUMBER, STORE_AT(size), "N", "how many members found the cluster (default: 3)", NULL,
         NULL, NULL},
        {0},
};

const StoreCommand store_discovery_new = {
        .group = "discovery",
        .name = "new",
        .arguments = "",
        .summary = "make a token for --discovery, and print its URL",
        .flags = flags,
        .run = run_new,
};
