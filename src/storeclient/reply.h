#pragma once
/* The server's JSON as a StoreReply. */
#include "storeclient/storeclient.h"

/* Directories that an answer may be deep. */
#define REPLY_DEPTH_MAX 250

/* Parses the body of an answer: an event (status below 300) or an error. `etcd_index`: of the header, 0 when absent.
 * -EBADMSG: neither; -ENOMEM. */
int reply_parse(Slice body, unsigned status, uint64_t etcd_index, StoreReply *ret_reply);
