#pragma once
/* What a domain's SRV records say of a store: where clients find it, and which members it begins with. */
#include "base/error.h"
#include "base/str.h"

/* Blocks while the system's resolver asks for _etcd-client-ssl._tcp and _etcd-client._tcp. `service` is put behind the records'
 * name, or is "". URLs in the order of priority, those with TLS first. -ENOENT with `error`: there are neither. */
int srv_find_clients(const char *domain, const char *service, StringList *ret_urls, Error *error);

/* The same of _etcd-server-ssl._tcp and _etcd-server._tcp: peer URLs of all founders. */
int srv_find_members(const char *domain, const char *service, StringList *ret_urls, Error *error);

/* The SRV records of one DNS answer, as SCHEME://HOST:PORT, added in the order of priority. -EBADMSG. */
int srv_parse(Slice answer, const char *scheme, StringList *urls);
