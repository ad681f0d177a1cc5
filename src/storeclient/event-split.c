#include "storeclient/event-split.h"

#include <errno.h>

void event_splitter_deinit(EventSplitter *splitter) {
        buffer_deinit(&splitter->part);
        *splitter = (EventSplitter){0};
}

static bool is_space(char c) {
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip(Slice *rest, size_t count) {
        rest->data += count;
        rest->length -= count;
}

/* How many of the bytes belong to the object; its depth is 0 after if it ends with them. */
static size_t scan_object(EventSplitter *splitter, Slice bytes) {
        for (size_t i = 0; i < bytes.length; i++) {
                char c = bytes.data[i];

                if (splitter->escaped)
                        splitter->escaped = false;
                else if (splitter->in_string && c == '\\')
                        splitter->escaped = true;
                else if (c == '"')
                        splitter->in_string = !splitter->in_string;
                else if (!splitter->in_string && (c == '{' || c == '['))
                        splitter->depth++;
                else if (!splitter->in_string && (c == '}' || c == ']') && --splitter->depth == 0)
                        return i + 1;
        }
        return bytes.length;
}

int event_splitter_next(EventSplitter *splitter, Slice *rest, Slice *ret) {
        size_t length;
        int r;

        if (splitter->depth == 0) {
                buffer_deinit(&splitter->part); /* streams that are silent hold no memory */
                while (rest->length > 0 && is_space(*rest->data))
                        skip(rest, 1);
                if (rest->length == 0)
                        return 0;
                if (*rest->data != '{')
                        return -EBADMSG;
        }
        length = scan_object(splitter, *rest);
        if (length > STORE_EVENT_MAX - buffer_length(&splitter->part))
                return -EMSGSIZE;
        *ret = (Slice){rest->data, length};
        skip(rest, length);
        if (splitter->depth == 0 && buffer_length(&splitter->part) == 0) /* it has come in one piece */
                return 1;
        r = buffer_append(&splitter->part, ret->data, ret->length);
        if (r < 0)
                return r;
        *ret = (Slice){buffer_data(&splitter->part), buffer_length(&splitter->part)};
        return splitter->depth == 0;
}
