#include "fleet/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "fleet/api/api.h"
#include "host/libsystemd.h"
#include "net/address.h"

#define NAME_API "faering-api"
#define NAME_LOGS "faering-logs"
#define NAME_ACTIVATED "activated"

#define SOCKET_USUAL "/run/faering/fleet.sock"
#define SOCKET_OF_FLEETCTL "/run/fleet.sock" /* where that of fleet 1.0 looks when it is told nothing */

enum { SOCKET_MODE = 0660, ASIDE = 256 /* descriptors are moved here before they get their final numbers */ };

typedef struct Opened {
        bool api, logs;
} Opened;

static void *const logs_data = (void *)(uintptr_t)fleet_api_reading_only;

/* Whether the socket listens where the URL says. */
static bool socket_is_at(const struct sockaddr_storage *address, const Url *url) {
        struct sockaddr_storage wanted = {0};
        char at[128], there[128];

        if (address->ss_family == AF_UNIX)
                return url->scheme == URL_UNIX &&
                       str_equals(((const struct sockaddr_un *)(const void *)address)->sun_path, url->host);
        if (url->scheme == URL_UNIX || address_resolve(url, &wanted, NULL) < 0)
                return false;
        address_format(address, at, sizeof(at));
        address_format(&wanted, there, sizeof(there));
        return str_equals(at, there);
}

static bool is_listening_stream(int fd) {
        int type = 0, listens = 0;
        socklen_t length = sizeof(int);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_STREAM &&
               getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
}

static int socket_address(int fd, struct sockaddr_storage *ret, Error *error) {
        socklen_t length = sizeof(*ret);

        memset(ret, 0, sizeof(*ret)); /* so that a path ends */
        if (!is_listening_stream(fd) || getsockname(fd, (struct sockaddr *)ret, &length) < 0)
                return error_set(error, -ENOTSOCK,
                                 "the service manager hands over file %d, which is no listening stream socket: its "
                                 ".socket unit needs ListenStream= and Accept=no",
                                 fd);
        return 0;
}

static void drop(int fd, const struct sockaddr_storage *address) {
        const struct sockaddr_un *file = (const struct sockaddr_un *)(const void *)address;

        if (address->ss_family == AF_UNIX && file->sun_path[0])
                (void)unlink(file->sun_path);
        (void)close(fd);
}

static int take(HttpServer *http, const FleetSettings *settings, int fd, const char *name, Opened *opened,
                Error *error) {
        bool is_logs = str_equals(name, NAME_LOGS), own = is_logs || str_equals(name, NAME_API);
        const Url *url = is_logs ? &settings->logs_url : &settings->listen_url;
        struct sockaddr_storage address;
        bool tls;
        int r = socket_address(fd, &address, error);

        if (r < 0)
                return r;
        if (own && ((is_logs && !*settings->serve_logs) || !socket_is_at(&address, url))) {
                drop(fd, &address);
                return 0;
        }
        /* who may read logs only may do so without TLS, see settings.c */
        tls = own ? url->scheme == URL_HTTPS : address.ss_family != AF_UNIX;
        r = http_server_listen_fd(http, fd, tls, is_logs ? logs_data : NULL, error);
        if (r < 0)
                return error_prefix(error, r, "socket \"%s\" (over TCP the API is served with TLS only)", name);
        if (!own)
                log_info("the API is served on socket \"%s\" of the service manager", name);
        opened->api = opened->api || (own && !is_logs);
        opened->logs = opened->logs || is_logs;
        return 0;
}

static int take_inherited(HttpServer *http, const FleetSettings *settings, Opened *opened, Error *error) {
        char **names = NULL;
        int n, r;

        if (!getenv("LISTEN_FDS"))
                return 0;
        r = libsystemd_load(error);
        if (r < 0)
                return r;
        n = libsystemd.sd_listen_fds_with_names(true, &names);
        if (n < 0)
                return error_set_errno(error, n,
                                       "what the service manager says of its sockets (LISTEN_FDS) makes no sense");
        if (n > LISTENERS_MAX)
                r = error_set(error, -E2BIG, "the service manager hands over %d sockets: at most %d are served", n,
                              LISTENERS_MAX);
        for (int i = 0; i < n; i++) {
                if (r >= 0)
                        r = take(http, settings, SD_LISTEN_FDS_START + i, names[i], opened, error);
                free(names[i]);
        }
        free(names);
        return r;
}

