/* VMware: an OVF environment document, and the hypervisor's guest information through open-vm-tools. */
#include <errno.h>

#include "boot/config/content.h"
#include "boot/datasource.h"
#include "boot/run-program.h"
#include "host/file.h"

#define VENDOR_PATH "/sys/class/dmi/id/sys_vendor"

static Slice buffer_slice(const Buffer *buffer) {
        return (Slice){buffer_length(buffer) ? buffer_data(buffer) : "", buffer_length(buffer)};
}

/* Text under coreos.config.data, else what is fetched from coreos.config.url; encoded as .data.encoding says. */
static int read_user_data(GuestInfo read, void *userdata, Fetch *fetch, Buffer *to, Error *error) {
        _cleanup_buffer_ Buffer encoding = BUFFER_INIT, data = BUFFER_INIT, url = BUFFER_INIT;
        int r = read(userdata, "coreos.config.data.encoding", &encoding, error);

        if (r >= 0)
                r = read(userdata, "coreos.config.data", &data, error);
        if (r >= 0 && buffer_length(&data) == 0)
                r = read(userdata, "coreos.config.url", &url, error);
        if (r >= 0 && buffer_length(&url) > 0)
                r = buffer_string(&url) ? fetch_retry(fetch, buffer_string(&url), NULL, CONFIG_TEXT_MAX, &data, error)
                                        : -ENOMEM;
        return r < 0 ? r : content_decode(buffer_slice(&data), buffer_slice(&encoding), to, error);
}

/* ---- OVF environment ---- */

static int ovf_look(const Datasource *source, Fetch *fetch, Error *error) {
        (void)fetch;
        return access(source->location, F_OK) < 0 ? error_set_errno(error, -errno, "%s", source->location) : 0;
}

static int read_properties(const Datasource *source, StringList *properties, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = file_read(source->location, METADATA_DOCUMENT_MAX, &text, error);

        if (r < 0 || buffer_length(&text) == 0)
                return r;
        r = ovf_parse_properties(buffer_slice(&text), properties, error);
        return r < 0 ? error_prefix(error, r, "%s", source->location) : 0;
}

static int ovf_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        _cleanup_string_list_ StringList properties = {0};
        int r = read_properties(source, &properties, error);

        return r < 0 ? r : read_user_data(ovf_read, &properties, fetch, to, error);
}

static int ovf_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_string_list_ StringList properties = {0};
        int r = read_properties(source, &properties, error);

        (void)fetch;
        return r < 0 ? r : metadata_read_vmware(ovf_read, &properties, metadata, error);
}

const DatasourceKind datasource_ovf = {
        .name = "vmware", .look = ovf_look, .user_data = ovf_user_data, .metadata = ovf_metadata};

/* ---- guest information ---- */

/* vmware-rpctool fails for a value that is not set as for one that cannot be read. */
static int guestinfo_read(void *userdata, const char *key, Buffer *to, Error *error) {
        _cleanup_free_ char *command = str_printf("info-get guestinfo.%s", key);
        int r;

        (void)userdata;
        if (!command)
                return -ENOMEM;
        r = run_program_output((const char *const[]){"vmware-rpctool", command, NULL}, (Slice){"", 0}, CONFIG_TEXT_MAX,
                               to, error);
        return r == -EIO ? 0 : r;
}

static int guestinfo_look(const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_buffer_ Buffer vendor = BUFFER_INIT;
        int r = file_read(VENDOR_PATH, 4096, &vendor, error);

        (void)source;
        (void)fetch;
        if (r < 0 || !buffer_string(&vendor) || !str_starts_with(buffer_string(&vendor), "VMware"))
                return error_set(error, -ENODEV, "this is no machine of VMware: %s does not say so", VENDOR_PATH);
        if (!run_program_is_there("vmware-rpctool"))
                return error_set(error, -ENOENT,
                                 "guest information is read by vmware-rpctool; install open-vm-tools, or give an OVF "
                                 "environment by -from-vmware-ovf-env");
        return 0;
}

/* The document, if the hypervisor has one, else value by value. */
static int read_guest_properties(StringList *properties, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = guestinfo_read(NULL, "ovfenv", &text, error);

        return r < 0 || buffer_length(&text) == 0 ? r : ovf_parse_properties(buffer_slice(&text), properties, error);
}

static int guestinfo_user_data(const Datasource *source, Fetch *fetch, Buffer *to, Error *error) {
        _cleanup_string_list_ StringList properties = {0};
        int r = read_guest_properties(&properties, error);

        (void)source;
        if (r < 0)
                return r;
        return properties.length ? read_user_data(ovf_read, &properties, fetch, to, error)
                                 : read_user_data(guestinfo_read, NULL, fetch, to, error);
}

static int guestinfo_metadata(const Datasource *source, Fetch *fetch, Metadata *metadata, Error *error) {
        _cleanup_string_list_ StringList properties = {0};
        int r = read_guest_properties(&properties, error);

        (void)source;
        (void)fetch;
        if (r < 0)
                return r;
        return properties.length ? metadata_read_vmware(ovf_read, &properties, metadata, error)
                                 : metadata_read_vmware(guestinfo_read, NULL, metadata, error);
}

const DatasourceKind datasource_guestinfo = {
        .name = "vmware", .look = guestinfo_look, .user_data = guestinfo_user_data, .metadata = guestinfo_metadata};
