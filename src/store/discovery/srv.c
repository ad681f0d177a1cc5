#include "store/discovery/srv.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>

enum {
        ANSWER_MAX = 65535,
        RECORDS_MAX = 256,
        SRV_FIXED = 6, /* bytes of priority, weight and port */
};

typedef struct Record {
        unsigned priority, weight, port;
        char host[NS_MAXDNAME];
} Record;

static int compare_records(const void *a, const void *b) {
        const Record *left = a, *right = b;

        if (left->priority != right->priority)
                return left->priority < right->priority ? -1 : 1;
        return left->weight == right->weight ? 0 : left->weight > right->weight ? -1 : 1;
}

/* 1 with a record, 0: it is one of another kind, -EBADMSG. */
static int parse_record(ns_msg *message, int at, Record *ret) {
        const unsigned char *data;
        size_t length;
        ns_rr record;

        if (ns_parserr(message, ns_s_an, at, &record) < 0)
                return -EBADMSG;
        if (ns_rr_type(record) != ns_t_srv)
                return 0;
        data = ns_rr_rdata(record);
        if (ns_rr_rdlen(record) <= SRV_FIXED)
                return -EBADMSG;
        *ret = (Record){.priority = ns_get16(data), .weight = ns_get16(data + 2), .port = ns_get16(data + 4)};
        if (dn_expand(ns_msg_base(*message), ns_msg_end(*message), data + SRV_FIXED, ret->host, sizeof(ret->host)) < 0)
                return -EBADMSG;
        length = strlen(ret->host);
        if (length > 0 && ret->host[length - 1] == '.')
                ret->host[length - 1] = '\0';
        return 1;
}

int srv_parse(Slice answer, const char *scheme, StringList *urls) {
        _cleanup_free_ Record *records = calloc(RECORDS_MAX, sizeof(*records));
        size_t count = 0;
        ns_msg message;
        int r;

        if (!records)
                return -ENOMEM;
        if (answer.length > ANSWER_MAX ||
            ns_initparse((const unsigned char *)answer.data, (int)answer.length, &message) < 0)
                return -EBADMSG;
        for (int i = 0; i < ns_msg_count(message, ns_s_an) && count < RECORDS_MAX; i++) {
                r = parse_record(&message, i, &records[count]);
                if (r < 0)
                        return r;
                count += r > 0;
        }
        qsort(records, count, sizeof(*records), compare_records);
        for (size_t i = 0; i < count; i++) {
                r = string_list_take(urls, str_printf("%s://%s:%u", scheme, records[i].host, records[i].port));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* -ENOENT: there are no such records. */
static int look_up(const char *kind, const char *domain, const char *service, const char *scheme, StringList *urls) {
        bool tls = str_equals(scheme, "https");
        _cleanup_free_ char *name =
                str_printf("_%s%s%s%s._tcp.%s", kind, tls ? "-ssl" : "", *service ? "-" : "", service, domain);
        _cleanup_free_ unsigned char *answer = malloc(ANSWER_MAX);
        struct __res_state state = {0};
        int length;

        if (!name || !answer || res_ninit(&state) < 0)
                return -ENOMEM;
        length = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, ANSWER_MAX);
        res_nclose(&state);
        if (length < 0)
                return -ENOENT;
        return srv_parse((Slice){(const char *)answer, min_of((size_t)length, (size_t)ANSWER_MAX)}, scheme,
                                     urls);
}

int srv_find_clients(const char *domain, const char *service, StringList *ret_urls, Error *error) {
        int with_tls = look_up("etcd-client", domain, service, "https", ret_urls),
            without = look_up("etcd-client", domain, service, "http", ret_urls);

        if (with_tls == -ENOMEM || without == -ENOMEM)
                return -ENOMEM;
        if (with_tls < 0 && without < 0)
                return error_set(error, -ENOENT,
                                 "no endpoints of %s: the system's resolver finds neither _etcd-client-ssl._tcp.%s nor "
                                 "_etcd-client._tcp.%s; "
                                 "check the domain's SRV records, or name the members with --endpoints",
                                 domain, domain, domain);
        return 0;
}

int srv_find_members(const char *domain, const char *service, StringList *ret_urls, Error *error) {
        const char *dash = *service ? "-" : "";
        int with_tls = look_up("etcd-server", domain, service, "https", ret_urls),
            without = look_up("etcd-server", domain, service, "http", ret_urls);

        if (with_tls == -ENOMEM || without == -ENOMEM)
                return -ENOMEM;
        if (ret_urls->length > 0)
                return 0;
        return error_set(error, -ENOENT,
                         "--discovery-srv: the system's resolver finds no members of %s, neither as _etcd-server-ssl%s%s._tcp.%s nor as "
                         "_etcd-server%s%s._tcp.%s; check the domain's SRV records and /etc/resolv.conf",
                         domain, dash, service, domain, dash, service, domain);
}
