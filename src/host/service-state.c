#include "host/service-state.h"

#include <assert.h>
#include <signal.h>
#include <sys/wait.h>

static const struct {
        const char *sub, *active;
} words[SERVICE_STATES] = {
        [SERVICE_DEAD] = {"dead", "inactive"},
        [SERVICE_START_PRE] = {"start-pre", "activating"},
        [SERVICE_START] = {"start", "activating"},
        [SERVICE_START_POST] = {"start-post", "activating"},
        [SERVICE_RUNNING] = {"running", "active"},
        [SERVICE_EXITED] = {"exited", "active"},
        [SERVICE_RELOAD] = {"reload", "reloading"},
        [SERVICE_STOP] = {"stop", "deactivating"},
        [SERVICE_STOP_WATCHDOG] = {"stop-watchdog", "deactivating"},
        [SERVICE_STOP_SIGTERM] = {"stop-sigterm", "deactivating"},
        [SERVICE_STOP_SIGKILL] = {"stop-sigkill", "deactivating"},
        [SERVICE_STOP_POST] = {"stop-post", "deactivating"},
        [SERVICE_FINAL_SIGTERM] = {"final-sigterm", "deactivating"},
        [SERVICE_FINAL_SIGKILL] = {"final-sigkill", "deactivating"},
        [SERVICE_FAILED] = {"failed", "failed"},
        [SERVICE_AUTO_RESTART] = {"auto-restart", "activating"},
};

static const char *const results[] = {
        [SERVICE_RESULT_SUCCESS] = "success",
        [SERVICE_RESULT_RESOURCES] = "resources",
        [SERVICE_RESULT_PROTOCOL] = "protocol",
        [SERVICE_RESULT_TIMEOUT] = "timeout",
        [SERVICE_RESULT_EXIT_CODE] = "exit-code",
        [SERVICE_RESULT_SIGNAL] = "signal",
        [SERVICE_RESULT_CORE_DUMP] = "core-dump",
        [SERVICE_RESULT_WATCHDOG] = "watchdog",
        [SERVICE_RESULT_START_LIMIT_HIT] = "start-limit-hit",
};

#define TO(state) (1U << SERVICE_##state)
#define TO_END (TO(DEAD) | TO(FAILED))

/* All moves there are: from each state, to which. */
static const unsigned moves[SERVICE_STATES] = {
        [SERVICE_DEAD] = TO(START_PRE) | TO(START) | TO(START_POST) | TO(FAILED) | TO(AUTO_RESTART),
        [SERVICE_FAILED] = TO(START_PRE) | TO(START) | TO(START_POST) | TO(DEAD) | TO(AUTO_RESTART),
        [SERVICE_AUTO_RESTART] = TO(START_PRE) | TO(START) | TO(START_POST) | TO_END,
        [SERVICE_START_PRE] = TO(START) | TO(START_POST) | TO(STOP_SIGTERM) | TO(FINAL_SIGTERM),
        [SERVICE_START] = TO(START_POST) | TO(RUNNING) | TO(EXITED) | TO(STOP) | TO(STOP_SIGTERM) | TO(STOP_POST) |
                          TO(FINAL_SIGTERM),
        [SERVICE_START_POST] = TO(RUNNING) | TO(EXITED) | TO(STOP) | TO(STOP_WATCHDOG) | TO(STOP_SIGTERM),
        [SERVICE_RUNNING] = TO(EXITED) | TO(RELOAD) | TO(STOP) | TO(STOP_WATCHDOG) | TO(STOP_SIGTERM),
        [SERVICE_EXITED] = TO(RELOAD) | TO(STOP) | TO(STOP_SIGTERM),
        [SERVICE_RELOAD] = TO(RUNNING) | TO(EXITED) | TO(STOP) | TO(STOP_WATCHDOG) | TO(STOP_SIGTERM),
        [SERVICE_STOP] = TO(STOP_SIGTERM),
        [SERVICE_STOP_WATCHDOG] = TO(STOP_SIGKILL) | TO(STOP_POST) | TO(FINAL_SIGTERM),
        [SERVICE_STOP_SIGTERM] = TO(STOP_SIGKILL) | TO(STOP_POST) | TO(FINAL_SIGTERM),
        [SERVICE_STOP_SIGKILL] = TO(STOP_POST) | TO(FINAL_SIGTERM),
        [SERVICE_STOP_POST] = TO(FINAL_SIGTERM),
        [SERVICE_FINAL_SIGTERM] = TO(FINAL_SIGKILL) | TO_END,
        [SERVICE_FINAL_SIGKILL] = TO_END,
};

