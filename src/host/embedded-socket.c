/* The sockets of socket units: bound, watched for clients, and passed to services. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/embedded-internal.h"
#include "host/file.h"
#include "unitfile/name.h"

enum { ACCEPTS_MAX = 16 }; /* in one turn */

typedef union SocketAddress {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
        struct sockaddr_storage room;
} SocketAddress;

typedef struct Port {
        uv_poll_t poll;
        SocketPorts *ports;
        const SocketListen *at; /* of the definition that is in force while it is open */
        int fd;
} Port;

/* Outlives its unit until the handles are closed. */
struct SocketPorts {
        Unit *unit; /* NULL: closed */
        Embedded *owner;
        size_t n, open;
        Port items[TRIGGER_ITEMS_MAX];
};

/* ---- binding ---- */

static int fill_address(const SocketListen *at, SocketAddress *address, socklen_t *ret_length, Error *error) {
        size_t length;

        *address = (SocketAddress){0};
        if (at->family == LISTEN_UNIX) {
                length = strlen(at->where);
                if (length >= sizeof(address->local.sun_path))
                        return error_set(error, -ENAMETOOLONG, "%s is too long a path for a socket", at->where);
                address->local.sun_family = AF_UNIX;
                memcpy(address->local.sun_path, at->where, length);
                if (at->where[0] == '@')
                        address->local.sun_path[0] = '\0';
                *ret_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (at->where[0] != '@'));
                return 0;
        }
        if (at->family == LISTEN_IP && inet_pton(AF_INET, at->where, &address->four.sin_addr) == 1) {
                address->four.sin_family = AF_INET;
                address->four.sin_port = htons(at->port);
                *ret_length = sizeof(address->four);
                return 0;
        }
        address->six.sin6_family = AF_INET6;
        address->six.sin6_port = htons(at->port);
        *ret_length = sizeof(address->six);
        if (at->family == LISTEN_IP && inet_pton(AF_INET6, at->where, &address->six.sin6_addr) != 1)
                return error_set(error, -EINVAL, "\"%s\" is no address", at->where);
        return 0;
}

static void set_flag(int fd, int level, int option, bool on) {
        int value = 1;

        if (on) /* comfort: without it the socket works, too */
                (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_options(int fd, const TriggerOptions *o, const SocketListen *at, int family) {
        int value;

        set_flag(fd, SOL_SOCKET, SO_REUSEADDR, family != AF_UNIX);
        set_flag(fd, SOL_SOCKET, SO_REUSEPORT, o->reuse_port);
        set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, o->keep_alive);
        set_flag(fd, SOL_SOCKET, SO_PASSCRED, o->pass_credentials);
        set_flag(fd, IPPROTO_TCP, TCP_NODELAY, o->no_delay && at->kind == LISTEN_STREAM && family != AF_UNIX);
        set_flag(fd, IPPROTO_IP, IP_FREEBIND, o->free_bind && family != AF_UNIX);
        if (family == AF_INET6 && o->ipv6_only_set) {
                value = o->ipv6_only;
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof(value));
        }
        if (o->receive_buffer > 0) {
                value = (int)o->receive_buffer;
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value));
        }
        if (o->send_buffer > 0) {
                value = (int)o->send_buffer;
                (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value));
        }
}

static int find_owner(const TriggerOptions *o, uid_t *uid, gid_t *gid, Error *error) {
        uint64_t number;

        *uid = (uid_t)-1;
        *gid = (gid_t)-1;
        if (o->user && str_parse_u64(slice_from(o->user), UINT32_MAX - 1, &number) >= 0) {
                *uid = (uid_t)number;
        } else if (o->user) {
                const struct passwd *user = getpwnam(o->user);

                if (!user)
                        return error_set(error, -ESRCH, "SocketUser=: there is no user \"%s\" on this machine",
                                         o->user);
                *uid = user->pw_uid;
                *gid = user->pw_gid;
        }
        if (o->group && str_parse_u64(slice_from(o->group), UINT32_MAX - 1, &number) >= 0) {
                *gid = (gid_t)number;
        } else if (o->group) {
                const struct group *group = getgrnam(o->group);

                if (!group)
                        return error_set(error, -ESRCH, "SocketGroup=: there is no group \"%s\" on this machine",
                                         o->group);
                *gid = group->gr_gid;
        }
        return 0;
}

static int prepare_path(const TriggerOptions *o, const char *path, Error *error) {
        _cleanup_free_ char *folder = strdup(path);
        struct stat is;

        if (!folder)
                return -ENOMEM;
        *strrchr(folder, '/') = '\0';
        if (*folder) {
                int r = file_make_folder(folder, (mode_t)o->directory_mode, error);

                if (r < 0)
                        return r;
        }
        if (lstat(path, &is) == 0 &&
            S_ISSOCK(is.st_mode)) /* of an earlier run: nobody listens there who could be told */
                (void)unlink(path);
        return 0;
}

