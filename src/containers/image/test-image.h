#pragma once
/* What tests of images share: a folder of their own, archives made in memory, jobs run to their end. Root, or root of a user namespace. */
#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "containers/image/image-job.h"
#include "host/file.h"

/* One entry of an archive. */
typedef struct TestEntry {
        const char *name;
        unsigned type;       /* AE_IFREG, AE_IFDIR, AE_IFLNK; 0: a hard link */
        const char *content; /* text, or where a link leads */
} TestEntry;

/* The archive as an open file at its beginning; `gzip`: compressed. */
static inline int test_archive(const TestEntry *entries, size_t count, bool gzip) {
        int fd = memfd_create("archive", MFD_CLOEXEC);
        struct archive *archive = archive_write_new();

        if (gzip)
                archive_write_add_filter_gzip(archive);
        archive_write_set_format_pax_restricted(archive);
        archive_write_open_fd(archive, fd);
        for (size_t i = 0; i < count; i++) {
                struct archive_entry *entry = archive_entry_new();
                bool file = entries[i].type == AE_IFREG;

                archive_entry_set_pathname(entry, entries[i].name);
                archive_entry_set_filetype(entry, entries[i].type ? entries[i].type : AE_IFREG);
                archive_entry_set_perm(entry, entries[i].type == AE_IFDIR ? 0755 : 0644);
                if (entries[i].type == AE_IFLNK)
                        archive_entry_set_symlink(entry, entries[i].content);
                if (entries[i].type == 0)
                        archive_entry_set_hardlink(entry, entries[i].content);
                archive_entry_set_size(entry, file ? (la_int64_t)strlen(entries[i].content) : 0);
                if (archive_write_header(archive, entry) < ARCHIVE_WARN)
                        abort();
                if (file)
                        archive_write_data(archive, entries[i].content, strlen(entries[i].content));
                archive_entry_free(entry);
        }
        archive_write_close(archive);
        archive_write_free(archive);
        lseek(fd, 0, SEEK_SET);
        return fd;
}

static inline bool test_become_root(void) {
        _cleanup_free_ char *uids = str_printf("0 %u 1", getuid()), *gids = str_printf("0 %u 1", getgid());

        if (geteuid() == 0)
                return true;
        return unshare(CLONE_NEWUSER) == 0 && file_write("/proc/self/setgroups", "deny") == 0 &&
               file_write("/proc/self/uid_map", uids) == 0 && file_write("/proc/self/gid_map", gids) == 0;
}

/* The text of a file below a folder; NULL when it cannot be read. The caller frees. */
static inline char *test_read(const char *folder, const char *name) {
        _cleanup_free_ char *path = str_printf("%s/%s", folder, name);
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (file_read(path, 65536, &text, NULL) < 0)
                return NULL;
        return buffer_length(&text) ? buffer_steal_string(&text, NULL) : strdup("");
}

/* How a job ended. */
typedef struct TestJob {
        bool done;
        int r;
        Error error;
        Image *image;
        StringList lines; /* "ID STATUS" */
} TestJob;

static inline void test_on_progress(void *userdata, const char *id, const char *status, uint64_t current,
                                    uint64_t total) {
        TestJob *job = userdata;

        (void)current;
        (void)total;
        string_list_take(&job->lines, str_printf("%s%s%s", id, *id ? " " : "", status));
}

static inline void test_on_done(void *userdata, int r, const Error *error, Image *image) {
        TestJob *job = userdata;

        job->done = true;
        job->r = r;
        job->error = *error;
        job->image = image;
}

static const ImageJobEvents test_job_events = {test_on_progress, test_on_done};

static inline int test_job_wait(uv_loop_t *loop, TestJob *job) {
        while (!job->done)
                uv_run(loop, UV_RUN_ONCE);
        return job->r;
}
