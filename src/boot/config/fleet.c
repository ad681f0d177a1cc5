/* coreos.fleet, fleet: a drop-in of fleet.service. Variables are written in the order of this table. */
#include "boot/config/keys.h"

const ConfigKey fleet_keys[] = {
        {"agent_ttl", KEY_STRING, .variable = "FLEET_AGENT_TTL"},
        {"authorized_keys_file", KEY_STRING, .variable = "FLEET_AUTHORIZED_KEYS_FILE"},
        {"disable_engine", KEY_BOOL, .variable = "FLEET_DISABLE_ENGINE"},
        {"engine_reconcile_interval", KEY_FLOAT, .variable = "FLEET_ENGINE_RECONCILE_INTERVAL"},
        {"etcd_cafile", KEY_STRING, .variable = "FLEET_ETCD_CAFILE"},
        {"etcd_certfile", KEY_STRING, .variable = "FLEET_ETCD_CERTFILE"},
        {"etcd_keyfile", KEY_STRING, .variable = "FLEET_ETCD_KEYFILE"},
        {"etcd_key_prefix", KEY_STRING, .variable = "FLEET_ETCD_KEY_PREFIX"},
        {"etcd_request_timeout", KEY_FLOAT, .variable = "FLEET_ETCD_REQUEST_TIMEOUT"},
        {"etcd_servers", KEY_STRING, .variable = "FLEET_ETCD_SERVERS"},
        {"etcd_username", KEY_STRING, .variable = "FLEET_ETCD_USERNAME"},
        {"etcd_password", KEY_STRING, .variable = "FLEET_ETCD_PASSWORD"},
        {"metadata", KEY_STRING, .variable = "FLEET_METADATA"},
        {"public_ip", KEY_STRING, .variable = "FLEET_PUBLIC_IP"},
        {"token_limit", KEY_INT, .variable = "FLEET_TOKEN_LIMIT"},
        {"verbosity", KEY_INT, .variable = "FLEET_VERBOSITY"},
        {"verify_units", KEY_BOOL, .variable = "FLEET_VERIFY_UNITS"},
        {0},
};
