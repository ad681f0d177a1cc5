/*
 * Links of unit files, which we make ourselves: systemd's LinkUnitFiles and DisableUnitFiles look through all its folders for each unit.
 * Only what [Install] says is left to them; loads and unloads that come together are one call. systemd is made to read its units anew only
 * if it would not see by itself what is new: it is a matter of a tenth of a second and more.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/systemd-internal.h"
#include "host/unit-store.h"

static void next_step(FileBatch *batch);

char *systemd_files_links(bool user) {
        const char *runtime = user ? getenv("XDG_RUNTIME_DIR") : NULL;

        if (!user)
                return strdup("/run/systemd/system");
        return runtime ? str_printf("%s/systemd/user", runtime) : str_printf("/run/user/%lu/systemd/user", (unsigned long)getuid());
}

/* ---- what a batch is made of ---- */

void systemd_files_init(Systemd *s) {
        s->linking.owner = s->unlinking.owner = s;
        s->unlinking.unlinks = true;
        list_init(&s->linking.waiting);
        list_init(&s->linking.calls);
        list_init(&s->unlinking.waiting);
        list_init(&s->unlinking.calls);
}

void systemd_files_add(Systemd *s, Call *call) {
        list_append(call->kind == CALL_UNLOAD ? &s->unlinking.waiting : &s->linking.waiting, &call->batch_link);
        systemd_wake(s);
}

/* Of a batch that failed each call is tried alone, to find the one that is at fault. */
static void take_calls(FileBatch *batch) {
        Call *first = container_of(batch->waiting.next, Call, batch_link);
        bool alone = !list_is_empty(&batch->waiting) && first->alone;

        for (size_t n = 0; n < FILE_BATCH_MAX && !list_is_empty(&batch->waiting); n++) {
                Call *call = container_of(batch->waiting.next, Call, batch_link);

                if (n > 0 && (alone || call->alone))
                        return;
                list_unlink(&call->batch_link);
                list_append(&batch->calls, &call->batch_link);
        }
}

static void end_calls(FileBatch *batch) {
        while (!list_is_empty(&batch->calls)) {
                Call *call = container_of(batch->calls.next, Call, batch_link);

                list_unlink(&call->batch_link);
                systemd_call_linked(call);
        }
        batch->step = FILES_IDLE;
        systemd_wake(batch->owner);
}

/* `error` may be NULL: then it is ours. */
static void fail(FileBatch *batch, int r, const sd_bus_error *error) {
        List calls;

        list_take_all(&batch->calls, &calls);
        batch->step = FILES_IDLE;
        batch->finds = 0;
        if (calls.next != &calls && calls.next->next == &calls) {
                Call *call = container_of(calls.next, Call, batch_link);

                list_unlink(&call->batch_link);
                systemd_call_refused(call, r, error);
                return;
        }
        while (!list_is_empty(&calls)) { /* from the last one on: they go to the front */
                Call *call = container_of(calls.previous, Call, batch_link);

                call->alone = true;
                list_unlink(&call->batch_link);
                list_append(batch->waiting.next, &call->batch_link);
        }
        systemd_wake(batch->owner);
}

/* ---- calls ---- */

static int on_done(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        FileBatch *batch = userdata;
        const sd_bus_error *error = libsystemd.sd_bus_message_get_error(m);

        (void)ret_error;
        batch->request = NULL;
        if (error)
                fail(batch, -libsystemd.sd_bus_error_get_errno(error), error);
        else
                next_step(batch);
        return 0;
}

/* Names of those with [Install]. */
static int append_installed(const FileBatch *batch, sd_bus_message *m) {
        int r = libsystemd.sd_bus_message_open_container(m, 'a', "s");

        list_foreach(&batch->calls, node) {
                const Call *call = container_of(node, Call, batch_link);

                if (r >= 0 && call->unit && call->has_install)
                        r = libsystemd.sd_bus_message_append(m, "s", call->unit);
        }
        return r < 0 ? r : libsystemd.sd_bus_message_close_container(m);
}

static int send_installed(FileBatch *batch) {
        Systemd *s = batch->owner;
        sd_bus_message *m = NULL;
        int r = libsystemd.sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                                          batch->unlinks ? "DisableUnitFiles" : "EnableUnitFiles");

        if (r >= 0)
                r = append_installed(batch, m);
        if (r >= 0) /* in /run; and, if they are added, whatever is there already */
                r = batch->unlinks ? libsystemd.sd_bus_message_append(m, "b", 1) : libsystemd.sd_bus_message_append(m, "bb", 1, 1);
        if (r >= 0)
                r = systemd_request(s, m, on_done, batch, &batch->request);
        libsystemd.sd_bus_message_unref(m);
        return r;
}

