#include "host/cgroup-place.h"

#include <errno.h>

#include "base/buffer.h"

static const struct {
        const char *controller;
        CgroupPart part;
} controllers[] = {
        {"name=systemd", CGROUP_TRACKING},
        {"memory", CGROUP_MEMORY},
        {"pids", CGROUP_PIDS},
        {"cpu", CGROUP_CPU},
};

static void place_deinit(CgroupPlace *place) {
        free(place->top);
        free(place->own);
        *place = (CgroupPlace){0};
}

void cgroup_places_deinit(CgroupPlaces *places) {
        for (size_t i = 0; i < CGROUP_PARTS; i++)
                place_deinit(&places->legacy[i]);
        place_deinit(&places->unified);
}

static bool list_has(Slice list, const char *word) {
        Slice part;

        while (slice_split(&list, ',', &part))
                if (slice_equals(part, slice_from(word)))
                        return true;
        return false;
}

/* The path of the asking process's group in the hierarchy: of the line "N:controllers:path". "" when there is none. */
static Slice own_path(Slice self_cgroup, const char *controller) {
        Slice line;

        if (!self_cgroup.data)
                return slice_from("");
        while (slice_split(&self_cgroup, '\n', &line)) {
                Slice number, list;

                if (!slice_split(&line, ':', &number) || !line.data || !slice_split(&line, ':', &list) || !line.data)
                        continue;
                if (controller ? list_has(list, controller) : list.length == 0)
                        return line;
        }
        return slice_from("");
}

/* Undoes mountinfo's \040 and the like. */
static int append_unescaped(Buffer *to, Slice text) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < text.length; i++) {
                const char *c = text.data + i;

                if (*c == '\\' && text.length - i > 3 && c[1] >= '0' && c[1] <= '3' && c[2] >= '0' && c[2] <= '7' &&
                    c[3] >= '0' && c[3] <= '7') {
                        r = buffer_append_byte(to, (char)((c[1] - '0') * 64 + (c[2] - '0') * 8 + (c[3] - '0')));
                        i += 3;
                } else {
                        r = buffer_append_byte(to, *c);
                }
        }
        return r;
}

Slice cgroup_below_mount(Slice path, Slice root) {
        if (slice_equals(root, slice_from("/")))
                root.length = 0;
        if (path.length < root.length || memcmp(path.data, root.data, root.length) != 0)
                return slice_from("");
        path = (Slice){path.data + root.length, path.length - root.length};
        if (path.length < 2 || path.data[0] != '/' || (path.length >= 3 && memcmp(path.data, "/..", 3) == 0))
                return slice_from("");
        return path;
}

static int set_place(CgroupPlace *place, bool unified, Slice root, Slice mount_point, Slice path) {
        _cleanup_buffer_ Buffer top = BUFFER_INIT, own = BUFFER_INIT;
        Slice below = cgroup_below_mount(path, root);
        _cleanup_free_ char *top_string = NULL, *own_string = NULL;

        if (append_unescaped(&top, mount_point) < 0 || append_unescaped(&own, mount_point) < 0 ||
            (below.length > 0 && buffer_append(&own, below.data, below.length) < 0))
                return -ENOMEM;
        top_string = buffer_steal_string(&top, NULL);
        own_string = buffer_steal_string(&own, NULL);
        if (!top_string || !own_string)
                return -ENOMEM;
        place_deinit(place);
        *place = (CgroupPlace){unified, take_ptr(top_string), take_ptr(own_string)};
        return 0;
}

/* "36 35 98:0 /root /mount/point rw,noatime master:1 - cgroup cgroup rw,memory" */
static int read_mount(CgroupPlaces *places, Slice line, Slice self_cgroup) {
        Slice fields[5], field, options, type, source;
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
                if (!line.data || !slice_split(&line, ' ', &fields[i]))
                        return 0;
        do
                if (!line.data || !slice_split(&line, ' ', &field))
                        return 0;
        while (!slice_equals(field, slice_from("-")));
        if (!line.data || !slice_split(&line, ' ', &type) || !line.data || !slice_split(&line, ' ', &source) ||
            !line.data)
                return 0;
        options = line;
        if (slice_equals(type, slice_from("cgroup2")))
                return set_place(&places->unified, true, fields[3], fields[4], own_path(self_cgroup, NULL));
        if (!slice_equals(type, slice_from("cgroup")))
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
                const char *controller = controllers[i].controller;

                if (!list_has(options, controller))
                        continue;
                r = set_place(&places->legacy[controllers[i].part], false, fields[3], fields[4],
                              own_path(self_cgroup, controller));
                if (r < 0)
                        return r;
        }
        return 0;
}

int cgroup_places_read(Slice mountinfo, Slice self_cgroup, CgroupPlaces *ret) {
        _cleanup_cgroup_places_ CgroupPlaces places = {0};
        Slice line;
        int r;

        while (mountinfo.data && slice_split(&mountinfo, '\n', &line)) {
                r = read_mount(&places, line, self_cgroup);
                if (r < 0)
                        return r;
        }
        *ret = places;
        places = (CgroupPlaces){0};
        return 0;
}
