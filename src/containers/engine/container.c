#include "containers/engine/container.h"

#include <errno.h>
#include <stdio.h>

#include "containers/engine/engine.h"
#include "containers/runtime/json-fields.h"

const char *container_state_name(ContainerState state) {
        static const char *const names[] = {
                [CONTAINER_CREATED] = "created", [CONTAINER_STARTING] = "created",
                [CONTAINER_RUNNING] = "running", [CONTAINER_RESTARTING] = "restarting",
                [CONTAINER_EXITED] = "exited",   [CONTAINER_REMOVING] = "removing",
        };

        return names[state];
}

static void on_sessions_ready(Attachable *attachable) {
        Container *container = container_of(attachable, Container, attach);

        if (container->link && container->state == CONTAINER_STARTING)
                (void)shim_link_start(container->link);
}

static void free_memory(Container *container) {
        for (size_t i = 0; i < container->n_volumes; i++) {
                ContainerVolume *volume = &container->volumes[i];

                free(volume->name);
                free(volume->source);
                free(volume->target);
                free(volume->propagation);
        }
        attachable_deinit(&container->attach);
        container_spec_deinit(&container->spec);
        json_decref(container->config);
        json_decref(container->host_config);
        free(container->volumes);
        free(container->ports);
        free(container->name);
        free(container->directory);
        free(container->image_id);
        free(container->image_name);
        free(container->error);
        free(container);
}

int container_new(Engine *engine, const char *id, char *directory, Container **ret) {
        Container *container = calloc(1, sizeof(*container));

        if (!container || !directory) {
                free(container);
                free(directory);
                return -ENOMEM;
        }
        container->engine = engine;
        container->directory = directory;
        (void)snprintf(container->id, sizeof(container->id), "%s", id);
        list_init(&container->start_calls);
        list_init(&container->stop_calls);
        list_init(&container->remove_calls);
        list_init(&container->waits);
        attachable_init(&container->attach, engine->loop, &engine->sessions, strdup(directory), false,
                        on_sessions_ready);
        (void)uv_timer_init(engine->loop, &container->timer);
        container->timer.data = container;
        *ret = container;
        if (!container->attach.directory) {
                container_free(container);
                return -ENOMEM;
        }
        return 0;
}

static void on_timer_closed(uv_handle_t *handle) {
        free_memory(handle->data);
}

void container_free(Container *container) {
        container->link = shim_link_free(container->link);
        attachable_over(&container->attach);
        uv_close((uv_handle_t *)&container->timer, on_timer_closed);
}

static int settle_ports(Container *container, Error *error) {
        const ContainerSpec *spec = &container->spec;
        size_t most = spec->n_ports + (spec->publish_all ? spec->exposed.length : 0);

        free(container->ports);
        container->n_ports = 0;
        container->ports = calloc(most + 1, sizeof(*container->ports));
        if (!container->ports)
                return -ENOMEM;
        for (size_t i = 0; i < spec->n_ports; i++) {
                NetworkPort *port = &container->ports[container->n_ports++];

                *port = (NetworkPort){.host = spec->ports[i].host, .container = spec->ports[i].container};
                (void)snprintf(port->address, sizeof(port->address), "%s", spec->ports[i].address);
                (void)snprintf(port->protocol, sizeof(port->protocol), "%s", spec->ports[i].protocol);
        }
        for (size_t i = 0; spec->publish_all && i < spec->exposed.length; i++) {
                NetworkPort *port = &container->ports[container->n_ports++];
                int r;

                *port = (NetworkPort){.address = "0.0.0.0"};
                r = spec_port_parse(spec->exposed.items[i], &port->container, port->protocol, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int container_settle(Container *container, const ImageConfig *image, Error *error) {
        int r;

        container_spec_deinit(&container->spec);
        r = container_spec_parse(container->config, container->host_config, image, &container->spec, error);
        if (r < 0)
                return r;
        container->attach.tty = container->spec.tty;
        return settle_ports(container, error);
}

void container_tell_calls(List *calls, int r, const Error *error) {
        static const Error none = ERROR_NONE;

        /* a call may add others, or take others away with it */
        while (!list_is_empty(calls)) {
                EngineCall *call = container_of(calls->next, EngineCall, link);

                list_unlink(&call->link);
                call->done(call, r, error ? error : &none);
        }
}
