#pragma once
/* The flags of faering-boot, which are coreos-cloudinit's and a few more. */
#include "boot/config/plan.h"
#include "boot/datasource.h"

typedef struct BootSettings {
        DatasourceList sources;
        char *root, *workspace, *ssh_key_name, *oem, *convert;
        NetworkFormat network;
        bool metadata_service, cmdline, guestinfo, cloudsigma;
        bool validate, strict, ignore_failure, version, help;
} BootSettings;

void boot_settings_deinit(BootSettings *settings);
#define _cleanup_boot_settings_ _cleanup_(boot_settings_deinit)

/* -EINVAL with `error`. Text for --help is appended. */
int boot_settings_parse(BootSettings *settings, const char *program, int argc, char **argv, Buffer *help, Error *error);
