#pragma once
/* A proxy that keeps no data: hands each client's request to a member of the cluster and streams the answer back. Learns of the
 * members at /members of their peer URLs, from time to time. */
#include <uv.h>

#include "net/http-server.h"
#include "store/proxy/endpoints.h"

typedef struct Proxy Proxy;

typedef struct ProxyConfig {
        const StringList *peer_urls; /* whom to ask first; copied */
        bool readonly;               /* answers 501 to all but GET */
        Usec failure_wait, refresh_interval, dial_timeout, read_timeout; /* read_timeout 0: none */
        TlsContext *client_tls, *peer_tls;                               /* to reach members by; may be NULL; borrowed */
        /* The members' peer URLs have changed: to be kept for the next start. */
        void (*changed)(void *userdata, const StringList *peer_urls);
        /* A text for the log. */
        void (*note)(void *userdata, bool bad, const char *text);
        void *userdata;
} ProxyConfig;

/* NULL without memory. */
Proxy *proxy_new(uv_loop_t *loop, const ProxyConfig *config);

/* Of an HttpServer whose `userdata` is the proxy. */
void proxy_handle(void *userdata, HttpRequest *request);

/* After the HttpServer was closed. Memory goes once the loop has run. */
void proxy_close(Proxy *proxy);
