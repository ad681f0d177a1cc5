#pragma once
/* Linux capabilities by name, and which of them a container gets. Pure. */
#include "base/error.h"
#include "base/str.h"

#define CAPABILITY_COUNT 41

/* "CAP_CHOWN" of a number below CAPABILITY_COUNT. */
const char *capability_name(unsigned number);

/* "NET_ADMIN", "cap_net_admin". -EINVAL. */
int capability_parse(const char *name, unsigned *ret);

/* Bits of what a container gets: Docker's defaults, and what is added and dropped ("ALL" for all of them); of that
 * what lies in `bound`, which is all that we have to give. -EINVAL with `error`: a name that is none. */
int capability_choose(const StringList *add, const StringList *drop, bool privileged, uint64_t bound, uint64_t *ret,
                      Error *error);