static int send_reload(FileBatch *batch) {
        Systemd *s = batch->owner;
        sd_bus_message *m = NULL;
        int r = libsystemd.sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER, "Reload");

        if (r >= 0)
                r = systemd_request(s, m, on_done, batch, &batch->request);
        libsystemd.sd_bus_message_unref(m);
        if (r >= 0)
                s->stale = false;
        return r;
}

/* ---- steps ---- */

static size_t count(const FileBatch *batch, bool installed) {
        size_t n = 0;

        list_foreach(&batch->calls, node) {
                const Call *call = container_of(node, Call, batch_link);

                n += call->unit && (!installed || call->has_install);
        }
        return n;
}

static int on_found(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        SystemdUnit *unit = userdata;
        FileBatch *batch = &unit->owner->linking;

        (void)ret_error;
        if (!libsystemd.sd_bus_message_is_method_error(m, NULL))
                unit->was_known = unit->owner->stale = true;
        if (batch->finds > 0 && --batch->finds == 0)
                next_step(batch);
        return 0;
}

static int find(FileBatch *batch, SystemdUnit *unit) {
        Systemd *s = batch->owner;
        sd_bus_message *m = NULL;
        int r = libsystemd.sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_DESTINATION, SYSTEMD_PATH, SYSTEMD_MANAGER, "GetUnit");

        if (r >= 0)
                r = libsystemd.sd_bus_message_append(m, "s", unit->name);
        if (r >= 0)
                r = systemd_request(s, m, on_found, unit, NULL);
        libsystemd.sd_bus_message_unref(m);
        batch->finds += r >= 0;
        return r;
}

/* A unit that systemd has in memory it does not read again by itself; others it reads when they are needed. */
static int find_all(FileBatch *batch) {
        int r = 0;

        list_foreach(&batch->calls, node) {
                const Call *call = container_of(node, Call, batch_link);
                SystemdUnit *unit = call->unit ? systemd_unit(batch->owner, call->unit) : NULL;

                if (r >= 0 && call->unit)
                        r = unit ? find(batch, unit) : -ENOMEM;
        }
        return r;
}

/* All at once: systemd reads its folders anew when it is to start one of them and any has come. */
static void link_all(FileBatch *batch) {
        Systemd *s = batch->owner;

        list_foreach(&batch->calls, node) {
                Call *call = container_of(node, Call, batch_link);
                int r = call->unit ? unit_store_link(s->folder, s->links, call->unit, &call->error) : 0;

                if (r < 0)
                        systemd_call_failed(call, r);
        }
}

/* Carries out the step that the batch is at; true: there is nothing to wait for. */
static bool skip_step(FileBatch *batch, int *r) {
        Systemd *s = batch->owner;

        switch (batch->step) {
        case FILES_FIND:
                if (batch->unlinks || count(batch, false) == 0)
                        return true;
                batch->finds = 0;
                *r = find_all(batch);
                return false;
        case FILES_LINK:
                if (!batch->unlinks)
                        link_all(batch);
                return true;
        case FILES_INSTALL:
                if (count(batch, true) == 0)
                        return true;
                s->stale = true; /* what is installed for a unit that systemd knows it does not look for by itself */
                *r = send_installed(batch);
                return false;
        case FILES_RELOAD:
                if (batch->unlinks || !s->stale)
                        return true;
                *r = send_reload(batch);
                return false;
        default:
                return true;
        }
}

static void next_step(FileBatch *batch) {
        int r = 0;

        do
                batch->step++;
        while (batch->step < FILES_END && skip_step(batch, &r));
        if (r < 0)
                fail(batch, r, NULL);
        else if (batch->step == FILES_END)
                end_calls(batch);
}

static void begin(FileBatch *batch, bool wanted) {
        if (batch->step != FILES_IDLE || (list_is_empty(&batch->waiting) && !wanted))
                return;
        take_calls(batch);
        next_step(batch);
}

void systemd_files_turn(Systemd *s) {
        if (s->lost || !s->bus)
                return;
        begin(&s->unlinking, false);
        begin(&s->linking, s->stale);
}

static void drop(FileBatch *batch) {
        List calls;

        list_take_all(&batch->waiting, &calls);
        while (!list_is_empty(&calls))
                list_unlink(calls.next);
        list_take_all(&batch->calls, &calls);
        while (!list_is_empty(&calls))
                list_unlink(calls.next);
        batch->request = systemd_request_cancel(batch->request);
        batch->step = FILES_IDLE;
        batch->finds = 0;
}

/* With the connection, on which the answers would come. */
void systemd_files_drop(Systemd *s) {
        drop(&s->linking);
        drop(&s->unlinking);
}
