#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/network.h"

typedef int (*Parser)(Slice text, Network *network, Error *error);

/* All units in order, each with its name in front. */
static void units_are(Parser parse, const char *text, const char *expected) {
        _cleanup_network_ Network network = {0};
        _cleanup_buffer_ Buffer units = BUFFER_INIT;
        Error error = ERROR_NONE;

        if (parse(slice_from(text), &network, &error) < 0)
                fail_msg("%s", error.text);
        for (size_t i = 0; i < network.length; i++) {
                (void)buffer_printf(&units, "== %02x-%s\n", network.items[i].depth,
                                    network.items[i].name ?: network.items[i].mac);
                (void)network_format_netdev(&network.items[i], &units);
                (void)network_format_network(&network, &network.items[i], &units);
        }
        assert_string_equal(buffer_string(&units), expected);
}

static void is_refused(Parser parse, const char *text, const char *expected) {
        _cleanup_network_ Network network = {0};
        Error error = ERROR_NONE;

        assert_int_equal(parse(slice_from(text), &network, &error), -EINVAL);
        assert_string_equal(error.text, expected);
}

static void test_debian_static_interface(void **state) {
        (void)state;
        units_are(network_parse_debian,
                  "# c\nauto lo eth0\niface lo inet loopback\n\niface eth0 inet static\n\taddress 10.0.0.5\n"
                  "  netmask \\\n 255.255.255.0\n  gateway 10.0.0.1\n  dns-nameservers 8.8.8.8  8.8.4.4\n"
                  "  post-up route add -net 10.1.2.3 netmask 255.255.0.0 gw 10.0.0.2\n"
                  "  post-up route add -net 10.9.0.0/16 gw 10.0.0.3\n  post-up route add -net 1.1.1.1\n",
                  "== 00-eth0\n[Match]\nName=eth0\n\n[Network]\nDNS=8.8.8.8\nDNS=8.8.4.4\n"
                  "\n[Address]\nAddress=10.0.0.5/24\n\n[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.1\n"
                  "\n[Route]\nDestination=10.1.0.0/16\nGateway=10.0.0.2\n"
                  "\n[Route]\nDestination=10.9.0.0/16\nGateway=10.0.0.3\n");
}

/* A card below a bond below a VLAN: each is numbered by what stands on it. */
static void test_debian_bond_and_vlan(void **state) {
        (void)state;
        units_are(network_parse_debian,
                  "iface bond0 inet manual\nbond-slaves eth0 eth1\nbond-mode 4\nbond-miimon 100\nbond-lacp-rate 1\n"
                  "iface vlan7 inet dhcp\nvlan_raw_device bond0\nhwaddress ether AA:bb:cc:dd:ee:ff\n",
                  "== 01-bond0\n[NetDev]\nKind=bond\nName=bond0\n\n[Bond]\nlacp-rate=1\nmiimon=100\nmode=4\n"
                  "[Match]\nName=bond0\n\n[Network]\nVLAN=vlan7\n"
                  "== 02-eth0\n[Match]\nName=eth0\n\n[Network]\nBond=bond0\n"
                  "== 02-eth1\n[Match]\nName=eth1\n\n[Network]\nBond=bond0\n"
                  "== 00-vlan7\n[NetDev]\nKind=vlan\nName=vlan7\nMACAddress=aa:bb:cc:dd:ee:ff\n\n[VLAN]\nId=7\n"
                  "[Match]\nName=vlan7\n\n[Network]\nDHCP=true\n");
}

static void test_debian_that_is_wrong(void **state) {
        (void)state;
        is_refused(network_parse_debian, "address 1.2.3.4\n", "line 1: no stanza has begun in front of \"address\"");
        is_refused(network_parse_debian, "\nmapping eth0\n", "line 2: unknown stanza \"mapping\"");
        is_refused(network_parse_debian, "allow-hotplug eth0\n", "line 1: unknown stanza \"allow-hotplug\"");
        is_refused(network_parse_debian, "iface eth0 inet\n", "line 1: NAME, FAMILY and METHOD must follow \"iface\"");
        is_refused(network_parse_debian, "auto lo\niface eth0 inet static\naddress 1.2.3.4\n",
                   "line 2: eth0: a static interface must have an address and a netmask");
        is_refused(network_parse_debian, "iface eth0 inet static\naddress 1.2.3.4\nnetmask 255.0.255.0\n",
                   "line 1: eth0: \"255.0.255.0\" is no netmask for the address 1.2.3.4");
        is_refused(network_parse_debian, "iface eth0 inet ppp\n",
                   "line 1: eth0: the method \"ppp\" is unknown: static, dhcp, manual and loopback are known");
        is_refused(network_parse_debian, "iface eth0.x inet manual\n",
                   "line 1: eth0.x: the name of a VLAN must end with its number, as eth0.42 or vlan42");
        is_refused(
                network_parse_debian, "iface ../../etc inet manual\n",
                "line 1: ../../etc: \"../../etc\" cannot be the name of a network interface: at most 15 characters, no "
                "blanks, no '/'");
        is_refused(network_parse_debian, "iface a inet manual\nbond-slaves b\niface b inet manual\nbond-slaves a\n",
                   "network interfaces stand on each other in a circle, or more than 8 deep");
}

