#include "containers/network/address-pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PREFIX_MIN = 8, PREFIX_MAX = 29 };

static uint32_t pool_size(const AddressPool *pool) {
        return 1U << (32 - pool->prefix);
}

static bool parse_address(const char *text, uint32_t *ret) {
        struct in_addr address;

        if (inet_pton(AF_INET, text, &address) != 1)
                return false;
        *ret = ntohl(address.s_addr);
        return true;
}

static void format_address(uint32_t address, char ret[static ADDRESS_TEXT]) {
        const struct in_addr in = {.s_addr = htonl(address)};

        (void)inet_ntop(AF_INET, &in, ret, ADDRESS_TEXT);
}

static bool is_taken(const AddressPool *pool, uint32_t at) {
        return pool->taken[at / 8] >> (at % 8) & 1;
}

static void set_taken(AddressPool *pool, uint32_t at, bool taken) {
        if (taken)
                pool->taken[at / 8] |= (uint8_t)(1 << at % 8);
        else
                pool->taken[at / 8] &= (uint8_t) ~(1 << at % 8);
}

int address_pool_init(AddressPool *pool, const char *gateway, Error *error) {
        const char *slash = strchr(gateway, '/');
        char text[ADDRESS_TEXT] = "";
        uint64_t prefix = 0;
        AddressPool result = {0};

        if (slash && (size_t)(slash - gateway) < sizeof(text))
                (void)snprintf(text, sizeof(text), "%.*s", (int)(slash - gateway), gateway);
        if (!slash || !parse_address(text, &result.gateway) ||
            str_parse_u64(slice_from(slash + 1), PREFIX_MAX, &prefix) < 0 || prefix < PREFIX_MIN)
                return error_set(error, -EINVAL,
                                 "\"%s\" must be the bridge's address with a prefix of %d to %d, as 172.17.0.1/16",
                                 gateway, PREFIX_MIN, PREFIX_MAX);
        result.prefix = (unsigned)prefix;
        result.network = result.gateway & ~(pool_size(&result) - 1);
        if (result.gateway == result.network || result.gateway == result.network + pool_size(&result) - 1)
                return error_set(error, -EINVAL,
                                 "\"%s\" is the subnet itself or its broadcast address, not one of its addresses",
                                 gateway);
        result.taken = calloc(1, pool_size(&result) / 8 + 1);
        if (!result.taken)
                return error_set_errno(error, -ENOMEM, "cannot keep the addresses of %s", gateway);
        set_taken(&result, 0, true);
        set_taken(&result, pool_size(&result) - 1, true);
        set_taken(&result, result.gateway - result.network, true);
        *pool = result;
        return 0;
}

void address_pool_deinit(AddressPool *pool) {
        free(pool->taken);
        *pool = (AddressPool){0};
}

int address_pool_take(AddressPool *pool, char ret[static ADDRESS_TEXT], Error *error) {
        for (uint32_t i = 1; i + 1 < pool_size(pool); i++)
                if (!is_taken(pool, i)) {
                        set_taken(pool, i, true);
                        format_address(pool->network + i, ret);
                        return 0;
                }
        return error_set(
                error, -ENOSPC,
                "no address is free on the containers' bridge: remove containers, or give it a larger subnet by --bip");
}

int address_pool_claim(AddressPool *pool, const char *text) {
        uint32_t address, at;

        if (!parse_address(text, &address) || address < pool->network || address - pool->network >= pool_size(pool))
                return -EADDRNOTAVAIL;
        at = address - pool->network;
        if (at == 0 || at == pool_size(pool) - 1 || address == pool->gateway)
                return -EADDRNOTAVAIL;
        if (is_taken(pool, at))
                return -EADDRINUSE;
        set_taken(pool, at, true);
        return 0;
}

void address_pool_give_back(AddressPool *pool, const char *text) {
        uint32_t address;

        if (parse_address(text, &address) && address > pool->network && address - pool->network < pool_size(pool) - 1 &&
            address != pool->gateway)
                set_taken(pool, address - pool->network, false);
}

void address_pool_gateway(const AddressPool *pool, char ret[static ADDRESS_TEXT]) {
        format_address(pool->gateway, ret);
}

void address_pool_subnet(const AddressPool *pool, char ret[static ADDRESS_TEXT + 3]) {
        char network[ADDRESS_TEXT];

        format_address(pool->network, network);
        (void)snprintf(ret, ADDRESS_TEXT + 3, "%s/%u", network, pool->prefix);
}

int address_to_mac(const char *text, uint8_t ret[static 6]) {
        uint32_t address;

        if (!parse_address(text, &address))
                return -EINVAL;
        ret[0] = 0x02;
        ret[1] = 0x42;
        for (int i = 0; i < 4; i++)
                ret[2 + i] = (uint8_t)(address >> (24 - 8 * i));
        return 0;
}