const char *service_state_to_string(ServiceState state) {
        return words[state].sub;
}

const char *service_state_to_active(ServiceState state) {
        return words[state].active;
}

const char *service_result_to_string(ServiceResult result) {
        return results[result];
}

bool service_move_is_allowed(ServiceState from, ServiceState to) {
        return from == to || (moves[from] & 1U << to) != 0;
}

/* The states in which it has to speak from time to time. */
static bool is_watched(ServiceState state) {
        return state == SERVICE_START_POST || state == SERVICE_RUNNING || state == SERVICE_RELOAD;
}

static void set_state(ServiceMachine *m, ServiceState state, Usec deadline) {
        assert(service_move_is_allowed(m->state, state));
        m->state = state;
        m->deadline = deadline;
        if (!is_watched(state))
                m->watchdog_deadline = USEC_INFINITY;
        m->waits_for_pid_file = false;
}

static void act(ServiceMachine *m, ServiceAction action) {
        if (m->next_action > 0) {
                m->n_actions -= m->next_action;
                memmove(m->actions, m->actions + m->next_action, m->n_actions * sizeof(*m->actions));
                m->next_action = 0;
        }
        assert(m->n_actions < SERVICE_ACTIONS_MAX);
        m->actions[m->n_actions++] = action;
}

bool service_next_action(ServiceMachine *m, ServiceAction *ret) {
        if (m->next_action == m->n_actions) {
                m->next_action = m->n_actions = 0;
                return false;
        }
        *ret = m->actions[m->next_action++];
        return true;
}

/* Whether a stop ends all processes, or only the main one. */
static bool kills_group(const ServiceOptions *options) {
        return options->kill_mode == SERVICE_KILL_CONTROL_GROUP || options->kill_mode == SERVICE_KILL_MIXED;
}

static Usec after(Usec now, Usec span) {
        return span == USEC_INFINITY || span > USEC_INFINITY - now ? USEC_INFINITY : now + span;
}

/* The first failure of a run is its result. */
static void note_result(ServiceMachine *m, ServiceResult result) {
        if (m->result == SERVICE_RESULT_SUCCESS)
                m->result = result;
}

static void spawn_control(ServiceMachine *m, const ExecCommandList *list, size_t index) {
        m->control_alive = true;
        m->control_list = list;
        m->control_index = index;
        act(m, (ServiceAction){.kind = SERVICE_ACTION_SPAWN_CONTROL, .list = list, .index = index});
}

static void spawn_main(ServiceMachine *m, size_t index) {
        m->main_alive = m->main_known = true;
        m->main_ended = false;
        m->main_index = index;
        act(m, (ServiceAction){.kind = SERVICE_ACTION_SPAWN_MAIN, .list = &m->options->start, .index = index});
}

static void give_up_control(ServiceMachine *m) {
        if (!m->control_alive)
                return;
        m->control_alive = false;
        act(m, (ServiceAction){.kind = SERVICE_ACTION_KILL_CONTROL});
}

/* ---- entering states ---- */

static void enter_start(ServiceMachine *m, Usec now);
static void enter_start_pre(ServiceMachine *m, Usec now);

/* Restart=, by the table in systemd.service(5). */
static bool restart_is_due(const ServiceMachine *m) {
        const ServiceOptions *o = m->options;
        bool exited = m->main_ended && m->main_code == CLD_EXITED, killed = m->main_ended && !exited;

        if (m->forbid_restart)
                return false;
        if ((exited && exit_status_set_has_code(&o->restart_prevent_status, m->main_status)) ||
            (killed && exit_status_set_has_signal(&o->restart_prevent_status, m->main_status)))
                return false;
        if ((exited && exit_status_set_has_code(&o->restart_force_status, m->main_status)) ||
            (killed && exit_status_set_has_signal(&o->restart_force_status, m->main_status)))
                return true;
        switch (o->restart) {
        case SERVICE_RESTART_NO:
                return false;
        case SERVICE_RESTART_ON_WATCHDOG:
                return m->result == SERVICE_RESULT_WATCHDOG;
        case SERVICE_RESTART_ALWAYS:
                return true;
        case SERVICE_RESTART_ON_SUCCESS:
                return m->result == SERVICE_RESULT_SUCCESS;
        case SERVICE_RESTART_ON_FAILURE:
                return m->result != SERVICE_RESULT_SUCCESS;
        case SERVICE_RESTART_ON_ABNORMAL:
                return m->result != SERVICE_RESULT_SUCCESS && m->result != SERVICE_RESULT_EXIT_CODE;
        case SERVICE_RESTART_ON_ABORT:
                return m->result == SERVICE_RESULT_SIGNAL || m->result == SERVICE_RESULT_CORE_DUMP;
        }
        return false;
}

