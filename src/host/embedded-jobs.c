/* What is told to the caller: ends of operations, and states. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "host/embedded-internal.h"

/* NULL without memory: the operation has then been ended at once. */
static Job *job_new(JobKind kind, SupervisorDone done, void *userdata) {
        Job *job = calloc(1, sizeof(*job));

        if (!job) {
                done(userdata, -ENOMEM, &(Error){.text = "out of memory"});
                return NULL;
        }
        job->kind = kind;
        job->done = done;
        job->userdata = userdata;
        list_init(&job->link);
        return job;
}

void embedded_finish_job(Embedded *e, Job *job, int r, const Error *error) {
        job->r = r;
        job->error = error ? *error : ERROR_NONE;
        list_unlink(&job->link);
        list_append(&e->finished, &job->link);
        embedded_wake(e);
}

void embedded_finish_now(Embedded *e, SupervisorDone done, void *userdata, int r, const Error *error) {
        Job *job = job_new(JOB_STOP, done, userdata);

        if (job)
                embedded_finish_job(e, job, r, error);
}

void unit_cancel_jobs(Unit *unit, JobKind kind, const char *why) {
        list_foreach(&unit->jobs, node) {
                Job *job = container_of(node, Job, link);
                Error error;

                if (job->kind == kind)
                        embedded_finish_job(unit->owner, job,
                                            error_set(&error, -ECANCELED, "%s: %s", unit->name, why), &error);
        }
}

void unit_fail_starts(Unit *unit, const char *format, ...) {
        Error error = ERROR_NONE;
        va_list args;

        va_start(args, format);
        (void)vsnprintf(error.text, sizeof(error.text), format, args);
        va_end(args);
        list_foreach(&unit->jobs, node) {
                Job *job = container_of(node, Job, link);

                if (job->kind == JOB_START)
                        embedded_finish_job(unit->owner, job, -EREMOTEIO, &error);
        }
}

void embedded_tell_finished(Embedded *e) {
        List finished;

        list_take_all(&e->finished, &finished);
        while (!list_is_empty(&finished)) {
                Job *job = container_of(finished.next, Job, link);

                list_unlink(&job->link);
                if (job->done)
                        job->done(job->userdata, job->r, &job->error);
                free(job);
        }
}

void unit_add_job(Unit *unit, JobKind kind, SupervisorDone done, void *userdata) {
        Job *job = job_new(kind, done, userdata);

        if (job)
                list_append(&unit->jobs, &job->link);
        unit_mark_dirty(unit);
}

/* ---- settling a unit: events and ends of jobs ---- */

static void settle_trigger_start(Unit *unit, Job *job) {
        Error error = ERROR_NONE;
        int r = 0;

        if (unit->trigger.state == TRIGGER_FAILED)
                r = error_set(&error, -EREMOTEIO, "%s failed (%s)%s%s", unit->name,
                              trigger_result_to_string(unit->definition.trigger.kind, unit->trigger.result), *unit_text(unit) ? ": " : "",
                              unit_text(unit));
        embedded_finish_job(unit->owner, job, r, &error);
}

static void settle_start(Unit *unit, Job *job) {
        const ServiceMachine *m = &unit->machine;
        Error error = ERROR_NONE;

        if (unit->start_queued)
                return;
        if (unit_kind(unit) == UNIT_TRIGGER) {
                settle_trigger_start(unit, job);
                return;
        }
        if (m->state == SERVICE_RUNNING || m->state == SERVICE_EXITED || m->state == SERVICE_RELOAD ||
            (m->state == SERVICE_DEAD && m->result == SERVICE_RESULT_SUCCESS)) {
                embedded_finish_job(unit->owner, job, 0, NULL);
                return;
        }
        if (!service_at_rest(m) && m->state != SERVICE_AUTO_RESTART)
                return;
        (void)error_set(&error, -EREMOTEIO, "%s failed (%s)%s%s%s", unit->name, service_result_to_string(m->result),
                        *unit_text(unit) ? ": " : "", unit_text(unit),
                        m->state == SERVICE_AUTO_RESTART ? "; it will be started again" : "");
        embedded_finish_job(unit->owner, job, -EREMOTEIO, &error);
}

