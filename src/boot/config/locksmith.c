/* coreos.locksmith, locksmith: a drop-in of locksmithd.service. Variables are written in the order of this table. */
#include "boot/config/keys.h"

#define WEEK_DAY "[sS][uU][nN]|[mM][oO][nN]|[tT][uU][eE]|[wW][eE][dD]|[tT][hH][uU]|[fF][rR][iI]|[sS][aA][tT]"

const ConfigKey locksmith_keys[] = {
        {"endpoint", KEY_STRING, .variable = "LOCKSMITHD_ENDPOINT"},
        {"etcd_cafile", KEY_STRING, .variable = "LOCKSMITHD_ETCD_CAFILE"},
        {"etcd_certfile", KEY_STRING, .variable = "LOCKSMITHD_ETCD_CERTFILE"},
        {"etcd_keyfile", KEY_STRING, .variable = "LOCKSMITHD_ETCD_KEYFILE"},
        {"etcd_username", KEY_STRING, .variable = "LOCKSMITHD_ETCD_USERNAME"},
        {"etcd_password", KEY_STRING, .variable = "LOCKSMITHD_ETCD_PASSWORD"},
        {"group", KEY_STRING, .variable = "LOCKSMITHD_GROUP"},
        {"window_start", KEY_STRING, .variable = "REBOOT_WINDOW_START",
         .pattern = "^((" WEEK_DAY ") )?0*([0-9]|1[0-9]|2[0-3]):0*([0-9]|[1-5][0-9])$"},
        {"window_length", KEY_STRING, .variable = "REBOOT_WINDOW_LENGTH",
         .pattern = "^[-+]?([0-9]*(\\.[0-9]*)?[a-z]+)+$"},
        {0},
};
