#pragma once
/* The body of a request that adds or changes a member. Pure. */
#include "base/error.h"
#include "base/str.h"

/* {"peerURLs":["http://host:port",…]}: adds the URLs, sorted, to an empty list. -EINVAL with a text for the client,
 * whatever has been added by then; -ENOMEM. */
int members_parse_urls(Slice body, StringList *urls, Error *error);
