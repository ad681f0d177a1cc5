#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "boot/config/plan.h"

static BootFacts facts(void) {
        return (BootFacts){.hostname = "before", .script_name = "7", .workspace = "/w"};
}

/* The four services that always are looked at; what a test is about stands before, between and behind. */
#define ETCD "unmask /run/systemd/system/etcd.service\n"
#define ETCD2 "unmask /run/systemd/system/etcd2.service\n"
#define FLEET "unmask /run/systemd/system/fleet.service\n"
#define LOCKSMITH "unmask /run/systemd/system/locksmithd.service\n"
#define ALWAYS ETCD ETCD2 FLEET LOCKSMITH

static void format(const BootPlan *plan, Buffer *text) {
        for (size_t i = 0; i < plan->length; i++) {
                assert_int_equal(boot_plan_format_step(&plan->steps[i], text), 0);
                assert_int_equal(buffer_append_byte(text, '\n'), 0);
        }
}

static void plan_is(const BootFacts *about, const char *user_data, const char *expected) {
        _cleanup_boot_plan_ BootPlan plan = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Error error = ERROR_NONE;

        (void)boot_plan_make(about, slice_from(user_data), &plan, &error);
        assert_string_equal(error.text, "");
        format(&plan, &text);
        assert_string_equal(buffer_string(&text), expected);
}

static void refused(const char *user_data, const char *why) {
        const BootFacts about = facts();
        _cleanup_boot_plan_ BootPlan plan = {0};
        Error error = ERROR_NONE;

        assert_true(boot_plan_make(&about, slice_from(user_data), &plan, &error) < 0);
        assert_int_equal(plan.length, 0);
        if (!strstr(error.text, why))
                assert_string_equal(error.text, why);
}

static void content_is(const char *user_data, const char *path, const char *expected) {
        const BootFacts about = facts();
        _cleanup_boot_plan_ BootPlan plan = {0};
        bool found = false;

        assert_int_equal(boot_plan_make(&about, slice_from(user_data), &plan, NULL), 0);
        for (size_t i = 0; i < plan.length; i++)
                if (plan.steps[i].path && str_equals(plan.steps[i].path, path) && plan.steps[i].kind == STEP_FILE) {
                        assert_string_equal(plan.steps[i].text, expected);
                        found = true;
                }
        assert_true(found);
}

static void warning_is(const char *user_data, const char *expected) {
        const BootFacts about = facts();
        _cleanup_boot_plan_ BootPlan plan = {0};

        assert_int_equal(boot_plan_make(&about, slice_from(user_data), &plan, NULL), 0);
        assert_int_equal(plan.warnings.length, 1);
        assert_string_equal(plan.warnings.items[0], expected);
}

static void test_everything_has_its_order(void **state) {
        const BootFacts about = {.hostname = "before",
                                 .addresses = {.values = {[ADDRESS_PRIVATE_IPV4] = (char[]){"10.0.0.1"}}}};

        (void)state;
        plan_is(&about,
                "#cloud-config\n"
                "coreos:\n"
                "  units:\n"
                "    - {name: b.service, command: start, enable: true, content: x}\n"
                "    - {name: a.service, command: stop, runtime: true, drop-ins: [{name: 1.conf, content: y}, {name: "
                "no.conf}]}\n"
                "    - {command: start}\n"
                "  etcd2: {name: n}\n"
                "  flannel: {interface: eth0}\n"
                "  oem: {id: o}\n"
                "write_files:\n"
                "  - {path: /x, content: abc, owner: \"core:core\", permissions: \"0600\"}\n"
                "hostname: h\n"
                "manage-etc-hosts: localhost\n",
                "set the host name to h\n"
                "write /x (3 bytes, mode 0600, owner core:core)\n"
                "write /etc/oem-release (55 bytes, mode 0644)\n"
                "write /etc/hosts (12 bytes, mode 0644)\n"
                "write /run/flannel/options.env (19 bytes, mode 0644)\n"
                "write /etc/environment (29 bytes, mode 0644)\n"
                "write /etc/systemd/system/b.service (1 bytes, mode 0644)\n"
                "enable b.service\n"
                "write /run/systemd/system/a.service.d/1.conf (1 bytes, mode 0644)\n"
                "unmask /run/systemd/system/a.service\n" ETCD
                "write /run/systemd/system/etcd2.service.d/20-cloudinit.conf (36 bytes, mode 0644)\n" ETCD2 FLEET
                        LOCKSMITH "read the unit files anew\n"
                "start b.service\n"
                "stop a.service\n");
}

static void test_nothing_to_do(void **state) {
        const BootFacts about = facts();

        (void)state;
        plan_is(&about, "", ALWAYS);
        plan_is(&about, "#cloud-config\n", ALWAYS);
        plan_is(&about, "#cloud-config\n~\n", ALWAYS);
        plan_is(&about, "{\"ignition\": {\"version\": \"2.0.0\"}}", "");
}

