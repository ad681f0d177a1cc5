#pragma once
/*
 * A request to /v2/keys, parsed and checked as etcd does it: what may be wrong with one is found in etcd's order, with
 * etcd's code and text. Pure: bytes and the time in, a KeysRequest or a code out.
 */
#include "base/buffer.h"
#include "store/tree/command.h"

#define KEYS_PREFIX "/v2/keys"

/* Bodies of forms; Go's net/http has the same limit. */
#define KEYS_FORM_MAX ((size_t)10 * 1024 * 1024)

/* Codes that are born here; the tree has its own in tree-error.h. */
typedef enum KeysCode {
        KEYS_UNAUTHORIZED = 110,
        KEYS_PREV_VALUE_REQUIRED = 201,
        KEYS_TTL_NOT_A_NUMBER = 202,
        KEYS_INDEX_NOT_A_NUMBER = 203,
        KEYS_INVALID_FIELD = 209,
        KEYS_INVALID_FORM = 210,
        KEYS_REFRESH_VALUE = 211,
        KEYS_REFRESH_TTL_REQUIRED = 212,
        KEYS_RAFT_INTERNAL = 300,
} KeysCode;

typedef enum KeysMethod {
        KEYS_GET,
        KEYS_HEAD,
        KEYS_PUT,
        KEYS_POST,
        KEYS_DELETE,
        KEYS_METHODS,
} KeysMethod;

/* What comes in; everything is borrowed. */
typedef struct KeysInput {
        KeysMethod method;
        Slice path;         /* decoded and clean (keys_clean_path()), what follows KEYS_PREFIX */
        Slice query;        /* as sent, without '?' */
        Slice content_type; /* data NULL: none */
        Slice body;
        WallUsec now;
} KeysInput;

typedef struct KeysRequest {
        KeysMethod method;
        Slice path; /* full internal path */
        bool recursive, sorted, quorum;
        bool wait, stream;
        uint64_t wait_index;
        bool no_value_on_success;
        Command command; /* PUT, POST and DELETE; its slices lie in `text` */
        Buffer text;
} KeysRequest;

void keys_request_deinit(KeysRequest *request);
#define _cleanup_keys_request_ _cleanup_(keys_request_deinit)

/* 0, or above zero a KeysCode with its cause in the (empty) buffer `cause`. -ENOMEM. *ret_request must be released in
 * every case. */
int keys_request_parse(const KeysInput *input, KeysRequest *ret_request, Buffer *cause);

/* Go's ServeMux sends clients elsewhere when a decoded path is not clean. Appends the clean form of `path`: no "//",
 * "." or ".."; a slash at the end stays. -ENOMEM. */
int keys_clean_path(Slice path, Buffer *clean);
