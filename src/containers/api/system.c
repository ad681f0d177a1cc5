/* What the engine says of itself, and events. */
#include <errno.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "containers/api/handlers.h"
#include "containers/runtime/log-read.h"
#include "host/file.h"

void api_ping(ContainersApi *api, HttpRequest *request, const char *argument) {
        (void)api;
        (void)argument;
        http_respond(
                request, 200,
                "Api-Version: " API_VERSION
                "\r\nCache-Control: no-cache, no-store, must-revalidate\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Docker-Experimental: false\r\nOstype: linux\r\nPragma: no-cache\r\nServer: Docker/" FAERING_VERSION
                " (faering)\r\n",
                http_request_method(request) == HTTP_METHOD_HEAD ? (Slice){"", 0} : slice_from("OK"));
}

static const char *go_architecture(const char *machine) {
        return str_equals(machine, "x86_64") ? "amd64" : str_equals(machine, "aarch64") ? "arm64" : machine;
}

static void write_component(JsonWriter *json, const char *name, const char *version, const struct utsname *host) {
        json_begin_object(json);
        json_field_string(json, "Name", name);
        json_field_string(json, "Version", version);
        json_key(json, "Details");
        json_begin_object(json);
        json_field_string(json, "GitCommit", "");
        if (host) {
                json_field_string(json, "ApiVersion", API_VERSION);
                json_field_string(json, "MinAPIVersion", API_VERSION_MIN);
                json_field_string(json, "Os", "linux");
                json_field_string(json, "Arch", go_architecture(host->machine));
                json_field_string(json, "KernelVersion", host->release);
                json_field_string(json, "Experimental", "false");
        }
        json_end_object(json);
        json_end_object(json);
}

void api_version(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        struct utsname host;

        (void)argument;
        (void)uname(&host);
        json_begin_object(&json);
        json_key(&json, "Platform");
        json_begin_object(&json);
        json_field_string(&json, "Name", "Faering");
        json_end_object(&json);
        json_key(&json, "Components");
        json_begin_array(&json);
        write_component(&json, "Engine", FAERING_VERSION, &host);
        write_component(&json, api->engine->runtime_name, api->engine->runtime_version, NULL);
        json_end_array(&json);
        json_field_string(&json, "Version", FAERING_VERSION);
        json_field_string(&json, "ApiVersion", API_VERSION);
        json_field_string(&json, "MinAPIVersion", API_VERSION_MIN);
        json_field_string(&json, "GitCommit", "");
        json_field_string(&json, "GoVersion", "");
        json_field_string(&json, "Os", "linux");
        json_field_string(&json, "Arch", go_architecture(host.machine));
        json_field_string(&json, "KernelVersion", host.release);
        json_field_string(&json, "BuildTime", "");
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}

static void write_counts(JsonWriter *json, const Engine *engine) {
        size_t running = 0, images = 0;

        map_foreach (&engine->by_id, entry)
                running += container_is_running(entry->value);
        while (image_store_at(engine->images, images))
                images++;
        json_field_u64(json, "Containers", engine->by_id.length);
        json_field_u64(json, "ContainersRunning", running);
        json_field_u64(json, "ContainersPaused", 0);
        json_field_u64(json, "ContainersStopped", engine->by_id.length - running);
        json_field_u64(json, "Images", images);
}

/* PRETTY_NAME of os-release(5). */
static void write_system_name(JsonWriter *json) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *found = NULL;

        if (file_read("/etc/os-release", 65536, &text, NULL) >= 0)
                found = strstr(buffer_string(&text) ?: "", "PRETTY_NAME=\"");
        json_key(json, "OperatingSystem");
        json_write_string(json, found ? (Slice){found + 13, strcspn(found + 13, "\"\n")} : slice_from("Linux"));
}

