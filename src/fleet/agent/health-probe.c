#include "fleet/agent/health-probe.h"

#include <errno.h>
#include <signal.h>

#include "host/process.h"
#include "net/http-client.h"

struct HealthProber {
        uv_loop_t *loop;
        HttpClient *http;
};

/* What has begun of these is closed at the end, whoever asked for it; memory goes with the last handle. */
struct HealthProbe {
        HealthProber *prober;
        const HealthCheck *check;
        HealthProbed done; /* NULL: told, or nobody wants to hear */
        void *userdata;
        uv_timer_t timer;
        unsigned open; /* handles, and what else must end before memory goes */
        bool ended;

        HttpCall *call;
        uv_getaddrinfo_t lookup;
        uv_tcp_t tcp;
        uv_connect_t connect;
        bool looking, tcp_open;
        Process process;
        bool process_open;
};

static void probe_release(HealthProbe *probe) {
        if (--probe->open == 0)
                free(probe);
}

static void on_handle_closed(uv_handle_t *handle) {
        probe_release(handle->data);
}

/* Lets go of everything. A command that still runs is killed. */
static void probe_end(HealthProbe *probe) {
        if (probe->ended)
                return;
        probe->ended = true;
        if (probe->call)
                http_call_cancel(probe->call);
        probe->call = NULL;
        if (probe->looking)
                (void)uv_cancel((uv_req_t *)&probe->lookup);
        if (probe->tcp_open)
                uv_close((uv_handle_t *)&probe->tcp, on_handle_closed);
        if (probe->process_open)
                process_close(&probe->process);
        uv_close((uv_handle_t *)&probe->timer, on_handle_closed);
}

static void probe_tell(HealthProbe *probe, const char *why) {
        HealthProbed done = probe->done;
        void *userdata = probe->userdata;

        probe->done = NULL;
        probe_end(probe);
        if (done)
                done(userdata, why);
}

static void on_timeout(uv_timer_t *timer) {
        HealthProbe *probe = timer->data;

        probe_tell(probe, "no answer in time");
}

/* ---- HTTP ---- */

static void on_http_head(HttpCall *call) {
        HealthProbe *probe = http_call_userdata(call);
        unsigned status = http_call_status(call);
        _cleanup_free_ char *why = status >= 200 && status < 400 ? strdup("") : str_printf("it answers %u", status);

        probe_tell(probe, why ?: "out of memory"); /* the body tells nothing: the call is cancelled */
}

static void on_http_done(HttpCall *call, int r, const Error *error) {
        HealthProbe *probe = http_call_userdata(call);

        probe->call = NULL;
        probe_tell(probe, r < 0 ? error->text : "");
}

static const HttpCallOps http_ops = {.head = on_http_head, .done = on_http_done};

static int start_http(HealthProbe *probe, Usec timeout) {
        Url url = {.scheme = URL_HTTP, .port = probe->check->port};
        HttpCallSpec spec = {
                .url = &url, .target = probe->check->what, .connect_timeout = timeout, .head_timeout = timeout};

        if (strlen(probe->check->host) >= sizeof(url.host))
                return -EINVAL;
        memcpy(url.host, probe->check->host, strlen(probe->check->host) + 1);
        return http_client_call(probe->prober->http, &spec, &http_ops, probe, &probe->call);
}

/* ---- TCP ---- */

static void on_connected(uv_connect_t *connect, int status) {
        HealthProbe *probe = connect->data;

        if (status != UV_ECANCELED)
                probe_tell(probe, status < 0 ? uv_strerror(status) : "");
}

static int connect_to(HealthProbe *probe, const struct sockaddr *address) {
        int r = uv_tcp_init(probe->prober->loop, &probe->tcp);

        if (r < 0)
                return r;
        probe->tcp.data = probe->connect.data = probe;
        probe->tcp_open = true;
        probe->open++;
        return uv_tcp_connect(&probe->connect, &probe->tcp, address, on_connected);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found) {
        HealthProbe *probe = lookup->data;
        int r = status;

        probe->looking = false;
        if (r >= 0 && !probe->ended)
                r = connect_to(probe, found->ai_addr);
        uv_freeaddrinfo(found);
        if (r < 0 && !probe->ended)
                probe_tell(probe, uv_strerror(r));
        probe_release(probe);
}

static int start_tcp(HealthProbe *probe) {
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        char port[8];
        int r;

        (void)snprintf(port, sizeof(port), "%u", probe->check->port);
        probe->lookup.data = probe;
        r = uv_getaddrinfo(probe->prober->loop, &probe->lookup, on_looked_up, probe->check->host, port, &hints);
        if (r < 0)
                return r;
        probe->looking = true;
        probe->open++;
        return 0;
}

/* ---- commands ---- */

static void on_exited(Process *process, int code, int status) {
        HealthProbe *probe = process->owner;
        _cleanup_free_ char *why = NULL;

        if (code != CLD_EXITED)
                why = str_printf("the command was ended by signal %d", status);
        else
                why = status == 0 ? strdup("") : str_printf("the command ended with %d", status);
        probe_tell(probe, why ?: "out of memory");
}

static void on_process_closed(Process *process) {
        probe_release(process->owner);
}

static const ProcessEvents process_events = {.exited = on_exited, .closed = on_process_closed};

static int start_command(HealthProbe *probe) {
        const char *argv[] = {"/bin/sh", "-c", probe->check->what, NULL};
        const char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        const ProcessOptions options = {
                .path = argv[0],
                .argv = argv,
                .environment = environment,
                .fds = {-1, -1, -1},
                .new_session = true,
                .parent_death_signal = SIGKILL,
        };
        int r = process_spawn(&probe->process, probe->prober->loop, process_reaper_of_program(), &options,
                              &process_events, probe, NULL);

        if (r < 0)
                return r;
        probe->process_open = true;
        probe->open++;
        return 0;
}

/* ---- all ---- */

static int probe_start(void *userdata, const HealthCheck *check, Usec timeout, HealthProbed done, void *done_data,
                       HealthProbe **ret) {
        HealthProber *prober = userdata;
        HealthProbe *probe = calloc(1, sizeof(*probe));
        int r = -EINVAL;

        if (!probe)
                return -ENOMEM;
        *probe = (HealthProbe){.prober = prober, .check = check, .done = done, .userdata = done_data, .open = 1};
        (void)uv_timer_init(prober->loop, &probe->timer);
        probe->timer.data = probe;
        switch (check->kind) {
        case HEALTH_HTTP:
                r = start_http(probe, timeout);
                break;
        case HEALTH_TCP:
                r = start_tcp(probe);
                break;
        case HEALTH_EXEC:
                r = start_command(probe);
                break;
        }
        if (r < 0) {
                probe->done = NULL;
                probe_end(probe);
                return r;
        }
        (void)uv_timer_start(&probe->timer, on_timeout, timeout / USEC_PER_MSEC, 0);
        *ret = probe;
        return 0;
}

static void probe_cancel(HealthProbe *probe) {
        probe->done = NULL;
        probe_end(probe);
}

const HealthProbeOps health_prober_ops = {.start = probe_start, .cancel = probe_cancel};

HealthProber *health_prober_new(uv_loop_t *loop) {
        HealthProber *prober = calloc(1, sizeof(*prober));

        if (!prober)
                return NULL;
        prober->loop = loop;
        prober->http = http_client_new(loop, NULL);
        if (!prober->http) {
                free(prober);
                return NULL;
        }
        return prober;
}

void health_prober_close(HealthProber *prober) {
        if (!prober)
                return;
        http_client_close(prober->http);
        free(prober);
}
