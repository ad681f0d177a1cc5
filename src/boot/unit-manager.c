#include "boot/unit-manager.h"

#include <errno.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

typedef struct OfflineUnitManager {
        UnitManager base;
        const RootFiles *files;
} OfflineUnitManager;

static int offline_enable(UnitManager *base, const char *unit, bool runtime, Error *error) {
        return root_files_enable(container_of(base, OfflineUnitManager, base)->files, unit, runtime, error);
}

static int offline_reload(UnitManager *base, Error *error) {
        (void)base;
        (void)error;
        return 0;
}

static int offline_command(UnitManager *base, const char *unit, const char *action, bool wait, Buffer *result,
                           Error *error) {
        (void)base;
        (void)unit;
        (void)action;
        (void)wait;
        (void)error;
        (void)buffer_append_string(result, "left out, no unit manager runs there");
        return UNIT_COMMAND_SKIPPED;
}

static void offline_free(UnitManager *base) {
        free(container_of(base, OfflineUnitManager, base));
}

static const UnitManagerOps offline_ops = {
        .name = "none",
        .enable = offline_enable,
        .reload = offline_reload,
        .command = offline_command,
        .free = offline_free,
};

int offline_unit_manager_new(const RootFiles *files, UnitManager **ret) {
        OfflineUnitManager *manager = calloc(1, sizeof(*manager));

        if (!manager)
                return -ENOMEM;
        *manager = (OfflineUnitManager){.base = {&offline_ops}, .files = files};
        *ret = &manager->base;
        return 0;
}

int unit_manager_choose(const RootFiles *files, UnitManager **ret, Error *error) {
        if (!files->is_machine)
                return offline_unit_manager_new(files, ret);
        if (access(INIT_SOCKET, F_OK) == 0)
                return init_unit_manager_new(files, INIT_SOCKET, ret, error);
        if (sd_booted() > 0)
                return systemd_unit_manager_new(ret, error);
        return offline_unit_manager_new(files, ret);
}