static int finish_path(const TriggerOptions *o, const char *path, Error *error) {
        uid_t uid;
        gid_t gid;
        int r = find_owner(o, &uid, &gid, error);

        if (r < 0)
                return r;
        if (chmod(path, (mode_t)o->socket_mode) < 0 || (o->user || o->group ? chown(path, uid, gid) : 0) < 0)
                return error_set_errno(error, -errno, "cannot give the socket %s its mode and owner", path);
        for (size_t i = 0; i < o->symlinks.length; i++) {
                (void)unlink(o->symlinks.items[i]);
                if (symlink(path, o->symlinks.items[i]) < 0)
                        return error_set_errno(error, -errno, "cannot make the link %s", o->symlinks.items[i]);
        }
        return 0;
}

static int make_socket(const SocketListen *at, SocketAddress *address, socklen_t *length) {
        static const int types[] = {
                [LISTEN_STREAM] = SOCK_STREAM, [LISTEN_DATAGRAM] = SOCK_DGRAM, [LISTEN_SEQUENTIAL] = SOCK_SEQPACKET};
        int type = types[at->kind] | SOCK_CLOEXEC | SOCK_NONBLOCK;
        int fd = socket(address->any.sa_family, type, 0);

        if (fd < 0 && errno == EAFNOSUPPORT && at->family == LISTEN_ANY_HOST) { /* a kernel without IPv6 */
                address->four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(at->port)};
                *length = sizeof(address->four);
                fd = socket(AF_INET, type, 0);
        }
        return fd < 0 ? -errno : fd;
}

static int bind_one(const TriggerOptions *o, const SocketListen *at, int *ret, Error *error) {
        const char *name = at->where ? at->where : "port";
        bool path = at->family == LISTEN_UNIX && at->where[0] == '/';
        _cleanup_close_ int fd = -1;
        SocketAddress address;
        socklen_t length = 0;
        int r;

        r = fill_address(at, &address, &length, error);
        if (r >= 0 && path)
                r = prepare_path(o, at->where, error);
        if (r < 0)
                return r;
        fd = make_socket(at, &address, &length);
        if (fd < 0)
                return error_set_errno(error, fd, "cannot make a socket for %s", name);
        set_options(fd, o, at, address.any.sa_family);
        if (bind(fd, &address.any, length) < 0)
                return at->family == LISTEN_UNIX ? error_set_errno(error, -errno, "cannot bind %s", name)
                                                 : error_set_errno(error, -errno, "cannot bind %s %u", name, at->port);
        if (path)
                r = finish_path(o, at->where, error);
        if (r < 0)
                return r;
        if (at->kind != LISTEN_DATAGRAM && listen(fd, (int)o->backlog) < 0)
                return error_set_errno(error, -errno, "cannot listen on %s", name);
        *ret = take_fd(fd);
        return 0;
}

/* ---- waiting for clients ---- */

static void on_port_closed(uv_handle_t *handle) {
        SocketPorts *ports = container_of((uv_poll_t *)handle, Port, poll)->ports;
        Embedded *e = ports->owner;

        if (--ports->open == 0)
                free(ports);
        embedded_handle_closed(e);
}

static void accept_clients(Unit *unit, Port *port);

static void on_port(uv_poll_t *poll, int status, int events) {
        Port *port = container_of(poll, Port, poll);
        Unit *unit = port->ports->unit;
        TriggerFacts facts;

        (void)status;
        (void)events;
        if (!unit || unit->trigger.state != TRIGGER_WAITING)
                return;
        if (unit->definition.trigger.accept) {
                accept_clients(unit, port);
        } else {
                facts = trigger_facts(unit);
                trigger_fired(&unit->trigger, &facts);
        }
        trigger_drive(unit);
}

void ports_listen(Unit *unit, bool on) {
        for (size_t i = 0; i < unit->ports->n; i++) {
                uv_poll_t *poll = &unit->ports->items[i].poll;

                if (on && !uv_is_active((uv_handle_t *)poll))
                        (void)uv_poll_start(poll, UV_READABLE, on_port);
                else if (!on)
                        (void)uv_poll_stop(poll);
        }
}

static int add_port(SocketPorts *ports, const SocketListen *at, int fd) {
        Port *port = &ports->items[ports->n];
        int r = uv_poll_init(ports->owner->loop, &port->poll, fd);

        if (r < 0)
                return r;
        port->ports = ports;
        port->at = at;
        port->fd = fd;
        uv_unref((uv_handle_t *)&port->poll);
        ports->n++;
        ports->open++;
        ports->owner->open++;
        return 0;
}

