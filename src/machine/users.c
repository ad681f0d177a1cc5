#include "machine/users.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "host/file.h"

enum {
        ID_MAX = 999, /* of users of the system: sought from here on downwards, as systemd-sysusers does */
        ID_MIN = 100,
};

/* As in data/sysusers.d. */
static const struct {
        const char *name, *about, *home;
} users[] = {
        {"faering-store", "Faering's replicated key-value store", "/var/lib/faering/store"},
};

/* The file as the machine sees it. */
static int read_shown(const char *upper, const char *name, Buffer *text, Error *error) {
        _cleanup_free_ char *own = str_printf("%s%s", upper, name);
        int r;

        if (!own)
                return -ENOMEM;
        r = file_read(access(own, F_OK) == 0 ? own : name, FILE_SMALL_MAX, text, error);
        if (r >= 0 && buffer_length(text) > 0 && buffer_data(text)[buffer_length(text) - 1] != '\n')
                r = buffer_append_byte(text, '\n');
        return r;
}

/* Column `n` of a line, from 0 on. */
static Slice column(Slice line, unsigned n) {
        Slice part = {0};

        for (unsigned i = 0; i <= n; i++)
                if (!slice_split(&line, ':', &part))
                        return (Slice){0};
        return part;
}

static bool has_column(const Buffer *text, unsigned n, const char *value) {
        Slice rest = {buffer_data(text), buffer_length(text)}, line;

        while (rest.data && slice_split(&rest, '\n', &line))
                if (slice_equals(column(line, n), slice_from(value)))
                        return true;
        return false;
}

static int find_id(const Buffer *passwd, const Buffer *group, char id[static 16]) {
        for (int candidate = ID_MAX; candidate >= ID_MIN; candidate--) {
                (void)snprintf(id, 16, "%d", candidate);
                if (!has_column(passwd, 2, id) && !has_column(group, 2, id))
                        return 0;
        }
        return -EUSERS;
}

static int put(const char *upper, const char *name, const Buffer *text, Error *error) {
        _cleanup_free_ char *path = str_printf("%s%s", upper, name);

        return path ? file_replace(path, 0644, (Slice){buffer_data(text), buffer_length(text)}, false, error) : -ENOMEM;
}

int users_add(const char *upper, Error *error) {
        _cleanup_buffer_ Buffer passwd = BUFFER_INIT, group = BUFFER_INIT;
        size_t before;
        int r;

        r = read_shown(upper, "/etc/passwd", &passwd, error);
        if (r >= 0)
                r = read_shown(upper, "/etc/group", &group, error);
        before = buffer_length(&passwd);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(users); i++) {
                char id[16];

                if (has_column(&passwd, 0, users[i].name))
                        continue;
                r = find_id(&passwd, &group, id);
                if (r < 0)
                        return error_set(error, r, "no id is free for the user %s", users[i].name);
                (void)buffer_printf(&passwd, "%s:x:%s:%s:%s:%s:/usr/sbin/nologin\n", users[i].name, id, id,
                                    users[i].about, users[i].home);
                if (!has_column(&group, 0, users[i].name))
                        (void)buffer_printf(&group, "%s:x:%s:\n", users[i].name, id);
                r = buffer_failed(&passwd) || buffer_failed(&group) ? -ENOMEM : 0;
        }
        if (r < 0 || buffer_length(&passwd) == before)
                return r;
        r = put(upper, "/etc/group", &group, error);
        return r < 0 ? r : put(upper, "/etc/passwd", &passwd, error);
}
