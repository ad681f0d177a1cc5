#pragma once
/* The server's JSON as a StoreReply. */
#include "storeclient/storeclient.h"

/* Levels that an answer may be deep: one with more is no answer. */
#define REPLY_DEPTH_MAX 250
_Static_assert(REPLY_DEPTH_MAX <= STORE_NODE_DEPTH_MAX, "what is read can be walked");

/* Parses the body of an answer: an event (status below 300) or an error. `etcd_index`: of the header, 0 when absent.
 * -EBADMSG: neither; -ENOMEM. */
int reply_parse(Slice body, unsigned status, uint64_t etcd_index, StoreReply *ret_reply);
