/* Datasources behind HTTP: an URL, one from the kernel's command line, and the metadata services of clouds. */
#include <errno.h>

#include "boot/datasource.h"
#include "host/file.h"

#define GCE_HEADER "Metadata-Flavor: Google"

static Slice buffer_slice(const Buffer *buffer) {
        return (Slice){buffer_length(buffer) ? buffer_data(buffer) : "", buffer_length(buffer)};
}

/* The location, a slash if it has none, and `rest`. */
static char *url_below(const Datasource *source, const char *rest) {
        return str_printf("%s%s%s", source->location, str_ends_with(source->location, "/") ? "" : "/", rest);
}

static int look_below(const Datasource *source, Fetch *fetch, const char *rest, const char *header, Error *error) {
        _cleanup_free_ char *url = url_below(source, rest);
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        return url ? fetch_once(fetch, url, header, CONFIG_TEXT_MAX, &body, error) : -ENOMEM;
}

/* What is not there (4xx) is nothing, and no failure. */
static int get_below(const Datasource *source, Fetch *fetch, const char *rest, const char *header, Buffer *to,
                     Error *error) {
        _cleanup_free_ char *url = url_below(source, rest);
        int r = url ? fetch_retry(fetch, url, header, CONFIG_TEXT_MAX, to, error) : -ENOMEM;

        if (r < 0 && r != -ENOENT)
                return error_prefix(error, r, "cannot get %s", rest);
        return 0;
}

/* ---- an URL ---- */

static int url_look(const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_buffer_ Buffer body = BUFFER_INIT;

        return fetch_once(fetch, source->location, NULL, CONFIG_TEXT_MAX, &body, error);
}

static int url_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return fetch_retry(fetch, source->location, NULL, CONFIG_TEXT_MAX, to, error);
}

const DatasourceKind datasource_url = {.name = "url", .waits = true, .look = url_look, .user_data = url_user_data};

/* ---- the kernel's command line ---- */

static int read_cmdline(const Datasource *source, char **ret_url, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = file_read(source->location, FILE_SMALL_MAX, &text, error);
        Slice url;

        if (r < 0)
                return r;
        url = cmdline_find_url(buffer_slice(&text));
        if (!url.data || memchr(url.data, '\0', url.length))
                return error_set(error, -ENOENT, "%s has no cloud-config-url=", source->location);
        *ret_url = slice_dup(url);
        return *ret_url ? 0 : -ENOMEM;
}

static int cmdline_look(const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_free_ char *url = NULL;

        (void)fetch;
        return read_cmdline(source, &url, error);
}

static int cmdline_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        _cleanup_free_ char *url = NULL;
        int r = read_cmdline(source, &url, error);

        return r < 0 ? r : fetch_retry(fetch, url, NULL, CONFIG_TEXT_MAX, to, error);
}

const DatasourceKind datasource_cmdline = {
        .name = "proc-cmdline", .look = cmdline_look, .user_data = cmdline_user_data};

/* ---- EC2 ---- */

static int ec2_look(const Datasource *source, Fetch *fetch, Error *error) {
        return look_below(source, fetch, "2009-04-04/", NULL, error);
}

static int ec2_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return get_below(source, fetch, "2009-04-04/user-data", NULL, to, error);
}

/* The first line of what stands there. */
static int ec2_get(const Datasource *source, Fetch *fetch, const char *name, Buffer *to, Slice *ret, Error *error) {
        _cleanup_free_ char *rest = str_printf("2009-04-04/meta-data/%s", name);
        int r = rest ? get_below(source, fetch, rest, NULL, to, error) : -ENOMEM;

        if (r < 0)
                return r;
        *ret = buffer_slice(to);
        ret->length =
                ret->length ? (size_t)((const char *)memchr(ret->data, '\n', ret->length) ?: ret->data + ret->length) -
                                      (size_t)ret->data
                            : 0;
        *ret = slice_trim(*ret);
        return 0;
}

/* "0=my-key": the number leads to the key. */
static int ec2_key(const Datasource *source, Fetch *fetch, Slice line, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        _cleanup_free_ char *name = NULL;
        const char *equals = memchr(line.data, '=', line.length);
        uint64_t number;
        Slice key;
        int r;

        if (!equals || str_parse_u64((Slice){line.data, (size_t)(equals - line.data)}, METADATA_KEYS_MAX, &number) < 0)
                return error_set(error, -EINVAL, "public-keys has the line \"%.*s\", which is not NUMBER=NAME",
                                 (int)min_of(line.length, (size_t)64), line.data);
        name = str_printf("public-keys/%u/openssh-key", (unsigned)number);
        r = name ? ec2_get(source, fetch, name, &text, &key, error) : -ENOMEM;
        return r < 0 || key.length == 0 ? r : metadata_add_key(metadata, key, error);
}

static int ec2_keys(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = get_below(source, fetch, "2009-04-04/meta-data/public-keys", NULL, &text, error);
        Slice rest = buffer_slice(&text), line;

        while (r >= 0 && rest.data && slice_split(&rest, '\n', &line)) {
                line = slice_trim(line);
                if (line.length > 0)
                        r = ec2_key(source, fetch, line, metadata, error);
        }
        return r;
}

static int ec2_address(const Datasource *source, Fetch *fetch, const char *name, Address address, Metadata *metadata,
                       Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice value;
        int r = ec2_get(source, fetch, name, &text, &value, error);

        return r < 0 ? r : metadata_take_address(metadata, address, value);
}

