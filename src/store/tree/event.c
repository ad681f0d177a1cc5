#include "store/tree/event.h"

#include <assert.h>
#include <errno.h>

int value_new(Slice bytes, Value **ret_value) {
        Value *value;

        if (bytes.length == 0) {
                *ret_value = NULL;
                return 0;
        }
        assert(bytes.length <= UINT32_MAX);
        value = malloc(sizeof(*value) + bytes.length);
        if (!value)
                return -ENOMEM;
        value->references = 1;
        value->length = (uint32_t)bytes.length;
        memcpy(value->bytes, bytes.data, bytes.length);
        *ret_value = value;
        return 0;
}

Value *value_ref(Value *value) {
        if (value) {
                assert(value->references < UINT32_MAX);
                value->references++;
        }
        return value;
}

Value *value_unref(Value *value) {
        if (value) {
                assert(value->references > 0);
                if (--value->references == 0)
                        free(value);
        }
        return NULL;
}

Slice value_slice(const Value *value) {
        return value ? (Slice){value->bytes, value->length} : (Slice){"", 0};
}

const char *event_action_name(EventAction action) {
        switch (action) {
        case EVENT_SET:
                return "set";
        case EVENT_CREATE:
                return "create";
        case EVENT_UPDATE:
                return "update";
        case EVENT_COMPARE_AND_SWAP:
                return "compareAndSwap";
        case EVENT_DELETE:
                return "delete";
        case EVENT_COMPARE_AND_DELETE:
                return "compareAndDelete";
        case EVENT_EXPIRE:
                return "expire";
        }
        return NULL;
}

Event *event_new(EventAction action, Slice path) {
        Event *event = calloc(1, sizeof(*event) + path.length);

        if (!event)
                return NULL;
        event->references = 1;
        event->action = action;
        event->path_length = (uint32_t)path.length;
        memcpy(event->path, path.data, path.length);
        return event;
}

Event *event_ref(Event *event) {
        assert(event->references > 0 && event->references < UINT32_MAX);
        event->references++;
        return event;
}

static void event_drop_json(Event *event) {
        free(event->json);
        event->json = NULL;
        event->json_length = 0;
}

Event *event_unref(Event *event) {
        if (!event)
                return NULL;
        assert(event->references > 0);
        if (--event->references <= 1)
                event_drop_json(event);
        if (event->references == 0) {
                (void)value_unref(event->node.value);
                (void)value_unref(event->previous.value);
                free(event);
        }
        return NULL;
}

void event_keep_json(Event *event, char *json, size_t length) {
        if (event->references < 2 || length > EVENT_JSON_KEEP_MAX) {
                free(json);
                return;
        }
        event_drop_json(event);
        event->json = json;
        event->json_length = length;
}
