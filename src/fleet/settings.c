#include "fleet/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/random.h"
#include "fleet/unit/resources.h"
#include "host/file.h"
#include "net/address.h"

#define CONFIG_DEFAULT "/etc/fleet/fleet.conf"

enum { OPTIONS_COUNT = 48, CONFIG_LINE_MAX = 4096, AGENT_TTL_SEC_MIN = 2, LOGS_PORT_DEFAULT = 49154, CLOCK_DRIFT_MAX = 50 };

static const Option *fleet_options(FleetSettings *s) {
        static Option options[OPTIONS_COUNT];
        const Option table[] = {
                {"config", 0, OPTION_STRING, "FILE", NULL, "settings, one key=value a line (default: " CONFIG_DEFAULT ", if there)",
                 &s->config, NULL},
                {"state-dir", 0, OPTION_STRING, "DIR", "FLEET_STATE_DIR", "where its state lives (default: /var/lib/faering/fleet)",
                 &s->state_dir, NULL},
                {"run-dir", 0, OPTION_STRING, "DIR", "FLEET_RUN_DIR",
                 "what of its units has to outlive it, but not the machine (default: /run/faering/fleet, or run below another --state-dir)",
                 &s->run_dir, NULL},
                {"listen", 0, OPTION_STRING, "URL", "FLEET_LISTEN", "where the API is served (default: unix:///run/faering/fleet.sock)",
                 &s->listen, NULL},
                {"serve-logs", 0, OPTION_STRING, "URL", "FLEET_SERVE_LOGS",
                 "where other machines read this one's logs and states: https://ADDRESS:PORT, http://ADDRESS:PORT or none (default: https on all "
                 "addresses with --ca-file, otherwise none)", &s->serve_logs, NULL},
                {"supervisor", 0, OPTION_STRING, "NAME", "FLEET_SUPERVISOR",
                 "systemd, embedded, or fake, which only pretends (default: systemd where it runs, else embedded)", &s->supervisor, NULL},
                {"etcd_servers", 0, OPTION_STRING, "URLS", "FLEET_ETCD_SERVERS",
                 "the store (default: http://127.0.0.1:2379,http://127.0.0.1:4001)", &s->etcd_servers, NULL},
                {"etcd_key_prefix", 0, OPTION_STRING, "KEY", "FLEET_ETCD_KEY_PREFIX", "where in the store (default: " "/_coreos.com/fleet/)",
                 &s->etcd_key_prefix, NULL},
                {"etcd_username", 0, OPTION_STRING, "NAME", "FLEET_ETCD_USERNAME", "who asks, for a store that has accounts", &s->etcd_username,
                 NULL},
                {"etcd_password", 0, OPTION_STRING, "TEXT", "FLEET_ETCD_PASSWORD", "the password (better in the file than in a command line)",
                 &s->etcd_password, NULL},
                {"etcd_cafile", 0, OPTION_STRING, "FILE", "FLEET_ETCD_CAFILE",
                 "authorities of a store at https:// (default: the system's)", &s->etcd_cafile, NULL},
                {"etcd_certfile", 0, OPTION_STRING, "FILE", "FLEET_ETCD_CERTFILE", "what such a store is shown", &s->etcd_certfile, NULL},
                {"etcd_keyfile", 0, OPTION_STRING, "FILE", "FLEET_ETCD_KEYFILE", "its key", &s->etcd_keyfile, NULL},
                {"cert-file", 0, OPTION_STRING, "FILE", "FLEET_CERT_FILE",
                 "what is shown at https:// addresses of --listen and --serve-logs, and to other machines", &s->cert_file, NULL},
                {"key-file", 0, OPTION_STRING, "FILE", "FLEET_KEY_FILE", "its key", &s->key_file, NULL},
                {"ca-file", 0, OPTION_STRING, "FILE", "FLEET_CA_FILE",
                 "authorities: who asks there must show a certificate that one of them signed", &s->ca_file, NULL},
                {"public_ip", 0, OPTION_STRING, "ADDRESS", "FLEET_PUBLIC_IP", "this machine's address (default: the first one found)",
                 &s->public_ip, NULL},
                {"metadata", 0, OPTION_STRING, "K=V,…", "FLEET_METADATA", "what this machine is, for MachineMetadata=", &s->metadata, NULL},
                {"agent_ttl", 0, OPTION_DURATION, "TIME", "FLEET_AGENT_TTL",
                 "silence after which a machine counts as gone (default: 30s)", &s->agent_ttl, NULL},
                {"reserve", 0, OPTION_STRING, "MEMORY[,CPUS]", "FLEET_RESERVE",
                 "what of this machine units are not promised, such as 512M,0.5 (default: nothing)", &s->reserve, NULL},
                {"partition_margin", 0, OPTION_DURATION, "TIME", "FLEET_PARTITION_MARGIN",
                 "what units with OnPartition=stop may take to end (default: a quarter of agent_ttl)", &s->partition_margin, NULL},
                {"clock_drift", 0, OPTION_U64, "N", "FLEET_CLOCK_DRIFT",
                 "thousandths by which clocks of machines may differ in their pace (default: 10)", &s->clock_drift, NULL},
                {"disable_engine", 0, OPTION_SWITCH, NULL, "FLEET_DISABLE_ENGINE", "never decide where units run", &s->disable_engine, NULL},
                {"verbosity", 0, OPTION_U64, "N", "FLEET_VERBOSITY", "above 0: log more", &s->verbosity, NULL},
                {"machine-id", 0, OPTION_STRING, "ID", "FLEET_MACHINE_ID", "instead of the one in /etc/machine-id", &s->machine_id, NULL},
                {"engine_reconcile_interval", 0, OPTION_STRING, "TIME", "FLEET_ENGINE_RECONCILE_INTERVAL", NULL, &s->ignored[0], NULL},
                {"etcd_request_timeout", 0, OPTION_STRING, "TIME", "FLEET_ETCD_REQUEST_TIMEOUT", NULL, &s->ignored[1], NULL},
                {"token_limit", 0, OPTION_STRING, "N", "FLEET_TOKEN_LIMIT", NULL, &s->ignored[2], NULL},
                {"units_directory", 0, OPTION_STRING, "DIR", "FLEET_UNITS_DIRECTORY",
                 "where systemd finds the unit files (default: /run/fleet/units)", &s->units_directory, NULL},
                {"systemd_user", 0, OPTION_SWITCH, NULL, "FLEET_SYSTEMD_USER", "use the user's own systemd",
                 &s->systemd_user, NULL},
                {"enable_grpc", 0, OPTION_STRING, "BOOL", "FLEET_ENABLE_GRPC", NULL, &s->ignored[3], NULL},
                {"disable_watches", 0, OPTION_STRING, "BOOL", "FLEET_DISABLE_WATCHES", NULL, &s->ignored[4], NULL},
                {"verify_units", 0, OPTION_STRING, "BOOL", "FLEET_VERIFY_UNITS", NULL, &s->ignored[5], NULL},
                {"authorized_keys_file", 0, OPTION_STRING, "FILE", "FLEET_AUTHORIZED_KEYS_FILE", NULL, &s->ignored[6], NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &s->version, NULL},
                {"help", 0, OPTION_SWITCH, NULL, NULL, "print this", &s->help, NULL},
                {0},
        };

        _Static_assert(ARRAY_SIZE(table) <= OPTIONS_COUNT, "room for all options");
        memcpy(options, table, sizeof(table));
        return options;
}

