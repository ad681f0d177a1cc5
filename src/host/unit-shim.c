#include "host/unit-shim.h"

#include <errno.h>
#include <sys/wait.h>

#include "host/process-options.h"

enum { ERRNO_MAX = 4095, RUN_ROOM = 33 /* an INVOCATION_ID and a NUL */ };

static const char *const words[UNIT_SHIM_KINDS] = {
        [UNIT_SHIM_HELLO] = "hello", [UNIT_SHIM_PART] = "part", [UNIT_SHIM_ENDED] = "ended",
        [UNIT_SHIM_EMPTY] = "empty", [UNIT_SHIM_REAP] = "reap", [UNIT_SHIM_WATCH] = "watch",
        [UNIT_SHIM_END] = "end",     [UNIT_SHIM_BORN] = "born", [UNIT_SHIM_REFUSED] = "refused",
        [UNIT_SHIM_NOTE] = "note",   [UNIT_SHIM_UNKNOWN] = "unknown",
        [UNIT_SHIM_EXECUTED] = "executed", [UNIT_SHIM_FAILED] = "failed",
};

int unit_shim_message_write(const UnitShimMessage *m, Buffer *to) {
        int r;

        switch (m->kind) {
        case UNIT_SHIM_HELLO:
                return buffer_printf(to, "hello %d %d %d %s", UNIT_SHIM_VERSION, m->shim, m->child,
                                     *m->held ? m->held : "-");
        case UNIT_SHIM_BORN:
                return buffer_printf(to, "born %d %d", m->shim, m->child);
        case UNIT_SHIM_REFUSED:
                return buffer_printf(to, "refused %d", m->failure);
        case UNIT_SHIM_FAILED:
                return buffer_printf(to, "failed %d %d", m->step, m->failure);
        case UNIT_SHIM_PART:
                r = buffer_printf(to, "part %c ", m->stream);
                return r < 0 ? r : buffer_append(to, m->part.data, m->part.length);
        case UNIT_SHIM_NOTE:
                r = m->run.length > 0 ? buffer_printf(to, "note %d %.*s ", m->end.pid, (int)m->run.length, m->run.data)
                                      : buffer_printf(to, "note %d - ", m->end.pid);
                return r < 0 ? r : buffer_append(to, m->part.data, m->part.length);
        case UNIT_SHIM_ENDED:
                return buffer_printf(to, "ended %d %d %d", m->end.pid, m->end.code, m->end.status);
        case UNIT_SHIM_REAP:
        case UNIT_SHIM_WATCH:
        case UNIT_SHIM_UNKNOWN:
                return buffer_printf(to, "%s %d", words[m->kind], m->end.pid);
        default:
                return buffer_append_string(to, words[m->kind]);
        }
}

static bool next_number(Slice *rest, uint64_t max, int *ret) {
        uint64_t number;
        Slice word;

        if (!rest->data || !slice_split(rest, ' ', &word) || str_parse_u64(word, max, &number) < 0)
                return false;
        *ret = (int)number;
        return true;
}

static bool next_pid(Slice *rest, pid_t *ret) {
        int number;

        if (!next_number(rest, INT32_MAX, &number))
                return false;
        *ret = number;
        return true;
}

static bool read_end(Slice rest, UnitShimEnd *ret) {
        return next_pid(&rest, &ret->pid) && ret->pid > 0 && next_number(&rest, INT32_MAX, &ret->code) &&
               next_number(&rest, INT32_MAX, &ret->status) && !rest.data &&
               (ret->code == CLD_EXITED || ret->code == CLD_KILLED || ret->code == CLD_DUMPED);
}

static bool read_held(Slice word, char held[static UNIT_SHIM_FDS_MAX + 1]) {
        *held = '\0';
        if (slice_equals(word, slice_from("-")))
                return true;
        if (word.length > UNIT_SHIM_FDS_MAX)
                return false;
        for (size_t i = 0; i < word.length; i++)
                if (!memchr(UNIT_SHIM_LETTERS, word.data[i], strlen(UNIT_SHIM_LETTERS)))
                        return false;
        memcpy(held, word.data, word.length);
        held[word.length] = '\0';
        return true;
}

