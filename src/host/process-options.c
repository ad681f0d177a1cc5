#include "host/process-options.h"

#include <stdlib.h>

#include "base/util.h"

static const struct {
        ProcessStep step;
        int exit_status;
        const char *text;
        const char *name;
} steps[] = {
        {PROCESS_STEP_SIGNALS, 207, "resetting signals", "SIGNAL_MASK"},
        {PROCESS_STEP_SESSION, 220, "making a session", "SETSID"},
        {PROCESS_STEP_CGROUP, 219, "entering its cgroup", "CGROUP"},
        {PROCESS_STEP_STREAMS, 202, "setting up its files", "FDS"},
        {PROCESS_STEP_PRIORITY, 201, "setting its priority", "NICE"},
        {PROCESS_STEP_OOM_SCORE, 206, "setting its OOM score", "OOM_ADJUST"},
        {PROCESS_STEP_LIMITS, 205, "setting resource limits", "LIMITS"},
        {PROCESS_STEP_ROOT, 210, "changing to its root directory", "CHROOT"},
        {PROCESS_STEP_GROUP, 216, "taking its group", "GROUP"},
        {PROCESS_STEP_USER, 217, "taking its user", "USER"},
        {PROCESS_STEP_DIRECTORY, 200, "changing to its working directory", "CHDIR"},
        {PROCESS_STEP_EXEC, 203, "executing the program", "EXEC"},
};

const char process_pid_room[] = "0000000000";

int process_step_exit_status(ProcessStep step) {
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (steps[i].step == step)
                        return steps[i].exit_status;
        return EXIT_FAILURE;
}

const char *process_step_text(ProcessStep step) {
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (steps[i].step == step)
                        return steps[i].text;
        return "starting";
}

const char *process_exit_status_name(int status) {
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
                if (steps[i].exit_status == status)
                        return steps[i].name;
        return NULL;
}