static void enter_dead(ServiceMachine *m, ServiceResult result, bool may_restart, Usec now) {
        note_result(m, result);
        set_state(m, m->result == SERVICE_RESULT_SUCCESS ? SERVICE_DEAD : SERVICE_FAILED, USEC_INFINITY);
        m->main_alive = m->control_alive = false;
        act(m, (ServiceAction){.kind = SERVICE_ACTION_CLEAN_UP});
        if (m->start_pending) {
                m->start_pending = false;
                service_start(m, now);
        } else if (may_restart && restart_is_due(m)) {
                set_state(m, SERVICE_AUTO_RESTART, after(now, m->options->restart_delay));
        }
}

static void send_signal(ServiceMachine *m, ServiceState state, Usec now) {
        bool hard = state == SERVICE_STOP_SIGKILL || state == SERVICE_FINAL_SIGKILL;

        set_state(m, state, after(now, m->options->timeout_stop));
        act(m, (ServiceAction){.kind = SERVICE_ACTION_SIGNAL,
                               .signal = hard                             ? m->options->final_kill_signal
                                         : state == SERVICE_STOP_WATCHDOG ? m->options->watchdog_signal
                                                                          : m->options->kill_signal,
                               .hard = hard});
}

static void enter_signal(ServiceMachine *m, ServiceState state, ServiceResult result, Usec now) {
        note_result(m, result);
        m->waits_for_pid_file = false;
        send_signal(m, state, now);
}

static void enter_stop_post(ServiceMachine *m, ServiceResult result, Usec now) {
        note_result(m, result);
        give_up_control(m);
        if (m->options->stop_post.length == 0) {
                enter_signal(m, SERVICE_FINAL_SIGTERM, SERVICE_RESULT_SUCCESS, now);
                return;
        }
        set_state(m, SERVICE_STOP_POST, after(now, m->options->timeout_stop));
        spawn_control(m, &m->options->stop_post, 0);
}

static void enter_stop(ServiceMachine *m, ServiceResult result, Usec now) {
        note_result(m, result);
        give_up_control(m);
        if (m->options->stop.length == 0) {
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_SUCCESS, now);
                return;
        }
        set_state(m, SERVICE_STOP, after(now, m->options->timeout_stop));
        spawn_control(m, &m->options->stop, 0);
}

/* Whether it goes on by itself: by its main process, or without one by its group. */
static bool is_good(const ServiceMachine *m) {
        return m->main_known ? m->main_alive : !m->group_empty;
}

static void enter_running(ServiceMachine *m, ServiceResult result, Usec now) {
        note_result(m, result);
        give_up_control(m);
        if (result != SERVICE_RESULT_SUCCESS)
                enter_signal(m, SERVICE_STOP_SIGTERM, result, now);
        else if (is_good(m))
                set_state(m, SERVICE_RUNNING, after(now, m->options->runtime_max));
        else if (m->options->remain_after_exit && m->result == SERVICE_RESULT_SUCCESS)
                set_state(m, SERVICE_EXITED, USEC_INFINITY);
        else
                enter_stop(m, SERVICE_RESULT_SUCCESS, now);
}

static void arm_watchdog(ServiceMachine *m, Usec now) {
        bool wanted = is_watched(m->state) && m->watchdog > 0;

        m->watchdog_deadline = wanted ? after(now, m->watchdog) : USEC_INFINITY;
}

