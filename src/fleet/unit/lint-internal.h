#pragma once
/* What the files of lint share. 0 or -ENOMEM. */
#include "fleet/unit/lint.h"

/* lint-fleet.c: keys of [X-Fleet] and their values. */
int lint_fleet_option(const UnitOption *option, LintReport *report);
int lint_fleet_whole(const UnitFile *file, const char *name, LintReport *report);

/* lint-systemd.c: what systemd makes of the rest. */
int lint_systemd_option(const char *section, const UnitOption *option, LintReport *report);
int lint_systemd_whole(const UnitFile *file, const char *name, LintReport *report);

/* lint-placement.c: whether a machine of the cluster could run it. */
int lint_placement(const UnitFile *file, const char *name, const LintCluster *cluster, LintReport *report);
