#include "boot/settings.h"

#include <errno.h>

#include "base/options.h"
#include "boot/session.h"

void boot_settings_deinit(BootSettings *settings) {
        datasource_list_deinit(&settings->sources);
        free(settings->root);
        free(settings->workspace);
        free(settings->ssh_key_name);
        free(settings->oem);
        free(settings->convert);
}

/* ---- sources ---- */

static int add_source(void *target, const DatasourceKind *kind, const char *location, Error *error) {
        int r;

        if (!*location)
                return 0; /* as if the flag were not there */
        r = datasource_list_add(target, kind, location);
        return r == -EINVAL ? error_set(error, r, "more than %d datasources", DATASOURCES_MAX) : r;
}

#define SOURCE(kind)                                                                                                   \
        static int add_##kind(void *target, const char *value, Error *error) {                                         \
                return add_source(target, &datasource_##kind, value, error);                                           \
        }

SOURCE(file)
SOURCE(config_drive)
SOURCE(waagent)
SOURCE(url)
SOURCE(ec2)
SOURCE(digitalocean)
SOURCE(gce)
SOURCE(packet)
SOURCE(openstack)
SOURCE(ovf)

/* Sources that are switches: asked for once all flags are known, because "-x=false" takes one back. */
static int add_switches(BootSettings *settings, Error *error) {
        int r = 0;

        if (settings->metadata_service)
                r = add_source(&settings->sources, &datasource_ec2, "http://169.254.169.254/", error);
        if (r >= 0 && settings->cloudsigma)
                r = add_source(&settings->sources, &datasource_cloudsigma, "/dev/ttyS1", error);
        if (r >= 0 && settings->cmdline)
                r = add_source(&settings->sources, &datasource_cmdline, "/proc/cmdline", error);
        if (r < 0 || !settings->guestinfo)
                return r;
        r = datasource_list_add(&settings->sources, &datasource_guestinfo, "");
        return r == -EINVAL ? error_set(error, r, "more than %d datasources", DATASOURCES_MAX) : r;
}

/* ---- -oem ---- */

typedef struct OemFlag {
        const char *oem, *flag, *value;
} OemFlag;

static const OemFlag oem_flags[] = {
        {"digitalocean", "from-digitalocean-metadata", "http://169.254.169.254/"},
        {"ec2-compat", "from-ec2-metadata", "http://169.254.169.254/"},
        {"ec2-compat", "from-configdrive", "/media/configdrive"},
        {"gce", "from-gce-metadata", "http://metadata.google.internal/"},
        {"openstack", "from-openstack-metadata", "http://169.254.169.254/"},
        {"openstack", "from-configdrive", "/media/configdrive"},
        {"rackspace-onmetal", "from-configdrive", "/media/configdrive"},
        {"rackspace-onmetal", "convert-netconf", "debian"},
        {"azure", "from-waagent", "/var/lib/waagent"},
        {"cloudsigma", "from-cloudsigma-metadata", "true"},
        {"packet", "from-packet-metadata", "https://metadata.packet.net/"},
        {"vmware", "from-vmware-guestinfo", "true"},
        {"vmware", "convert-netconf", "vmware"},
};

static int apply_oem(const Option *options, const char *oem, Error *error) {
        bool known = false;

        for (size_t i = 0; i < ARRAY_SIZE(oem_flags); i++) {
                int r;

                if (!str_equals(oem_flags[i].oem, oem))
                        continue;
                known = true;
                r = options_set(options, oem_flags[i].flag, oem_flags[i].value, error);
                if (r < 0)
                        return r;
        }
        return known ? 0
                     : error_set(error, -EINVAL,
                                 "Invalid option to -oem: \"%s\". Supported options: azure, cloudsigma, digitalocean, "
                                 "ec2-compat, gce, openstack, packet, rackspace-onmetal, vmware",
                                 oem);
}

/* ---- all flags ---- */

static int take_network_format(BootSettings *settings, Error *error) {
        const char *name = settings->convert ?: "";

        settings->network = network_format_find(name);
        if (settings->network == NETWORK_UNKNOWN)
                return error_set(
                        error, -EINVAL,
                        "Invalid option to -convert-netconf: '%s'. Supported options: 'debian, packet, vmware'", name);
        return 0;
}

static int check_key_name(const char *name, Error *error) {
        if (name && (!*name || *name == '.' || strchr(name, '/')))
                return error_set(error, -EINVAL,
                                 "-ssh-key-name is \"%s\": it names a file, so no '/', and no '.' in front", name);
        return 0;
}