static void settle_reload(Unit *unit, Job *job) {
        Error error = ERROR_NONE;

        if (unit->machine.state == SERVICE_RELOAD)
                return;
        if (unit->machine.reload_failed) {
                (void)error_set(&error, -EREMOTEIO, "%s could not be reloaded: %s", unit->name,
                                *unit_text(unit) ? unit_text(unit) : "its command failed");
                embedded_finish_job(unit->owner, job, -EREMOTEIO, &error);
                return;
        }
        embedded_finish_job(unit->owner, job, 0, NULL);
}

static void settle_jobs(Unit *unit) {
        list_foreach(&unit->jobs, node) {
                Job *job = container_of(node, Job, link);

                if (job->kind == JOB_START)
                        settle_start(unit, job);
                else if (job->kind == JOB_RELOAD)
                        settle_reload(unit, job);
                else if (job->kind == JOB_STOP && unit_at_rest(unit))
                        embedded_finish_job(unit->owner, job, 0, NULL);
        }
}

bool unit_wants_unload(const Unit *unit) {
        list_foreach(&unit->jobs, node)
                if (container_of(node, Job, link)->kind == JOB_UNLOAD)
                        return true;
        return false;
}

/* Takes the state. */
static void tell_state(Unit *unit, KeptState *state) {
        Embedded *e = unit->owner;
        SupervisorState told;

        kept_state_deinit(&unit->told);
        unit->told = *state;
        unit->was_told = true;
        kept_state_fill(&unit->told, &told);
        if (e->base.events->changed)
                e->base.events->changed(e->base.userdata, unit->name, &told);
}

static void tell_states(Unit *unit) {
        unit_note_state(unit);
        while (!list_is_empty(&unit->states)) {
                StateNote *note = container_of(unit->states.next, StateNote, link);

                list_unlink(&note->link);
                unit->n_states--;
                if (!unit->was_told || kept_state_differs(&note->state, &unit->told))
                        tell_state(unit, &note->state);
                else
                        kept_state_deinit(&note->state);
                free(note);
        }
}

void unit_release_processes(Unit *unit) {
        list_foreach(&unit->processes, node) {
                UnitProcess *process = container_of(node, UnitProcess, link);

                unit_close_pipes(process);
                process_close(&process->process);
        }
}

static void remove_unit(Unit *unit) {
        Embedded *e = unit->owner;
        SupervisorState gone = {0};
        _cleanup_free_ char *name = take_ptr(unit->name);

        (void)map_remove(&e->by_name, slice_from(name));
        e->n_units--;
        while (!list_is_empty(&unit->jobs))
                embedded_finish_job(e, container_of(unit->jobs.next, Job, link), 0, NULL);
        unit_free(unit);
        if (name)
                record_remove(e, name);
        supervisor_set_word(gone.load, sizeof(gone.load), "not-found");
        supervisor_set_word(gone.active, sizeof(gone.active), "inactive");
        supervisor_set_word(gone.sub, sizeof(gone.sub), "dead");
        supervisor_set_word(gone.result, sizeof(gone.result), "success");
        if (e->base.events->changed && name)
                e->base.events->changed(e->base.userdata, name, &gone);
}

/* An instance that a socket started has nobody who would take it away. */
static void drop_instance(Unit *unit) {
        if (unit->listener && unit_at_rest(unit) && !unit->start_queued && !unit_wants_unload(unit))
                unit_add_job(unit, JOB_UNLOAD, NULL, NULL);
}

void unit_settle(Unit *unit) {
        ServiceState before = unit->last_state;

        unit->last_state = unit->machine.state;
        unit_settle_order(unit, before);
        unit_settle_lingering(unit);
        tell_states(unit);
        settle_jobs(unit);
        unit_settle_upheld(unit);
        if (unit->tell_triggers) {
                unit->tell_triggers = false;
                triggers_tell(unit);
        }
        drop_instance(unit);
        record_save(unit);
        if (unit_wants_unload(unit) && unit_at_rest(unit)) {
                if (unit_has_processes(unit))
                        unit_release_processes(unit); /* the last one to close brings us here again */
                else
                        remove_unit(unit);
        }
}