int fleet_settings_format_help(Buffer *buffer) {
        FleetSettings unused = {0};

        (void)buffer_append_string(buffer, "Usage: faering-fleet [OPTIONS]\n\nRuns this machine's share of the cluster's units, and decides "
                                           "with the others where units run. Each option can also be a line of the configuration "
                                           "file or a variable FLEET_…\n\n");
        return options_format_help(fleet_options(&unused), "--", buffer);
}

void fleet_settings_deinit(FleetSettings *s) {
        char *strings[] = {s->config, s->state_dir, s->run_dir, s->listen, s->serve_logs, s->supervisor, s->etcd_servers, s->etcd_key_prefix, s->public_ip,
                           s->metadata, s->machine_id, s->units_directory, s->etcd_username, s->etcd_password, s->etcd_cafile, s->etcd_certfile, s->etcd_keyfile,
                           s->cert_file, s->key_file, s->ca_file, s->reserve};

        for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
                free(strings[i]);
        for (size_t i = 0; i < ARRAY_SIZE(s->ignored); i++)
                free(s->ignored[i]);
        free(s->servers);
        machine_record_deinit(&s->machine);
        *s = (FleetSettings){0};
}

void fleet_settings_tell_ignored(const FleetSettings *settings, void (*tell)(const char *text)) {
        static const char *const texts[FLEET_SETTINGS_IGNORED] = {
                "engine_reconcile_interval is ignored: the engine decides when something changes, and looks at nothing in between",
                "etcd_request_timeout is ignored: requests to the store have a limit that follows agent_ttl",
                "token_limit is ignored: a page of the API has 100 entries",
                "enable_grpc is ignored: machines hear of each other through the store only",
                "disable_watches is ignored: without watches nothing would be heard",
                "verify_units is ignored: units are not signed",
                "authorized_keys_file is ignored: units are not signed",
        };

        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (settings->ignored[i])
                        tell(texts[i]);
}