static int ports_make(Unit *unit, Error *error) {
        SocketPorts *ports = calloc(1, sizeof(*ports));

        if (!ports)
                return error_set_errno(error, -ENOMEM, "cannot open %s", unit->name);
        ports->unit = unit;
        ports->owner = unit->owner;
        unit->ports = ports;
        return 0;
}

/* A shim has them, too, and so they stay bound when we end. */
static int keep(const SocketPorts *ports, Error *error) {
        char held[TRIGGER_ITEMS_MAX + 1] = "";
        int fds[TRIGGER_ITEMS_MAX];
        pid_t none;

        for (size_t i = 0; i < ports->n; i++) {
                held[i] = UNIT_SHIM_SOCKET;
                fds[i] = ports->items[i].fd;
        }
        return holder_make(ports->unit, NULL, held, fds, ports->n, &none, error);
}

int ports_open(Unit *unit, Error *error) {
        const TriggerOptions *o = &unit->definition.trigger;
        SocketPorts *ports;
        int r = ports_make(unit, error);

        if (r < 0)
                return r;
        ports = unit->ports;
        for (size_t i = 0; r >= 0 && i < o->n_listens; i++) {
                int fd = -1;

                r = bind_one(o, &o->listens[i], &fd, error);
                if (r >= 0) {
                        r = add_port(ports, &o->listens[i], fd);
                        if (r < 0) {
                                (void)close(fd);
                                (void)error_set_errno(error, r, "cannot watch a socket");
                        }
                }
        }
        if (r >= 0 && ports->owner->shim)
                r = keep(ports, error);
        if (r < 0)
                ports_close(unit);
        return r;
}

int ports_adopt(Unit *unit, int *fds, size_t n) {
        SocketPorts *ports;
        int r = ports_make(unit, NULL);

        if (r < 0)
                return r;
        ports = unit->ports;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = add_port(ports, &unit->definition.trigger.listens[i], fds[i]);
                if (r >= 0)
                        fds[i] = -1;
        }
        return r;
}

static void remove_paths(const TriggerOptions *o, const SocketListen *at) {
        if (!o->remove_on_stop || at->family != LISTEN_UNIX || at->where[0] != '/')
                return;
        (void)unlink(at->where);
        for (size_t i = 0; i < o->symlinks.length; i++)
                (void)unlink(o->symlinks.items[i]);
}

static void close_ports(Unit *unit, bool for_good) {
        SocketPorts *ports = take_ptr(unit->ports);

        if (!ports)
                return;
        ports->unit = NULL;
        if (ports->open == 0) {
                free(ports);
                return;
        }
        for (size_t i = 0; i < ports->n; i++) {
                if (for_good)
                        remove_paths(&unit->definition.trigger, ports->items[i].at);
                uv_close((uv_handle_t *)&ports->items[i].poll, on_port_closed);
                (void)close(ports->items[i].fd);
        }
}

void ports_close(Unit *unit) {
        close_ports(unit, true);
        holder_end_sockets(unit);
}

void ports_leave(Unit *unit) {
        close_ports(unit, false);
}

/* ---- Accept=yes ---- */

