#include "host/kept-state.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

void kept_state_deinit(KeptState *state) {
        free(state->text);
        *state = (KeptState){0};
}

int kept_state_set_text(KeptState *state, const char *text) {
        char *kept;

        if (str_equals(state->text ?: "", text))
                return 0;
        kept = *text ? strndup(text, SUPERVISOR_TEXT_MAX - 1) : NULL;
        free(state->text);
        state->text = kept;
        return *text && !kept ? -ENOMEM : 0;
}

int kept_state_set(KeptState *state, Words *words, const SupervisorState *from) {
        KeptState now = {
                .load = words_keep(words, from->load),
                .active = words_keep(words, from->active),
                .sub = words_keep(words, from->sub),
                .result = words_keep(words, from->result),
                .restarts = from->restarts,
                .since = from->since,
                .main_pid = from->main_pid,
                .exit_code = from->exit_code,
                .exit_status = from->exit_status,
        };

        if (!now.load || !now.active || !now.sub || !now.result || kept_state_set_text(&now, from->text) < 0)
                return -ENOMEM;
        kept_state_deinit(state);
        *state = now;
        return 0;
}

int kept_state_copy(const KeptState *from, KeptState *to) {
        char *text = take_ptr(to->text);

        *to = *from;
        to->text = text;
        return kept_state_set_text(to, from->text ?: "");
}

void kept_state_fill(const KeptState *state, SupervisorState *ret) {
        *ret = (SupervisorState){
                .main_pid = state->main_pid,
                .exit_code = state->exit_code,
                .exit_status = state->exit_status,
                .restarts = state->restarts,
                .since = state->since,
        };
        supervisor_set_word(ret->load, sizeof(ret->load), state->load ?: "");
        supervisor_set_word(ret->active, sizeof(ret->active), state->active ?: "");
        supervisor_set_word(ret->sub, sizeof(ret->sub), state->sub ?: "");
        supervisor_set_word(ret->result, sizeof(ret->result), state->result ?: "");
        supervisor_set_word(ret->text, sizeof(ret->text), state->text ?: "");
}

bool kept_state_differs(const KeptState *a, const KeptState *b) {
        return !str_equals(a->load ?: "", b->load ?: "") || !str_equals(a->active ?: "", b->active ?: "") ||
               !str_equals(a->sub ?: "", b->sub ?: "") || !str_equals(a->result ?: "", b->result ?: "") || a->main_pid != b->main_pid ||
               a->exit_code != b->exit_code || a->exit_status != b->exit_status || a->restarts != b->restarts ||
               !str_equals(a->text ?: "", b->text ?: "");
}