static void enter_start_post(ServiceMachine *m, Usec now) {
        give_up_control(m);
        set_state(m, SERVICE_START_POST, after(now, m->options->timeout_start));
        arm_watchdog(m, now);
        if (m->options->start_post.length > 0)
                spawn_control(m, &m->options->start_post, 0);
        else
                enter_running(m, SERVICE_RESULT_SUCCESS, now);
}

static void enter_start(ServiceMachine *m, Usec now) {
        const ServiceOptions *o = m->options;

        m->main_alive = m->main_ended = false;
        m->main_known = o->type != SERVICE_FORKING;
        set_state(m, SERVICE_START, after(now, o->timeout_start));
        if (o->start.length == 0) { /* a oneshot that only stops something */
                enter_start_post(m, now);
                return;
        }
        if (o->type == SERVICE_FORKING) {
                spawn_control(m, &o->start, 0);
                return;
        }
        spawn_main(m, 0);
        if (o->type == SERVICE_SIMPLE || o->type == SERVICE_IDLE)
                enter_start_post(m, now);
}

static void enter_start_pre(ServiceMachine *m, Usec now) {
        if (m->options->start_pre.length == 0) {
                enter_start(m, now);
                return;
        }
        set_state(m, SERVICE_START_PRE, after(now, m->options->timeout_start));
        spawn_control(m, &m->options->start_pre, 0);
}

/* ---- what happened ---- */

void service_machine_init(ServiceMachine *m, const ServiceOptions *options) {
        *m = (ServiceMachine){.options = options, .deadline = USEC_INFINITY, .watchdog_deadline = USEC_INFINITY, .group_empty = true};
}

void service_machine_set_options(ServiceMachine *m, const ServiceOptions *options) {
        assert(service_at_rest(m) || m->state == SERVICE_AUTO_RESTART);
        m->options = options;
}

/* StartLimitIntervalSec= and StartLimitBurst=: at most so many starts from the first of an interval on. */
static bool start_limit_hit(ServiceMachine *m, Usec now) {
        const ServiceOptions *o = m->options;

        if (o->start_limit_interval == 0 || o->start_limit_burst == 0)
                return false;
        if (m->limit_count == 0 || after(m->limit_begin, o->start_limit_interval) < now) {
                m->limit_begin = now;
                m->limit_count = 1;
                return false;
        }
        if (m->limit_count >= o->start_limit_burst)
                return true;
        m->limit_count++;
        return false;
}

static void begin(ServiceMachine *m, Usec now) {
        if (start_limit_hit(m, now)) {
                m->result = SERVICE_RESULT_START_LIMIT_HIT;
                m->start_pending = false;
                set_state(m, SERVICE_FAILED, USEC_INFINITY);
                return;
        }
        m->result = SERVICE_RESULT_SUCCESS;
        m->forbid_restart = m->reload_failed = false;
        m->main_ended = false;
        m->watchdog = m->options->watchdog;
        enter_start_pre(m, now);
}

void service_start(ServiceMachine *m, Usec now) {
        switch (m->state) {
        case SERVICE_DEAD:
        case SERVICE_FAILED:
        case SERVICE_AUTO_RESTART:
                m->restarts = 0;
                begin(m, now);
                break;
        case SERVICE_STOP:
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
        case SERVICE_STOP_SIGKILL:
        case SERVICE_STOP_POST:
        case SERVICE_FINAL_SIGTERM:
        case SERVICE_FINAL_SIGKILL:
                m->start_pending = true;
                break;
        default:
                break;
        }
}

void service_stop(ServiceMachine *m, Usec now) {
        m->forbid_restart = true;
        m->start_pending = false;
        switch (m->state) {
        case SERVICE_AUTO_RESTART:
                set_state(m, SERVICE_DEAD, USEC_INFINITY);
                break;
        case SERVICE_START_PRE:
        case SERVICE_START:
        case SERVICE_START_POST:
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_SUCCESS, now);
                break;
        case SERVICE_RELOAD:
        case SERVICE_RUNNING:
        case SERVICE_EXITED:
                enter_stop(m, SERVICE_RESULT_SUCCESS, now);
                break;
        default:
                break;
        }
}

bool service_reload(ServiceMachine *m, Usec now) {
        if ((m->state != SERVICE_RUNNING && m->state != SERVICE_EXITED) || m->options->reload.length == 0)
                return false;
        m->reload_failed = false;
        set_state(m, SERVICE_RELOAD, after(now, m->options->timeout_start));
        spawn_control(m, &m->options->reload, 0);
        return true;
}