/* ---- the configuration file ---- */

static int config_line(FleetSettings *settings, const char *file, unsigned number, char *line, Error *error) {
        char *text = line + strspn(line, " \t"), *equals, *value;
        Slice key;
        int r;

        text[strcspn(text, "\r\n")] = '\0';
        if (*text == '\0' || *text == '#' || *text == ';' || *text == '[')
                return 0;
        equals = strchr(text, '=');
        if (!equals)
                return error_set(error, -EINVAL, "%s:%u: expected key=value", file, number);
        key = slice_trim((Slice){text, (size_t)(equals - text)});
        value = equals + 1 + strspn(equals + 1, " \t");
        for (size_t n = strlen(value); n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
                value[n - 1] = '\0';
        if (strlen(value) >= 2 && value[0] == '"' && value[strlen(value) - 1] == '"') {
                value++;
                value[strlen(value) - 1] = '\0';
        }
        text[key.length + (size_t)(key.data - text)] = '\0';
        r = options_set(fleet_options(settings), key.data, value, error);
        return r < 0 ? error_prefix(error, r, "%s:%u", file, number) : 0;
}

static int read_config(FleetSettings *settings, const char *path, bool must, Error *error) {
        char line[CONFIG_LINE_MAX];
        unsigned number = 0;
        FILE *file = fopen(path, "re");
        int r = 0;

        if (!file)
                return errno == ENOENT && !must ? 0 : error_set_errno(error, -errno, "cannot open %s", path);
        while (r >= 0 && fgets(line, sizeof(line), file)) {
                number++;
                if (strlen(line) + 1 == sizeof(line) && line[sizeof(line) - 2] != '\n')
                        r = error_set(error, -EINVAL, "%s:%u: a line is longer than %d bytes", path, number, CONFIG_LINE_MAX - 2);
                else
                        r = config_line(settings, path, number, line, error);
        }
        if (r >= 0 && ferror(file)) /* a folder */
                r = error_set_errno(error, -errno, "cannot read %s", path);
        (void)fclose(file);
        return r;
}

/* ---- who this machine is ---- */

static int read_machine_id(char **ret_id, Error *error) {
        char text[64] = "";
        FILE *file = fopen("/etc/machine-id", "re");

        if (file) {
                if (!fgets(text, sizeof(text), file))
                        text[0] = '\0';
                (void)fclose(file);
        }
        text[strcspn(text, " \t\r\n")] = '\0';
        if (!*text)
                return error_set(error, -ENOENT, "/etc/machine-id is missing or empty: systemd-machine-id-setup makes one");
        *ret_id = strdup(text);
        return *ret_id ? 0 : -ENOMEM;
}

/* The first address of an interface that is up and not the loopback. */
static int find_address(char **ret_address) {
        char text[64] = "127.0.0.1:0";
        struct ifaddrs *all;

        if (getifaddrs(&all) >= 0) {
                for (struct ifaddrs *one = all; one; one = one->ifa_next) {
                        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || one->ifa_flags & IFF_LOOPBACK || !(one->ifa_flags & IFF_UP))
                                continue;
                        address_format((struct sockaddr_storage *)(void *)one->ifa_addr, text, sizeof(text));
                        break;
                }
                freeifaddrs(all);
        }
        text[strcspn(text, ":")] = '\0';
        *ret_address = strdup(text);
        return *ret_address ? 0 : -ENOMEM;
}

