#pragma once
/* A command executed in a running container. Owned by the engine, known by its id. */
#include "containers/engine/container.h"

enum { EXECS_PER_CONTAINER_MAX = 128 };

typedef struct Exec {
        Container *container; /* NULL: that is gone */
        char id[CONTAINER_ID_LENGTH + 1];
        StringList command, environment;
        char *user, *working_directory;
        bool tty, wants_stdin, wants_stdout, wants_stderr, privileged;
        bool started, running, over;
        pid_t pid;
        int exit_code;
        ShimLink *link;
        Attachable attach;
        List calls;
        uint16_t rows, columns;
} Exec;

/* `body`: Docker's. -ENOTCONN: the container does not run. */
int exec_create(Container *container, const json_t *body, Exec **ret, Error *error);
Exec *exec_find(Engine *engine, const char *id);

/* `done` when it runs, or cannot. */
void exec_start(Exec *exec, EngineCall *call);
int exec_resize(Exec *exec, uint16_t rows, uint16_t columns);

/* All of a container's: nothing more is heard of them. */
void execs_drop(Container *container);
void execs_close(Engine *engine);
