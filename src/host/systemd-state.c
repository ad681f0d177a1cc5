/* States of units: read once, then kept by PropertiesChanged. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include "host/systemd-internal.h"

enum { LOOK_MSEC = 100 };

static int read_word(sd_bus_message *m, Words *words, const char **ret) {
        const char *word;
        int r = libsystemd.sd_bus_message_read(m, "v", "s", &word);

        if (r < 0)
                return r;
        word = words_keep(words, word);
        if (!word)
                return -ENOMEM;
        *ret = word;
        return 0;
}

static int read_text(sd_bus_message *m, KeptState *state) {
        const char *text;
        int r = libsystemd.sd_bus_message_read(m, "v", "s", &text);

        return r < 0 ? r : kept_state_set_text(state, text);
}

static int read_int(sd_bus_message *m, const char *type, int64_t *ret) {
        uint32_t u = 0;
        int32_t i = 0;
        uint64_t t = 0;
        int r = libsystemd.sd_bus_message_read(m, "v", type, *type == 'u' ? (void *)&u : *type == 't' ? (void *)&t : (void *)&i);

        if (r >= 0)
                *ret = *type == 'u' ? (int64_t)u : *type == 't' ? (int64_t)t : (int64_t)i;
        return r;
}

typedef enum PropertyField {
        FIELD_LOAD,
        FIELD_ACTIVE,
        FIELD_SUB,
        FIELD_RESULT,
        FIELD_TEXT,
        FIELD_MAIN_PID,
        FIELD_EXIT_CODE,
        FIELD_EXIT_STATUS,
        FIELD_RESTARTS,
        FIELD_SINCE,
} PropertyField;

static const struct {
        const char *name, *type;
        PropertyField field;
} properties[] = {
        {"LoadState", "s", FIELD_LOAD},
        {"ActiveState", "s", FIELD_ACTIVE},
        {"SubState", "s", FIELD_SUB},
        {"Result", "s", FIELD_RESULT},
        {"StatusText", "s", FIELD_TEXT},
        {"MainPID", "u", FIELD_MAIN_PID},
        {"ExecMainCode", "i", FIELD_EXIT_CODE},
        {"ExecMainStatus", "i", FIELD_EXIT_STATUS},
        {"NRestarts", "u", FIELD_RESTARTS},
        {"StateChangeTimestamp", "t", FIELD_SINCE},
};

static int read_field(KeptState *state, Words *words, PropertyField field, const char *type, sd_bus_message *m) {
        int64_t number = 0;
        int r;

        switch (field) {
        case FIELD_LOAD:
                return read_word(m, words, &state->load);
        case FIELD_ACTIVE:
                return read_word(m, words, &state->active);
        case FIELD_SUB:
                return read_word(m, words, &state->sub);
        case FIELD_RESULT:
                return read_word(m, words, &state->result);
        case FIELD_TEXT:
                return read_text(m, state);
        default:
                break;
        }
        r = read_int(m, type, &number);
        if (r < 0)
                return r;
        if (field == FIELD_MAIN_PID)
                state->main_pid = (pid_t)number;
        else if (field == FIELD_EXIT_CODE)
                state->exit_code = (int)number;
        else if (field == FIELD_EXIT_STATUS)
                state->exit_status = (int)number;
        else if (field == FIELD_RESTARTS)
                state->restarts = (uint64_t)number;
        else
                state->since = number;
        return 0;
}

/* An a{sv} of properties: takes those that we know. */
static int read_properties(KeptState *state, Words *words, sd_bus_message *m) {
        int r;

        r = libsystemd.sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = libsystemd.sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;
                size_t i = 0;

                r = libsystemd.sd_bus_message_read(m, "s", &name);
                if (r < 0)
                        return r;
                while (i < ARRAY_SIZE(properties) && !str_equals(properties[i].name, name))
                        i++;
                if (i < ARRAY_SIZE(properties))
                        r = read_field(state, words, properties[i].field, properties[i].type, m);
                else
                        r = libsystemd.sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = libsystemd.sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : libsystemd.sd_bus_message_exit_container(m);
}

void systemd_state_changed(Systemd *s, SystemdUnit *unit) {
        if (list_is_linked(&unit->changed_link))
                return;
        list_append(&s->changed, &unit->changed_link);
        systemd_wake(s);
}

static void tell_unit(Systemd *s, SystemdUnit *unit) {
        SupervisorState state;

        if (!list_is_linked(&unit->changed_link))
                return;
        list_unlink(&unit->changed_link);
        if (unit->was_told && !kept_state_differs(&unit->state, &unit->told))
                return;
        unit->was_told = kept_state_copy(&unit->state, &unit->told) >= 0;
        kept_state_fill(&unit->state, &state);
        if (s->base.events->changed)
                s->base.events->changed(s->base.userdata, unit->name, &state);
}

static int on_properties_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Systemd *s = userdata;
        const char *path = libsystemd.sd_bus_message_get_path(m);
        SystemdUnit *unit = path ? map_get(&s->by_path, slice_from(path)) : NULL;

        const char *interface;

        (void)error;
        if (!unit || libsystemd.sd_bus_message_read(m, "s", &interface) < 0)
                return 0;
        /* what a unit has passed through is told, too: each signal of the common part is a state of its own */
        if (str_equals(interface, SYSTEMD_DESTINATION ".Unit"))
                tell_unit(s, unit);
        if (read_properties(&unit->state, &s->words, m) >= 0)
                systemd_state_changed(s, unit);
        return 0;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SystemdUnit *unit = userdata;
        Systemd *s = unit->owner;

        (void)error;
        unit->fetches--;
        if (!libsystemd.sd_bus_message_is_method_error(m, NULL) && read_properties(&unit->state, &s->words, m) >= 0)
                systemd_state_changed(s, unit);
        return 0;
}

