#pragma once
/*
 * A SupervisorState for those who keep one of each unit. Units are many and most say nothing: words are kept once (base/words.h) or are
 * constants, and the text is there if it is one.
 */
#include "base/words.h"
#include "host/supervisor.h"

typedef struct KeptState {
        const char *load, *active, *sub, *result; /* borrowed; NULL: as "" */
        char *text; /* NULL: none */
        uint64_t restarts;
        WallUsec since;
        pid_t main_pid;
        int exit_code, exit_status;
} KeptState;

void kept_state_deinit(KeptState *state);

/* Takes over what `from` says. After -ENOMEM it says what it did. */
int kept_state_set(KeptState *state, Words *words, const SupervisorState *from);

/* A text of its own, cut to what a SupervisorState can have. After -ENOMEM there is none. */
int kept_state_set_text(KeptState *state, const char *text);

/* What was there is freed; the text is copied. After -ENOMEM it lacks the text. */
int kept_state_copy(const KeptState *from, KeptState *to);

void kept_state_fill(const KeptState *state, SupervisorState *ret);

/* But for `since`. */
bool kept_state_differs(const KeptState *a, const KeptState *b);
