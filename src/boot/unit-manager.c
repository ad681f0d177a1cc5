#include "boot/unit-manager.h"

#include <errno.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

typedef struct OfflineUnitManager {
        UnitManager base;
        const RootFiles *files;
} OfflineUnitManager;

static int offline_enable(UnitManager *base, const char *unit, bool runtime, Error *error) {
        const RootFiles *files = container_of(base, OfflineUnitManager, base)->files;
        int r = root_files_enable(files, unit, runtime, error);

        return files->dry && r == -ENOENT ? 0 : r; /* the plan writes it */
}

static int offline_reload(UnitManager *base, Error *error) {
        (void)base;
        (void)error;
        return 0;
}

static int offline_command(UnitManager *base, const char *unit, const char *action, Buffer *result, Error *error) {
        (void)base;
        (void)unit;
        (void)action;
        (void)error;
        (void)buffer_append_string(result, "left out, no unit manager runs there");
        return UNIT_COMMAND_SKIPPED;
}

static int offline_await(UnitManager *base, const char *unit, Usec *left, Buffer *result, Error *error) {
        (void)base;
        (void)unit;
        (void)left;
        (void)result;
        (void)error;
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
        .await = offline_await,
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
        if (!files->is_machine || files->dry)
                return offline_unit_manager_new(files, ret);
        if (access(INIT_SOCKET, F_OK) == 0)
                return init_unit_manager_new(files, INIT_SOCKET, ret, error);
        if (sd_booted() > 0)
                return systemd_unit_manager_new(ret, error);
        return offline_unit_manager_new(files, ret);
}
