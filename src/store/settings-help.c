/* The text of --help: the options by subject, each with its variable and its default. */
#include <errno.h>
#include <stdio.h>

#include "store/settings.h"

enum { COLUMNS = 100, INDENT = 10 };

static const struct {
        const char *heading;
        const char *names[32];
} groups[] = {
        {"Member",
         {"name", "data-dir", "wal-dir", "listen-client-urls", "advertise-client-urls", "listen-peer-urls",
          "listen-metrics-urls", "heartbeat-interval", "election-timeout", "config-file", "hand-over-to", "enable-v2",
          "version", "help"}},
        {"Clustering",
         {"initial-advertise-peer-urls", "initial-cluster", "initial-cluster-state", "initial-cluster-token",
          "strict-reconfig-check", "force-new-cluster", "discovery", "discovery-proxy", "discovery-fallback",
          "discovery-srv", "discovery-srv-name"}},
        {"Proxy",
         {"proxy", "proxy-failure-wait", "proxy-refresh-interval", "proxy-dial-timeout", "proxy-write-timeout",
          "proxy-read-timeout"}},
        {"TLS and who may come",
         {"cert-file", "key-file", "trusted-ca-file", "client-cert-auth", "client-crl-file",
          "client-cert-allowed-hostname", "auto-tls", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file",
          "peer-client-cert-auth", "peer-crl-file", "peer-cert-allowed-cn", "peer-cert-allowed-hostname",
          "peer-auto-tls", "cipher-suites", "cors", "host-whitelist"}},
        {"Snapshots and limits",
         {"snapshot-count", "snapshot-catchup-entries", "max-connections", "max-request-bytes", "max-waiting-bytes",
          "max-watch-events"}},
        {"Log", {"log-level", "debug", "experimental-warning-apply-duration"}},
};

static const Option *find(const Option *options, const char *name) {
        for (; options->name; options++)
                if (str_equals(options->name, name))
                        return options;
        return NULL;
}

/* How wide it is on a terminal: bytes within a character take no column. */
static size_t width_of(Slice text) {
        size_t width = 0;

        for (size_t i = 0; i < text.length; i++)
                width += ((unsigned char)text.data[i] & 0xc0) != 0x80;
        return width;
}

static void wrap(Buffer *buffer, const char *text) {
        Slice rest = slice_from(text), word;
        size_t at = 0;

        while (slice_split(&rest, ' ', &word)) {
                size_t width = width_of(word);

                if (at > 0 && INDENT + at + 1 + width > COLUMNS) {
                        (void)buffer_append_byte(buffer, '\n');
                        at = 0;
                }
                (void)buffer_printf(buffer, "%*s%.*s", at > 0 ? 1 : INDENT, "", (int)word.length, word.data);
                at += width + (at > 0);
        }
        (void)buffer_append_byte(buffer, '\n');
}

static const char *default_of(const Option *option) {
        if (!option->environment || strstr(option->help, "default: "))
                return "";
        return option->type == OPTION_SWITCH ? " (default: false)" : " (default: none)";
}

static int format_option(Buffer *buffer, const Option *option) {
        _cleanup_free_ char *text = str_printf("%s%s", option->help, default_of(option));

        if (!text)
                return -ENOMEM;
        (void)buffer_printf(buffer, "  --%s%s%s", option->name, option->argument ? " " : "", option->argument ?: "");
        if (option->environment)
                (void)buffer_printf(buffer, "  [%s]", option->environment);
        (void)buffer_append_byte(buffer, '\n');
        wrap(buffer, text);
        return 0;
}

int settings_format_help(Buffer *buffer) {
        Settings unused = {0};
        const Option *options = settings_options(&unused);

        (void)buffer_append_string(
                buffer, "Usage: faering-store [OPTIONS]\n\nA replicated key-value store that speaks etcd's v2 API.\nAn "
                        "option may be given as the variable beside it.\n");
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
                (void)buffer_printf(buffer, "\n%s:\n", groups[i].heading);
                for (size_t k = 0; k < ARRAY_SIZE(groups[i].names) && groups[i].names[k]; k++) {
                        const Option *option = find(options, groups[i].names[k]);
                        int r = option && option->help ? format_option(buffer, option) : 0;

                        if (r < 0)
                                return r;
                }
        }
        (void)buffer_append_string(
                buffer,
                "\nThe flags of etcd 0.4, 2 and 3 that mean nothing here are taken, too;\nthe log says why they "
                "do nothing.\n");
        return buffer_failed(buffer);
}
