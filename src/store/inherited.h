#pragma once
/*
 * Listening sockets that the service manager has made and hands over (socket activation, sd_listen_fds(3)). One called "client"
 * or "peer" (FileDescriptorName=) takes the place of all addresses of --listen-client-urls or --listen-peer-urls; any other is
 * served as the URL in these lists whose address it is bound to, and takes the place of that URL alone.
 */
#include <sys/socket.h>

#include "net/http-server.h"
#include "store/settings.h"

#define INHERITED_MAX 64

typedef enum InheritedRole {
        INHERITED_CLIENT,
        INHERITED_PEER,
} InheritedRole;

/* What one socket is for. */
typedef struct InheritedUse {
        InheritedRole role;
        bool tls;
        const Url *url; /* of the settings, whose place it takes; NULL: that of all in its role's list */
} InheritedUse;

typedef struct InheritedSocket {
        int fd; /* -1: served */
        InheritedUse use;
} InheritedSocket;

typedef struct Inherited {
        InheritedSocket items[INHERITED_MAX];
        size_t count;
} Inherited;

/* Decides by name and address. -EINVAL with `error`: it is of no URL, or whether TLS is spoken there cannot be told. Pure but for
 * host names in the URLs, which are resolved. */
int inherited_choose(const Settings *settings, const char *name, const struct sockaddr_storage *address,
                     InheritedUse *ret, Error *error);

/* Takes what the manager has handed over out of the environment; none is no failure. -ENOTSOCK, -EPROTOTYPE, -ENOTCONN, -EINVAL
 * with `error`. */
int inherited_take(const Settings *settings, Inherited *ret, Error *error);

/* Closes a role's sockets, and says so in the log: nobody serves them. */
void inherited_drop(Inherited *inherited, InheritedRole role);

/* Closes what was not served. */
void inherited_deinit(Inherited *inherited);

/* Lets `http` listen on a role's sockets, and at those URLs whose place none takes. `inherited` may be NULL. */
int inherited_listen(Inherited *inherited, InheritedRole role, const UrlList *urls, HttpServer *http, Error *error);
