/* coreos.flannel, flannel: the file /run/flannel/options.env. Variables are written in the order of this table. */
#include "boot/config/keys.h"

const ConfigKey flannel_keys[] = {
        {"etcd_endpoints", KEY_STRING, .variable = "FLANNELD_ETCD_ENDPOINTS"},
        {"etcd_cafile", KEY_STRING, .variable = "FLANNELD_ETCD_CAFILE"},
        {"etcd_certfile", KEY_STRING, .variable = "FLANNELD_ETCD_CERTFILE"},
        {"etcd_keyfile", KEY_STRING, .variable = "FLANNELD_ETCD_KEYFILE"},
        {"etcd_prefix", KEY_STRING, .variable = "FLANNELD_ETCD_PREFIX"},
        {"etcd_username", KEY_STRING, .variable = "FLANNELD_ETCD_USERNAME"},
        {"etcd_password", KEY_STRING, .variable = "FLANNELD_ETCD_PASSWORD"},
        {"ip_masq", KEY_STRING, .variable = "FLANNELD_IP_MASQ"},
        {"subnet_file", KEY_STRING, .variable = "FLANNELD_SUBNET_FILE"},
        {"interface", KEY_STRING, .variable = "FLANNELD_IFACE"},
        {"public_ip", KEY_STRING, .variable = "FLANNELD_PUBLIC_IP"},
        {0},
};
