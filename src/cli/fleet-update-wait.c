/* Waiting for one step of an update. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "cli/fleet-update.h"

enum { LOOK_MSEC = 100, STEADY_SEC = 3 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
        (void)number;
        interrupted = 1;
}

bool update_is_interrupted(void) {
        return interrupted;
}

void update_catch_signals(void) {
        const struct sigaction action = {.sa_handler = on_signal};

        (void)sigaction(SIGINT, &action, NULL);
        (void)sigaction(SIGTERM, &action, NULL);
}

/* What the target's machine has told last of it, with this text; NULL: nothing yet. */
static json_t *find_state(json_t *answer, const UpdateTarget *target, const char *hash) {
        json_t *state;
        size_t i;

        json_array_foreach (json_object_get(answer, "states"), i, state)
                if (str_equals(cli_text(state, "hash"), hash) && json_is_true(json_object_get(state, "present")) &&
                    (!target->machine || str_equals(cli_text(state, "machine"), target->machine)))
                        return state;
        return NULL;
}

static bool has_ended_well(const Update *update, json_t *state) {
        return update->oneshot && str_equals(cli_text(state, "active"), "inactive") &&
               str_equals(cli_text(state, "sub"), "dead") && json_is_true(json_object_get(state, "launched")) &&
               !*cli_text(state, "text");
}

static bool is_well(const Update *update, json_t *state) {
        const char *health = cli_text(state, "health");

        if (has_ended_well(update, state))
                return true;
        return str_equals(cli_text(state, "active"), "active") && (!*health || str_equals(health, "passing"));
}

/* What will not become better by waiting. Between the old text and the new one a unit is "not-found" for a moment. */
static bool has_failed(json_t *state) {
        const char *load = cli_text(state, "load");

        return str_equals(cli_text(state, "active"), "failed") || str_equals(load, "error") || str_equals(load, "bad-setting");
}

static void describe(json_t *state, Buffer *why) {
        const char *text = cli_text(state, "text"), *health = cli_text(state, "health");

        if (!state) {
                (void)buffer_append_string(why, "no machine has told of it");
                return;
        }
        (void)buffer_printf(why, "it is %s (%s)", cli_text(state, "active"), cli_text(state, "sub"));
        if (*text)
                (void)buffer_printf(why, ": %s", text);
        if (*health)
                (void)buffer_printf(why, ", its health check is %s", health);
        if (*cli_text(state, "healthText"))
                (void)buffer_printf(why, ": %s", cli_text(state, "healthText"));
}

static Usec steady_time(const Update *update, json_t *state) {
        if (update->healthy_for != USEC_INFINITY)
                return update->healthy_for;
        return *cli_text(state, "health") || has_ended_well(update, state) ? 0 : STEADY_SEC * USEC_PER_SEC;
}

/* One look. 1: well for long enough, 0: not yet, -EREMOTEIO: it has failed, -EIO: nobody answers. */
static int look(Update *update, const UpdateTarget *target, const char *hash, Usec now, Usec *well_since, Buffer *why) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        json_t *state;

        if (fleet_ask_of(update->group, "/faering/v1/states", target->unit, &answer) != 0) {
                (void)buffer_append_string(why, "the fleet daemon does not answer");
                return -EIO;
        }
        state = find_state(answer.json, target, hash);
        if (state && has_failed(state)) {
                describe(state, why);
                return -EREMOTEIO;
        }
        if (!state || !is_well(update, state)) {
                *well_since = USEC_INFINITY;
                describe(state, why);
                return 0;
        }
        *well_since = min_of(*well_since, now);
        describe(state, why);
        return now - *well_since >= steady_time(update, state);
}

/* On a terminal: how far it is, in a line that the next one takes the place of. */
static void show_waiting(const UpdateTarget *target, Usec waited, const char *why) {
        _cleanup_buffer_ Buffer name = BUFFER_INIT;

        if (!isatty(STDOUT_FILENO))
                return;
        update_target_name(target, &name);
        printf("\r%s: %s (%llu s)\033[K\r", buffer_string(&name) ?: "", why,
               (unsigned long long)(waited / USEC_PER_SEC));
        (void)fflush(stdout);
}

static void clear_waiting(void) {
        if (isatty(STDOUT_FILENO))
                printf("\r\033[K");
        (void)fflush(stdout);
}

static UpdateOutcome wait_well(Update *update, const UpdateTarget *target, const char *hash, Buffer *why) {
        Usec begun = clock_monotonic(), well_since = USEC_INFINITY;

        for (;;) {
                Usec now = clock_monotonic();
                int r;

                buffer_clear(why);
                r = look(update, target, hash, now, &well_since, why);
                if (r > 0)
                        return UPDATE_HEALTHY;
                if (r == -EREMOTEIO)
                        return UPDATE_FAILED;
                if (r < 0 || update_is_interrupted()) /* a daemon that is away says nothing of the unit */
                        return UPDATE_INTERRUPTED;
                /* what is well just now is given the time that it needs */
                if (well_since == USEC_INFINITY && now - begun >= update->timeout) {
                        (void)buffer_printf(why, ", after %llu s",
                                            (unsigned long long)(update->timeout / USEC_PER_SEC));
                        return UPDATE_FAILED;
                }
                if (now - begun >=
                    2 * update->timeout + (update->healthy_for == USEC_INFINITY ? 0 : update->healthy_for)) {
                        (void)buffer_append_string(why, ", but never for long enough");
                        return UPDATE_FAILED;
                }
                show_waiting(target, now - begun, buffer_string(why) ?: "");
                (void)usleep(LOOK_MSEC * 1000);
        }
}

UpdateOutcome update_wait(Update *update, const UpdateTarget *target, const char *hash, Buffer *why) {
        UpdateOutcome outcome = wait_well(update, target, hash, why);

        clear_waiting();
        return outcome;
}
