#pragma once
/* What clients of /v2/keys get: the JSON of events, nodes and errors, byte for byte as etcd writes it. Pure. */
#include "base/buffer.h"
#include "store/tree/tree.h"

typedef struct KeysErrorText {
        int code;
        unsigned status; /* HTTP */
        const char *message;
} KeysErrorText;

/* Of a code that is not known: that of 300. Never NULL. */
const KeysErrorText *keys_error_text(int code);

/* Takes the prefix TREE_KEYS off an internal path, and off an error's cause. */
Slice keys_trim_path(Slice path);

/* {"errorCode":…} and a line end, appended. `cause` is shown as it is. -ENOMEM; all three write to the end of a
 * buffer that may hold something. */
int keys_write_error(Buffer *buffer, int code, Slice cause, uint64_t index);

/* An event. With `bare` the answer that noValueOnSuccess asks for, if the event is of a kind that knows it. */
int keys_write_event(Buffer *buffer, const Event *event, bool bare);

/* The answer to a get of `node` with its children, or with all below it. Children are in order of their names, whether
 * the client asked for that or not. `now` is what TTLs in seconds are counted from. */
int keys_write_get(Buffer *buffer, const Node *node, bool recursive, WallUsec now);

/* An RFC 3339 time in UTC with as many digits of a second's fraction as it takes. */
void keys_format_time(WallUsec time, char text[static 40]);
