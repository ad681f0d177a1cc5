/*
 * The watches of path units, by inotify: each path itself, the nearest folder above it that is there (in which it may appear), and
 * those above that one (which may be moved away). After each event the watches are made anew and the conditions looked at.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "host/embedded-internal.h"
#include "host/file.h"

typedef struct PathWatch {
        const PathValue *value;
        int own;      /* its watch on the path itself; -1: it is not there */
        bool existed; /* when last looked at; for PathChanged= and PathModified= */
        bool changed;
} PathWatch;

/* Outlives its unit until the handle is closed. */
struct PathWatches {
        uv_poll_t poll;
        Unit *unit; /* NULL: closed */
        Embedded *owner;
        int fd;
        bool looked; /* the conditions were looked at once */
        size_t n;
        PathWatch items[TRIGGER_ITEMS_MAX];
};

static const uint32_t own_events[] = {
        [PATH_EXISTS] = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB,
        [PATH_EXISTS_GLOB] = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB,
        [PATH_CHANGED] = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
                         IN_MOVED_FROM | IN_MOVED_TO,
        [PATH_MODIFIED] = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE |
                          IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY,
        [PATH_NOT_EMPTY] = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_CREATE | IN_MOVED_TO,
};

/* Watches are added to what is watched already: several values may share a folder. */
static int add_watch(int fd, const char *path, uint32_t events) {
        return inotify_add_watch(fd, path, events | IN_MASK_ADD);
}

/* Folders above `path`, nearest first: in the nearest that is there something may appear. */
static void watch_above(int fd, const char *path) {
        _cleanup_free_ char *folder = strdup(path);
        bool nearest = true;
        char *slash;

        while (folder && (slash = strrchr(folder, '/'))) {
                const char *name = slash == folder ? "/" : folder;
                uint32_t events = IN_MOVE_SELF | IN_DELETE_SELF;

                *slash = '\0';
                if (nearest)
                        events |= IN_CREATE | IN_MOVED_TO;
                if (add_watch(fd, name, events) >= 0)
                        nearest = false;
                if (slash == folder)
                        break;
        }
}

static void watch_one(PathWatches *watches, PathWatch *watch) {
        const PathValue *value = watch->value;
        _cleanup_free_ char *plain = NULL;
        const char *path = value->path;

        if (value->kind == PATH_EXISTS_GLOB && strpbrk(path, "*?[{")) { /* up to the first part that is a pattern */
                size_t length = strcspn(path, "*?[{");

                while (length > 0 && path[length - 1] != '/')
                        length--;
                plain = str_printf("%.*sx", (int)length, path); /* any name in that folder */
                if (!plain)
                        return;
                path = plain;
        }
        watch_above(watches->fd, path);
        watch->own = plain ? -1 : add_watch(watches->fd, path, own_events[value->kind]);
}

static void watch_all(PathWatches *watches) {
        for (size_t i = 0; i < watches->n; i++)
                watch_one(watches, &watches->items[i]);
}

/* ---- conditions ---- */

static bool is_not_empty(const char *path) {
        DIR *folder = opendir(path);
        const struct dirent *entry;
        bool found = false;

        if (!folder)
                return false;
        while (!found && (entry = readdir(folder)))
                found = !str_equals(entry->d_name, ".") && !str_equals(entry->d_name, "..");
        (void)closedir(folder);
        return found;
}

static bool matches(const char *pattern) {
        glob_t found = {0};
        bool any = glob(pattern, GLOB_NOSORT | GLOB_BRACE, NULL, &found) == 0 && found.gl_pathc > 0;

        globfree(&found);
        return any;
}

/* Changes are told once; whether it exists, as long as it does. */
static bool holds(PathWatch *watch, bool first) {
        const char *path = watch->value->path;
        bool exists, news;

        switch (watch->value->kind) {
        case PATH_EXISTS:
                return access(path, F_OK) == 0;
        case PATH_EXISTS_GLOB:
                return matches(path);
        case PATH_NOT_EMPTY:
                return is_not_empty(path);
        case PATH_CHANGED:
        case PATH_MODIFIED:
                exists = access(path, F_OK) == 0;
                news = !first && (watch->changed || exists != watch->existed);
                watch->existed = exists;
                watch->changed = false;
                return news;
        }
        return false;
}

