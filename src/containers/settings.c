#include "containers/settings.h"

#include <errno.h>

#include "host/file.h"

#define LISTEN_DEFAULT "unix:///run/faering/containers.sock"
#define LISTEN_DOCKER "unix:///run/docker.sock"
#define SHIM_INSTALLED "/usr/libexec/faering/faering-shim"

enum { OPTIONS_COUNT = 20, LISTEN_MAX = 16 };

static const Option *containers_options(ContainersSettings *s) {
        static Option options[OPTIONS_COUNT];
        const Option table[] = {
                {"listen", 0, OPTION_LIST, "URL", NULL,
                 "where the API is served; may be repeated (default: " LISTEN_DEFAULT " and " LISTEN_DOCKER ")",
                 &s->listen, NULL},
                {"state-dir", 0, OPTION_STRING, "DIR", "FAERING_CONTAINERS_STATE_DIR",
                 "images, containers and volumes (default: /var/lib/faering/containers)", &s->state_dir, NULL},
                {"run-dir", 0, OPTION_STRING, "DIR", "FAERING_CONTAINERS_RUN_DIR",
                 "what is gone after a boot (default: /run/faering/containers)", &s->run_dir, NULL},
                {"runtime", 0, OPTION_STRING, "NAME", "FAERING_CONTAINERS_RUNTIME",
                 "the OCI runtime (default: crun, or runc where crun does not work)", &s->runtime, NULL},
                {"bip", 0, OPTION_STRING, "ADDRESS", "FAERING_CONTAINERS_BIP",
                 "the bridge's address and prefix (default: 172.17.0.1/16)", &s->bridge_address, NULL},
                {"no-bridge", 0, OPTION_SWITCH, NULL, NULL,
                 "no bridge and no firewall rules: containers have --network host or none", &s->no_network, NULL},
                {"shim", 0, OPTION_STRING, "FILE", "FAERING_CONTAINERS_SHIM",
                 "the program that holds a container (default: " SHIM_INSTALLED ")", &s->shim, NULL},
                {"store", 0, OPTION_STRING, "URLS", "FAERING_CONTAINERS_STORE",
                 "where other machines that have images are found; \"\" for none (default: "
                 "http://127.0.0.1:2379,http://127.0.0.1:4001)",
                 &s->store, NULL},
                {"store-ca-file", 0, OPTION_STRING, "FILE", "FAERING_CONTAINERS_STORE_CA_FILE",
                 "authorities of a store at https:// (default: the system's)", &s->store_ca_file, NULL},
                {"store-cert-file", 0, OPTION_STRING, "FILE", "FAERING_CONTAINERS_STORE_CERT_FILE",
                 "what such a store is shown", &s->store_cert_file, NULL},
                {"store-key-file", 0, OPTION_STRING, "FILE", "FAERING_CONTAINERS_STORE_KEY_FILE", "its key",
                 &s->store_key_file, NULL},
                {"serve-images", 0, OPTION_STRING, "URL", "FAERING_CONTAINERS_SERVE_IMAGES",
                 "where this machine's images are served to other machines, as http://10.0.0.1:2374 (default: not)",
                 &s->serve_images, NULL},
                {"machine-id", 0, OPTION_STRING, "ID", "FAERING_CONTAINERS_MACHINE_ID",
                 "instead of the one in /etc/machine-id", &s->machine_id, NULL},
                {"debug", 0, OPTION_SWITCH, NULL, NULL, "log more", &s->debug, NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &s->version, NULL},
                {"help", 0, OPTION_SWITCH, NULL, NULL, "print this", &s->help, NULL},
                {0},
        };

        _Static_assert(ARRAY_SIZE(table) <= OPTIONS_COUNT, "room for all options");
        memcpy(options, table, sizeof(table));
        return options;
}

