#pragma once
/*
 * A machine's disk: DIR/mN with upper and work (the overlay over the host's root), var, and root (where the machine
 * is put together, in its own mount namespace only). Owns no memory.
 */
#include "base/error.h"
#include "base/str.h"

#define DISK_USER_DATA_MAX ((size_t)1 << 20)

/* Whether machines' disks can lie in `directory`, which must be there: not on an overlay, no character in its path that
 * the mount options of an overlay cannot hold. */
int disk_check_directory(const char *directory, Error *error);

bool disk_exists(const char *directory, const char *machine);

/* Makes the disk of a new machine. An unfinished one is removed. */
int disk_create(const char *directory, const char *machine, const char *address, Error *error);

/* Puts our programs (programs_gather()), and the users that their units name, on the disk of a machine that is off. */
int disk_put_programs(const char *directory, const char *machine, const char *programs, Error *error);

/* Replaces the machine's cloud-config. */
int disk_put_user_data(const char *directory, const char *machine, Slice text, Error *error);

int disk_remove(const char *directory, const char *machine, Error *error);
