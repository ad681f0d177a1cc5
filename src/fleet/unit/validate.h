#pragma once
/* What the fleet API refuses with 400, in fleet's own words. */
#include "fleet/unit/unit.h"

/* The error text is what fleet 1.0 answers; only the first fault is told. -EINVAL. */
int unit_validate_name(const char *name, Error *error);

/* Options of [X-Fleet] that exclude each other. -EINVAL, -ENOMEM. */
int unit_validate_options(const UnitFile *file, Error *error);

/* A template can only be inactive. -EINVAL. */
int unit_validate_state(const char *name, UnitState desired, Error *error);