static void write_plugins(JsonWriter *json) {
        static const struct {
                const char *kind, *names[3];
        } plugins[] = {{"Volume", {"local"}}, {"Network", {"bridge", "host", "null"}}, {"Log", {"json-file", "none"}}};

        json_key(json, "Plugins");
        json_begin_object(json);
        for (size_t i = 0; i < ARRAY_SIZE(plugins); i++) {
                json_key(json, plugins[i].kind);
                json_begin_array(json);
                for (size_t k = 0; k < 3 && plugins[i].names[k]; k++)
                        json_write_string(json, slice_from(plugins[i].names[k]));
                json_end_array(json);
        }
        json_end_object(json);
}

static void write_runtimes(JsonWriter *json, const Engine *engine) {
        json_key(json, "Runtimes");
        json_begin_object(json);
        json_key(json, engine->runtime_name);
        json_begin_object(json);
        json_field_string(json, "path", engine->runtime);
        json_end_object(json);
        json_end_object(json);
        json_field_string(json, "DefaultRuntime", engine->runtime_name);
}

static void write_abilities(JsonWriter *json, const Engine *engine) {
        static const char *const yes[] = {"MemoryLimit", "SwapLimit", "CpuCfsPeriod",   "CpuCfsQuota",   "CPUShares",
                                          "CPUSet",      "PidsLimit", "IPv4Forwarding", "OomKillDisable"};

        for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
                json_field_bool(json, yes[i], true);
        json_field_string(json, "LoggingDriver", "json-file");
        json_field_string(json, "CgroupDriver", "cgroupfs");
        json_field_string(json, "CgroupVersion", engine->host.cgroup_unified ? "2" : "1");
        json_key(json, "SecurityOptions");
        json_begin_array(json);
        json_write_string(json, slice_from("name=seccomp,profile=default"));
        json_end_array(json);
}

void api_info(ContainersApi *api, HttpRequest *request, const char *argument) {
        const Engine *engine = api->engine;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        struct utsname host;
        struct sysinfo memory;
        char now[40];

        (void)argument;
        (void)uname(&host);
        (void)sysinfo(&memory);
        api_format_time(clock_wall(), now);
        json_begin_object(&json);
        json_field_string(&json, "ID", engine->id);
        write_counts(&json, engine);
        json_field_string(&json, "Driver", "overlay2");
        json_key(&json, "DriverStatus");
        json_begin_array(&json);
        json_end_array(&json);
        write_plugins(&json);
        write_abilities(&json, engine);
        json_field_bool(&json, "Debug", false);
        json_field_string(&json, "SystemTime", now);
        json_field_string(&json, "KernelVersion", host.release);
        write_system_name(&json);
        json_field_string(&json, "OSType", "linux");
        json_field_string(&json, "Architecture", host.machine);
        json_field_i64(&json, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
        json_field_u64(&json, "MemTotal", (uint64_t)memory.totalram * memory.mem_unit);
        json_field_string(&json, "DockerRootDir", engine->settings->state_dir);
        json_field_string(&json, "Name", host.nodename);
        json_field_string(&json, "ServerVersion", FAERING_VERSION);
        write_runtimes(&json, engine);
        json_field_bool(&json, "LiveRestoreEnabled", true);
        json_field_string(&json, "InitBinary", engine->init_program ?: "");
        json_key(&json, "Swarm");
        json_begin_object(&json);
        json_field_string(&json, "LocalNodeState", "inactive");
        json_end_object(&json);
        json_key(&json, "Warnings");
        json_write_null(&json);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}

void api_disk_usage(ContainersApi *api, HttpRequest *request, const char *argument) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        uint64_t size = 0;
        Image *image;

        (void)argument;
        for (size_t i = 0; (image = image_store_at(api->engine->images, i)); i++)
                size += image->size;
        json_begin_object(&json);
        json_field_u64(&json, "LayersSize", size);
        json_end_object(&json);
        api_respond_json(request, 200, &text);
}

/* ---- events ---- */

