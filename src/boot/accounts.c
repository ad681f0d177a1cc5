#include "boot/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <shadow.h>
#include <stdio.h>

#include "boot/run-program.h"

static int accounts_exists(BootAccounts *base, const char *user, Error *error) {
        RootUser found;
        int r = root_files_find_user(container_of(base, RootAccounts, base)->files, user, &found);

        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return error_set_errno(error, r, "cannot look for the user %s", user);
        free(found.home);
        return 1;
}

/* "NAME [--root DIR]". */
static int begin_command(const RootAccounts *accounts, const char *name, StringList *argv) {
        int r = string_list_add(argv, name);

        if (r >= 0 && !accounts->files->is_machine) {
                r = string_list_add(argv, "--root");
                if (r >= 0)
                        r = string_list_add(argv, accounts->root);
        }
        return r;
}

static int run_list(const StringList *argv, Slice input, Error *error) {
        return run_program((const char *const *)argv->items, input, error);
}

static int accounts_create(BootAccounts *base, const char *user, const StringList *options, Error *error) {
        const RootAccounts *accounts = container_of(base, RootAccounts, base);
        _cleanup_string_list_ StringList argv = {0};
        int r = accounts->files->dry ? 0 : begin_command(accounts, "useradd", &argv);

        if (accounts->files->dry)
                return 0;
        /* "*" is no password's hash: what coreos-cloudinit gives. A real one follows by chpasswd, not on a command
         * line, which anyone can read. */
        if (r >= 0)
                r = string_list_add(&argv, "--password");
        if (r >= 0)
                r = string_list_add(&argv, "*");
        for (size_t i = 0; i < options->length && r >= 0; i++)
                r = string_list_add(&argv, options->items[i]);
        if (r >= 0)
                r = string_list_add(&argv, user);
        return r < 0 ? r : run_list(&argv, (Slice){"", 0}, error);
}

static bool has_password(const RootFiles *files, const char *user, const char *hash) {
        int fd = root_files_open_below(files, "/etc/shadow", O_RDONLY);
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "re");
        struct spwd *one;
        bool has = false;

        if (fd >= 0 && !stream)
                (void)close(fd);
        while (stream && (one = fgetspent(stream)))
                if (str_equals(one->sp_namp, user))
                        has = str_equals(one->sp_pwdp ?: "", hash);
        if (stream)
                (void)fclose(stream);
        return has;
}

static int accounts_set_password(BootAccounts *base, const char *user, const char *hash, Error *error) {
        const RootAccounts *accounts = container_of(base, RootAccounts, base);
        _cleanup_string_list_ StringList argv = {0};
        _cleanup_free_ char *line = str_printf("%s:%s\n", user, hash);
        int r;

        if (!line)
                return -ENOMEM;
        if (has_password(accounts->files, user, hash))
                return BOOT_SAME;
        if (accounts->files->dry)
                return 0;
        r = begin_command(accounts, "chpasswd", &argv);
        if (r >= 0)
                r = string_list_add(&argv, "-e");
        return r < 0 ? r : run_list(&argv, slice_from(line), error);
}

static int accounts_authorize(BootAccounts *base, const char *user, const char *key_name, Slice keys, Error *error) {
        const RootAccounts *accounts = container_of(base, RootAccounts, base);
        RootUser found;
        int r = root_files_find_user(accounts->files, user, &found);

        if (r == -ENOENT && accounts->files->dry)
                return 0; /* the plan makes it */
        if (r == -ENOENT)
                return error_set(error, r, "there is no user %s any more", user);
        if (r < 0)
                return error_set_errno(error, r, "cannot look for the user %s", user);
        r = authorized_keys_write(accounts->files, &found, key_name, keys, error);
        free(found.home);
        return r;
}

void root_accounts_init(RootAccounts *accounts, const RootFiles *files, const char *root) {
        static const BootAccountsOps ops = {accounts_exists, accounts_create, accounts_set_password,
                                            accounts_authorize};

        *accounts = (RootAccounts){{&ops}, files, root};
}
