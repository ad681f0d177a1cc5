#include "machine/system-units.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host/file.h"

#define PASS "container"

/* Three folders as /etc, /run and /usr/lib, the most important first. */
typedef struct Folders {
        char root[64];
        char *paths[4];
} Folders;

static Folders folders;

static int make(void **state) {
        static const char *const names[] = {"etc", "run", "lib"};

        (void)state;
        (void)snprintf(folders.root, sizeof(folders.root), "/tmp/faering-units-XXXXXX");
        assert_non_null(mkdtemp(folders.root));
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                folders.paths[i] = str_printf("%s/%s", folders.root, names[i]);
                assert_int_equal(mkdir(folders.paths[i], 0755), 0);
        }
        return 0;
}

static int clear(void **state) {
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(folders.paths); i++)
                free(folders.paths[i]);
        return file_remove_tree(folders.root, NULL);
}

static UnitFolders all(void) {
        return (UnitFolders)(const void *)folders.paths;
}

static void put(const char *name, const char *text) {
        _cleanup_free_ char *path = str_printf("%s/%s", folders.root, name), *folder = strdup(path);

        *strrchr(folder, '/') = '\0';
        assert_int_equal(file_make_folder(folder, 0755, NULL), 0);
        assert_int_equal(file_replace(path, 0644, slice_from(text), false, NULL), 0);
}

static void put_link(const char *name, const char *target) {
        _cleanup_free_ char *path = str_printf("%s/%s", folders.root, name), *folder = strdup(path);

        *strrchr(folder, '/') = '\0';
        assert_int_equal(file_make_folder(folder, 0755, NULL), 0);
        assert_int_equal(symlink(target, path), 0);
}

static void read_all(SystemUnits *units) {
        Error error = ERROR_NONE;

        if (system_units_read(all(), PASS, units, &error) < 0)
                fail_msg("%s", error.text);
}

/* The last value of an option, as it counts. */
static const char *value(const SystemUnit *unit, const char *section, const char *name) {
        const UnitOption *option = NULL, *last = NULL;

        while ((option = unitfile_next(&unit->file, section, name, option)))
                last = option;
        return last ? last->value : NULL;
}

static void test_first_folder_hides_the_others(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/a.service", "[Service]\nExecStart=/lib\n");
        put("run/a.service", "[Service]\nExecStart=/run\n");
        put("etc/a.service", "[Service]\nExecStart=/etc\n");
        read_all(&units);
        assert_int_equal(units.length, 1);
        assert_string_equal(value(units.items[0], "Service", "ExecStart"), "/etc");
        assert_string_equal(units.items[0]->text, "[Service]\nPassEnvironment=container\nExecStart=/etc\n");
}

static void test_alias_is_the_same_unit(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/faering-store.service", "[Service]\nExecStart=/x\n");
        put_link("lib/etcd2.service", "faering-store.service");
        put_link("etc/etcd.service", "/usr/lib/systemd/system/faering-store.service");
        read_all(&units);
        assert_int_equal(units.length, 1);
        assert_ptr_equal(system_units_find(&units, "etcd2.service"), units.items[0]);
        assert_ptr_equal(system_units_find(&units, "etcd.service"), units.items[0]);
        assert_string_equal(units.items[0]->name, "faering-store.service");
        assert_null(system_units_find(&units, "etcd3.service"));
}

static void test_own_file_hides_an_alias_of_a_lesser_folder(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/faering-containers.service", "[Service]\nExecStart=/ours\n");
        put_link("lib/docker.service", "faering-containers.service");
        put("etc/docker.service", "[Service]\nExecStart=/theirs\n");
        read_all(&units);
        assert_string_equal(value(system_units_find(&units, "docker.service"), "Service", "ExecStart"), "/theirs");
        assert_string_equal(value(system_units_find(&units, "faering-containers.service"), "Service", "ExecStart"),
                            "/ours");
}

static void test_drop_ins_of_every_alias_apply_by_file_name(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/faering-store.service", "[Service]\nExecStart=/x\nEnvironment=A=unit\n");
        put_link("lib/etcd2.service", "faering-store.service");
        put("run/etcd2.service.d/20-cloudinit.conf", "[Service]\nEnvironment=A=run\n");
        put("etc/faering-store.service.d/10-first.conf", "[Service]\nEnvironment=A=first\n");
        put("lib/etcd2.service.d/30-last.conf", "[Service]\nEnvironment=A=last\n");
        put("lib/etcd2.service.d/40-not.txt", "[Service]\nEnvironment=A=not\n");
        read_all(&units);
        assert_string_equal(
                units.items[0]->text,
                "[Service]\nPassEnvironment=container\nExecStart=/x\nEnvironment=A=unit\nEnvironment=A=first\n"
                "Environment=A=run\nEnvironment=A=last\n");
}

