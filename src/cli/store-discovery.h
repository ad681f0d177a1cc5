#pragma once
/* Endpoints from a domain's SRV records: _etcd-client-ssl._tcp and _etcd-client._tcp. */
#include "base/error.h"
#include "base/str.h"

/* Blocks while the system's resolver asks. `service` is put behind the records' name, or is "". URLs in the order of priority,
 * those with TLS first. -ENOENT with `error`: there are neither. */
int store_discover(const char *domain, const char *service, StringList *ret_urls, Error *error);

/* The SRV records of one DNS answer, as SCHEME://HOST:PORT, added in the order of priority. -EBADMSG. */
int store_discovery_parse(Slice answer, const char *scheme, StringList *urls);