static int parse_metadata(const char *text, MachineRecord *machine, Error *error) {
        Slice rest = slice_from(text), part;

        while (*text && slice_split(&rest, ',', &part)) {
                const char *equals;
                MetadataPair *pairs;

                part = slice_trim(part);
                if (part.length == 0)
                        continue;
                equals = memchr(part.data, '=', part.length);
                if (!equals)
                        return error_set(error, -EINVAL, "metadata \"%.*s\" is not key=value", (int)part.length, part.data);
                pairs = reallocarray(machine->metadata, machine->n_metadata + 1, sizeof(*pairs));
                if (!pairs)
                        return -ENOMEM;
                machine->metadata = pairs;
                pairs[machine->n_metadata++] = (MetadataPair){
                        slice_dup((Slice){part.data, (size_t)(equals - part.data)}),
                        slice_dup((Slice){equals + 1, part.length - (size_t)(equals + 1 - part.data)})};
                if (!pairs[machine->n_metadata - 1].key || !pairs[machine->n_metadata - 1].value)
                        return -ENOMEM;
        }
        return 0;
}

/* A mark of this state directory, made at the first start. */
static int read_instance(const char *state_dir, char **ret_instance, Error *error) {
        _cleanup_free_ char *path = str_printf("%s/instance", state_dir);
        _cleanup_buffer_ Buffer made = BUFFER_INIT;
        char text[64] = "";
        uint8_t secret[16];
        FILE *file;

        if (!path)
                return -ENOMEM;
        file = fopen(path, "re");
        if (file) {
                if (!fgets(text, sizeof(text), file))
                        text[0] = '\0';
                (void)fclose(file);
        }
        if (!*text) {
                random_secret(secret, sizeof(secret));
                if (encode_hex(&made, secret, sizeof(secret)) < 0 || !buffer_string(&made))
                        return -ENOMEM;
                (void)snprintf(text, sizeof(text), "%s", buffer_string(&made));
                file = fopen(path, "we");
                if (!file || fputs(text, file) < 0 || fclose(file) != 0)
                        return error_set_errno(error, -errno, "cannot write %s", path);
        }
        *ret_instance = strdup(text);
        return *ret_instance ? 0 : -ENOMEM;
}

/* What this machine has for units: all that is not reserved. */
static int settle_capacity(FleetSettings *s, Error *error) {
        uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
        uint64_t cpu = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) * 1000;
        size_t comma = strcspn(s->reserve, ",");
        _cleanup_free_ char *first = slice_dup((Slice){s->reserve, comma});
        UnitResources reserved = {0};
        uint64_t reserved_cpu = 0;

        if (!first)
                return -ENOMEM;
        if ((*first && unit_parse_memory(first, &reserved) < 0) ||
            (s->reserve[comma] && unit_parse_cpu(s->reserve + comma + 1, &reserved_cpu) < 0))
                return error_set(error, -EINVAL, "reserve is \"%s\": it must be memory, and perhaps CPUs, such as 512M or 10%%,0.5", s->reserve);
        reserved.memory = unit_resources_memory(&reserved, memory);
        if (reserved.memory >= memory || reserved_cpu >= cpu)
                return error_set(error, -EINVAL, "reserve is \"%s\": that is all that this machine has (%llu bytes, %llu CPUs)", s->reserve,
                                 (unsigned long long)memory, (unsigned long long)(cpu / 1000));
        s->machine.memory = memory - reserved.memory;
        s->machine.cpu = cpu - reserved_cpu;
        return 0;
}

static int settle_machine(FleetSettings *s, Error *error) {
        MachineRecord *machine = &s->machine;
        int r;

        machine->version = strdup(FAERING_VERSION);
        if (*s->machine_id)
                machine->id = strdup(s->machine_id);
        else if ((r = read_machine_id(&machine->id, error)) < 0)
                return r;
        if (*s->public_ip)
                machine->address = strdup(s->public_ip);
        else if ((r = find_address(&machine->address)) < 0)
                return r;
        r = machine->version && machine->id && machine->address ? 0 : -ENOMEM;
        if (r >= 0)
                r = parse_metadata(s->metadata, machine, error);
        if (r >= 0)
                r = settle_capacity(s, error);
        if (r >= 0)
                r = file_make_folder(s->state_dir, 0755, error);
        if (r >= 0)
                r = read_instance(s->state_dir, &machine->instance, error);
        return r;
}