bool watches_check(Unit *unit) {
        PathWatches *watches = unit->watches;
        bool first, any = false;

        if (!watches)
                return false;
        first = !watches->looked;
        watches->looked = true;
        for (size_t i = 0; i < watches->n; i++)
                any |= holds(&watches->items[i], first);
        return any;
}

/* ---- events ---- */

static void take_event(PathWatches *watches, const struct inotify_event *event) {
        for (size_t i = 0; i < watches->n; i++) {
                PathWatch *watch = &watches->items[i];

                if (watch->own == event->wd && event->mask & own_events[watch->value->kind])
                        watch->changed = true;
        }
}

static void read_events(PathWatches *watches) {
        _Alignas(struct inotify_event) char room[4096];
        ssize_t n;

        while ((n = read(watches->fd, room, sizeof(room))) > 0)
                for (ssize_t at = 0; at < n;) {
                        const struct inotify_event *event = (const void *)(room + at);

                        take_event(watches, event);
                        at += (ssize_t)(sizeof(*event) + event->len);
                }
}

static void on_events(uv_poll_t *poll, int status, int events) {
        PathWatches *watches = container_of(poll, PathWatches, poll);
        Unit *unit = watches->unit;
        TriggerFacts facts;

        (void)status;
        (void)events;
        if (!unit)
                return;
        read_events(watches);
        watch_all(watches);
        if (unit->trigger.state != TRIGGER_WAITING || !watches_check(unit))
                return; /* while its unit runs changes are kept for its end */
        facts = trigger_facts(unit);
        trigger_fired(&unit->trigger, &facts);
        trigger_drive(unit);
}

static void on_watches_closed(uv_handle_t *handle) {
        PathWatches *watches = container_of((uv_poll_t *)handle, PathWatches, poll);
        Embedded *e = watches->owner;

        free(watches);
        embedded_handle_closed(e);
}

static int make_folders(const TriggerOptions *o, Error *error) {
        for (size_t i = 0; o->make_directory && i < o->n_paths; i++)
                if (o->paths[i].kind != PATH_EXISTS && o->paths[i].kind != PATH_EXISTS_GLOB) {
                        int r = file_make_folder(o->paths[i].path, (mode_t)o->directory_mode, error);

                        if (r < 0)
                                return r;
                }
        return 0;
}

int watches_open(Unit *unit, Error *error) {
        const TriggerOptions *o = &unit->definition.trigger;
        PathWatches *watches = calloc(1, sizeof(*watches));
        int r;

        if (!watches)
                return error_set_errno(error, -ENOMEM, "cannot watch for %s", unit->name);
        r = make_folders(o, error);
        watches->fd = r >= 0 ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
        if (r >= 0 && watches->fd < 0)
                r = error_set_errno(error, -errno, "cannot watch for files");
        if (r >= 0) {
                r = uv_poll_init(unit->owner->loop, &watches->poll, watches->fd);
                if (r < 0)
                        (void)error_set_errno(error, r, "cannot watch for files");
        }
        if (r < 0) {
                if (watches->fd >= 0)
                        (void)close(watches->fd);
                free(watches);
                return r;
        }
        watches->unit = unit;
        watches->owner = unit->owner;
        watches->owner->open++;
        for (size_t i = 0; i < o->n_paths; i++)
                watches->items[watches->n++] = (PathWatch){.value = &o->paths[i], .own = -1};
        unit->watches = watches;
        (void)uv_poll_start(&watches->poll, UV_READABLE, on_events);
        uv_unref((uv_handle_t *)&watches->poll);
        watch_all(watches);
        return 0;
}

void watches_close(Unit *unit) {
        PathWatches *watches = take_ptr(unit->watches);

        if (!watches)
                return;
        watches->unit = NULL;
        uv_close((uv_handle_t *)&watches->poll, on_watches_closed);
        (void)close(watches->fd);
}
