#include "store/inherited.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "net/address.h"

enum { UNIX_SOCKET_MODE = 0660 };

static const char *const role_names[] = {[INHERITED_CLIENT] = "client", [INHERITED_PEER] = "peer"};

/* ---- which URL ---- */

static bool is_any(const struct sockaddr_storage *address) {
        if (address->ss_family == AF_INET)
                return ((const struct sockaddr_in *)address)->sin_addr.s_addr == INADDR_ANY;
        return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* [::] is also reached at all addresses of IPv4, so it may stand for 0.0.0.0. */
static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
        if (address_port(a) != address_port(b))
                return false;
        if (is_any(a) && is_any(b))
                return true;
        if (a->ss_family != b->ss_family)
                return false;
        if (a->ss_family == AF_INET)
                return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
                       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
        return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)a)->sin6_addr,
                                  &((const struct sockaddr_in6 *)b)->sin6_addr);
}

static bool is_at(const struct sockaddr_storage *address, const Url *url) {
        struct sockaddr_storage wanted;

        if (address->ss_family == AF_UNIX)
                return url->scheme == URL_UNIX &&
                       str_equals(((const struct sockaddr_un *)address)->sun_path, url->host);
        return url->scheme != URL_UNIX && url->port == address_port(address) &&
               address_resolve(url, &wanted, NULL) >= 0 && same_address(address, &wanted);
}

static const Url *find_url(const UrlList *urls, const struct sockaddr_storage *address) {
        for (size_t i = 0; i < urls->length; i++)
                if (is_at(address, &urls->items[i]))
                        return &urls->items[i];
        return NULL;
}

static const UrlList *urls_of(const Settings *settings, InheritedRole role) {
        return role == INHERITED_PEER ? &settings->listen_peer : &settings->listen_client;
}

static void describe(const struct sockaddr_storage *address, char *text, size_t size) {
        const char *path = ((const struct sockaddr_un *)address)->sun_path;

        if (address->ss_family == AF_UNIX)
                (void)snprintf(text, size, "%s", path[0] ? path : "an abstract name");
        else
                address_format(address, text, size);
}

/* A socket that only its name places: TLS as in the list, if that is of one mind. */
static int choose_by_name(const Settings *settings, InheritedRole role, const struct sockaddr_storage *address,
                          InheritedUse *ret, Error *error) {
        const UrlList *urls = urls_of(settings, role);
        const Url *url = find_url(urls, address);
        size_t secure = 0, tcp = 0;
        char at[160];

        for (size_t i = 0; i < urls->length; i++) {
                secure += urls->items[i].scheme == URL_HTTPS;
                tcp += urls->items[i].scheme != URL_UNIX;
        }
        *ret = (InheritedUse){.role = role,
                              .tls = url ? url->scheme == URL_HTTPS : secure > 0 && address->ss_family != AF_UNIX};
        if (url || secure == 0 || secure == tcp || address->ss_family == AF_UNIX)
                return 0;
        describe(address, at, sizeof(at));
        return error_set(error, -EINVAL,
                         "the service manager hands over a socket \"%s\" at %s, but --listen-%s-urls has http and "
                         "https and not this "
                         "address: name it there, so that it is clear whether TLS is spoken on it",
                         role_names[role], at, role_names[role]);
}

int inherited_choose(const Settings *settings, const char *name, const struct sockaddr_storage *address,
                     InheritedUse *ret, Error *error) {
        char at[160];

        for (InheritedRole role = INHERITED_CLIENT; role <= INHERITED_PEER; role++)
                if (str_equals(name, role_names[role]))
                        return choose_by_name(settings, role, address, ret, error);
        for (InheritedRole role = INHERITED_CLIENT; role <= INHERITED_PEER; role++) {
                const Url *url = find_url(urls_of(settings, role), address);

                if (url) {
                        *ret = (InheritedUse){role, url->scheme == URL_HTTPS, url};
                        return 0;
                }
        }
        describe(address, at, sizeof(at));
        return error_set(error, -EINVAL,
                         "the service manager hands over a socket \"%s\" at %s, which is in neither "
                         "--listen-client-urls (%s) nor "
                         "--listen-peer-urls (%s): name its address in one of them, or set FileDescriptorName=client "
                         "or =peer in its "
                         ".socket unit",
                         name, at, settings->listen_client_urls, settings->listen_peer_urls);
}

/* ---- taking ---- */

