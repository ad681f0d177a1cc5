#include "cli/fleet-live.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WRAP_OFF "\033[?7l"
#define WRAP_ON "\033[?7h"

enum {
        WAIT_SEC = 20,
        ANSWER_SEC = 5,   /* longer than that after its time the daemon is not there any more */
        READER_MSEC = 500, /* between two looks whether somebody reads */
        PAUSE_MSEC = 200, /* between two pictures */
        OLD_MSEC = 2000,  /* of a daemon that must be asked again and again */
};

static void on_signal(int number) {
        (void)number;
        if (isatty(STDOUT_FILENO) && write(STDOUT_FILENO, WRAP_ON "\n", strlen(WRAP_ON "\n")) < 0)
                _exit(CLI_FAILED);
        _exit(CLI_OK);
}

static uv_timer_t reader; /* looks whether somebody reads */

static void on_reader_due(uv_timer_t *timer) {
        (void)timer;
        cli_flush();
}

void fleet_live_begin(FleetGroup *group) {
        const struct sigaction action = {.sa_handler = on_signal};

        (void)sigaction(SIGINT, &action, NULL);
        (void)uv_timer_init(&group->loop, &reader);
        (void)uv_timer_start(&reader, on_reader_due, READER_MSEC, READER_MSEC);
        uv_unref((uv_handle_t *)&reader);
}

void fleet_live_end(void) {
        uv_close((uv_handle_t *)&reader, NULL);
}

void fleet_live_clear(void) {
        if (isatty(STDOUT_FILENO))
                printf(WRAP_OFF "\033[H\033[J");
}

void fleet_live_printed(void) {
        if (isatty(STDOUT_FILENO))
                printf(WRAP_ON);
        cli_flush();
}

size_t fleet_live_lines(void) {
        struct winsize size = {0};

        /* the last line is the cursor's */
        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row - 1U : 0;
}

static int ask_changes(FleetGroup *group, uint64_t since, CliAnswer *ret) {
        _cleanup_free_ char *target = str_printf("/faering/v1/changes?since=%" PRIu64 "&wait=%d", since, WAIT_SEC);
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .target = target,
                .connect_timeout = group->request_timeout,
                .head_timeout = (WAIT_SEC + ANSWER_SEC) * USEC_PER_SEC,
        };
        Error error = ERROR_NONE;

        if (target && cli_request(&group->loop, group->http, &spec, ret, &error) >= 0)
                return 0;
        fleet_complain(group, "the fleet daemon does not answer any more: %s", error.text);
        return CLI_FAILED;
}

int fleet_live_wait(FleetGroup *group, uint64_t *number) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        bool first = *number == 0;
        json_int_t now;
        int code;

        if (!first)
                (void)usleep(PAUSE_MSEC * 1000);
        code = ask_changes(group, *number, &answer);
        if (code != 0)
                return code;
        now = json_integer_value(json_object_get(answer.json, "number"));
        if (answer.status == 200 && now > 0) {
                *number = (uint64_t)now;
                return 0;
        }
        if (!first)
                (void)usleep(OLD_MSEC * 1000);
        *number = 1;
        return 0;
}