static bool given(const char *text) {
        return text && *text;
}

static int check_https(const FleetSettings *s, const char *option, const char *text, Error *error) {
        const char *missing = !given(s->cert_file) ? "--cert-file" : !given(s->key_file) ? "--key-file" : !given(s->ca_file) ? "--ca-file" : NULL;

        if (!missing)
                return 0;
        return error_set(error, -EINVAL,
                         "%s is \"%s\": https needs --cert-file, --key-file and --ca-file (who may ask shows a certificate), and %s is not given",
                         option, text, missing);
}

/* Who can ask has this machine run programs as root: on a socket the file's rights say who can, over TCP certificates do. */
static int check_access(const FleetSettings *s, Error *error) {
        int r = 0;

        if (s->listen_url.scheme == URL_HTTP)
                return error_set(error, -EINVAL,
                                 "--listen is \"%s\": over TCP the API is served with TLS only, as it starts programs for whoever asks: "
                                 "write https://… and give --cert-file, --key-file and --ca-file, or stay with unix:///run/faering/fleet.sock",
                                 s->listen);
        if (!given(s->etcd_username) != !given(s->etcd_password))
                return error_set(error, -EINVAL, "etcd_username and etcd_password are given together, and %s is missing",
                                 given(s->etcd_username) ? "etcd_password" : "etcd_username");
        if (given(s->etcd_username) && strchr(s->etcd_username, ':'))
                return error_set(error, -EINVAL, "etcd_username is \"%s\": a name has no colon", s->etcd_username);
        if (!given(s->etcd_certfile) != !given(s->etcd_keyfile))
                return error_set(error, -EINVAL, "etcd_certfile and etcd_keyfile are given together, and %s is missing",
                                 given(s->etcd_certfile) ? "etcd_keyfile" : "etcd_certfile");
        if (s->listen_url.scheme == URL_HTTPS)
                r = check_https(s, "--listen", s->listen, error);
        if (r >= 0 && *s->serve_logs && s->logs_url.scheme == URL_HTTPS)
                r = check_https(s, "--serve-logs", s->serve_logs, error);
        return r;
}

/* Who shows a certificate of our authority may read: with one there is no reason to hide logs from the other machines. */
static int default_logs(FleetSettings *s) {
        if (str_equals(s->serve_logs, "none"))
                s->serve_logs[0] = '\0';
        else if (!*s->serve_logs && given(s->cert_file) && given(s->key_file) && given(s->ca_file)) {
                free(s->serve_logs);
                s->logs_by_default = true;
                s->serve_logs = strdup("https://0.0.0.0");
        }
        return s->serve_logs ? 0 : -ENOMEM;
}

/* The address that other machines are told: of "all addresses" it is the machine's own. */
static int settle_logs(FleetSettings *s, Error *error) {
        char text[URL_TEXT_MAX];
        Url told;
        int r;

        r = default_logs(s);
        if (r < 0 || !*s->serve_logs)
                return r;
        r = url_parse(s->serve_logs, LOGS_PORT_DEFAULT, &s->logs_url, error);
        if (r < 0)
                return error_prefix(error, r, "--serve-logs");
        if (s->logs_url.scheme == URL_UNIX || s->logs_url.port == 0)
                return error_set(error, -EINVAL,
                                 "--serve-logs is \"%s\": it must be https://ADDRESS:PORT or http://ADDRESS:PORT, with a port above 0",
                                 s->serve_logs);
        told = s->logs_url;
        if (str_equals(told.host, "0.0.0.0") || str_equals(told.host, "::"))
                (void)snprintf(told.host, sizeof(told.host), "%s", s->machine.address);
        url_format(&told, text);
        s->machine.logs = strdup(text);
        return s->machine.logs ? 0 : -ENOMEM;
}