static int check_socket(int fd, const char *name, struct sockaddr_storage *ret_address, Error *error) {
        socklen_t length = sizeof(*ret_address);

        memset(ret_address, 0, sizeof(*ret_address)); /* so that a path of a unix socket ends */
        if (getsockname(fd, (struct sockaddr *)ret_address, &length) < 0)
                return error_set(error, -ENOTSOCK, "the service manager hands over file %d, \"%s\", which is no socket",
                                 fd, name);
        if (ret_address->ss_family != AF_INET && ret_address->ss_family != AF_INET6 &&
            ret_address->ss_family != AF_UNIX)
                return error_set(
                        error, -EPROTOTYPE,
                        "the service manager hands over a socket \"%s\" that is neither of TCP nor of a unix path",
                        name);
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, -1) <= 0)
                return error_set(error, -EPROTOTYPE,
                                 "the service manager hands over a socket \"%s\" that is no stream: its .socket unit "
                                 "needs ListenStream=",
                                 name);
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                return error_set(error, -ENOTCONN,
                                 "the service manager hands over a socket \"%s\" that does not listen: its .socket "
                                 "unit needs Accept=no",
                                 name);
        return 0;
}

static int take_one(const Settings *settings, int fd, const char *name, Inherited *inherited, Error *error) {
        InheritedSocket *socket = &inherited->items[inherited->count];
        struct sockaddr_storage address;
        char at[160];
        int r = check_socket(fd, name, &address, error);

        if (r >= 0)
                r = inherited_choose(settings, name, &address, &socket->use, error);
        if (r < 0)
                return r;
        socket->fd = fd;
        inherited->count++;
        describe(&address, at, sizeof(at));
        log_info("serving %ss on the socket \"%s\" of the service manager, at %s%s", role_names[socket->use.role], name,
                 at, socket->use.tls ? ", with TLS" : "");
        return 0;
}

static void free_names(char **names) {
        for (size_t i = 0; names && names[i]; i++)
                free(names[i]);
        free(names);
}

int inherited_take(const Settings *settings, Inherited *ret, Error *error) {
        Inherited inherited = {0};
        char **names = NULL;
        int n, r = 0;

        n = sd_listen_fds_with_names(true, &names);
        if (n < 0)
                return error_set_errno(error, n,
                                       "what the service manager says of its sockets (LISTEN_FDS) makes no sense");
        if (n > INHERITED_MAX)
                r = error_set(error, -E2BIG, "the service manager hands over %d sockets: at most %d are served", n,
                              INHERITED_MAX);
        for (int i = 0; r >= 0 && i < n; i++)
                r = take_one(settings, SD_LISTEN_FDS_START + i, names[i], &inherited, error);
        free_names(names);
        if (r < 0)
                return r; /* the program ends, and all are closed */
        *ret = inherited;
        return 0;
}

void inherited_drop(Inherited *inherited, InheritedRole role) {
        for (size_t i = 0; i < inherited->count; i++) {
                if (inherited->items[i].use.role != role || inherited->items[i].fd < 0)
                        continue;
                log_warning("a socket for %ss of the service manager is closed: nothing is served there",
                            role_names[role]);
                (void)close(take_fd(inherited->items[i].fd));
        }
}

void inherited_deinit(Inherited *inherited) {
        for (size_t i = 0; i < inherited->count; i++)
                if (inherited->items[i].fd >= 0)
                        (void)close(inherited->items[i].fd);
        inherited->count = 0;
}

/* ---- listening ---- */

static bool takes_place_of(const Inherited *inherited, InheritedRole role, const Url *url) {
        for (size_t i = 0; inherited && i < inherited->count; i++) {
                const InheritedUse *use = &inherited->items[i].use;

                if (use->role == role && (!use->url || use->url == url))
                        return true;
        }
        return false;
}

int inherited_listen(Inherited *inherited, InheritedRole role, const UrlList *urls, HttpServer *http, Error *error) {
        int r = 0;

        for (size_t i = 0; inherited && r >= 0 && i < inherited->count; i++) {
                InheritedSocket *socket = &inherited->items[i];

                if (socket->use.role == role && socket->fd >= 0)
                        r = http_server_listen_fd(http, take_fd(socket->fd), socket->use.tls, NULL, error);
        }
        for (size_t i = 0; r >= 0 && i < urls->length; i++)
                if (!takes_place_of(inherited, role, &urls->items[i]))
                        r = http_server_listen(http, &urls->items[i], UNIX_SOCKET_MODE, NULL, NULL, error);
        return r;
}