void service_reset_failed(ServiceMachine *m) {
        m->limit_count = 0;
        if (m->state == SERVICE_FAILED) {
                m->result = SERVICE_RESULT_SUCCESS;
                set_state(m, SERVICE_DEAD, USEC_INFINITY);
        }
}

static ServiceResult judge(const ServiceOptions *o, int code, int status, bool daemon) {
        if (code == CLD_EXITED)
                return status == 0 || exit_status_set_has_code(&o->success_status, status) ? SERVICE_RESULT_SUCCESS
                                                                                            : SERVICE_RESULT_EXIT_CODE;
        if (exit_status_set_has_signal(&o->success_status, status) ||
            (daemon && code == CLD_KILLED &&
             (status == SIGHUP || status == SIGINT || status == SIGTERM || status == SIGPIPE)))
                return SERVICE_RESULT_SUCCESS;
        return code == CLD_DUMPED ? SERVICE_RESULT_CORE_DUMP : SERVICE_RESULT_SIGNAL;
}

static void main_ended_in_start(ServiceMachine *m, ServiceResult result, Usec now) {
        const ServiceOptions *o = m->options;

        switch (o->type) {
        case SERVICE_ONESHOT:
                if (result != SERVICE_RESULT_SUCCESS)
                        enter_signal(m, SERVICE_FINAL_SIGTERM, result, now);
                else if (m->main_index + 1 < o->start.length)
                        spawn_main(m, m->main_index + 1);
                else
                        enter_start_post(m, now);
                break;
        case SERVICE_NOTIFY:
                /* it ended without having said that it is ready */
                enter_signal(m, SERVICE_FINAL_SIGTERM,
                             result != SERVICE_RESULT_SUCCESS ? result : SERVICE_RESULT_PROTOCOL, now);
                break;
        default:
                enter_running(m, result, now);
        }
}

void service_main_exited(ServiceMachine *m, int code, int status, Usec now) {
        const ServiceOptions *o = m->options;
        ServiceResult result = judge(o, code, status, o->type != SERVICE_ONESHOT);

        m->main_alive = false;
        m->main_ended = true;
        m->main_code = code;
        m->main_status = status;
        if (o->type != SERVICE_FORKING && m->main_index < o->start.length &&
            o->start.items[m->main_index].ignore_failure)
                result = SERVICE_RESULT_SUCCESS;
        note_result(m, result);
        switch (m->state) {
        case SERVICE_START:
                main_ended_in_start(m, result, now);
                break;
        case SERVICE_RUNNING:
                enter_running(m, result, now);
                break;
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
        case SERVICE_STOP_SIGKILL:
                if (!m->control_alive)
                        enter_stop_post(m, result, now);
                break;
        case SERVICE_FINAL_SIGTERM:
        case SERVICE_FINAL_SIGKILL:
                if (!m->control_alive && (m->group_empty || !kills_group(o)))
                        enter_dead(m, result, true, now);
                break;
        default: /* a control process is at work: its end goes on from here */
                break;
        }
}

static void control_ended(ServiceMachine *m, ServiceResult result, Usec now) {
        switch (m->state) {
        case SERVICE_START_PRE:
                if (result == SERVICE_RESULT_SUCCESS)
                        enter_start(m, now);
                else
                        enter_signal(m, SERVICE_FINAL_SIGTERM, result, now);
                break;
        case SERVICE_START: /* the parent of Type=forking */
                if (result != SERVICE_RESULT_SUCCESS)
                        enter_signal(m, SERVICE_FINAL_SIGTERM, result, now);
                else
                        act(m, (ServiceAction){.kind = SERVICE_ACTION_FIND_MAIN});
                break;
        case SERVICE_START_POST:
                if (result == SERVICE_RESULT_SUCCESS)
                        enter_running(m, SERVICE_RESULT_SUCCESS, now);
                else
                        enter_signal(m, SERVICE_STOP_SIGTERM, result, now);
                break;
        case SERVICE_RELOAD:
                m->reload_failed = result != SERVICE_RESULT_SUCCESS;
                enter_running(m, SERVICE_RESULT_SUCCESS, now);
                break;
        case SERVICE_STOP:
                enter_signal(m, SERVICE_STOP_SIGTERM, result, now);
                break;
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
        case SERVICE_STOP_SIGKILL:
                if (!m->main_alive)
                        enter_stop_post(m, result, now);
                break;
        case SERVICE_STOP_POST:
                enter_signal(m, SERVICE_FINAL_SIGTERM, result, now);
                break;
        case SERVICE_FINAL_SIGTERM:
        case SERVICE_FINAL_SIGKILL:
                if (!m->main_alive && (m->group_empty || !kills_group(m->options)))
                        enter_dead(m, result, true, now);
                break;
        default:
                break;
        }
}

