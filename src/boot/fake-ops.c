#include "boot/fake-ops.h"

#include <errno.h>

#define OF_FILES(base) container_of(base, FakeMachine, files)
#define OF_ACCOUNTS(base) container_of(base, FakeMachine, accounts)
#define OF_UNITS(base) container_of(base, FakeMachine, units)

static bool is(const char *special, const char *name) {
        return special && str_equals(special, name);
}

static int fake_find_owner(BootFiles *files, const char *owner, FileOwner *ret, Error *error) {
        if (string_list_contains(&OF_FILES(files)->made, owner)) {
                *ret = (FileOwner){1001, (gid_t)BOOT_FILE_KEEP};
                return 0;
        }
        if (str_equals(owner, "core") || str_equals(owner, "core:core")) {
                *ret = (FileOwner){500, 500};
                return 0;
        }
        return error_set(error, -ENOENT, "there is no user \"%s\"", owner);
}

static int fake_write(BootFiles *files, const char *path, Slice text, mode_t mode, FileOwner owner, Error *error) {
        FakeMachine *machine = OF_FILES(files);

        if (is(machine->unwritable, path))
                return error_set_errno(error, -EROFS, "cannot write %s", path);
        (void)buffer_printf(&machine->journal, "write %s %04o %d:%d %.*s\n", path, mode, (int)owner.user,
                            (int)owner.group, (int)text.length, text.data);
        return 0;
}

static int fake_mask(BootFiles *files, const char *path, Error *error) {
        (void)error;
        (void)buffer_printf(&OF_FILES(files)->journal, "mask %s\n", path);
        return 0;
}

static int fake_unmask(BootFiles *files, const char *path, Error *error) {
        (void)error;
        (void)buffer_printf(&OF_FILES(files)->journal, "unmask %s\n", path);
        return is(OF_FILES(files)->not_masked, path) ? BOOT_NOT_MASKED : 0;
}

static int fake_set_hostname(BootFiles *files, const char *name, Error *error) {
        (void)error;
        (void)buffer_printf(&OF_FILES(files)->journal, "hostname %s\n", name);
        return 0;
}

static int fake_load_module(BootFiles *files, const char *name, const StringList *options, Error *error) {
        (void)buffer_printf(&OF_FILES(files)->journal, "module %s %s\n", name,
                            options->length ? options->items[0] : "");
        return is(OF_FILES(files)->missing, name) ? error_set(error, -ENOENT, "no such module") : 0;
}

static int fake_enable(UnitManager *units, const char *unit, bool runtime, Error *error) {
        FakeMachine *machine = OF_UNITS(units);

        if (is(machine->missing, unit))
                return error_set(error, -ENOENT, "there is no unit file of %s", unit);
        (void)buffer_printf(&machine->journal, "enable %s%s\n", unit, runtime ? " runtime" : "");
        return 0;
}

static int fake_reload(UnitManager *units, Error *error) {
        (void)error;
        (void)buffer_append_string(&OF_UNITS(units)->journal, "reload\n");
        return 0;
}

static int fake_command(UnitManager *units, const char *unit, const char *action, Buffer *result, Error *error) {
        FakeMachine *machine = OF_UNITS(units);

        (void)result;
        if (is(machine->missing, unit))
                return error_set(error, -ENOENT, "Unit %s not found.", unit);
        (void)buffer_printf(&machine->journal, "%s %s\n", action, unit);
        return 0;
}

static int fake_await(UnitManager *units, const char *unit, Usec *left, Buffer *result, Error *error) {
        FakeMachine *machine = OF_UNITS(units);

        (void)error;
        (void)buffer_printf(&machine->journal, "await %s %d\n", unit, (int)*left);
        if (is(machine->slow, unit)) {
                *left = 0;
                return UNIT_COMMAND_PENDING;
        }
        (void)buffer_append_string(result, is(machine->failing, unit) ? "failed: exit-code" : "done");
        return is(machine->failing, unit) ? UNIT_COMMAND_FAILED : 0;
}

static void fake_free(UnitManager *units) {
        (void)units;
}

/* ---- users ---- */

static int fake_exists(BootAccounts *accounts, const char *user, Error *error) {
        const FakeMachine *machine = OF_ACCOUNTS(accounts);

        (void)error;
        return (str_equals(user, "core") && !machine->no_core) || is(machine->user, user) || string_list_contains(&machine->made, user);
}

static int fake_create(BootAccounts *accounts, const char *user, const StringList *options, Error *error) {
        FakeMachine *machine = OF_ACCOUNTS(accounts);

        (void)error;
        (void)buffer_printf(&machine->journal, "useradd %s", user);
        for (size_t i = 0; i < options->length; i++)
                (void)buffer_printf(&machine->journal, " %s", options->items[i]);
        (void)buffer_append_byte(&machine->journal, '\n');
        return string_list_add(&machine->made, user);
}

static int fake_set_password(BootAccounts *accounts, const char *user, const char *hash, Error *error) {
        (void)error;
        (void)buffer_printf(&OF_ACCOUNTS(accounts)->journal, "password %s %s\n", user, hash);
        return 0;
}

static int fake_authorize(BootAccounts *accounts, const char *user, const char *key_name, Slice keys, Error *error) {
        if (!fake_exists(accounts, user, NULL))
                return error_set(error, -ENOENT, "there is no user %s", user);
        (void)buffer_printf(&OF_ACCOUNTS(accounts)->journal, "keys %s %s %.*s", user, key_name, (int)keys.length,
                            keys.data);
        return 0;
}

void fake_machine_init(FakeMachine *machine) {
        static const BootFilesOps files = {fake_find_owner, fake_write,        fake_mask,
                                           fake_unmask,     fake_set_hostname, fake_load_module};
        static const BootAccountsOps accounts = {fake_exists, fake_create, fake_set_password, fake_authorize};
        static const UnitManagerOps units = {"fake", fake_enable, fake_reload, fake_command, fake_await, fake_free};

        *machine = (FakeMachine){.files = {&files}, .accounts = {&accounts}, .units = {&units}};
        machine->machine =
                (BootMachine){.files = &machine->files, .accounts = &machine->accounts, .units = &machine->units};
}

void fake_machine_deinit(FakeMachine *machine) {
        buffer_deinit(&machine->journal);
        string_list_deinit(&machine->made);
}