static void test_drop_in_hides_the_one_of_its_name_in_lesser_folders(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/a.service", "[Service]\nExecStart=/x\n");
        put("lib/a.service.d/10.conf", "[Service]\nUser=lib\n");
        put("run/a.service.d/10.conf", "[Service]\nUser=run\n");
        put_link("etc/a.service.d/20.conf", "/dev/null");
        put("run/a.service.d/20.conf", "[Service]\nUser=hidden\n");
        read_all(&units);
        assert_string_equal(value(units.items[0], "Service", "User"), "run");
}

static void test_masked_unit_does_not_run(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/a.service", "[Service]\nExecStart=/x\n");
        put_link("etc/a.service", "/dev/null");
        put("etc/b.service", "");
        read_all(&units);
        assert_int_equal(units.length, 2);
        for (size_t i = 0; i < 2; i++) {
                assert_true(units.items[i]->masked);
                assert_null(units.items[i]->text);
                assert_non_null(strstr(units.items[i]->problem, "masked"));
        }
}

static void test_broken_unit_does_not_hinder_others(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("etc/bad.service", "[Service\n");
        put("etc/good.service", "[Service]\nExecStart=/x\n");
        put("etc/good.service.d/bad.conf", "[Service]\nNoSign\n");
        put("etc/better.service", "[Service]\nExecStart=/x\n");
        read_all(&units);
        assert_non_null(strstr(system_units_find(&units, "bad.service")->problem, "bad.service"));
        assert_non_null(strstr(system_units_find(&units, "good.service")->problem, "bad.conf"));
        assert_null(system_units_find(&units, "better.service")->problem);
}

static void test_ring_of_aliases_is_no_unit(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put_link("etc/a.service", "b.service");
        put_link("etc/b.service", "a.service");
        read_all(&units);
        assert_int_equal(units.length, 0);
}

static void test_wanted_are_those_of_the_target_in_any_folder(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};

        (void)state;
        put("lib/boot.service", "[Service]\nExecStart=/x\n");
        put_link("lib/multi-user.target.wants/boot.service", "../boot.service");
        put("etc/enabled.service", "[Service]\nExecStart=/x\n");
        put_link("etc/multi-user.target.wants/enabled.service", "/etc/systemd/system/enabled.service");
        put("lib/plain.service", "[Service]\nExecStart=/x\n");
        put("lib/of@.service", "[Service]\nExecStart=/x %i\n");
        put_link("etc/multi-user.target.wants/of@1.service", "/usr/lib/systemd/system/of@.service");
        put_link("etc/multi-user.target.wants/gone.service", "/etc/systemd/system/gone.service");
        read_all(&units);
        assert_true(system_units_find(&units, "boot.service")->wanted);
        assert_true(system_units_find(&units, "enabled.service")->wanted);
        assert_false(system_units_find(&units, "plain.service")->wanted);
        assert_true(system_units_find(&units, "of@1.service")->wanted);
        assert_null(system_units_find(&units, "of@.service"));
}

static void test_dependencies_go_by_the_units_own_names(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};
        const SystemUnit *fleet;

        (void)state;
        put("lib/faering-store.service", "[Service]\nExecStart=/x\n");
        put_link("lib/etcd2.service", "faering-store.service");
        put("lib/fleet.service",
            "[Unit]\nAfter=network.target  etcd2.service\nRequires=etcd2.service\n[Service]\nExecStart=/x\n");
        read_all(&units);
        fleet = system_units_find(&units, "fleet.service");
        assert_string_equal(value(fleet, "Unit", "After"), "network.target faering-store.service");
        assert_string_equal(value(fleet, "Unit", "Requires"), "faering-store.service");
        assert_int_equal(fleet->after.length, 1);
        assert_string_equal(fleet->after.items[0], "faering-store.service");
}

static size_t index_of(const SystemUnits *units, const char *name) {
        for (size_t i = 0; i < units->length; i++)
                if (str_equals(units->items[i]->name, name))
                        return i;
        fail_msg("no %s", name);
        return 0;
}

static void test_what_others_are_ordered_after_stops_last(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};
        bool running[3] = {true, true, true};
        size_t a, b, c;

        (void)state;
        put("lib/a.service", "[Unit]\nBefore=b.service\n[Service]\nExecStart=/x\n");
        put("lib/b.service", "[Service]\nExecStart=/x\n");
        put("lib/c.service", "[Unit]\nAfter=b.service c.service\n[Service]\nExecStart=/x\n");
        read_all(&units);
        a = index_of(&units, "a.service");
        b = index_of(&units, "b.service");
        c = index_of(&units, "c.service");
        assert_true(system_units_is_needed(&units, running, a));
        assert_true(system_units_is_needed(&units, running, b));
        assert_false(system_units_is_needed(&units, running, c));
        running[c] = false;
        assert_false(system_units_is_needed(&units, running, b));
        assert_true(system_units_is_needed(&units, running, a));
}

