#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

int address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret) {
        struct sockaddr_in *four = (struct sockaddr_in *)ret;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

        memset(ret, 0, sizeof(*ret));
        if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
                four->sin_family = AF_INET;
                four->sin_port = htons(port);
                return 0;
        }
        if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
                six->sin6_family = AF_INET6;
                six->sin6_port = htons(port);
                return 0;
        }
        return -EINVAL;
}

int address_resolve(const Url *url, struct sockaddr_storage *ret, Error *error) {
        struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
        struct addrinfo *found;
        char port[8];
        int r;

        if (address_parse(url->host, url->port, ret) >= 0)
                return 0;
        if (str_equals(url->host, "localhost"))
                return address_parse("127.0.0.1", url->port, ret);
        (void)snprintf(port, sizeof(port), "%u", url->port);
        r = getaddrinfo(url->host, port, &hints, &found);
        if (r != 0)
                return error_set(error, -EHOSTUNREACH, "cannot resolve the host name %s: %s", url->host, gai_strerror(r));
        memset(ret, 0, sizeof(*ret));
        memcpy(ret, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
        return 0;
}

uint16_t address_port(const struct sockaddr_storage *address) {
        if (address->ss_family == AF_INET)
                return ntohs(((const struct sockaddr_in *)address)->sin_port);
        if (address->ss_family == AF_INET6)
                return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
        return 0;
}

void address_format(const struct sockaddr_storage *address, char *text, size_t size) {
        char host[INET6_ADDRSTRLEN] = "?";

        if (address->ss_family == AF_INET) {
                (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof(host));
                (void)snprintf(text, size, "%s:%u", host, address_port(address));
        } else if (address->ss_family == AF_INET6) {
                (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof(host));
                (void)snprintf(text, size, "[%s]:%u", host, address_port(address));
        } else {
                (void)snprintf(text, size, "unix");
        }
}