typedef struct EventStream {
        EngineListener listener;
        HttpRequest *request;
        json_t *filters;
        WallUsec until; /* 0: no end */
        uv_timer_t timer;
        const EngineEvent *current; /* while filters look at it */
} EventStream;

static void on_timer_closed(uv_handle_t *handle) {
        EventStream *stream = handle->data;

        json_decref(stream->filters);
        free(stream);
}

static void events_free(EventStream *stream) {
        list_unlink(&stream->listener.link);
        stream->request = NULL;
        uv_close((uv_handle_t *)&stream->timer, on_timer_closed);
}

static void on_gone(HttpRequest *request) {
        events_free(http_request_data(request));
}

static bool event_matches(void *userdata, const char *value) {
        const EventStream *stream = userdata;

        return str_equals(stream->current->action, value);
}

static bool container_matches(void *userdata, const char *value) {
        const EventStream *stream = userdata;
        _cleanup_free_ char *name = str_printf("\"name\":\"%s\"", value);

        return (value[0] && str_starts_with(stream->current->id, value)) ||
               (name && strstr(stream->current->json, name));
}

static bool type_matches(void *userdata, const char *value) {
        (void)userdata;
        return str_equals(value, "container");
}

static void on_event(EngineListener *listener, const EngineEvent *event) {
        EventStream *stream = container_of(listener, EventStream, listener);

        if (!stream->request)
                return;
        stream->current = event;
        if (api_filter_passes(stream->filters, "event", event_matches, stream) &&
            api_filter_passes(stream->filters, "container", container_matches, stream) &&
            api_filter_passes(stream->filters, "type", type_matches, stream))
                (void)http_respond_write(stream->request, slice_from(event->json));
}

static void on_until(uv_timer_t *timer) {
        EventStream *stream = timer->data;
        HttpRequest *request = stream->request;

        if (!request)
                return;
        http_request_set_gone(request, NULL, false);
        events_free(stream);
        http_respond_end(request);
}

static int query_moment(HttpRequest *request, const char *name, WallUsec *ret) {
        _cleanup_free_ char *text = api_query(request, name);

        if (!text || !text[0] || log_moment_parse(text, ret) >= 0)
                return 0;
        api_fail(request, 400, "since and until must be moments: seconds since 1970, or 2006-01-02T15:04:05Z");
        return -EINVAL;
}

static void give_past(EventStream *stream, Engine *engine, WallUsec since) {
        for (size_t i = 0; since > 0 && i < engine->n_events && stream->request; i++)
                if (engine->events[i].at >= since && (stream->until == 0 || engine->events[i].at <= stream->until))
                        on_event(&stream->listener, &engine->events[i]);
}

void api_events(ContainersApi *api, HttpRequest *request, const char *argument) {
        WallUsec since = 0, until = 0, now = clock_wall();
        EventStream *stream;
        json_t *filters;

        (void)argument;
        if (query_moment(request, "since", &since) < 0 || query_moment(request, "until", &until) < 0 ||
            api_filters(request, &filters) < 0)
                return;
        stream = calloc(1, sizeof(*stream));
        if (!stream || engine_listen(api->engine, &stream->listener) < 0) {
                free(stream);
                json_decref(filters);
                api_fail(request, 503, "too many clients listen to events");
                return;
        }
        stream->listener.event = on_event;
        stream->request = request;
        stream->filters = filters;
        stream->until = until;
        (void)uv_timer_init(api->engine->loop, &stream->timer);
        stream->timer.data = stream;
        http_request_set_data(request, stream);
        http_request_set_gone(request, on_gone, true);
        http_respond_begin(request, 200, API_JSON, UINT64_MAX);
        if (!stream->request)
                return;
        give_past(stream, api->engine, since);
        if (stream->request && until > 0)
                (void)uv_timer_start(&stream->timer, on_until, until > now ? (uint64_t)(until - now) / 1000 : 0, 0);
}
