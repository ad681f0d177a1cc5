#include "host/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/str.h"

enum { MESSAGE_MAX = 4096 };

/* A request that is being built: its message, and room for it. */
typedef struct LinkMessage {
        union {
                struct nlmsghdr header;
                char bytes[MESSAGE_MAX];
        };
} LinkMessage;

static struct nlmsghdr *message_begin(LinkMessage *message, uint16_t type, uint16_t flags) {
        struct nlmsghdr *header;

        memset(message, 0, sizeof(*message));
        header = mnl_nlmsg_put_header(message->bytes);
        header->nlmsg_type = type;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        header->nlmsg_seq = 1;
        return header;
}

/* Sends the request and waits for the kernel's answer to it: 0 or the errno that it gave. */
static int message_send(LinkMessage *message) {
        char answer[MESSAGE_MAX];
        struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
        ssize_t length;
        int r = 0;

        if (!socket)
                return -errno;
        if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
            mnl_socket_sendto(socket, &message->header, message->header.nlmsg_len) < 0)
                r = -errno;
        if (r >= 0) {
                length = mnl_socket_recvfrom(socket, answer, sizeof(answer));
                if (length < 0 || mnl_cb_run(answer, (size_t)length, 1, mnl_socket_get_portid(socket), NULL, NULL) < 0)
                        r = -errno;
        }
        (void)mnl_socket_close(socket);
        return r;
}

static int check_name(const char *name, Error *error) {
        size_t length = strlen(name);

        if (length < 1 || length > LINK_NAME_MAX || strchr(name, '/'))
                return error_set(error, -EINVAL, "\"%s\" cannot be a link's name: 1 to %d characters without '/'", name,
                                 LINK_NAME_MAX);
        return 0;
}

/* The link's number in this namespace. */
static int find_index(const char *name, unsigned *ret, Error *error) {
        unsigned index = if_nametoindex(name);

        if (index == 0)
                return error_set(error, -ENODEV, "there is no link %s in this network namespace", name);
        *ret = index;
        return 0;
}

/* ---- links ---- */

int link_add_bridge(const char *name, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        struct nlattr *info;
        int r = check_name(name, error);

        if (r < 0)
                return r;
        (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(header, IFLA_IFNAME, name);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
        mnl_attr_nest_end(header, info);
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot make the bridge %s", name) : 0;
}

int link_add_veth(const char *name, const char *peer, int peer_namespace, const uint8_t *peer_mac, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        struct nlattr *info, *data, *other;
        int r = check_name(name, error);

        if (r >= 0)
                r = check_name(peer, error);
        if (r < 0)
                return r;
        (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(header, IFLA_IFNAME, name);
        info = mnl_attr_nest_start(header, IFLA_LINKINFO);
        mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
        data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
        other = mnl_attr_nest_start(header, VETH_INFO_PEER);
        (void)mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(header, IFLA_IFNAME, peer);
        if (peer_mac)
                mnl_attr_put(header, IFLA_ADDRESS, LINK_MAC_LENGTH, peer_mac);
        if (peer_namespace >= 0)
                mnl_attr_put_u32(header, IFLA_NET_NS_FD, (uint32_t)peer_namespace);
        mnl_attr_nest_end(header, other);
        mnl_attr_nest_end(header, data);
        mnl_attr_nest_end(header, info);
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot make the pair of links %s and %s", name, peer) : 0;
}

int link_set_master(const char *name, const char *bridge, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWLINK, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        unsigned index = 0, master = 0;
        int r;

        r = find_index(name, &index, error);
        if (r >= 0)
                r = find_index(bridge, &master, error);
        if (r < 0)
                return r;
        info->ifi_index = (int)index;
        mnl_attr_put_u32(header, IFLA_MASTER, master);
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot make the link %s a port of the bridge %s", name, bridge) : 0;
}

int link_set_hairpin(const char *name, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_SETLINK, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        struct nlattr *port;
        unsigned index = 0;
        int r;

        r = find_index(name, &index, error);
        if (r < 0)
                return r;
        info->ifi_family = AF_BRIDGE;
        info->ifi_index = (int)index;
        port = mnl_attr_nest_start(header, IFLA_PROTINFO);
        mnl_attr_put_u8(header, IFLA_BRPORT_MODE, 1);
        mnl_attr_nest_end(header, port);
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot let the bridge's port %s send back what came from it", name) : 0;
}

int link_set_up(const char *name, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWLINK, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        unsigned index = 0;
        int r;

        r = find_index(name, &index, error);
        if (r < 0)
                return r;
        info->ifi_index = (int)index;
        info->ifi_flags = info->ifi_change = IFF_UP;
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot set the link %s up", name) : 0;
}

int link_remove(const char *name, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_DELLINK, 0);
        struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
        unsigned index = if_nametoindex(name);
        int r;

        if (index == 0)
                return 0;
        info->ifi_index = (int)index;
        r = message_send(&message);
        return r < 0 && r != -ENODEV ? error_set_errno(error, r, "cannot remove the link %s", name) : 0;
}

bool link_exists(const char *name) {
        return if_nametoindex(name) != 0;
}

/* ---- addresses and routes ---- */

/* An address of either family in network order. */
typedef struct LinkAddress {
        uint8_t bytes[sizeof(struct in6_addr)];
        size_t length;
        uint8_t family;
        uint8_t prefix;
} LinkAddress;

static int parse_ip(const char *text, LinkAddress *ret) {
        LinkAddress address = {0};

        if (inet_pton(AF_INET, text, address.bytes) == 1) {
                address.family = AF_INET;
                address.length = sizeof(struct in_addr);
        } else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
                address.family = AF_INET6;
                address.length = sizeof(struct in6_addr);
        } else {
                return -EINVAL;
        }
        address.prefix = (uint8_t)(address.length * 8);
        *ret = address;
        return 0;
}

