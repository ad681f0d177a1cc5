#include "machine/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

enum {
        FIRST_HOST = 10, /* machine N has the host part 10 + N */
        PEER_PORT = 2380,
};

int plan_parse_name(const char *name, unsigned *ret_number, Error *error) {
        uint64_t number;

        if (name[0] != 'm' || name[1] == '0' || str_parse_u64(slice_from(name + 1), PLAN_MACHINES_MAX, &number) < 0 ||
            number == 0)
                return error_set(error, -EINVAL, "\"%s\" is no name of a local machine: they are m1 to m%d", name,
                                 PLAN_MACHINES_MAX);
        *ret_number = (unsigned)number;
        return 0;
}

void plan_name(unsigned number, char name[static PLAN_NAME_MAX]) {
        (void)snprintf(name, PLAN_NAME_MAX, "m%u", number % 1000);
}

void plan_address(unsigned number, char address[static PLAN_ADDRESS_MAX]) {
        (void)snprintf(address, PLAN_ADDRESS_MAX, "10.66.0.%u", (FIRST_HOST + number) % 256);
}

int plan_initial_cluster(unsigned count, Buffer *to) {
        int r = 0;

        for (unsigned i = 1; r >= 0 && i <= count; i++) {
                char address[PLAN_ADDRESS_MAX];

                plan_address(i, address);
                r = buffer_printf(to, "%s%s=http://%s:%d", i > 1 ? "," : "", address, address, PEER_PORT);
        }
        return r;
}

static int parse_port(Slice text, uint16_t *ret) {
        uint64_t port;

        if (str_parse_u64(text, UINT16_MAX, &port) < 0 || port == 0)
                return -EINVAL;
        *ret = (uint16_t)port;
        return 0;
}

static int parse_target(Slice text, char address[static PLAN_ADDRESS_MAX]) {
        struct in_addr parsed;
        unsigned number;

        if (text.length >= PLAN_ADDRESS_MAX)
                return -EINVAL;
        memcpy(address, text.data, text.length);
        address[text.length] = '\0';
        if (plan_parse_name(address, &number, NULL) >= 0) {
                plan_address(number, address);
                return 0;
        }
        return inet_pton(AF_INET, address, &parsed) == 1 ? 0 : -EINVAL;
}

int plan_parse_forward(const char *text, PlanForward *ret, Error *error) {
        Slice rest = slice_from(text), host_port, target, port;
        PlanForward forward = {0};

        if (!slice_split(&rest, ':', &host_port) || !rest.data || !slice_split(&rest, ':', &target) || !rest.data ||
            !slice_split(&rest, ':', &port) || rest.data || parse_port(host_port, &forward.host_port) < 0 ||
            parse_target(target, forward.address) < 0 || parse_port(port, &forward.port) < 0)
                return error_set(
                        error, -EINVAL,
                        "\"%s\" is no port to forward: it is HOSTPORT:MACHINE:PORT or HOSTPORT:ADDRESS:PORT, as in "
                        "8080:m1:80",
                        text);
        *ret = forward;
        return 0;
}
