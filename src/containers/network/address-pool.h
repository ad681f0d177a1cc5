#pragma once
/* The IPv4 addresses of the containers' bridge: the lowest free one is given next. Pure. */
#include "base/error.h"
#include "base/str.h"

#define ADDRESS_TEXT 16

typedef struct AddressPool {
        uint32_t network, gateway; /* host byte order */
        unsigned prefix;
        uint8_t *taken; /* a bit for each address */
} AddressPool;

/* "172.17.0.1/16": the gateway's address in its subnet. -EINVAL with `error`: no address, a prefix not from 8 to 29,
 * or the address of the subnet itself. */
int address_pool_init(AddressPool *pool, const char *gateway, Error *error);
void address_pool_deinit(AddressPool *pool);

/* -ENOSPC with `error`. */
int address_pool_take(AddressPool *pool, char ret[static ADDRESS_TEXT], Error *error);

/* One that a container has already. -EADDRNOTAVAIL: outside, or the gateway's; -EADDRINUSE: taken. */
int address_pool_claim(AddressPool *pool, const char *address);
void address_pool_give_back(AddressPool *pool, const char *address);

void address_pool_gateway(const AddressPool *pool, char ret[static ADDRESS_TEXT]);

/* "172.17.0.0/16" */
void address_pool_subnet(const AddressPool *pool, char ret[static ADDRESS_TEXT + 3]);

/* The hardware address that goes with it: 02:42 and the four bytes of the address. -EINVAL. */
int address_to_mac(const char *address, uint8_t ret[static 6]);
