#pragma once
/*
 * The folders that a member's data is in: --data-dir, and --wal-dir for the log if that lies apart. Where the log is, is noted in
 * the data directory (DATA_DIRECTORY_NOTE), so that it cannot be started without it, or with another, by mistake.
 */
#include "store/log/disk.h"

#define DATA_DIRECTORY_NOTE ".log-is-in"

/* Opens and locks them, making them if need be. `log_path` NULL or "": the log is in the data directory. -EBUSY, -EACCES, -EROFS,
 * -EINVAL (the log is elsewhere) and others with `error`. To be freed with disk_directory_free(). */
int data_directory_open(const char *path, const char *log_path, Disk **ret_disk, Error *error);

/* Opens them for reading alone. Without `log_path` the note is followed. */
int data_directory_read(const char *path, const char *log_path, Disk **ret_disk, Error *error);
