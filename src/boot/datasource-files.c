/* Datasources that are files: one file, a config drive, what Azure's waagent leaves, an OVF environment. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "boot/config/content.h"
#include "boot/datasource.h"
#include "host/file.h"

static int look_at(const char *path, Error *error) {
        struct stat status;

        return stat(path, &status) < 0 ? error_set_errno(error, -errno, "%s", path) : 0;
}

/* PATH, and the rest below it; what is not there gives nothing. */
static int read_below(const Datasource *source, const char *rest, Buffer *to, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/%s", source->location, rest);
        int r = path ? file_read(path, CONFIG_TEXT_MAX, to, error) : -ENOMEM;

        return r == -ENOENT ? 0 : r;
}

static Slice buffer_slice(const Buffer *buffer) {
        return (Slice){buffer_length(buffer) ? buffer_data(buffer) : "", buffer_length(buffer)};
}

/* ---- one file ---- */

static int file_look(const Datasource *source, Fetch *fetch, Error *error) {
        (void)fetch;
        return look_at(source->location, error);
}

static int file_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        (void)fetch;
        return file_read(source->location, CONFIG_TEXT_MAX, to, error);
}

/* coreos-cloudinit waits for the file to come, up to the end of its five minutes. Here a file is there or it is not:
 * whoever starts this knows which, and a mistyped name is told at once. */
const DatasourceKind datasource_file = {.name = "local-file", .look = file_look, .user_data = file_user_data};

/* ---- config drive ---- */

static int drive_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        (void)fetch;
        return read_below(source, "openstack/latest/user_data", to, error);
}

/* The path stands in the drive's own meta-data, and must not lead out of it. */
static int drive_network(const Datasource *source, Metadata *metadata, Error *error) {
        _cleanup_free_ char *clean = path_clean(slice_from(metadata->content_path));
        _cleanup_free_ char *rest = clean ? str_printf("openstack%s", clean) : NULL;
        int r = rest ? read_below(source, rest, &metadata->network, error) : -ENOMEM;

        metadata->has_network = r >= 0;
        return r;
}

static int drive_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = read_below(source, "openstack/latest/meta_data.json", &text, error);

        (void)fetch;
        if (r >= 0 && buffer_length(&text) > 0)
                r = metadata_parse_openstack(buffer_slice(&text), metadata, error);
        return r >= 0 && metadata->content_path ? drive_network(source, metadata, error) : r;
}

const DatasourceKind datasource_config_drive = {.name = "cloud-drive",
                                                .waits = true,
                                                .look = file_look,
                                                .user_data = drive_user_data,
                                                .metadata = drive_metadata};

/* ---- waagent ---- */

static int waagent_look(const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/provisioned", source->location);

        (void)fetch;
        return path ? look_at(path, error) : -ENOMEM;
}

static int waagent_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        (void)fetch;
        return read_below(source, "CustomData", to, error);
}

static int waagent_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = read_below(source, "SharedConfig.xml", &text, error);

        (void)fetch;
        return r < 0 || buffer_length(&text) == 0 ? r : metadata_parse_waagent(buffer_slice(&text), metadata, error);
}

const DatasourceKind datasource_waagent = {.name = "waagent",
                                           .waits = true,
                                           .look = waagent_look,
                                           .user_data = waagent_user_data,
                                           .metadata = waagent_metadata};
