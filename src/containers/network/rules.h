#pragma once
/* The nftables rules of the containers' network, as text for nft: one table of our own, made anew as a whole. Pure. */
#include "base/buffer.h"
#include "base/error.h"

#define RULES_TABLE "faering"

typedef struct PublishedPort {
        char address[16]; /* of the host; "0.0.0.0": all */
        uint16_t host, container;
        char protocol[4]; /* "tcp", "udp" */
        char target[16];  /* the container's address */
} PublishedPort;

typedef struct RulesInput {
        const char *bridge, *subnet;
        const PublishedPort *ports;
        size_t n_ports;
} RulesInput;

/* Replaces the table in one transaction. */
int rules_format(const RulesInput *input, Buffer *buffer);

/* Takes the table away. */
int rules_format_removal(Buffer *buffer);

/* Gives `text` to the kernel by libnftables. -EIO with what nft says. */
int rules_apply(const char *text, Error *error);