void service_control_exited(ServiceMachine *m, int code, int status, Usec now) {
        ServiceResult result = judge(m->options, code, status, false);
        const ExecCommandList *list = m->control_list;

        if (!m->control_alive)
                return;
        m->control_alive = false;
        if (list->items[m->control_index].ignore_failure)
                result = SERVICE_RESULT_SUCCESS;
        if (m->state != SERVICE_RELOAD)
                note_result(m, result);
        /* while signals are being sent no further command is run */
        if (result == SERVICE_RESULT_SUCCESS && m->control_index + 1 < list->length &&
            m->state != SERVICE_STOP_WATCHDOG && m->state != SERVICE_STOP_SIGTERM && m->state != SERVICE_STOP_SIGKILL &&
            m->state != SERVICE_FINAL_SIGTERM && m->state != SERVICE_FINAL_SIGKILL) {
                spawn_control(m, list, m->control_index + 1);
                return;
        }
        control_ended(m, result, now);
}

void service_spawn_failed(ServiceMachine *m, bool control, Usec now) {
        if (control) {
                if (!m->control_alive)
                        return;
                m->control_alive = false;
                if (m->state != SERVICE_RELOAD)
                        note_result(m, SERVICE_RESULT_RESOURCES);
                control_ended(m, SERVICE_RESULT_RESOURCES, now);
                return;
        }
        m->main_alive = false;
        note_result(m, SERVICE_RESULT_RESOURCES);
        if (m->state == SERVICE_START)
                enter_signal(m, SERVICE_FINAL_SIGTERM, SERVICE_RESULT_RESOURCES, now);
        else if (m->state == SERVICE_RUNNING)
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_RESOURCES, now);
}

void service_main_executed(ServiceMachine *m, Usec now) {
        if (m->state == SERVICE_START && m->options->type == SERVICE_EXEC)
                enter_start_post(m, now);
}

/* No process is left to wait for: on to the next state. With KillMode=mixed that is the kill of the others. */
static void signal_done(ServiceMachine *m, Usec now) {
        bool others = !m->group_empty && kills_group(m->options) && m->options->send_sigkill;

        switch (m->state) {
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
        case SERVICE_FINAL_SIGTERM:
                if (others) {
                        enter_signal(m, m->state == SERVICE_FINAL_SIGTERM ? SERVICE_FINAL_SIGKILL : SERVICE_STOP_SIGKILL,
                                     SERVICE_RESULT_SUCCESS, now);
                        return;
                }
                break;
        default:
                break;
        }
        switch (m->state) {
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
        case SERVICE_STOP_SIGKILL:
                enter_stop_post(m, SERVICE_RESULT_SUCCESS, now);
                break;
        case SERVICE_FINAL_SIGTERM:
        case SERVICE_FINAL_SIGKILL:
                enter_dead(m, SERVICE_RESULT_SUCCESS, true, now);
                break;
        default:
                break;
        }
}

/* What got the signal may have ended before this is told: its end will not be told again. */
void service_signalled(ServiceMachine *m, bool waits, Usec now) {
        if (!waits || (m->group_empty && !m->main_alive && !m->control_alive))
                signal_done(m, now);
}

void service_main_found(ServiceMachine *m, bool found, Usec now) {
        if (found) {
                m->main_known = m->main_alive = true;
                m->main_ended = false;
        }
        if (m->state != SERVICE_START || m->options->type != SERVICE_FORKING || m->control_alive)
                return;
        if (!found && m->options->pid_file) {
                if (m->group_empty)
                        enter_stop_post(m, SERVICE_RESULT_PROTOCOL, now);
                else
                        m->waits_for_pid_file = true;
                return;
        }
        enter_start_post(m, now);
}