static void test_masks(void **state) {
        const BootFacts about = facts();

        (void)state;
        plan_is(&about, "#cloud-config\ncoreos: {units: [{name: a.service, mask: true}]}\n",
                "mask /etc/systemd/system/a.service\n" ALWAYS "read the unit files anew\n");
        plan_is(&about, "#cloud-config\ncoreos: {units: [{name: a.service, mask: true, runtime: true}]}\n",
                "mask /run/systemd/system/a.service\n" ALWAYS "read the unit files anew\n");
}

static void test_network_units_restart_their_daemon_once_and_first(void **state) {
        const BootFacts about = facts();

        (void)state;
        plan_is(&about,
                "#cloud-config\ncoreos:\n  units:\n    - {name: a.service, command: start}\n    - {name: 1.network, "
                "command: start, content: x}\n"
                "    - {name: 2.netdev, enable: true, runtime: true, content: y}\n",
                "write /etc/systemd/network/1.network (1 bytes, mode 0644)\n"
                "write /run/systemd/network/2.netdev (1 bytes, mode 0644)\n"
                "unmask /run/systemd/network/2.netdev\n" ALWAYS "read the unit files anew\n"
                "restart systemd-networkd.service\n"
                "start a.service\n");
}

static void test_variables_are_written_as_go_prints_them(void **state) {
        (void)state;
        content_is("#cloud-config\ncoreos: {fleet: {verbosity: 0x10, etcd-request-timeout: 2.50, "
                   "engine_reconcile_interval: 3, "
                   "verify-units: yes, disable-engine: no, token-limit: 0, public-ip: 1, metadata: \"\", agent-ttl: "
                   "off}}\n",
                   "/run/systemd/system/fleet.service.d/20-cloudinit.conf",
                   "[Service]\nEnvironment=\"FLEET_AGENT_TTL=off\"\nEnvironment=\"FLEET_ENGINE_RECONCILE_INTERVAL=3\"\n"
                   "Environment=\"FLEET_ETCD_REQUEST_TIMEOUT=2.5\"\nEnvironment=\"FLEET_PUBLIC_IP=1\"\nEnvironment="
                   "\"FLEET_VERBOSITY=16\"\n"
                   "Environment=\"FLEET_VERIFY_UNITS=true\"\n");
}

static void test_values_of_the_wrong_type_are_passed_over(void **state) {
        (void)state;
        content_is("#cloud-config\ncoreos: {fleet: {verbosity: much, verify-units: \"true\", metadata: [a], public-ip: "
                   "x}}\n",
                   "/run/systemd/system/fleet.service.d/20-cloudinit.conf",
                   "[Service]\nEnvironment=\"FLEET_PUBLIC_IP=x\"\n");
}

static void test_environment_file_keeps_its_lines(void **state) {
        BootFacts about = {.hostname = "h", .addresses = {.values = {[ADDRESS_PUBLIC_IPV4] = (char[]){"1.1.1.1"}}}};

        (void)state;
        about.environment_file = slice_from("# c\nA=1\nCOREOS_PUBLIC_IPV4=old");
        plan_is(&about, "", "write /etc/environment (35 bytes, mode 0644)\n" ALWAYS);
        about.environment_file = slice_from("COREOS_PUBLIC_IPV4=1.1.1.1\n");
        plan_is(&about, "", ALWAYS);
        plan_is(&about, "#cloud-config\nwrite_files: [{path: etc//environment, content: x}]\n",
                "write /etc/environment (1 bytes, mode 0644)\n" ALWAYS);
}

static void test_update_needs_a_file_to_rewrite(void **state) {
        static const char text[] = "#cloud-config\ncoreos:\n  update: {reboot-strategy: off, group: beta}\n";
        BootFacts about = facts();

        (void)state;
        warning_is(text, "line 3: coreos.update is left out: this machine has no update.conf in /etc/coreos or "
                         "/usr/share/coreos, so nothing "
                         "updates it");
        about.update_conf = slice_from("GROUP=stable\nX=1\n");
        plan_is(&about, text,
                "write /etc/coreos/update.conf (35 bytes, mode 0644)\n" ALWAYS
                "mask /run/systemd/system/locksmithd.service\n"
                "read the unit files anew\n"
                "stop locksmithd.service\n"
                "restart update-engine.service\n");
}

static void test_script_runs_in_a_unit_of_its_own(void **state) {
        const BootFacts about = facts();

        (void)state;
        plan_is(&about, "#!/bin/sh\n:\n",
                "write /w/scripts/7 (12 bytes, mode 0744)\n"
                "write /run/systemd/system/coreos-cloudinit-7.service (113 bytes, mode 0644)\n"
                "write /w/scripts/unit-name (26 bytes, mode 0644)\n"
                "read the unit files anew\n"
                "start coreos-cloudinit-7.service, without waiting\n");
}

static void test_workspace_is_taken_from_the_root(void **state) {
        BootFacts about = facts();

        (void)state;
        about.workspace = "a/../w";
        plan_is(&about, "#!/bin/sh\n:\n",
                "write /w/scripts/7 (12 bytes, mode 0744)\n"
                "write /run/systemd/system/coreos-cloudinit-7.service (113 bytes, mode 0644)\n"
                "write /w/scripts/unit-name (26 bytes, mode 0644)\n"
                "read the unit files anew\n"
                "start coreos-cloudinit-7.service, without waiting\n");
}