static int ec2_addresses(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        int r = ec2_address(source, fetch, "local-ipv4", ADDRESS_PRIVATE_IPV4, metadata, error);

        return r < 0 ? r : ec2_address(source, fetch, "public-ipv4", ADDRESS_PUBLIC_IPV4, metadata, error);
}

static int ec2_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice hostname;
        int r = ec2_keys(source, fetch, metadata, error);

        if (r >= 0)
                r = ec2_get(source, fetch, "hostname", &text, &hostname, error);
        if (r >= 0)
                r = metadata_set_hostname(metadata, hostname);
        return r < 0 ? r : ec2_addresses(source, fetch, metadata, error);
}

const DatasourceKind datasource_ec2 = {.name = "ec2-metadata-service",
                                       .waits = true,
                                       .look = ec2_look,
                                       .user_data = ec2_user_data,
                                       .metadata = ec2_metadata};

/* ---- services with one document ---- */

typedef int (*DocumentParser)(Slice text, Metadata *metadata, Error *error);

static int get_document(const Datasource *source, Fetch *fetch, const char *rest, DocumentParser parse,
                        Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = get_below(source, fetch, rest, NULL, &text, error);

        return r < 0 || buffer_length(&text) == 0 ? r : parse(buffer_slice(&text), metadata, error);
}

static int digitalocean_look(const Datasource *source, Fetch *fetch, Error *error) {
        return look_below(source, fetch, "metadata/v1", NULL, error);
}

static int digitalocean_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return get_below(source, fetch, "metadata/v1/user-data", NULL, to, error);
}

static int digitalocean_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        return get_document(source, fetch, "metadata/v1.json", metadata_parse_digitalocean, metadata, error);
}

const DatasourceKind datasource_digitalocean = {.name = "digitalocean-metadata-service",
                                                .waits = true,
                                                .look = digitalocean_look,
                                                .user_data = digitalocean_user_data,
                                                .metadata = digitalocean_metadata};

static int packet_look(const Datasource *source, Fetch *fetch, Error *error) {
        return look_below(source, fetch, "", NULL, error);
}

static int packet_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return get_below(source, fetch, "userdata", NULL, to, error);
}

static int packet_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        return get_document(source, fetch, "metadata", metadata_parse_packet, metadata, error);
}

const DatasourceKind datasource_packet = {.name = "packet-metadata-service",
                                          .waits = true,
                                          .look = packet_look,
                                          .user_data = packet_user_data,
                                          .metadata = packet_metadata};

/* ---- OpenStack ---- */

static int openstack_look(const Datasource *source, Fetch *fetch, Error *error) {
        return look_below(source, fetch, "openstack/latest/meta_data.json", NULL, error);
}

static int openstack_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return get_below(source, fetch, "openstack/latest/user_data", NULL, to, error);
}

static int openstack_network(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        const char *path = metadata->content_path;
        _cleanup_free_ char *rest = str_printf("openstack%s%s", *path == '/' ? "" : "/", path);
        int r = rest ? get_below(source, fetch, rest, NULL, &metadata->network, error) : -ENOMEM;

        metadata->has_network = r >= 0;
        return r;
}

/* Addresses stand only in the part that is as EC2's. */
static int openstack_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        int r = get_document(source, fetch, "openstack/latest/meta_data.json", metadata_parse_openstack, metadata,
                             error);

        if (r >= 0 && metadata->content_path)
                r = openstack_network(source, fetch, metadata, error);
        return r < 0 ? r : ec2_addresses(source, fetch, metadata, error);
}

const DatasourceKind datasource_openstack = {.name = "openstack-metadata-service",
                                             .waits = true,
                                             .look = openstack_look,
                                             .user_data = openstack_user_data,
                                             .metadata = openstack_metadata};

/* ---- Google ---- */

static int gce_look(const Datasource *source, Fetch *fetch, Error *error) {
        return look_below(source, fetch, "computeMetadata/v1/", GCE_HEADER, error);
}

static int gce_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        return get_below(source, fetch, "computeMetadata/v1/instance/attributes/user-data", GCE_HEADER, to, error);
}

static int gce_address(const Datasource *source, Fetch *fetch, const char *rest, Address address, Metadata *metadata,
                       Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = get_below(source, fetch, rest, GCE_HEADER, &text, error);

        return r < 0 ? r : metadata_set_address(metadata, address, buffer_slice(&text), error);
}

#define GCE_INTERFACE "computeMetadata/v1/instance/network-interfaces/0/"

static int gce_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer hostname = BUFFER_INIT;
        int r = gce_address(source, fetch, GCE_INTERFACE "access-configs/0/external-ip", ADDRESS_PUBLIC_IPV4, metadata,
                            error);

        if (r >= 0)
                r = gce_address(source, fetch, GCE_INTERFACE "ip", ADDRESS_PRIVATE_IPV4, metadata, error);
        if (r >= 0)
                r = get_below(source, fetch, "computeMetadata/v1/instance/hostname", GCE_HEADER, &hostname, error);
        return r < 0 ? r : metadata_set_hostname(metadata, buffer_slice(&hostname));
}

const DatasourceKind datasource_gce = {.name = "gce-metadata-service",
                                       .waits = true,
                                       .look = gce_look,
                                       .user_data = gce_user_data,
                                       .metadata = gce_metadata};
