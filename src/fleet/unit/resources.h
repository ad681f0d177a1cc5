#pragma once
/* Amounts of memory and of processors, as unit files write them. Foreign text. */
#include "fleet/unit/unit.h"

/* "512M", "1G" (binary), "10%" of the machine's, "infinity" (nothing). -EINVAL: *ret stays. */
int unit_parse_memory(const char *text, UnitResources *ret);

/* "1.5" CPUs or "150%" of one, in thousandths of a CPU. -EINVAL: *ret stays. */
int unit_parse_cpu(const char *text, uint64_t *ret);

/* "1.5G", "512M": for people. */
void unit_format_memory(uint64_t bytes, Buffer *to);

/* "1.5". */
void unit_format_cpu(uint64_t cpu, Buffer *to);