/* A stop that had to begin before the next renewal is due would come in every idle hour. */
static int settle_partition(FleetSettings *s, Error *error) {
        if (s->partition_margin == USEC_INFINITY)
                s->partition_margin = s->agent_ttl / 4;
        if (s->clock_drift > CLOCK_DRIFT_MAX)
                return error_set(error, -EINVAL, "clock_drift is %llu: it must be at most %d thousandths", (unsigned long long)s->clock_drift,
                                 CLOCK_DRIFT_MAX);
        if (s->partition_margin > s->agent_ttl * 2 / 5)
                return error_set(error, -EINVAL,
                                 "partition_margin is longer than two fifths of agent_ttl (%llu s): the machine tells at half of that time that "
                                 "it lives, and would stop its units before; make agent_ttl longer",
                                 (unsigned long long)(s->agent_ttl / USEC_PER_SEC));
        return 0;
}

/* fleet.conf has the servers as a list, too: ["http://a:4001","http://b:4001"]. */
static void strip_list(char *text) {
        char *end = text;

        if (*text != '[')
                return;
        for (const char *at = text; *at; at++)
                if (!strchr("[]\" ", *at))
                        *end++ = *at;
        *end = '\0';
}

/* Daemons beside one another have state folders of their own, and so do not meet in /run. */
static int settle_folders(FleetSettings *s) {
        _cleanup_free_ char *below = s->state_dir ? str_printf("%s/run", s->state_dir) : NULL;
        int r;

        if (s->state_dir && !below)
                return -ENOMEM;
        r = option_default(&s->run_dir, below ? below : "/run/faering/fleet");
        return r < 0 ? r : option_default(&s->state_dir, "/var/lib/faering/fleet");
}

static int settle(FleetSettings *s, Error *error) {
        int r;

        if (s->agent_ttl < AGENT_TTL_SEC_MIN * USEC_PER_SEC)
                return error_set(error, -EINVAL, "agent_ttl must be at least %d seconds", AGENT_TTL_SEC_MIN);
        r = settle_folders(s);
        if (r >= 0)
                r = option_default(&s->listen, "unix:///run/faering/fleet.sock");
        if (r >= 0)
                r = option_default(&s->serve_logs, "");
        if (r >= 0)
                r = option_default(&s->supervisor, "");
        if (r >= 0)
                r = option_default(&s->etcd_servers, "http://127.0.0.1:2379,http://127.0.0.1:4001");
        if (r >= 0)
                r = option_default(&s->etcd_key_prefix, "/_coreos.com/fleet/");
        if (r >= 0)
                r = option_default(&s->public_ip, "");
        if (r >= 0)
                r = option_default(&s->metadata, "");
        if (r >= 0)
                r = option_default(&s->machine_id, "");
        if (r >= 0)
                r = option_default(&s->reserve, "");
        if (r >= 0)
                r = settle_partition(s, error);
        if (r >= 0) {
                strip_list(s->etcd_servers);
                r = url_parse_list(s->etcd_servers, 2379, &s->servers, &s->server_count, error);
        }
        if (r >= 0)
                r = url_parse(s->listen, 49153, &s->listen_url, error);
        if (r >= 0)
                r = settle_machine(s, error);
        if (r >= 0)
                r = settle_logs(s, error);
        return r < 0 ? r : check_access(s, error);
}

/* The file first, then the environment and the command line over it. */
int fleet_settings_parse(int argc, char *const *argv, FleetSettings *ret_settings, Error *error) {
        _cleanup_(fleet_settings_deinit) FleetSettings probe = {0}, settings = {
                .agent_ttl = 30 * USEC_PER_SEC, .partition_margin = USEC_INFINITY, .clock_drift = 10};
        _cleanup_string_list_ StringList ignored = {0}, arguments = {0};
        int r;

        r = options_parse(fleet_options(&probe), OPTIONS_GO, argc, argv, &ignored, error);
        if (r >= 0 && !probe.help && !probe.version)
                r = read_config(&settings, probe.config ?: CONFIG_DEFAULT, probe.config != NULL, error);
        if (r >= 0)
                r = options_parse(fleet_options(&settings), OPTIONS_GO, argc, argv, &arguments, error);
        if (r < 0)
                return r;
        if (arguments.length > 0)
                return error_set(error, -EINVAL, "\"%s\" is no option; see --help", arguments.items[0]);
        if (!settings.help && !settings.version) {
                r = settle(&settings, error);
                if (r < 0)
                        return r;
        }
        *ret_settings = settings;
        settings = (FleetSettings){0};
        return 0;
}
