#include "containers/runtime/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"

enum { FIELDS_MAX = 7 };

/* Splits a line of passwd(5) or group(5); what is missing is empty. */
static void split_line(Slice line, Slice fields[static FIELDS_MAX]) {
        for (size_t i = 0; i < FIELDS_MAX; i++) {
                fields[i] = (Slice){"", 0};
                if (line.data)
                        (void)slice_split(&line, ':', &fields[i]);
        }
}

static bool number_of(Slice text, uint32_t *ret) {
        uint64_t number;

        if (str_parse_u64(text, UINT32_MAX - 1, &number) < 0)
                return false;
        *ret = (uint32_t)number;
        return true;
}

/* The line whose first field is `name` or whose third is its number. */
static bool find_line(Slice file, Slice name, Slice fields[static FIELDS_MAX]) {
        uint32_t wanted = 0, number;
        bool by_number = number_of(name, &wanted);
        Slice line;

        while (file.length > 0 && file.data && slice_split(&file, '\n', &line)) {
                split_line(line, fields);
                if (fields[0].length == 0 || fields[0].data[0] == '#')
                        continue;
                if (slice_equals(fields[0], name) || (by_number && number_of(fields[2], &number) && number == wanted))
                        return true;
        }
        return false;
}

static int find_group(Slice file, Slice name, gid_t *ret, Error *error) {
        Slice fields[FIELDS_MAX];

        if (number_of(name, ret))
                return 0;
        if (!find_line(file, name, fields) || !number_of(fields[2], ret))
                return error_set(error, -EINVAL, "unable to find group %.*s: no matching entries in group file",
                                 (int)name.length, name.data);
        return 0;
}

static void add_group(ImageUser *user, gid_t gid) {
        for (size_t i = 0; i < user->n_groups; i++)
                if (user->groups[i] == gid)
                        return;
        if (user->n_groups < USER_GROUPS_MAX)
                user->groups[user->n_groups++] = gid;
}

/* All groups that list the user as a member. */
static void add_memberships(ImageUser *user, Slice name, Slice file) {
        Slice line, fields[FIELDS_MAX], member;

        while (file.length > 0 && file.data && slice_split(&file, '\n', &line)) {
                gid_t gid = 0;

                split_line(line, fields);
                if (!number_of(fields[2], &gid))
                        continue;
                while (fields[3].data && slice_split(&fields[3], ',', &member))
                        if (slice_equals(slice_trim(member), name))
                                add_group(user, gid);
        }
}

int image_user_resolve(const char *user, const StringList *more_groups, Slice passwd, Slice group, ImageUser *ret,
                       Error *error) {
        Slice rest = slice_from(user && *user ? user : "0"), name, fields[FIELDS_MAX];
        int r = 0;

        *ret = (ImageUser){.home = "/"};
        (void)slice_split(&rest, ':', &name);
        if (find_line(passwd, name, fields)) {
                if (!number_of(fields[2], &ret->uid) || !number_of(fields[3], &ret->gid))
                        return error_set(error, -EINVAL, "the image's /etc/passwd has no numbers for user %.*s",
                                         (int)name.length, name.data);
                if (fields[5].length > 0 && fields[5].length < sizeof(ret->home))
                        (void)snprintf(ret->home, sizeof(ret->home), "%.*s", (int)fields[5].length, fields[5].data);
                if (!rest.data)
                        add_memberships(ret, fields[0], group);
        } else if (!number_of(name, &ret->uid)) {
                return error_set(error, -EINVAL, "unable to find user %.*s: no matching entries in passwd file",
                                 (int)name.length, name.data);
        }
        if (rest.data)
                r = find_group(group, rest, &ret->gid, error);
        for (size_t i = 0; r >= 0 && more_groups && i < more_groups->length; i++) {
                gid_t gid = 0;

                r = find_group(group, slice_from(more_groups->items[i]), &gid, error);
                if (r >= 0)
                        add_group(ret, gid);
        }
        return r;
}

int open_beneath(int root, const char *path, int flags) {
        struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                               .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
        long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

/* A FIFO or a device in the image must not keep us waiting. */
static int read_beneath(int root, const char *path, Buffer *to) {
        _cleanup_close_ int fd = open_beneath(root, path, O_RDONLY | O_NONBLOCK);

        if (fd == -ENOENT || fd == -ENOTDIR)
                return 0;
        if (fd < 0)
                return fd;
        while (buffer_length(to) < USER_FILE_MAX) {
                void *room = buffer_reserve(to, 16384);
                ssize_t n;

                if (!room)
                        return -ENOMEM;
                n = read(fd, room, 16384);
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                buffer_commit(to, (size_t)n);
        }
        return -EMSGSIZE;
}

int image_user_find(int root, const char *user, const StringList *more_groups, ImageUser *ret, Error *error) {
        _cleanup_buffer_ Buffer passwd = BUFFER_INIT, group = BUFFER_INIT;
        int r;

        r = read_beneath(root, "/etc/passwd", &passwd);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the image's /etc/passwd");
        r = read_beneath(root, "/etc/group", &group);
        if (r < 0)
                return error_set_errno(error, r, "cannot read the image's /etc/group");
        return image_user_resolve(user, more_groups, (Slice){buffer_data(&passwd) ?: "", buffer_length(&passwd)},
                                  (Slice){buffer_data(&group) ?: "", buffer_length(&group)}, ret, error);
}