static int listen_for_logs(HttpServer *http, const FleetSettings *settings, Error *error) {
        int r = http_server_listen(http, &settings->logs_url, 0, logs_data, NULL, error);

        if (r >= 0 || !settings->logs_by_default)
                return r;
        log_warning("other machines cannot read the logs of this one: %s; --serve-logs names another address, or none",
                    error->text);
        *error = ERROR_NONE;
        return 0;
}

static bool is_socket(const char *path) {
        struct stat status;

        return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* A link, so that there is one socket with one set of rights. It stays: what it leads to comes and goes. */
static void serve_old_clients(const Url *url) {
        int r;

        if (url->scheme != URL_UNIX || !str_equals(url->host, SOCKET_USUAL) || symlink(SOCKET_USUAL, SOCKET_OF_FLEETCTL) >= 0)
                return;
        r = errno;
        /* a socket there is ours, at the end of an earlier link, or one that the service manager has made, or somebody else's */
        if (r != EEXIST || !is_socket(SOCKET_OF_FLEETCTL))
                log_warning("fleetctl of fleet 1.0 has to be told --endpoint unix://" SOCKET_USUAL ": cannot make the link " SOCKET_OF_FLEETCTL ": %s",
                            strerror(r));
}

int fleet_listeners_open(HttpServer *http, const FleetSettings *settings, Error *error) {
        Opened opened = {0};
        int r = take_inherited(http, settings, &opened, error);

        if (r >= 0 && !opened.api)
                r = http_server_listen(http, &settings->listen_url, SOCKET_MODE, NULL, NULL, error);
        if (r >= 0 && !opened.logs && *settings->serve_logs)
                r = listen_for_logs(http, settings, error);
        if (r >= 0)
                serve_old_clients(&settings->listen_url);
        return r;
}

/* ---- to the next one ---- */

typedef struct HandOver {
        const FleetSettings *settings;
        int fds[LISTENERS_MAX];
        const char *names[LISTENERS_MAX];
        size_t count;
        int r;
} HandOver;

static void put_aside(void *userdata, int fd, void *listener_data) {
        HandOver *all = userdata;
        struct sockaddr_storage address;
        int copy = all->count < LISTENERS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, ASIDE) : -1;

        if (copy < 0 || socket_address(fd, &address, NULL) < 0) {
                all->r = copy < 0 ? -EMFILE : -ENOTSOCK;
                return;
        }
        all->names[all->count] = listener_data == logs_data                           ? NAME_LOGS
                                 : socket_is_at(&address, &all->settings->listen_url) ? NAME_API
                                                                                      : NAME_ACTIVATED;
        all->fds[all->count++] = copy;
}

static int tell(const HandOver *all, Error *error) {
        char names[LISTENERS_MAX * sizeof(NAME_ACTIVATED) + 1] = "", number[24];
        size_t length = 0;

        for (size_t i = 0; i < all->count; i++) {
                if (dup2(all->fds[i], SD_LISTEN_FDS_START + (int)i) < 0) /* without close-on-exec */
                        return error_set_errno(error, -errno, "cannot hand a socket over");
                length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s", i ? ":" : "", all->names[i]);
        }
        (void)snprintf(number, sizeof(number), "%zu", all->count);
        if (setenv("LISTEN_FDS", number, 1) < 0 || setenv("LISTEN_FDNAMES", names, 1) < 0)
                return error_set_errno(error, -ENOMEM, "cannot hand the sockets over");
        (void)snprintf(number, sizeof(number), "%ld", (long)getpid());
        return setenv("LISTEN_PID", number, 1) < 0 ? error_set_errno(error, -ENOMEM, "cannot hand the sockets over")
                                                   : 0;
}

int fleet_listeners_hand_over(const HttpServer *http, const FleetSettings *settings, Error *error) {
        HandOver all = {.settings = settings};

        http_server_each_listener(http, put_aside, &all);
        if (all.r < 0)
                return error_set_errno(error, all.r, "cannot hand the sockets over");
        return tell(&all, error);
}