static void test_packet(void **state) {
        (void)state;
        units_are(
                network_parse_packet,
                "{\"interfaces\":[{\"name\":\"enp1\",\"mac\":\"0C:c4:7a:00:00:01\"},{\"name\":\"enp2\"}],"
                "\"addresses\":[{\"address\":\"1.2.3.4\",\"netmask\":\"255.255.255.254\",\"gateway\":\"1.2.3.5\","
                "\"address_family\":4,\"public\":true},"
                "{\"address\":\"2604::2\",\"netmask\":\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\",\"gateway\":\"2604::"
                "1\","
                "\"address_family\":6,\"public\":true},"
                "{\"address\":\"10.1.0.2\",\"netmask\":\"255.255.255.0\",\"gateway\":\"10.1.0.1\",\"address_family\":4,"
                "\"public\":false}]}",
                "== 00-bond0\n[NetDev]\nKind=bond\nName=bond0\nMACAddress=0c:c4:7a:00:00:01\n\n[Bond]\n"
                "DownDelaySec=.2\nLACPTransmitRate=fast\nMIIMonitorSec=.2\nMode=802.3ad\nUpDelaySec=.2\n"
                "[Match]\nName=bond0\nMACAddress=0c:c4:7a:00:00:01\n\n[Network]\nDNS=8.8.8.8\nDNS=8.8.4.4\n"
                "\n[Address]\nAddress=1.2.3.4/31\n\n[Address]\nAddress=2604::2/127\n\n[Address]\nAddress=10.1.0.2/24\n"
                "\n[Route]\nDestination=0.0.0.0/0\nGateway=1.2.3.5\n\n[Route]\nDestination=::/0\nGateway=2604::1\n"
                "\n[Route]\nDestination=10.0.0.0/8\nGateway=10.1.0.1\n"
                "== 00-enp1\n[Match]\nName=enp1\n\n[Network]\nBond=bond0\nDNS=8.8.8.8\nDNS=8.8.4.4\n"
                "== 01-enp2\n[Match]\nName=enp2\n\n[Network]\nBond=bond0\nDNS=8.8.8.8\nDNS=8.8.4.4\n");
        is_refused(network_parse_packet, "{\"interfaces\":[]}", "it names no interfaces");
        is_refused(network_parse_packet, "<html>", "it is no JSON object");
}

static void test_vmware(void **state) {
        (void)state;
        units_are(network_parse_vmware,
                  "dns.server.0=1.1.1.1\ndns.domain.0=a.b\ndns.domain.1=c\ninterface.0.mac=00:11:22:33:44:55\n"
                  "interface.0.ip.0.address=10.0.0.2/8\ninterface.0.route.0.gateway=10.0.0.1\n"
                  "interface.0.route.0.destination=0.0.0.0/0\ninterface.1.name=eth1\ninterface.1.dhcp=yes\n",
                  "== 00-00:11:22:33:44:55\n[Match]\nMACAddress=00:11:22:33:44:55\n\n[Network]\nDomains=a.b "
                  "c\nDNS=1.1.1.1\n"
                  "\n[Address]\nAddress=10.0.0.2/8\n\n[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.1\n"
                  "== 00-eth1\n[Match]\nName=eth1\n\n[Network]\nDHCP=true\n");
        is_refused(network_parse_vmware, "interface.0.name=e\ninterface.0.route.0.gateway=1.1.1.1\n",
                   "interface.0.route.0 has no destination");
        is_refused(network_parse_vmware, "interface.0.dhcp=maybe\n", "interface.0.dhcp must be yes or no");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_debian_static_interface),
                cmocka_unit_test(test_debian_bond_and_vlan),
                cmocka_unit_test(test_debian_that_is_wrong),
                cmocka_unit_test(test_packet),
                cmocka_unit_test(test_vmware),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
