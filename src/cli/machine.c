#include "cli/machine.h"

#include <errno.h>
#include <stdio.h>

const Verb machine_verbs[] = {
        {"up", "[N | MACHINE…]", "make local machines (3 of them), or power named ones on", machine_verb_up},
        {"down", "[MACHINE…]", "remove all local machines, or power named ones off", machine_verb_down},
        {"status", "", "how the local machines do, or this host when there are none", machine_verb_status},
        {"exec", "MACHINE -- COMMAND…", "run a command in a local machine", machine_verb_exec},
        {0},
};

static const char exit_help[] = "  0    done: up: all machines are up, and all that should run in them does\n"
                                "  1    failed; the reason is on standard error, or in the table\n"
                                "  2    wrong use\n"
                                "  130  up: interrupted, and what was made is removed\n";
static const char exec_exit_help[] = "  that of the command; 128 and the signal's number when a signal ended it\n"
                                     "  1    the machine is off, or cannot be entered\n"
                                     "  2    wrong use\n"
                                     "  126  the command cannot be executed\n"
                                     "  127  there is no such command\n";

const Verb *machine_verb_find(const char *name) {
        return verb_find(machine_verbs, name, false);
}

int machine_verb_main(const Verb *verb, int argc, char **argv) {
        MachineGroup group = {.program = "faering", .verb = verb};
        int code;

        if (uv_loop_init(&group.loop) < 0)
                return CLI_FAILED;
        code = verb->run(&group, argc, argv);
        if (group.http)
                http_client_close(group.http);
        (void)uv_run(&group.loop, UV_RUN_DEFAULT);
        (void)uv_loop_close(&group.loop);
        free(group.directory);
        return code;
}

int machine_parse(const MachineGroup *group, const Option *options, int argc, char **argv, StringList *ret_arguments,
                  int *ret_exit) {
        int r = verb_parse(group->verb, group->program, options, OPTIONS_GNU, argc, argv, ret_arguments, ret_exit);

        if (r < 0 && *ret_exit == CLI_OK)
                printf("\nExit status:\n%s", str_equals(group->verb->name, "exec") ? exec_exit_help : exit_help);
        return r;
}

int machine_open(MachineGroup *group, bool change) {
        if (change && geteuid() != 0) {
                cli_complain(group->program,
                             "%s: local machines are made of namespaces, which takes root: run this with sudo",
                             group->verb->name);
                return CLI_FAILED;
        }
        if (option_default(&group->directory, MACHINES_DIRECTORY_DEFAULT) < 0)
                return CLI_FAILED;
        group->control = (Url){.scheme = URL_UNIX};
        if (snprintf(group->control.host, sizeof(group->control.host), "%s/control.sock", group->directory) >=
            (int)sizeof(group->control.host)) {
                cli_complain(group->program, "the directory's path is too long: %s", group->directory);
                return CLI_USAGE;
        }
        group->http = http_client_new(&group->loop, NULL);
        return group->http ? 0 : CLI_FAILED;
}

/* ---- calls ---- */

void machine_call_deinit(MachineCall *call) {
        if (call->http)
                http_call_cancel(call->http);
        json_decref(call->json);
        *call = (MachineCall){0};
}

static void on_done(HttpCall *http, int r, const Error *error) {
        MachineCall *call = http_call_userdata(http);
        Slice body = http_call_body(http);
        const char *message;

        call->http = NULL;
        call->done = true;
        call->r = r;
        call->error = *error;
        call->status = http_call_status(http);
        if (r < 0)
                return;
        call->json = json_loadb(body.data ?: "", body.length, 0, NULL);
        if (call->status < 400)
                return;
        message = cli_text(json_object_get(call->json, "error"), "message");
        call->r = *message ? error_set(&call->error, -EREMOTEIO, "%s", message)
                           : error_set(&call->error, -EREMOTEIO, "the answer was %u", call->status);
}

static const HttpCallOps ops = {.done = on_done};

static void begin(MachineGroup *group, const HttpCallSpec *spec, MachineCall *call) {
        int r;

        *call = (MachineCall){0};
        r = http_client_call(group->http, spec, &ops, call, &call->http);
        if (r < 0) {
                call->done = true;
                call->r = error_set_errno(&call->error, r, "cannot ask");
        }
}

void machine_call(MachineGroup *group, const char *method, const char *target, Slice body, MachineCall *call) {
        _cleanup_free_ char *path = str_printf("/faering/v1/%s", target);
        const HttpCallSpec spec = {.url = &group->control, .method = method, .target = path ?: "/", .body = body};

        begin(group, &spec, call);
}

void machine_call_url(MachineGroup *group, const Url *url, const char *target, Usec timeout, MachineCall *call) {
        const HttpCallSpec spec = {.url = url,
                                   .target = target,
                                   .connect_timeout = timeout,
                                   .head_timeout = timeout,
                                   .idle_timeout = timeout};

        begin(group, &spec, call);
}

void machine_await(MachineGroup *group, const MachineCall *calls, size_t count) {
        bool waiting = true;

        while (waiting && !group->interrupted) {
                waiting = false;
                for (size_t i = 0; i < count; i++)
                        waiting |= !calls[i].done;
                if (waiting)
                        (void)uv_run(&group->loop, UV_RUN_ONCE);
        }
}

int machine_ask(MachineGroup *group, const char *method, const char *target, Slice body, MachineCall *call) {
        machine_call(group, method, target, body, call);
        while (!call->done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        return call->r;
}

bool machine_is_nobody_there(int r) {
        return r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR;
}

json_t *machine_in(const json_t *answer, const char *name) {
        json_t *list = json_object_get(answer, "machines"), *machine;
        size_t i;

        json_array_foreach(list, i, machine) if (str_equals(cli_text(machine, "name"), name)) return machine;
        return NULL;
}