static bool read_hello(Slice rest, UnitShimMessage *ret) {
        int version;

        return next_number(&rest, INT32_MAX, &version) && version == UNIT_SHIM_VERSION && next_pid(&rest, &ret->shim) &&
               ret->shim > 0 && next_pid(&rest, &ret->child) && rest.data && read_held(rest, ret->held);
}

static bool read_born(Slice rest, UnitShimMessage *ret) {
        return next_pid(&rest, &ret->shim) && ret->shim > 0 && next_pid(&rest, &ret->child) && !rest.data;
}

static bool read_failed(Slice rest, UnitShimMessage *ret) {
        return (ret->kind == UNIT_SHIM_REFUSED || next_number(&rest, PROCESS_STEP_EXEC, &ret->step)) &&
               next_number(&rest, ERRNO_MAX, &ret->failure) && ret->failure > 0 && !rest.data;
}

static bool read_part(Slice rest, UnitShimMessage *ret) {
        Slice stream;

        if (!slice_split(&rest, ' ', &stream) || !rest.data || stream.length != 1 ||
            (stream.data[0] != UNIT_SHIM_OUTPUT && stream.data[0] != UNIT_SHIM_ERRORS))
                return false;
        ret->stream = stream.data[0];
        ret->part = rest;
        return true;
}

static bool read_note(Slice rest, UnitShimMessage *ret) {
        if (!next_pid(&rest, &ret->end.pid) || ret->end.pid <= 0 || !rest.data || !slice_split(&rest, ' ', &ret->run) || !rest.data ||
            ret->run.length == 0 || ret->run.length >= RUN_ROOM)
                return false;
        if (slice_equals(ret->run, slice_from("-")))
                ret->run.length = 0;
        ret->part = rest;
        return true;
}

static bool read_rest(Slice rest, UnitShimMessage *ret) {
        switch (ret->kind) {
        case UNIT_SHIM_HELLO:
                return rest.data && read_hello(rest, ret);
        case UNIT_SHIM_BORN:
                return read_born(rest, ret);
        case UNIT_SHIM_REFUSED:
        case UNIT_SHIM_FAILED:
                return read_failed(rest, ret);
        case UNIT_SHIM_PART:
                return rest.data && read_part(rest, ret);
        case UNIT_SHIM_NOTE:
                return rest.data && read_note(rest, ret);
        case UNIT_SHIM_ENDED:
                return rest.data && read_end(rest, &ret->end);
        case UNIT_SHIM_REAP:
        case UNIT_SHIM_WATCH:
        case UNIT_SHIM_UNKNOWN:
                return next_pid(&rest, &ret->end.pid) && ret->end.pid > 0 && !rest.data;
        default:
                return !rest.data;
        }
}

int unit_shim_message_read(Slice packet, UnitShimMessage *ret) {
        UnitShimMessage message = {.kind = UNIT_SHIM_KINDS};
        Slice rest = packet, word;

        if (packet.length == 0 || packet.length > UNIT_SHIM_PACKET_MAX || !slice_split(&rest, ' ', &word))
                return -EBADMSG;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (slice_equals(word, slice_from(words[i])))
                        message.kind = (UnitShimKind)i;
        if (message.kind == UNIT_SHIM_KINDS || !read_rest(rest, &message))
                return -EBADMSG;
        *ret = message;
        return 0;
}

int unit_shim_end_write(const UnitShimEnd *end, Buffer *to) {
        return buffer_printf(to, "%d %d %d\n", end->pid, end->code, end->status);
}

size_t unit_shim_ends_read(Slice text, UnitShimEnd *ends, size_t max) {
        size_t n = 0;
        Slice line;

        while (text.data && n < max && slice_split(&text, '\n', &line))
                n += line.length > 0 && read_end(line, &ends[n]);
        return n;
}
