#pragma once
/* Socket addresses from URLs. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/url.h"

/* Host and port of a TCP URL as an address: numeric ones at once, names through the system's resolver, which may block
 * (use it at start-up only). -EINVAL, -EHOSTUNREACH with `error`. */
int address_resolve(const Url *url, struct sockaddr_storage *ret, Error *error);

/* Only numeric addresses. -EINVAL. */
int address_parse(const char *host, uint16_t port, struct sockaddr_storage *ret);

uint16_t address_port(const struct sockaddr_storage *address);

/* "1.2.3.4:80" or "[::1]:80". */
void address_format(const struct sockaddr_storage *address, char *text, size_t size);
