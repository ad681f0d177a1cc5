#pragma once
/* The unit managers a machine may have. All calls block: faering-boot does one thing after the other. */
#include "boot/root-files.h"

#define INIT_SOCKET "/run/faering/init.sock"

/* Nobody: units are written and enabled, not started. Borrows `files`. -ENOMEM. */
int offline_unit_manager_new(const RootFiles *files, UnitManager **ret);

/* faering-init, by the API on its socket. Borrows `files`, where it enables units. -ENOMEM. */
int init_unit_manager_new(const RootFiles *files, const char *socket, UnitManager **ret, Error *error);

/* systemd, by D-Bus. -errno with `error`: there is no bus to connect to. */
int systemd_unit_manager_new(UnitManager **ret, Error *error);

/* The one of this machine: faering-init if its socket is there, else systemd if it runs, else nobody; with a root other
 * than "/" always nobody. */
int unit_manager_choose(const RootFiles *files, UnitManager **ret, Error *error);
