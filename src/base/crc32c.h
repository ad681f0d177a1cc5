#pragma once
/* CRC-32C (Castagnoli), as in RFC 3720 appendix B.4. Chain by passing the earlier result as `crc`; start with 0. */
#include "base/util.h"

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length);
