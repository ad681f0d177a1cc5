#include "boot/fake-ops.h"

#include <errno.h>

#define OF_FILES(base) container_of(base, FakeMachine, files)
#define OF_UNITS(base) container_of(base, FakeMachine, units)

static bool is(const char *special, const char *name) {
        return special && str_equals(special, name);
}

static int fake_find_owner(BootFiles *files, const char *owner, FileOwner *ret, Error *error) {
        (void)files;
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

static int fake_command(UnitManager *units, const char *unit, const char *action, bool wait, Buffer *result,
                        Error *error) {
        FakeMachine *machine = OF_UNITS(units);

        if (is(machine->missing, unit))
                return error_set(error, -ENOENT, "Unit %s not found.", unit);
        (void)buffer_printf(&machine->journal, "%s %s%s\n", action, unit, wait ? "" : " nowait");
        (void)buffer_append_string(result, is(machine->failing, unit) ? "failed: exit-code" : "done");
        return is(machine->failing, unit) ? UNIT_COMMAND_FAILED : 0;
}

static void fake_free(UnitManager *units) {
        (void)units;
}

void fake_machine_init(FakeMachine *machine) {
        static const BootFilesOps files = {fake_find_owner, fake_write, fake_mask, fake_unmask, fake_set_hostname};
        static const UnitManagerOps units = {"fake", fake_enable, fake_reload, fake_command, fake_free};

        *machine = (FakeMachine){.files = {&files}, .units = {&units}};
}

void fake_machine_deinit(FakeMachine *machine) {
        buffer_deinit(&machine->journal);
}