int containers_settings_format_help(Buffer *buffer) {
        ContainersSettings unused = {0};

        (void)buffer_append_string(buffer, "Usage: faering-containers [OPTIONS]\n\nThe container engine of this "
                                           "machine; it serves the Docker Engine API. "
                                           "Containers go on running while it is stopped.\n\n");
        return options_format_help(containers_options(&unused), "--", buffer);
}

void containers_settings_deinit(ContainersSettings *s) {
        char *strings[] = {s->state_dir,      s->run_dir, s->runtime,      s->shim,
                           s->bridge_address, s->store,   s->serve_images, s->machine_id,
                           s->store_ca_file,  s->store_cert_file, s->store_key_file};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        string_list_deinit(&s->listen);
        free(s->listen_urls);
        free(s->store_urls);
        *s = (ContainersSettings){0};
}

/* Beside this program, or as the build has it: a tree that is not installed works as well. */
static char *find_shim(void) {
        static const char *const places[] = {"faering-shim", "shim/faering-shim", "../libexec/faering/faering-shim"};

        return file_beside_program(places, ARRAY_SIZE(places)) ?: strdup(SHIM_INSTALLED);
}

static int parse_listen(ContainersSettings *s, Error *error) {
        int r = 0;

        if (s->listen.length == 0) {
                r = string_list_add(&s->listen, LISTEN_DEFAULT);
                if (r >= 0)
                        r = string_list_add(&s->listen, LISTEN_DOCKER);
        }
        if (r >= 0 && s->listen.length > LISTEN_MAX)
                return error_set(error, -EINVAL, "--listen is given more than %d times", LISTEN_MAX);
        for (size_t i = 0; r >= 0 && i < s->listen.length; i++)
                r = url_parse_list(s->listen.items[i], 2375, &s->listen_urls, &s->n_listen, error);
        return r;
}

static int read_machine_id(ContainersSettings *s) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (s->machine_id[0] || file_read("/etc/machine-id", 256, &text, NULL) < 0)
                return 0; /* only needed to tell others of our images */
        free(s->machine_id);
        s->machine_id = slice_dup(slice_trim((Slice){buffer_data(&text) ?: "", buffer_length(&text)}));
        return s->machine_id ? 0 : -ENOMEM;
}

static int settle(ContainersSettings *s, Error *error) {
        const struct {
                char **target;
                const char *value;
        } defaults[] = {
                {&s->state_dir, "/var/lib/faering/containers"},
                {&s->run_dir, "/run/faering/containers"},
                {&s->bridge_address, "172.17.0.1/16"},
                {&s->store, "http://127.0.0.1:2379,http://127.0.0.1:4001"},
                {&s->serve_images, ""},
                {&s->machine_id, ""},
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(defaults); i++)
                r = option_default(defaults[i].target, defaults[i].value);
        if (r < 0)
                return r;
        if (!s->shim && !(s->shim = find_shim()))
                return -ENOMEM;
        if (s->state_dir[0] != '/' || s->run_dir[0] != '/')
                return error_set(error, -EINVAL, "--state-dir and --run-dir must be absolute paths");
        r = parse_listen(s, error);
        if (r >= 0 && s->store[0])
                r = url_parse_list(s->store, 2379, &s->store_urls, &s->n_store, error);
        if (r >= 0 && s->serve_images[0])
                r = url_parse(s->serve_images, 2374, &s->serve_url, error);
        return r < 0 ? r : read_machine_id(s);
}

int containers_settings_parse(int argc, char *const *argv, ContainersSettings *ret, Error *error) {
        _cleanup_(containers_settings_deinit) ContainersSettings settings = {0};
        _cleanup_string_list_ StringList arguments = {0};
        int r = options_parse(containers_options(&settings), OPTIONS_GNU, argc, argv, &arguments, error);

        if (r < 0)
                return r;
        if (arguments.length > 0)
                return error_set(error, -EINVAL, "\"%s\" is no option; see --help", arguments.items[0]);
        r = settings.help || settings.version ? 0 : settle(&settings, error);
        if (r < 0)
                return r;
        *ret = settings;
        settings = (ContainersSettings){0};
        return 0;
}
