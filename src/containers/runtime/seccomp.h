#pragma once
/*
 * The default seccomp profile: a list of what is refused, by the table in Docker's documentation of the calls that
 * its own profile blocks. A capability that stands for a call permits it. Pure.
 */
#include <jansson.h>
#include <stdint.h>

/* The "seccomp" object of an OCI configuration for a container with these capabilities. NULL without memory. */
json_t *seccomp_default(uint64_t capabilities);