int systemd_state_fetch(Systemd *s, SystemdUnit *unit) {
        sd_bus_message *m = NULL;
        int r = libsystemd.sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_DESTINATION, unit->path, "org.freedesktop.DBus.Properties", "GetAll");

        if (r >= 0)
                r = libsystemd.sd_bus_message_append(m, "s", ""); /* of all interfaces */
        if (r >= 0)
                r = systemd_request(s, m, on_properties, unit, NULL); /* units live as long as the supervisor */
        libsystemd.sd_bus_message_unref(m);
        if (r >= 0)
                unit->fetches++;
        return r;
}

void systemd_state_fetch_all(Systemd *s) {
        list_foreach(&s->units, node) {
                SystemdUnit *unit = container_of(node, SystemdUnit, link);

                if (unit->loaded && unit->fetches < 2) /* one that began before, and one from now on */
                        (void)systemd_state_fetch(s, unit);
        }
}

/* ---- a look at many ---- */

/* All properties are read only where the few that come with a list differ from what we have: among them are some that systemd reads
 * all its folders and the control group for. */
static int on_rows(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Systemd *s = userdata;
        const char *name, *load, *active, *sub;
        SystemdUnit *unit;

        (void)error;
        if (libsystemd.sd_bus_message_is_method_error(m, NULL) || libsystemd.sd_bus_message_enter_container(m, 'a', "(ssssssouso)") < 0)
                return 0;
        while (libsystemd.sd_bus_message_read(m, "(ssssssouso)", &name, NULL, &load, &active, &sub, NULL, NULL, NULL, NULL, NULL) > 0) {
                unit = map_get(&s->by_name, slice_from(name));
                if (unit && !(str_equals(load, unit->state.load) && str_equals(active, unit->state.active) &&
                              str_equals(sub, unit->state.sub)))
                        (void)systemd_state_fetch(s, unit);
        }
        return 0;
}

static int append_units(Systemd *s, sd_bus_message *m, bool unseen, size_t *n) {
        int r = libsystemd.sd_bus_message_open_container(m, 'a', "s");

        list_foreach(&s->units, node) {
                SystemdUnit *unit = container_of(node, SystemdUnit, link);

                if (r >= 0 && unit->loaded && (!unseen || (list_is_linked(&unit->unseen_link) && !unit->start_asked))) {
                        r = libsystemd.sd_bus_message_append(m, "s", unit->name);
                        ++*n;
                }
                if (unseen)
                        list_unlink(&unit->unseen_link);
        }
        return r < 0 ? r : libsystemd.sd_bus_message_close_container(m);
}

static void look(Systemd *s, bool unseen) {
        sd_bus_message *m = NULL;
        size_t n = 0;
        int r = libsystemd.sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByNames");

        if (r >= 0)
                r = append_units(s, m, unseen, &n);
        if (r >= 0 && n > 0)
                (void)systemd_request(s, m, on_rows, s, NULL);
        libsystemd.sd_bus_message_unref(m);
}

static void on_look(uv_timer_t *timer) {
        Systemd *s = timer->data;

        if (!s->lost && s->bus && !list_is_empty(&s->unseen))
                look(s, true);
}

void systemd_state_fetch_later(Systemd *s, SystemdUnit *unit) {
        list_unlink(&unit->unseen_link);
        list_append(&s->unseen, &unit->unseen_link);
        if (!uv_is_active((uv_handle_t *)&s->look))
                (void)uv_timer_start(&s->look, on_look, LOOK_MSEC, 0);
}

void systemd_state_drop(Systemd *s) {
        list_foreach(&s->units, node)
                container_of(node, SystemdUnit, link)->fetches = 0;
}

/* ---- signals ---- */

static int on_reloading(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        int active = 1;

        (void)error;
        if (libsystemd.sd_bus_message_read(m, "b", &active) >= 0 && !active)
                look(userdata, false);
        return 0;
}

static int subscribe(Systemd *s) {
        return libsystemd.sd_bus_call_method_async(s->bus, NULL, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
}

/* systemd is at the bus, again: after a restart of either, perhaps behind us. What it told meanwhile was lost. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *now;

        (void)error;
        if (libsystemd.sd_bus_message_read(m, "sss", &name, &before, &now) >= 0 && *now) {
                (void)subscribe(userdata);
                systemd_state_fetch_all(userdata);
        }
        return 0;
}

int systemd_state_watch(Systemd *s, Error *error) {
        int r;

        r = libsystemd.sd_bus_add_match_async(s->bus, NULL,
                                   "type='signal',sender='" SYSTEMD_DESTINATION
                                   "',interface='org.freedesktop.DBus.Properties',"
                                   "member='PropertiesChanged',path_namespace='" SYSTEMD_PATH "/unit'",
                                   on_properties_changed, NULL, s);
        if (r >= 0)
                r = libsystemd.sd_bus_match_signal_async(s->bus, NULL, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                              "Reloading", on_reloading, NULL, s);
        if (r >= 0)
                r = libsystemd.sd_bus_add_match_async(s->bus, NULL,
                                           "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                                           "member='NameOwnerChanged',arg0='" SYSTEMD_DESTINATION "'",
                                           on_owner, NULL, s);
        if (r >= 0)
                r = subscribe(s);
        return r < 0 ? error_set_errno(error, r, "cannot subscribe to systemd's signals") : 0;
}

void systemd_state_tell(Systemd *s) {
        List changed;

        list_take_all(&s->changed, &changed);
        while (!list_is_empty(&changed))
                tell_unit(s, container_of(changed.next, SystemdUnit, changed_link));
}
