#include "machine/switch.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "host/link.h"
#include "machine/plan.h"

#define BRIDGE "switch"
#define MACHINE_LINK "eth0"

static int make_bridge(void *userdata, Error *error) {
        _cleanup_free_ char *address = str_printf(PLAN_GATEWAY "/%d", PLAN_PREFIX_LENGTH);
        int r;

        (void)userdata;
        r = address ? link_set_up("lo", error) : -ENOMEM;
        if (r >= 0)
                r = link_add_bridge(BRIDGE, error);
        if (r >= 0)
                r = link_add_address(BRIDGE, address, error);
        if (r >= 0)
                r = link_set_up(BRIDGE, error);
        return r;
}

int switch_new(int *ret, Error *error) {
        _cleanup_close_ int home = net_namespace_open(0), network = -1;
        int r;

        if (home < 0)
                return error_set_errno(error, home, "cannot open the own network namespace");
        if (unshare(CLONE_NEWNET) < 0)
                return error_set_errno(error, -errno, "cannot make a network namespace for the switch");
        network = net_namespace_open(0);
        if (setns(home, CLONE_NEWNET) < 0)
                abort(); /* nothing may go on in a foreign network */
        if (network < 0)
                return error_set_errno(error, network, "cannot open the switch's network namespace");
        r = net_namespace_run(network, make_bridge, NULL, error);
        if (r < 0)
                return error_prefix(error, r, "the switch");
        *ret = take_fd(network);
        return 0;
}

typedef struct Cable {
        const char *machine;
        uint8_t mac[LINK_MAC_LENGTH];
        int peer;
} Cable;

static int add_cable(void *userdata, Error *error) {
        const Cable *cable = userdata;
        int r;

        /* that of an earlier life of the machine: the kernel takes a dead network apart in its own time */
        r = link_remove(cable->machine, error);
        if (r >= 0)
                r = link_add_veth(cable->machine, MACHINE_LINK, cable->peer, cable->mac, error);
        if (r >= 0)
                r = link_set_master(cable->machine, BRIDGE, error);
        return r < 0 ? r : link_set_up(cable->machine, error);
}

int switch_plug_in(int network, const char *machine, unsigned number, pid_t pid, Error *error) {
        _cleanup_close_ int peer = net_namespace_open(pid);
        Cable cable = {
                .machine = machine,
                .mac = {0x02 /* locally administered */, 0xfa, 10, 66, (uint8_t)(number >> 8), (uint8_t)number},
                .peer = peer,
        };
        int r;

        if (peer < 0)
                return error_set_errno(error, peer, "cannot open the network of %s", machine);
        r = net_namespace_run(network, add_cable, &cable, error);
        return r < 0 ? error_prefix(error, r, "the cable of %s to the switch", machine) : 0;
}

static int make_socket(void *userdata, Error *error) {
        int *fd = userdata;

        *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return *fd < 0 ? error_set_errno(error, -errno, "cannot make a socket") : 0;
}

int switch_socket(int network, int *ret, Error *error) {
        return net_namespace_run(network, make_socket, ret, error);
}

int switch_configure_machine(const char *address, Error *error) {
        _cleanup_free_ char *with_length = str_printf("%s/%d", address, PLAN_PREFIX_LENGTH);
        int r;

        r = with_length ? link_set_up("lo", error) : -ENOMEM;
        if (r >= 0)
                r = link_add_address(MACHINE_LINK, with_length, error);
        /* No default route: there is no way out, and without one the kernel says so at once. With one that leads nowhere
         * every look-up of a name would wait for its time-out. */
        return r < 0 ? r : link_set_up(MACHINE_LINK, error);
}
