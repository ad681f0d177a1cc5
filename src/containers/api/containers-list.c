/* GET /containers/json */
#include <stdio.h>

#include "containers/api/handlers.h"

/* Docker's way to say how long: "2 minutes", "About an hour". */
static void format_duration(Usec length, char text[static 32]) {
        unsigned long long seconds = length / USEC_PER_SEC, minutes = seconds / 60, hours = (seconds + 1800) / 3600;

        if (seconds < 1)
                (void)snprintf(text, 32, "Less than a second");
        else if (seconds == 1)
                (void)snprintf(text, 32, "1 second");
        else if (seconds < 60)
                (void)snprintf(text, 32, "%llu seconds", seconds);
        else if (minutes == 1)
                (void)snprintf(text, 32, "About a minute");
        else if (minutes < 60)
                (void)snprintf(text, 32, "%llu minutes", minutes);
        else if (hours == 1)
                (void)snprintf(text, 32, "About an hour");
        else if (hours < 48)
                (void)snprintf(text, 32, "%llu hours", hours);
        else if (hours < 24 * 7 * 2)
                (void)snprintf(text, 32, "%llu days", hours / 24);
        else if (hours < 24 * 30 * 2)
                (void)snprintf(text, 32, "%llu weeks", hours / 24 / 7);
        else if (hours < 24 * 365 * 2)
                (void)snprintf(text, 32, "%llu months", hours / 24 / 30);
        else
                (void)snprintf(text, 32, "%llu years", hours / 24 / 365);
}

static void format_status(const Container *container, WallUsec now, char text[static 96]) {
        char length[32];

        format_duration((Usec)max_of(now - (container_is_running(container) ? container->started : container->finished),
                                     (WallUsec)0),
                        length);
        switch (container->state) {
        case CONTAINER_RUNNING:
                (void)snprintf(text, 96, "Up %s", length);
                break;
        case CONTAINER_RESTARTING:
                (void)snprintf(text, 96, "Restarting (%d) %s ago", container->exit_code, length);
                break;
        case CONTAINER_EXITED:
                (void)snprintf(text, 96, "Exited (%d) %s ago", container->exit_code, length);
                break;
        case CONTAINER_REMOVING:
                (void)snprintf(text, 96, "Removal In Progress");
                break;
        default:
                (void)snprintf(text, 96, "Created");
        }
}

/* The command as one line. */
static void write_command(JsonWriter *json, const Container *container) {
        _cleanup_buffer_ Buffer line = BUFFER_INIT;

        for (size_t i = 0; i < container->spec.command.length; i++)
                (void)buffer_printf(&line, "%s%s", i ? " " : "", container->spec.command.items[i]);
        json_field_string(json, "Command", buffer_string(&line) ?: "");
}

static void write_port(JsonWriter *json, const char *address, unsigned container, unsigned host, const char *protocol) {
        json_begin_object(json);
        if (host)
                json_field_string(json, "IP", address);
        json_field_u64(json, "PrivatePort", container);
        if (host)
                json_field_u64(json, "PublicPort", host);
        json_field_string(json, "Type", protocol);
        json_end_object(json);
}

static bool is_published(const Container *container, unsigned port, const char *protocol) {
        for (size_t i = 0; i < container->n_ports; i++)
                if (container->ports[i].container == port && str_equals(container->ports[i].protocol, protocol))
                        return true;
        return false;
}

static void write_ports(JsonWriter *json, const Container *container) {
        json_key(json, "Ports");
        json_begin_array(json);
        for (size_t i = 0; container_is_running(container) && i < container->n_ports; i++)
                write_port(json, container->ports[i].address, container->ports[i].container, container->ports[i].host,
                           container->ports[i].protocol);
        for (size_t i = 0; container_is_running(container) && i < container->spec.exposed.length; i++) {
                char protocol[4];
                uint16_t port;

                if (spec_port_parse(container->spec.exposed.items[i], &port, protocol, NULL) >= 0 &&
                    !is_published(container, port, protocol))
                        write_port(json, "", port, 0, protocol);
        }
        json_end_array(json);
}

static void write_row(JsonWriter *json, const Container *container, WallUsec now) {
        _cleanup_free_ char *name = str_printf("/%s", container->name);
        char status[96];

        format_status(container, now, status);
        json_begin_object(json);
        json_field_string(json, "Id", container->id);
        json_key(json, "Names");
        json_begin_array(json);
        json_write_string(json, slice_from(name ?: ""));
        json_end_array(json);
        json_field_string(json, "Image", container->image_name);
        json_field_string(json, "ImageID", container->image_id);
        write_command(json, container);
        json_field_i64(json, "Created", container->created / (WallUsec)USEC_PER_SEC);
        write_ports(json, container);
        api_write_json(json, "Labels", json_object_get(container->config, "Labels"));
        json_field_string(json, "State", container_state_name(container->state));
        json_field_string(json, "Status", status);
        json_key(json, "HostConfig");
        json_begin_object(json);
        json_field_string(json, "NetworkMode",
                          json_string_value(json_object_get(container->host_config, "NetworkMode")) ?: "default");
        json_end_object(json);
        json_key(json, "NetworkSettings");
        api_write_network_settings(json, container, true);
        json_key(json, "Mounts");
        api_write_mounts(json, container);
        json_end_object(json);
}