static void test_an_error_anywhere_leaves_no_plan(void **state) {
        (void)state;
        refused("hostname: x\n", "neither a cloud-config nor a script");
        refused("#cloud-config\nhostname: [\n", "the cloud-config is not YAML: line 3");
        refused("#cloud-config\n- a\n", "line 2: the cloud-config is no mapping");
        refused("#cloud-config\nhostname: a b\n", "line 2: hostname \"a b\" cannot be a host name");
        refused("#cloud-config\nmanage_etc_hosts: true\n", "line 2: manage_etc_hosts is \"true\"");
        refused("#cloud-config\nwrite_files:\n  - {path: /a, content: b}\n  - {path: /c, encoding: b64, content: "
                "'@'}\n",
                "line 4: cannot make the content of /c: the content is not base64");
        refused("#cloud-config\nwrite_files: [{path: /a, permissions: 493}]\n",
                "permissions \"493\" of /a are no octal number");
        refused("#cloud-config\nwrite_files: [{content: a}]\n", "has no path");
        refused("#cloud-config\nwrite_files: [{path: !!binary L2EAYg==}]\n", "line 2: a path or owner has a NUL in it");
        refused("#cloud-config\ncoreos: {units: [{name: ../x, content: a}]}\n",
                "\"../x\" cannot be the name of a unit");
        refused("#cloud-config\ncoreos: {units: [{name: x.service, drop_ins: [{name: a/b, content: a}]}]}\n",
                "\"a/b\" cannot be the name of a drop-in");
        refused("#cloud-config\ncoreos: {units: [{name: x.service, command: go}]}\n",
                "command \"go\" of x.service is unknown");
        refused("#cloud-config\ncoreos:\n  units:\n    - {name: web, command: start}\n",
                "line 4: cannot start \"web\": a unit's name is such as web.service");
        refused("#cloud-config\ncoreos: {units: [{name: web@.service, command: start}]}\n",
                "line 2: cannot start \"web@.service\": a unit's name is such as web@1.service");
        refused("#cloud-config\ncoreos: {units: [{name: web.conf, enable: true}]}\n", "cannot enable \"web.conf\"");
}

static void test_what_is_left_out_is_told(void **state) {
        (void)state;
        warning_is("#cloud-config\nusers: [{passwd: a}]\n", "line 2: a user without a name is passed over");
        warning_is("#cloud-config\nhostname: a$public_ipv4\n",
                   "line 2: $public_ipv4 is used but not known, and becomes nothing: set COREOS_PUBLIC_IPV4");
}

static void test_contents_together_have_a_limit(void **state) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        (void)buffer_append_string(&text, "#cloud-config\nx: &x ");
        for (size_t i = 0; i < 64 * 1024; i++)
                (void)buffer_append_byte(&text, 'x');
        (void)buffer_append_string(&text, "\nwrite_files:\n");
        for (size_t i = 0; i < 1100; i++)
                (void)buffer_append_string(&text, "  - {path: /a, content: *x}\n");
        refused(buffer_string(&text), "bytes together");
}

static void test_plan_as_json(void **state) {
        const BootFacts about = facts();
        _cleanup_boot_plan_ BootPlan plan = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)state;
        assert_int_equal(boot_plan_make(&about, slice_from("#!/bin/sh\n"), &plan, NULL), 0);
        assert_int_equal(boot_plan_format_json(&plan, NULL, &text), 0);
        assert_non_null(strstr(buffer_string(&text),
                               "{\"step\":\"file\",\"line\":1,\"path\":\"/w/scripts/7\",\"content\":\"#!/bin/sh\\n\","
                               "\"mode\":\"0744\"}"));
        assert_non_null(strstr(buffer_string(&text),
                               "{\"step\":\"command\",\"line\":1,\"unit\":\"coreos-cloudinit-7.service\","
                               "\"action\":\"start\"}"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_everything_has_its_order),
                cmocka_unit_test(test_nothing_to_do),
                cmocka_unit_test(test_masks),
                cmocka_unit_test(test_network_units_restart_their_daemon_once_and_first),
                cmocka_unit_test(test_variables_are_written_as_go_prints_them),
                cmocka_unit_test(test_values_of_the_wrong_type_are_passed_over),
                cmocka_unit_test(test_environment_file_keeps_its_lines),
                cmocka_unit_test(test_update_needs_a_file_to_rewrite),
                cmocka_unit_test(test_script_runs_in_a_unit_of_its_own),
                cmocka_unit_test(test_workspace_is_taken_from_the_root),
                cmocka_unit_test(test_an_error_anywhere_leaves_no_plan),
                cmocka_unit_test(test_what_is_left_out_is_told),
                cmocka_unit_test(test_contents_together_have_a_limit),
                cmocka_unit_test(test_plan_as_json),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