/* "7-127.0.0.1:80-127.0.0.1:4711", "7-4711-0" of a unix socket (process and user at the other end): as systemd names instances. */
static char *instance_of(int fd, uint64_t number) {
        SocketAddress here, there;
        socklen_t here_length = sizeof(here), there_length = sizeof(there), length = sizeof(struct ucred);
        char a[INET6_ADDRSTRLEN] = "", b[INET6_ADDRSTRLEN] = "";
        struct ucred peer = {0};

        if (getsockname(fd, &here.any, &here_length) < 0 || getpeername(fd, &there.any, &there_length) < 0)
                return NULL;
        switch (here.any.sa_family) {
        case AF_INET:
                (void)inet_ntop(AF_INET, &here.four.sin_addr, a, sizeof(a));
                (void)inet_ntop(AF_INET, &there.four.sin_addr, b, sizeof(b));
                return str_printf("%llu-%s:%u-%s:%u", (unsigned long long)number, a, ntohs(here.four.sin_port), b,
                                  ntohs(there.four.sin_port));
        case AF_INET6:
                (void)inet_ntop(AF_INET6, &here.six.sin6_addr, a, sizeof(a));
                (void)inet_ntop(AF_INET6, &there.six.sin6_addr, b, sizeof(b));
                return str_printf("%llu-%s:%u-%s:%u", (unsigned long long)number, a, ntohs(here.six.sin6_port), b,
                                  ntohs(there.six.sin6_port));
        default:
                (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
                return str_printf("%llu-%d-%u", (unsigned long long)number, peer.pid, peer.uid);
        }
}

/* What was loaded under the name counts before what lies in systemd's folders. */
static int read_template(Embedded *e, const char *name, Buffer *text, Error *error) {
        static const char *const folders[] = {"/etc/systemd/system", "/run/systemd/system",
                                              "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                              "/lib/systemd/system"};
        const Unit *loaded = embedded_find(e, name);

        if (loaded)
                return buffer_append(text, loaded->definition.text, loaded->definition.text_length);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                _cleanup_free_ char *path = str_printf("%s/%s", folders[i], name);
                int r = path ? file_read(path, UNITFILE_TEXT_MAX, text, error) : -ENOMEM;

                if (r != -ENOENT)
                        return r;
        }
        return error_set(error, -ENOENT, "%s, of which each connection gets an instance, is neither loaded nor in %s",
                         name, folders[0]);
}

static size_t count_instances(const Unit *socket) {
        size_t n = 0;

        list_foreach (&socket->owner->units, node) {
                const Unit *unit = container_of(node, Unit, link);

                n += unit->listener && str_equals(unit->listener, socket->name);
        }
        return n;
}

/* Takes the connection over once it has succeeded. */
static int start_instance(Unit *socket, int fd, Error *error) {
        Embedded *e = socket->owner;
        UnitName template = unit_name_split(slice_from(socket->definition.trigger.unit));
        _cleanup_free_ char *instance = instance_of(fd, e->connections), *name = NULL;
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Unit *unit;
        int r;

        if (!instance)
                return -ENOTCONN; /* it has gone already */
        name = unit_name_instance(&template, slice_from(instance));
        r = name ? read_template(e, socket->definition.trigger.unit, &text, error) : -ENOMEM;
        if (r < 0)
                return r;
        unit = embedded_load_unit(
                e, name, (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)}, "", &r, error);
        if (!unit)
                return r;
        e->connections++;
        unit->listener = strdup(socket->name);
        if (!unit->listener)
                return -ENOMEM;
        unit->connection = fd;
        unit_queue_start(unit, 0);
        return 0;
}

static void accept_clients(Unit *unit, Port *port) {
        for (int i = 0; i < ACCEPTS_MAX && unit->trigger.state == TRIGGER_WAITING; i++) {
                TriggerFacts facts = trigger_facts(unit);
                Error error = ERROR_NONE;
                int fd = accept4(port->fd, NULL, NULL, SOCK_CLOEXEC), r;

                if (fd < 0)
                        return; /* none is left, or there are no files: the next turn tries again */
                if (count_instances(unit) >= unit->definition.trigger.connections) {
                        unit_note(unit, "a connection is refused: there are %llu already (MaxConnections=)",
                                  (unsigned long long)unit->definition.trigger.connections);
                        (void)close(fd);
                        continue;
                }
                r = trigger_connected(&unit->trigger, &facts) ? start_instance(unit, fd, &error) : -EBUSY;
                if (r >= 0)
                        continue;
                (void)close(fd);
                if (*error.text) {
                        unit_set_text(unit, "%s", error.text);
                        unit_note(unit, "%s", error.text);
                        trigger_fail(&unit->trigger);
                }
        }
}

void connection_close(Unit *unit) {
        if (unit->connection >= 0)
                (void)close(take_fd(unit->connection));
}

/* ---- passing on ---- */

static int add_name(Buffer *names, const char *name) {
        if (buffer_length(names) > 0 && buffer_append_byte(names, ':') < 0)
                return -ENOMEM;
        return buffer_append_string(names, name);
}

int ports_collect(const Unit *service, int fds[PROCESS_FDS_MAX], size_t *ret_n, Buffer *names) {
        size_t n = 0;
        int r = 0;

        if (service->connection >= 0) {
                fds[0] = service->connection;
                *ret_n = 1;
                return add_name(names, "connection");
        }
        naming_foreach(service, NAME_USE_STARTS, naming) {
                const Unit *unit = naming.unit;
                const TriggerOptions *o = &unit->definition.trigger;

                if (!unit->ports || o->accept)
                        continue;
                for (size_t i = 0; r >= 0 && i < unit->ports->n && n < PROCESS_FDS_MAX; i++) {
                        fds[n++] = unit->ports->items[i].fd;
                        r = add_name(names, o->descriptor_name ? o->descriptor_name : unit->name);
                }
        }
        *ret_n = n;
        return r;
}
