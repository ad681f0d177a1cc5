#pragma once
/* The top of a machine's control groups, as its init sees it. */
#include "base/error.h"

/* Version 2 alone: moves the calling process into a group of its own, so that the top may give its controllers to the
 * groups of units. Elsewhere there is nothing to do. */
int root_cgroup_delegate(Error *error);