void service_group_populated(ServiceMachine *m) {
        m->group_empty = false;
}

void service_group_emptied(ServiceMachine *m, Usec now) {
        m->group_empty = true;
        if (m->main_alive || m->control_alive)
                return;
        switch (m->state) {
        case SERVICE_START:
                if (m->waits_for_pid_file)
                        enter_stop_post(m, SERVICE_RESULT_PROTOCOL, now);
                break;
        case SERVICE_RUNNING:
                enter_running(m, SERVICE_RESULT_SUCCESS, now);
                break;
        default:
                signal_done(m, now);
        }
}

void service_notified_ready(ServiceMachine *m, Usec now) {
        if (m->state == SERVICE_START && m->options->type == SERVICE_NOTIFY)
                enter_start_post(m, now);
}

void service_notified_stopping(ServiceMachine *m, Usec now) {
        if (m->state == SERVICE_RUNNING)
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_SUCCESS, now);
}

void service_notified_alive(ServiceMachine *m, Usec now) {
        arm_watchdog(m, now);
}

void service_notified_unwell(ServiceMachine *m, Usec now) {
        if (is_watched(m->state))
                enter_signal(m, SERVICE_STOP_WATCHDOG, SERVICE_RESULT_WATCHDOG, now);
}

void service_notified_watchdog(ServiceMachine *m, Usec length, Usec now) {
        m->watchdog = length;
        arm_watchdog(m, now);
}

void service_notified_extend(ServiceMachine *m, Usec span, Usec now) {
        Usec until = after(now, span);

        if (service_at_rest(m) || m->state == SERVICE_AUTO_RESTART)
                return;
        m->deadline = max_of(m->deadline, until);
        if (m->watchdog_deadline != USEC_INFINITY)
                m->watchdog_deadline = max_of(m->watchdog_deadline, until);
}

static void signal_timed_out(ServiceMachine *m, ServiceState harder, Usec now) {
        note_result(m, SERVICE_RESULT_TIMEOUT);
        if (m->options->send_sigkill)
                enter_signal(m, harder, SERVICE_RESULT_TIMEOUT, now);
        else if (harder == SERVICE_STOP_SIGKILL)
                enter_stop_post(m, SERVICE_RESULT_TIMEOUT, now);
        else
                enter_dead(m, SERVICE_RESULT_TIMEOUT, true, now);
}

void service_deadline(ServiceMachine *m, Usec now) {
        if (now >= m->watchdog_deadline) {
                service_notified_unwell(m, now);
                return;
        }
        if (now < m->deadline)
                return;
        m->deadline = USEC_INFINITY;
        switch (m->state) {
        case SERVICE_START_PRE:
        case SERVICE_START:
        case SERVICE_START_POST:
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_TIMEOUT, now);
                break;
        case SERVICE_RUNNING:
                enter_stop(m, SERVICE_RESULT_TIMEOUT, now);
                break;
        case SERVICE_RELOAD:
                m->reload_failed = true;
                enter_running(m, SERVICE_RESULT_SUCCESS, now);
                break;
        case SERVICE_STOP:
                enter_signal(m, SERVICE_STOP_SIGTERM, SERVICE_RESULT_TIMEOUT, now);
                break;
        case SERVICE_STOP_WATCHDOG:
        case SERVICE_STOP_SIGTERM:
                signal_timed_out(m, SERVICE_STOP_SIGKILL, now);
                break;
        case SERVICE_STOP_SIGKILL: /* not even SIGKILL ended it: nothing more can be done */
                enter_stop_post(m, SERVICE_RESULT_TIMEOUT, now);
                break;
        case SERVICE_STOP_POST:
                enter_signal(m, SERVICE_FINAL_SIGTERM, SERVICE_RESULT_TIMEOUT, now);
                break;
        case SERVICE_FINAL_SIGTERM:
                signal_timed_out(m, SERVICE_FINAL_SIGKILL, now);
                break;
        case SERVICE_FINAL_SIGKILL:
                enter_dead(m, SERVICE_RESULT_TIMEOUT, true, now);
                break;
        case SERVICE_AUTO_RESTART:
                m->restarts++;
                begin(m, now);
                break;
        default:
                break;
        }
}
