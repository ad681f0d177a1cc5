/* Which endpoints are asked: those given, or found by SRV records, and behind them the members' own. */
#include <errno.h>

#include "store/discovery/srv.h"
#include "cli/store.h"

#define DEFAULT_ENDPOINTS "http://127.0.0.1:2379,http://127.0.0.1:4001"

/* Flags and variables in etcdctl's order: the first that is not empty counts. */
static const char *given_endpoints(const StoreGroup *group) {
        const char *const places[] = {group->endpoints, getenv("ETCDCTL_ENDPOINTS"),
                                      group->endpoint,  getenv("ETCDCTL_ENDPOINT"),
                                      group->peers,     getenv("ETCDCTL_PEERS")};

        for (size_t i = 0; i < ARRAY_SIZE(places); i++)
                if (places[i] && *places[i])
                        return places[i];
        return DEFAULT_ENDPOINTS;
}

static const char *or_variable(const char *flag, const char *variable) {
        return flag && *flag ? flag : getenv(variable) ?: "";
}

static int add_list(StoreHttp *http, const char *list, Error *error) {
        Slice rest = slice_from(list), one;

        while (slice_split(&rest, ',', &one)) {
                _cleanup_free_ char *name = slice_dup(slice_trim(one));
                int r = name ? store_http_add_endpoint(http, name, error) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        return 0;
}

/* Those of the SRV records without TLS are left out unless --insecure-discovery takes them. */
static int add_discovered(StoreGroup *group, const char *domain, Error *error) {
        bool insecure = group->insecure_discovery || *or_variable(NULL, "ETCDCTL_INSECURE_DISCOVERY");
        _cleanup_string_list_ StringList found = {0};
        int r = srv_find_clients(domain, or_variable(NULL, "ETCDCTL_DISCOVERY_SRV_NAME"), &found, error);

        for (size_t i = 0; r >= 0 && i < found.length; i++) {
                if (!insecure && str_starts_with(found.items[i], "http://"))
                        (void)fprintf(stderr, "ignoring discovered insecure endpoint \"%s\"\n", found.items[i]);
                else
                        r = store_http_add_endpoint(group->http, found.items[i], error);
        }
        return r;
}

static int complain_endpoints(const StoreGroup *group, const Error *error) {
        return store_complain(group, STORE_EXIT_USAGE, error->text[0] ? error->text : "out of memory",
                              error->text[0] ? error->text : "out of memory");
}

static void show_endpoints(const StoreGroup *group, const char *before, const char *separator, const char *behind) {
        (void)fprintf(stderr, "%s", before);
        for (size_t i = 0; i < store_http_endpoint_count(group->http); i++)
                (void)fprintf(stderr, "%s%s", i ? separator : "", store_http_endpoint(group->http, i));
        (void)fprintf(stderr, "%s\n", behind);
}

/* What no flag has said. */
static int take_variable(char **file, const char *variable) {
        const char *value = getenv(variable);

        if ((*file && **file) || !value || !*value)
                return 0;
        free(*file);
        *file = strdup(value);
        return *file ? 0 : -ENOMEM;
}

static int open_tls(StoreGroup *group, Error *error) {
        int r = take_variable(&group->tls.cert_file, "ETCDCTL_CERT_FILE");

        if (r >= 0)
                r = take_variable(&group->tls.key_file, "ETCDCTL_KEY_FILE");
        if (r >= 0)
                r = take_variable(&group->tls.ca_file, "ETCDCTL_CA_FILE");
        return r < 0 ? r : cli_tls_open(&group->tls, error);
}

static int make_client(StoreGroup *group) {
        const char *domain = or_variable(group->discovery_srv, "ETCDCTL_DISCOVERY_SRV");
        const char *user = or_variable(group->username, "ETCDCTL_USERNAME");
        _cleanup_free_ char *credentials = NULL;
        StoreHttpConfig config = {
                .timeout = group->timeout, .total_timeout = group->total_timeout, .debug = group->debug};
        HttpClientConfig http = {0};
        Error error = ERROR_NONE;
        int r = open_tls(group, &error);

        if (r < 0)
                return complain_endpoints(group, &error);
        http.tls = group->tls.context;
        config.http = &http;
        if (*user) {
                credentials = store_credentials(user);
                if (!credentials)
                        return STORE_EXIT_USAGE;
        }
        config.credentials = credentials;
        r = store_http_new(&group->loop, &config, &group->http);
        if (credentials)
                explicit_bzero(credentials, strlen(credentials));
        if (r >= 0 && *domain)
                r = add_discovered(group, domain, &error);
        if (r >= 0 && store_http_endpoint_count(group->http) == 0)
                r = add_list(group->http, given_endpoints(group), &error);
        return r < 0 ? complain_endpoints(group, &error) : 0;
}

/* The members' client URLs come behind the given ones: a request can fall over to others, and does not begin with one that may just
 * have died while the one that was named answers. Returns how many there are. */
static size_t add_members(StoreGroup *group, const char *body) {
        json_t *answer = json_loads(body, 0, NULL), *member, *url;
        size_t i, k, count = 0;

        json_array_foreach (json_object_get(answer, "members"), i, member)
                json_array_foreach (json_object_get(member, "clientURLs"), k, url) {
                        count++;
                        if (json_is_string(url))
                                (void)store_http_add_endpoint(group->http, json_string_value(url), NULL);
                }
        json_decref(answer);
        return count;
}

static int complain_unpublished(const StoreGroup *group) {
        (void)fprintf(stderr, "etcd cluster has no published client endpoints.\n");
        show_endpoints(group, "Try '--no-sync' if you want to access non-published client endpoints(", ",", ").");
        return store_complain(
                group, STORE_EXIT_SERVER, "Error:  client: no endpoints available",
                "no member has said yet where clients reach it; --no-sync asks the endpoints given all the same");
}

static int sync_endpoints(StoreGroup *group) {
        StoreHttpRequest request = {.method = "GET", .target = "/v2/members"};
        _cleanup_store_failure_ StoreFailure failure = {0};
        _cleanup_store_answer_ StoreAnswer answer = {0};
        size_t published = 1;
        int r;

        if (group->debug)
                show_endpoints(group, "start to sync cluster using endpoints(", ",", ")");
        r = store_http_do(group->http, &request, &answer, &failure);
        if (r < 0 && (failure.connection || failure.timed_out))
                return store_complain_failure(group, STORE_EXIT_CONNECTION, &failure);
        /* any other failure will show with the request itself */
        if (r >= 0 && answer.status == 200)
                published = add_members(group, answer.body);
        if (published == 0)
                return complain_unpublished(group);
        if (group->debug)
                show_endpoints(group, "got endpoints(", ",", ") after sync");
        return 0;
}

void store_show_endpoints(const StoreGroup *group) {
        show_endpoints(group, "Cluster-Endpoints: ", ", ", "");
}

int store_connect_without_sync(StoreGroup *group) {
        int code = make_client(group);

        if (code == 0 && group->debug)
                store_show_endpoints(group);
        return code;
}

int store_connect(StoreGroup *group) {
        int code = make_client(group);

        if (code == 0 && !group->no_sync)
                code = sync_endpoints(group);
        if (code == 0 && group->debug)
                store_show_endpoints(group);
        return code;
}