/* ---- filters ---- */

/* Docker's `name` is a regular expression; names that have none of its characters are found anywhere in a name. */
static bool name_matches(void *userdata, const char *value) {
        const Container *container = userdata;
        bool anchored = value[0] == '^';
        size_t length;

        value += anchored;
        value += value[0] == '/';
        length = strlen(value);
        if (length > 0 && value[length - 1] == '$') {
                length--;
                if (anchored)
                        return strlen(container->name) == length && strncmp(container->name, value, length) == 0;
                return strlen(container->name) >= length &&
                       strncmp(container->name + strlen(container->name) - length, value, length) == 0;
        }
        return anchored ? strncmp(container->name, value, length) == 0 : strstr(container->name, value) != NULL;
}

static bool id_matches(void *userdata, const char *value) {
        return str_starts_with(((const Container *)userdata)->id, value);
}

static bool status_matches(void *userdata, const char *value) {
        return str_equals(container_state_name(((const Container *)userdata)->state), value);
}

static bool exited_matches(void *userdata, const char *value) {
        const Container *container = userdata;
        char text[16];

        (void)snprintf(text, sizeof(text), "%d", container->exit_code);
        return container->state == CONTAINER_EXITED && str_equals(text, value);
}

static bool label_matches(void *userdata, const char *value) {
        const json_t *labels = json_object_get(((const Container *)userdata)->config, "Labels");
        const char *equals = strchr(value, '=');
        _cleanup_free_ char *key = slice_dup((Slice){value, equals ? (size_t)(equals - value) : strlen(value)});
        const char *label = key ? json_string_value(json_object_get(labels, key)) : NULL;

        return label && (!equals || str_equals(label, equals + 1));
}

static bool ancestor_matches(void *userdata, const char *value) {
        const Container *container = userdata;
        const char *name = container->image_name, *id = container->image_id;
        size_t length = strlen(value);

        if (strncmp(name, value, length) == 0 && (name[length] == '\0' || str_equals(name + length, ":latest")))
                return true;
        return str_equals(id, value) || (length >= 4 && strncmp(id + 7, value, length) == 0);
}

static const struct {
        const char *name;
        bool (*matches)(void *userdata, const char *value);
} filter_table[] = {
        {"name", name_matches},     {"id", id_matches},       {"status", status_matches},
        {"exited", exited_matches}, {"label", label_matches}, {"ancestor", ancestor_matches},
};

static bool check_filters(HttpRequest *request, json_t *filters) {
        const char *key;
        json_t *value;

        json_object_foreach (filters, key, value) {
                bool known = false;
                char message[192];

                for (size_t i = 0; i < ARRAY_SIZE(filter_table); i++)
                        known |= str_equals(filter_table[i].name, key);
                if (known)
                        continue;
                (void)snprintf(message, sizeof(message),
                               "invalid filter '%.64s': name, id, status, exited, label and ancestor are known", key);
                api_fail(request, 400, message);
                return false;
        }
        return true;
}

static bool passes(const json_t *filters, Container *container) {
        for (size_t i = 0; i < ARRAY_SIZE(filter_table); i++)
                if (!api_filter_passes(filters, filter_table[i].name, filter_table[i].matches, container))
                        return false;
        return true;
}

/* ---- the list ---- */

static int compare_created(const void *a, const void *b) {
        const Container *one = *(Container *const *)a, *two = *(Container *const *)b;

        return one->created < two->created ? 1 : one->created > two->created ? -1 : strcmp(one->id, two->id);
}

void api_containers_list(ContainersApi *api, HttpRequest *request, const char *argument) {
        bool all = api_query_bool(request, "all", false);
        _cleanup_free_ Container **list = calloc(api->engine->by_id.length + 1, sizeof(*list));
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        int64_t limit = 0;
        size_t count = 0;
        json_t *filters;

        (void)argument;
        if (api_query_number(request, "limit", &limit) < 0 || api_filters(request, &filters) < 0)
                return;
        if (!list || !check_filters(request, filters)) {
                json_decref(filters);
                if (!list)
                        api_fail(request, 500, "out of memory");
                return;
        }
        all |= limit > 0 || json_object_get(filters, "status") || json_object_get(filters, "exited");
        map_foreach (&api->engine->by_id, entry) {
                Container *container = entry->value;

                if ((all || container_is_running(container) || container->state == CONTAINER_RESTARTING) &&
                    passes(filters, container))
                        list[count++] = container;
        }
        json_decref(filters);
        qsort(list, count, sizeof(*list), compare_created);
        json_begin_array(&json);
        for (size_t i = 0; i < count && (limit <= 0 || i < (size_t)limit); i++)
                write_row(&json, list[i], clock_wall());
        json_end_array(&json);
        api_respond_json(request, 200, &text);
}
