/* The end of the supervisor: closing ends all units with it, leaving lets go of them. */
#include "host/embedded-internal.h"

enum { CLOSE_WAIT_MSEC = 5000 };

void embedded_free(Embedded *e) {
        notify_drop_kept(e);
        cgroup_root_close(&e->cgroups);
        map_deinit(&e->by_name);
        map_deinit(&e->mentioned);
        heap_deinit(&e->deadlines);
        free(e->state_directory);
        free(e->run_directory);
        free(e->units_directory);
        free(e->logs_directory);
        free(e->stamps_directory);
        free(e->runtime_root);
        free(e->shim);
        free(e->shims_directory);
        free(e->texts_directory);
        free(e->next_directory);
        free(e->notify_path);
        free(e->machine_id);
        free(e->boot_id);
        free(e);
}

void embedded_handle_closed(Embedded *e) {
        void (*closed)(void *userdata) = e->closed;
        void *userdata = e->closed_data;

        if (--e->open > 0)
                return;
        embedded_free(e);
        if (closed)
                closed(userdata);
}

static void on_handle_closed(uv_handle_t *handle) {
        embedded_handle_closed(handle->data);
}

void embedded_close_handles(Embedded *e) {
        process_reaper_close(&e->reaper);
        if (e->notify_fd >= 0)
                notify_close(e);
        uv_close((uv_handle_t *)&e->timer, on_handle_closed);
        uv_close((uv_handle_t *)&e->later, on_handle_closed);
        uv_close((uv_handle_t *)&e->hurry, on_handle_closed);
}

/* While closing: lets units go that have no process left, and in the end everything. */
void embedded_close_step(Embedded *e) {
        if (uv_is_closing((uv_handle_t *)&e->later))
                return;
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                if (unit_has_processes(unit))
                        continue;
                if (e->leaving) {
                        unit_free(unit);
                        continue;
                }
                if (unit->group_open && !unit_group_is_empty(&unit->group) && uv_is_active((uv_handle_t *)&e->timer)) {
                        (void)unit_group_kill(&unit->group, SIGKILL, 0, 0);
                        continue;
                }
                unit_remove_directories(unit);
                trigger_end(unit);
                leftovers_forget(unit);
                record_remove(e, unit->name);
                unit_free(unit);
        }
        if (!list_is_empty(&e->units))
                return;
        holder_end_notify(e);
        if (!list_is_empty(&e->holders))
                return;
        spawner_close(e);
        if (e->n_spawners == 0)
                embedded_close_handles(e);
}

static void on_close_timeout(uv_timer_t *timer) {
        embedded_wake(container_of(timer, Embedded, timer));
}

static void begin_close(Embedded *e, void (*closed)(void *userdata), void *userdata) {
        e->closing = true;
        e->closed = closed;
        e->closed_data = userdata;
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                for (JobKind kind = JOB_START; kind <= JOB_UNLOAD; kind++)
                        unit_cancel_jobs(unit, kind, "the supervisor ends");
                heap_remove(&e->deadlines, &unit->deadline);
        }
}

void embedded_close(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        Embedded *e = embedded_of(supervisor);

        begin_close(e, closed, userdata);
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                unit_kill_all(unit, SIGKILL);
                unit_stop_pid_watch(unit);
                unit->main = unit->control = NULL;
                unit_release_processes(unit);
        }
        (void)uv_timer_start(&e->timer, on_close_timeout, CLOSE_WAIT_MSEC, 0);
        embedded_wake(e);
}

static void leave_processes(Unit *unit) {
        list_foreach(&unit->processes, node) {
                UnitProcess *process = container_of(node, UnitProcess, link);

                unit_close_pipes(process);
                process_leave(&process->process);
        }
}

void embedded_leave(Supervisor *supervisor, void (*closed)(void *userdata), void *userdata) {
        Embedded *e = embedded_of(supervisor);

        if (!e->shim) { /* nobody would find them again */
                embedded_close(supervisor, closed, userdata);
                return;
        }
        list_foreach(&e->units, node)
                record_save(container_of(node, Unit, link));
        begin_close(e, closed, userdata);
        e->leaving = true;
        list_foreach(&e->units, node) {
                Unit *unit = container_of(node, Unit, link);

                unit_stop_pid_watch(unit);
                unit->main = unit->control = NULL;
                leave_processes(unit);
                ports_leave(unit);
        }
        holders_leave(e);
        embedded_wake(e);
}
