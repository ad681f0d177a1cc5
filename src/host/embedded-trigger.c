/* Sockets, timers and paths of the embedded supervisor: carries out what their state machine asks for. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "host/embedded-internal.h"
#include "host/file.h"

static int64_t local_offset(void *userdata, int64_t second) {
        time_t at = (time_t)second;
        struct tm local;

        (void)userdata;
        return localtime_r(&at, &local) ? local.tm_gmtoff : 0;
}

static const CalendarZone local_zone = {local_offset, NULL};

static Unit *target_of(const Unit *unit) {
        return embedded_find_named(unit->owner, unit->definition.trigger.unit);
}

TriggerFacts trigger_facts(const Unit *unit) {
        const Unit *target = target_of(unit);

        return (TriggerFacts){
                .now = clock_monotonic(),
                .wall = clock_wall(),
                .startup = unit->owner->startup,
                .unit_active = target ? target->active_at : 0,
                .unit_inactive = target ? target->inactive_at : 0,
                .zone = &local_zone,
                .random = &unit->owner->random,
        };
}

/* ---- Persistent= ---- */

static char *stamp_path(const Unit *unit) {
        return str_printf("%s/stamp-%s", unit->owner->stamps_directory, unit->name);
}

/* When the timer elapsed in an earlier life: the time of its file. 0: never. */
static WallUsec read_stamp(const Unit *unit) {
        _cleanup_free_ char *path = unit->definition.trigger.persistent ? stamp_path(unit) : NULL;
        struct stat is;

        if (!path || stat(path, &is) < 0)
                return 0;
        return (WallUsec)is.st_mtim.tv_sec * (WallUsec)USEC_PER_SEC + is.st_mtim.tv_nsec / 1000;
}

static void write_stamp(Unit *unit) {
        _cleanup_free_ char *path = stamp_path(unit);
        Error error = ERROR_NONE;

        if (path && (file_make_folder(unit->owner->stamps_directory, 0755, &error) < 0 ||
                     file_replace(path, 0644, (Slice){"", 0}, false, &error) < 0))
                unit_note(unit, "%s", error.text);
}

/* ---- what the machine asks for ---- */

static void fail_text(Unit *unit, const char *text) {
        unit_set_text(unit, "%s", text);
        unit_note(unit, "%s", text);
}

static void open_files(Unit *unit) {
        Error error = ERROR_NONE;
        int r = 0;

        if (unit->definition.trigger.kind == TRIGGER_SOCKET)
                r = ports_open(unit, &error);
        else
                r = watches_open(unit, &error);
        if (r < 0)
                fail_text(unit, *error.text ? error.text : strerror(-r));
        trigger_opened(&unit->trigger, r >= 0);
}

static void start_target(Unit *unit) {
        Unit *target = target_of(unit);
        char text[SUPERVISOR_TEXT_MAX];

        if (target && unit_kind(target) != UNIT_TEMPLATE) {
                unit_queue_start(target, 0);
                return;
        }
        (void)snprintf(text, sizeof(text), "%.200s, which it starts, is not loaded", unit->definition.trigger.unit);
        fail_text(unit, text);
        trigger_cannot_start(&unit->trigger);
}

static void check(Unit *unit) {
        TriggerFacts facts;

        if (!watches_check(unit))
                return;
        facts = trigger_facts(unit);
        trigger_fired(&unit->trigger, &facts);
}

void trigger_drive(Unit *unit) {
        TriggerAction action;

        while (trigger_next_action(&unit->trigger, &action))
                switch (action) {
                case TRIGGER_ACTION_OPEN:
                        open_files(unit);
                        break;
                case TRIGGER_ACTION_CHECK:
                        check(unit);
                        break;
                case TRIGGER_ACTION_START:
                        start_target(unit);
                        break;
                case TRIGGER_ACTION_CLOSE:
                        ports_close(unit);
                        watches_close(unit);
                        break;
                case TRIGGER_ACTION_STAMP:
                        write_stamp(unit);
                        break;
                }
        if (unit->ports)
                ports_listen(unit, unit->trigger.state == TRIGGER_WAITING);
        unit_note_state(unit);
        embedded_set_deadline(unit);
        unit_mark_dirty(unit);
}

/* Why it may not be started now, as systemd judges; false: it may. */
static bool refuses(Unit *unit) {
        const TriggerOptions *o = &unit->definition.trigger;
        const Unit *target = target_of(unit);

        if (o->accept)
                return false;
        if (!target)
                unit_fail_starts(unit, "%s was not started: %s, which it starts, is not loaded", unit->name, o->unit);
        else if (o->kind == TRIGGER_SOCKET && !unit_at_rest(target))
                unit_fail_starts(unit, "%s was not started: %s runs already, without its sockets; stop it first",
                                 unit->name, o->unit);
        else
                return false;
        return true;
}

void trigger_begin(Unit *unit) {
        TriggerFacts facts;

        if (!trigger_at_rest(&unit->trigger) || refuses(unit)) {
                unit_mark_dirty(unit);
                return;
        }
        unit_set_text(unit, "%s", "");
        facts = trigger_facts(unit);
        trigger_start(&unit->trigger, read_stamp(unit), &facts);
        trigger_drive(unit);
}

void trigger_end(Unit *unit) {
        TriggerAction action;

        trigger_stop(&unit->trigger);
        while (trigger_next_action(&unit->trigger, &action))
                ;
        ports_close(unit);
        watches_close(unit);
}

void trigger_time(Unit *unit) {
        TriggerFacts facts = trigger_facts(unit);

        trigger_deadline(&unit->trigger, &facts);
        trigger_drive(unit);
}

void triggers_tell(Unit *unit) {
        bool limit_hit = unit_kind(unit) == UNIT_SERVICE && unit->machine.result == SERVICE_RESULT_START_LIMIT_HIT;

        naming_foreach(unit, NAME_USE_STARTS, naming) {
                Unit *trigger = naming.unit;
                TriggerFacts facts = trigger_facts(trigger);

                trigger_unit_changed(&trigger->trigger, unit_at_rest(unit) && !unit->start_queued, limit_hit, &facts);
                trigger_drive(trigger);
        }
}
