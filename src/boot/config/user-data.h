#pragma once
/* What a user-data is, and the addresses that are put into it. */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

typedef enum UserDataKind {
        USER_DATA_EMPTY,
        USER_DATA_SCRIPT,       /* the first line begins with #! */
        USER_DATA_CLOUD_CONFIG, /* the first line is #cloud-config, blanks may follow */
        USER_DATA_IGNITION,     /* JSON with Ignition's version: left to Ignition */
        USER_DATA_UNKNOWN,
} UserDataKind;

UserDataKind user_data_kind(Slice text);

/* Whether the bytes are a gzip file, and what is in it, appended. -EBADMSG, -EMSGSIZE: more than `max` bytes. */
bool gzip_is(Slice bytes);
int gzip_decode(Slice bytes, size_t max, Buffer *to, Error *error);

typedef enum Address {
        ADDRESS_PUBLIC_IPV4,
        ADDRESS_PRIVATE_IPV4,
        ADDRESS_PUBLIC_IPV6,
        ADDRESS_PRIVATE_IPV6,
        ADDRESSES_COUNT,
} Address;

/* The machine's addresses as text; NULL: not known. Owned. */
typedef struct Addresses {
        char *values[ADDRESSES_COUNT];
} Addresses;

void addresses_deinit(Addresses *addresses);
#define _cleanup_addresses_ _cleanup_(addresses_deinit)

/* "$public_ipv4", and the variable "COREOS_PUBLIC_IPV4" that has the value. */
const char *address_name(Address address);
const char *address_variable(Address address);

/* Sets an address from outside. -EINVAL: characters that no address has; "" is as if it were not set. */
int addresses_set(Addresses *addresses, Address address, Slice value, Error *error);

/*
 * Appends `text` with each $public_ipv4 and so on replaced by its value, or by nothing when that is not known; in
 * ret_missing (may be NULL) the bit 1 << address then is set. "\$public_ipv4" gives the name itself. What follows the
 * name does not matter: "$public_ipv44" is the address and a 4. -EMSGSIZE: above CONFIG_TEXT_MAX.
 */
int addresses_substitute(const Addresses *addresses, Slice text, Buffer *to, unsigned *ret_missing);

/* Appends the URL for people and logs: without user, password and query, which may be secrets. */
int url_format_shown(const char *url, Buffer *to);
