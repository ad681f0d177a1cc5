#pragma once
/* Whole small files: those of /proc and cgroups, unit files, environment files. Blocks; not for what grows. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define FILE_SMALL_MAX ((size_t)1024 * 1024)

/* Appends the contents. -EMSGSIZE: more than `max` bytes; the buffer then stays as it was. */
int file_read(const char *path, size_t max, Buffer *to, Error *error);

/* All of it, in as many writes as it takes. */
int file_write_all(int fd, Slice text);

/* Writes `text` in one write to a file that is there (of /proc, of a cgroup). */
int file_write(const char *path, const char *text);

/* Puts `text` in place of the file, or makes it, through a temporary file beside it: readers see the old or the new.
 * With `sync` it is on disk before this returns. */
int file_replace(const char *path, mode_t mode, Slice text, bool sync, Error *error);

/*
 * Writes `text` over the file, or makes it, in place: for state that has to outlive this process, not the machine. Up to FILE_PIECE bytes
 * (else it is as file_replace()) the kernel copies in one piece, so that after a kill at any moment readers find the old or the new. What was
 * longer is cut off after: a text that could be misread with an older one's tail needs a mark at its end.
 */
#define FILE_PIECE ((size_t)4096)
int file_overwrite(const char *path, mode_t mode, Slice text, Error *error);

/* Makes a folder and those above it. One that is there stays as it is. */
int file_make_folder(const char *path, mode_t mode, Error *error);

/* Makes a file, or a folder with all that is in it, a user's; symbolic links in it are not followed, nor other file systems entered. */
int file_give_tree(const char *path, uid_t uid, gid_t gid, Error *error);

/* Removes a file, or a folder with all that is in it; symbolic links are not followed. Absence is success. */
int file_remove_tree(const char *path, Error *error);

/* Path of the running program; NULL: it is not known. The caller's. */
char *file_own_program(void);

/* The folder that it lies in, likewise. */
char *file_program_folder(void);

/* The first of these places that can be executed, each seen from the folder of the running program; NULL: none. The caller's. */
char *file_beside_program(const char *const *places, size_t n_places);
