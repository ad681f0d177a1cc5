#pragma once
/* The users of a root, changed by the system's own useradd and chpasswd; their SSH keys by ourselves. */
#include "boot/root-files.h"

#define AUTHORIZED_KEYS_MAX ((size_t)1024 * 1024)

typedef struct RootAccounts {
        BootAccounts base;
        const RootFiles *files; /* borrowed */
        const char *root;       /* the path to it; borrowed */
} RootAccounts;

void root_accounts_init(RootAccounts *accounts, const RootFiles *files, const char *root);

/*
 * The keys go to ~/.ssh/authorized_keys.d/NAME, as update-ssh-keys has it, and all files of that folder together make
 * ~/.ssh/authorized_keys. Keys that were there before the folder was go to its file "old_authorized_keys". No link below
 * the home is followed: the home's owner may have put it there. BOOT_SAME.
 */
int authorized_keys_write(const RootFiles *files, const RootUser *user, const char *key_name, Slice keys, Error *error);