static int take_all(BootSettings *s, const Option *options, Error *error) {
        int r = s->oem && *s->oem ? apply_oem(options, s->oem, error) : 0;

        if (r >= 0)
                r = take_network_format(s, error);
        if (r >= 0)
                r = check_key_name(s->ssh_key_name, error);
        if (r >= 0)
                r = add_switches(s, error);
        if (r >= 0 && (option_default(&s->root, "/") < 0 || option_default(&s->workspace, BOOT_WORKSPACE) < 0))
                r = -ENOMEM;
        return r;
}

#define FROM(name, argument, help, call)                                                                               \
        { name, 0, OPTION_CALL, argument, NULL, help, &s->sources, call }
#define SWITCH(name, help, target)                                                                                     \
        { name, 0, OPTION_SWITCH, NULL, NULL, help, target, NULL }
#define TEXT(name, argument, help, target)                                                                             \
        { name, 0, OPTION_STRING, argument, NULL, help, target, NULL }

int boot_settings_parse(BootSettings *s, const char *program, int argc, char **argv, Buffer *help, Error *error) {
        const Option options[] = {
                FROM("from-file", "FILE", "apply the user-data in FILE", add_file),
                FROM("from-url", "URL", "get the user-data from URL", add_url),
                FROM("from-configdrive", "DIR", "of a config drive that is mounted at DIR", add_config_drive),
                SWITCH("from-proc-cmdline", "from the URL after cloud-config-url= on the kernel's command line",
                       &s->cmdline),
                FROM("from-ec2-metadata", "URL", "of EC2's metadata service", add_ec2),
                FROM("from-digitalocean-metadata", "URL", "of DigitalOcean's", add_digitalocean),
                FROM("from-gce-metadata", "URL", "of Google Compute Engine's", add_gce),
                FROM("from-packet-metadata", "URL", "of Packet's", add_packet),
                FROM("from-openstack-metadata", "URL", "of OpenStack's", add_openstack),
                FROM("from-waagent", "DIR", "of what Azure's waagent left in DIR", add_waagent),
                SWITCH("from-vmware-guestinfo", "of VMware's guest information, by open-vm-tools", &s->guestinfo),
                FROM("from-vmware-ovf-env", "FILE", "of an OVF environment document", add_ovf),
                SWITCH("from-cloudsigma-metadata", "of CloudSigma's hypervisor, by the serial port /dev/ttyS1",
                       &s->cloudsigma),
                SWITCH("from-metadata-service", NULL, &s->metadata_service),
                TEXT("oem", "NAME", "the flags that are right for a cloud: azure, digitalocean, ec2-compat, gce, …",
                     &s->oem),
                TEXT("convert-netconf", "FORMAT", "make networkd units of the meta-data: debian, packet, vmware",
                     &s->convert),
                SWITCH("validate", "only report what is wrong with it; exit code 1 if anything is", &s->validate),
                SWITCH("strict", "refuse what is only a warning otherwise", &s->strict),
                TEXT("root", "DIR", "write everything below DIR, and start nothing (default: /)", &s->root),
                TEXT("workspace", "DIR", "where scripts are kept (default: " BOOT_WORKSPACE ")", &s->workspace),
                SWITCH("ignore-failure", "exit with 0 also when the user-data cannot be used", &s->ignore_failure),
                TEXT("ssh-key-name", "NAME",
                     "the file of ~/.ssh/authorized_keys.d that keys go to (default: " PLAN_KEY_NAME ")",
                     &s->ssh_key_name),
                SWITCH("version", "print the version", &s->version),
                SWITCH("help", "print this", &s->help),
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        int r = options_parse(options, OPTIONS_GO, argc, argv, &arguments, error);

        if (r >= 0 && arguments.length > 0)
                r = error_set(error, -EINVAL, "\"%s\" is no flag; did you mean -from-file %s?", arguments.items[0],
                              arguments.items[0]);
        if (r >= 0)
                r = take_all(s, options, error);
        if (r < 0)
                return r;
        (void)buffer_printf(
                help,
                "Usage: %s -from-… [FLAGS]\n\nApplies a machine's user-data, a #cloud-config or a script, as "
                "coreos-cloudinit does. Of several sources the first that is there counts.\n\n",
                program);
        return options_format_help(options, "-", help);
}