static int parse_address(const char *text, LinkAddress *ret, Error *error) {
        _cleanup_free_ char *ip = NULL;
        const char *slash = strchr(text, '/');
        uint64_t prefix;

        ip = slice_dup((Slice){text, slash ? (size_t)(slash - text) : strlen(text)});
        if (!ip)
                return error_set_errno(error, -ENOMEM, "cannot read the address %s", text);
        if (parse_ip(ip, ret) < 0 || (slash && str_parse_u64(slice_from(slash + 1), ret->prefix, &prefix) < 0))
                return error_set(error, -EINVAL, "\"%s\" is not an address with a prefix length, such as 10.0.0.1/24",
                                 text);
        if (slash)
                ret->prefix = (uint8_t)prefix;
        return 0;
}

int link_add_address(const char *name, const char *address, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
        struct ifaddrmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
        LinkAddress parsed;
        unsigned index = 0;
        int r;

        r = parse_address(address, &parsed, error);
        if (r >= 0)
                r = find_index(name, &index, error);
        if (r < 0)
                return r;
        body->ifa_family = parsed.family;
        body->ifa_prefixlen = parsed.prefix;
        body->ifa_index = index;
        mnl_attr_put(header, IFA_LOCAL, parsed.length, parsed.bytes);
        mnl_attr_put(header, IFA_ADDRESS, parsed.length, parsed.bytes);
        r = message_send(&message);
        return r < 0 && r != -EEXIST
                       ? error_set_errno(error, r, "cannot give the link %s the address %s", name, address)
                       : 0;
}

int link_add_default_route(const char *gateway, Error *error) {
        LinkMessage message;
        struct nlmsghdr *header = message_begin(&message, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        struct rtmsg *body = mnl_nlmsg_put_extra_header(header, sizeof(*body));
        LinkAddress parsed;
        int r;

        if (parse_ip(gateway, &parsed) < 0)
                return error_set(error, -EINVAL, "\"%s\" is not the address of a gateway", gateway);
        body->rtm_family = parsed.family;
        body->rtm_table = RT_TABLE_MAIN;
        body->rtm_protocol = RTPROT_STATIC;
        body->rtm_scope = RT_SCOPE_UNIVERSE;
        body->rtm_type = RTN_UNICAST;
        mnl_attr_put(header, RTA_GATEWAY, parsed.length, parsed.bytes);
        r = message_send(&message);
        return r < 0 ? error_set_errno(error, r, "cannot make %s the gateway of the default route", gateway) : 0;
}

/* ---- network namespaces ---- */

int net_namespace_open(pid_t pid) {
        _cleanup_free_ char *path = pid == 0 ? strdup("/proc/thread-self/ns/net") : str_printf("/proc/%d/ns/net", pid);
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

        return fd >= 0 ? fd : path ? -errno : -ENOMEM;
}

int net_namespace_run(int namespace_fd, int (*run)(void *userdata, Error *error), void *userdata, Error *error) {
        _cleanup_close_ int own = net_namespace_open(0);
        int r;

        if (own < 0)
                return error_set_errno(error, own, "cannot open the own network namespace");
        if (setns(namespace_fd, CLONE_NEWNET) < 0)
                return error_set_errno(error, -errno, "cannot enter the network namespace");
        r = run(userdata, error);
        if (setns(own, CLONE_NEWNET) < 0)
                abort();
        return r;
}
