#pragma once
/* faering-containers's settings: flags, and FAERING_CONTAINERS_… variables. */
#include "base/options.h"
#include "net/url.h"

typedef struct ContainersSettings {
        StringList listen;
        char *state_dir, *run_dir;
        char *runtime; /* NULL: what works */
        char *shim;
        char *bridge_address;
        char *store;        /* where peers are found; "" for none */
        char *store_ca_file, *store_cert_file, *store_key_file;
        char *serve_images; /* URL where images are served to other machines; "" for none */
        char *machine_id;   /* "" : /etc/machine-id */
        bool no_network;
        bool debug, help, version;

        Url *listen_urls;
        size_t n_listen;
        Url *store_urls;
        size_t n_store;
        Url serve_url;
} ContainersSettings;

int containers_settings_parse(int argc, char *const *argv, ContainersSettings *ret, Error *error);
void containers_settings_deinit(ContainersSettings *settings);
int containers_settings_format_help(Buffer *buffer);