static void test_two_that_wait_for_each_other_both_stop(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};
        bool running[2] = {true, true};

        (void)state;
        put("lib/a.service", "[Unit]\nAfter=b.service\n[Service]\nExecStart=/x\n");
        put("lib/b.service", "[Unit]\nAfter=a.service\n[Service]\nExecStart=/x\n");
        read_all(&units);
        assert_false(system_units_is_needed(&units, running, 0));
        assert_false(system_units_is_needed(&units, running, 1));
}

static void test_instance_comes_from_its_template_with_both_drop_ins(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};
        SystemUnit *unit;
        Error error = ERROR_NONE;

        (void)state;
        put("lib/web@.service", "[Service]\nExecStart=/web %i\n");
        put("etc/web@.service.d/1.conf", "[Service]\nUser=template\n");
        put("etc/web@7.service.d/2.conf", "[Service]\nGroup=instance\n");
        read_all(&units);
        assert_int_equal(units.length, 0);
        assert_int_equal(system_units_add_instance(&units, all(), PASS, "web@7.service", &unit, &error), 0);
        assert_string_equal(value(unit, "Service", "User"), "template");
        assert_string_equal(value(unit, "Service", "Group"), "instance");
        assert_int_equal(system_units_add_instance(&units, all(), PASS, "db@7.service", &unit, &error), -ENOENT);
        assert_int_equal(system_units_add_instance(&units, all(), PASS, "web@7.socket", &unit, &error), -ENOENT);
        assert_non_null(strstr(error.text, "no service"));
}

static bool holds(const char *conditions) {
        _cleanup_free_ char *text = str_printf("[Unit]\n%s[Service]\nExecStart=/x\n", conditions);
        _cleanup_system_units_ SystemUnits units = {0};
        _cleanup_buffer_ Buffer why = BUFFER_INIT;
        bool hold;

        put("etc/if.service", text);
        read_all(&units);
        hold = system_unit_conditions_hold(units.items[0], &why, NULL);
        assert_true(hold == (buffer_length(&why) == 0));
        return hold;
}

static void test_conditions_look_at_files(void **state) {
        (void)state;
        assert_true(holds(""));
        assert_true(holds("ConditionPathExists=/proc/self\n"));
        assert_false(holds("ConditionPathExists=/nowhere\n"));
        assert_true(holds("ConditionPathExists=!/nowhere\n"));
        assert_false(holds("ConditionPathExists=/proc/self\nConditionPathExists=/nowhere\n"));
        assert_true(holds("ConditionPathExists=|/proc/self\nConditionPathExists=|/nowhere\n"));
        assert_false(holds("ConditionPathExists=|/nowhere\nConditionPathExists=/proc/self\n"));
        assert_true(holds("ConditionFileNotEmpty=/etc/passwd\n"));
        assert_false(holds("ConditionFileNotEmpty=/etc\n"));
        assert_true(holds("ConditionVirtualization=vm\n"));
}

static void test_conditions_that_are_not_known_are_named(void **state) {
        _cleanup_system_units_ SystemUnits units = {0};
        _cleanup_buffer_ Buffer why = BUFFER_INIT;
        _cleanup_string_list_ StringList unknown = {0};

        (void)state;
        put("etc/if.service",
            "[Unit]\nConditionVirtualization=vm\nConditionPathExists=/proc\n[Service]\nExecStart=/x\n");
        read_all(&units);
        assert_true(system_unit_conditions_hold(units.items[0], &why, &unknown));
        assert_int_equal(unknown.length, 1);
        assert_string_equal(unknown.items[0], "ConditionVirtualization");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, make, clear)
        const struct CMUnitTest tests[] = {
                TEST(test_first_folder_hides_the_others),
                TEST(test_alias_is_the_same_unit),
                TEST(test_own_file_hides_an_alias_of_a_lesser_folder),
                TEST(test_drop_ins_of_every_alias_apply_by_file_name),
                TEST(test_drop_in_hides_the_one_of_its_name_in_lesser_folders),
                TEST(test_masked_unit_does_not_run),
                TEST(test_broken_unit_does_not_hinder_others),
                TEST(test_ring_of_aliases_is_no_unit),
                TEST(test_wanted_are_those_of_the_target_in_any_folder),
                TEST(test_dependencies_go_by_the_units_own_names),
                TEST(test_what_others_are_ordered_after_stops_last),
                TEST(test_two_that_wait_for_each_other_both_stop),
                TEST(test_instance_comes_from_its_template_with_both_drop_ins),
                TEST(test_conditions_look_at_files),
                TEST(test_conditions_that_are_not_known_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
