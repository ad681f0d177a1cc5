/* What happens to containers, as Docker's /events tells it. */
#include <errno.h>
#include <stdio.h>

#include "base/json-write.h"
#include "containers/engine/engine.h"
#include "containers/runtime/json-fields.h"

static void write_attributes(JsonWriter *json, const Container *container, const char *name, const char *value) {
        json_t *labels = json_object_get(container->config, "Labels"), *label;
        const char *key;

        json_begin_object(json);
        if (name)
                json_field_string(json, name, value);
        json_field_string(json, "image", container->image_name);
        json_field_string(json, "name", container->name);
        json_object_foreach (labels, key, label)
                json_field_string(json, key, json_string_value(label) ?: "");
        json_end_object(json);
}

static char *event_json(const Container *container, const char *action, const char *name, const char *value,
                        WallUsec at) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);

        json_begin_object(&json);
        json_field_string(&json, "status", action);
        json_field_string(&json, "id", container->id);
        json_field_string(&json, "from", container->image_name);
        json_field_string(&json, "Type", "container");
        json_field_string(&json, "Action", action);
        json_key(&json, "Actor");
        json_begin_object(&json);
        json_field_string(&json, "ID", container->id);
        json_key(&json, "Attributes");
        write_attributes(&json, container, name, value);
        json_end_object(&json);
        json_field_string(&json, "scope", "local");
        json_field_i64(&json, "time", at / (WallUsec)USEC_PER_SEC);
        json_field_i64(&json, "timeNano", at * 1000);
        json_end_object(&json);
        (void)buffer_append_byte(&text, '\n');
        return buffer_steal_string(&text, NULL);
}

/* The oldest makes room for the newest. */
static EngineEvent *next_slot(Engine *engine) {
        if (engine->n_events == ENGINE_EVENTS_MAX) {
                free(engine->events[0].json);
                memmove(&engine->events[0], &engine->events[1], (ENGINE_EVENTS_MAX - 1) * sizeof(engine->events[0]));
                engine->n_events--;
        }
        return &engine->events[engine->n_events];
}

void engine_emit(Container *container, const char *action, const char *name, const char *value) {
        Engine *engine = container->engine;
        WallUsec now = clock_wall();
        EngineEvent *event;
        char *json = event_json(container, action, name, value, now);

        if (!json)
                return;
        event = next_slot(engine);
        engine->n_events++;
        *event = (EngineEvent){.at = now, .json = json};
        (void)snprintf(event->action, sizeof(event->action), "%s", action);
        (void)snprintf(event->id, sizeof(event->id), "%s", container->id);
        list_foreach (&engine->listeners, node) {
                EngineListener *listener = container_of(node, EngineListener, link);

                listener->event(listener, event);
        }
}

int engine_listen(Engine *engine, EngineListener *listener) {
        size_t count = 0;

        list_init(&listener->link);
        list_foreach (&engine->listeners, node)
                count++;
        if (count >= ENGINE_LISTENERS_MAX)
                return -ENOSPC;
        list_append(&engine->listeners, &listener->link);
        return 0;
}
