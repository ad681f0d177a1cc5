/* What is on disk of each unit while units outlive the supervisor: its text, that of its next start, and its record. */
#include <errno.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "host/embedded-internal.h"
#include "host/file.h"
#include "host/unit-store.h"

static void store_text(Unit *unit, const char *folder, const Definition *definition, uint64_t *stored) {
        uint64_t serial = definition ? definition->serial : 0;
        Error error = ERROR_NONE;
        int r;

        if (*stored == serial)
                return;
        r = definition && definition->text ? unit_store_write(folder, unit->name, (Slice){definition->text, definition->text_length},
                                                definition->tag, &error)
                             : unit_store_remove(folder, unit->name, &error);
        if (r < 0)
                unit_note(unit, "%s", error.text);
        *stored = serial;
}

static UnitRecordList list_of(const Unit *unit) {
        const ServiceOptions *o = &unit->definition.options;
        const ExecCommandList *list = unit->machine.control_list;

        return list == &o->start_pre    ? UNIT_RECORD_START_PRE
               : list == &o->start      ? UNIT_RECORD_START
               : list == &o->start_post ? UNIT_RECORD_START_POST
               : list == &o->reload     ? UNIT_RECORD_RELOAD
               : list == &o->stop       ? UNIT_RECORD_STOP
               : list == &o->stop_post  ? UNIT_RECORD_STOP_POST
                                        : UNIT_RECORD_NO_LIST;
}

static void fill_shims(const Unit *unit, UnitRecord *record) {
        list_foreach (&unit->holders, node) {
                const UnitHolder *holder = container_of(node, UnitHolder, unit_link);

                if (holder->fd >= 0 && record->n_shims < UNIT_RECORD_SHIMS_MAX)
                        record->shims[record->n_shims++] = holder->number;
        }
}

static void fill_sessions(const Unit *unit, UnitRecord *record) {
        const PidList *sessions = &unit->group.sessions;
        size_t first = sessions->length - min_of(sessions->length, (size_t)UNIT_RECORD_SHIMS_MAX);

        for (size_t i = first; i < sessions->length; i++)
                record->sessions[record->n_sessions++] = sessions->items[i];
}

static void fill(const Unit *unit, UnitRecord *record) {
        *record = (UnitRecord){
                .start_asked = unit->start_asked,
                .queued = unit->start_queued,
                .since = unit->since,
                .active_at = unit->active_at,
                .inactive_at = unit->inactive_at,
                .service = unit->machine,
                .control_list = list_of(unit),
                .trigger = unit->trigger,
                .main_pid = unit->main ? unit->main->pid : 0,
                .control_pid = unit->control ? unit->control->pid : 0,
        };
        (void)snprintf(record->boot, sizeof(record->boot), "%s", unit->owner->boot_id);
        (void)snprintf(record->run, sizeof(record->run), "%s", unit->group_open ? unit->group.id : "");
        (void)snprintf(record->listener, sizeof(record->listener), "%s", unit->listener ? unit->listener : "");
        (void)snprintf(record->active, sizeof(record->active), "%s", unit->last_active);
        (void)snprintf(record->text, sizeof(record->text), "%s", unit_text(unit));
        fill_shims(unit, record);
        fill_sessions(unit, record);
}

void record_save(Unit *unit) {
        Embedded *e = unit->owner;
        _cleanup_free_ char *path = e->shim ? str_printf("%s/%s", e->units_directory, unit->name) : NULL;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;
        UnitRecord record;
        uint32_t sum;

        if (!path)
                return;
        store_text(unit, e->texts_directory, &unit->definition, &unit->stored);
        store_text(unit, e->next_directory, unit->next, &unit->stored_next);
        fill(unit, &record);
        if (unit_record_write(&record, &text) < 0)
                return;
        sum = crc32c(0, buffer_data(&text), buffer_length(&text));
        if (sum == unit->record_sum)
                return;
        if (file_overwrite(path, 0600, (Slice){buffer_data(&text), buffer_length(&text)}, &error) < 0) {
                unit_note(unit, "a restart of this program would not find it as it is: %s", error.text);
                return;
        }
        unit->record_sum = sum;
        holders_forget(unit);
}

void record_remove(Embedded *e, const char *name) {
        _cleanup_free_ char *path = e->shim ? str_printf("%s/%s", e->units_directory, name) : NULL;

        if (!path)
                return;
        (void)unlink(path);
        (void)unit_store_remove(e->texts_directory, name, NULL);
        (void)unit_store_remove(e->next_directory, name, NULL);
}
