#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fleet/unit/unit.h"

static void parse(const char *text, UnitFile *ret) {
        Error error = ERROR_NONE;

        if (unitfile_parse(ret, slice_from(text), NULL, &error) < 0)
                fail_msg("%s", error.text);
}

static void assert_hash(const char *text, const char *expected) {
        _cleanup_unitfile_ UnitFile file = {0};
        char hex[UNIT_HASH_HEX_SIZE];
        UnitHash hash, back;

        parse(text, &file);
        assert_int_equal(unit_hash(&file, &hash), 0);
        unit_hash_to_hex(&hash, hex);
        assert_string_equal(hex, expected);
        assert_int_equal(unit_hash_from_hex(slice_from(hex), &back), 0);
        assert_true(unit_hash_equals(&hash, &back));
}

/* Hashes that fleetd 1.0 put into its answers. */
static void test_hashes_are_those_of_fleet(void **state) {
        (void)state;
        assert_hash("[Unit]\nDescription=hello lab\n\n[Service]\n"
                    "ExecStart=/bin/sh -c \"while true; do echo Hello; sleep 5; done\"\n",
                    "8b44a1a754352bf95015367e4612e7ef91c9847a");
        assert_hash("[Unit]\nDescription=hello template %i\n[Service]\n"
                    "ExecStart=/bin/sh -c \"while true; do echo Hello %i; sleep 5; done\"\n"
                    "[X-Fleet]\nConflicts=hello@*.service\n",
                    "4b5ca273b82d7dd6ec9e5dd83f3b143bb4fa5ce7");
        assert_hash("[Service]\nExecStart=/bin/false\n", "1fa41b061074d257bdf3919173a792fc879013f5");
        assert_hash("[Unit]\nDescription=global lab\n[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n",
                    "a582fcd5dfe056da8541d016b52c122e9942736c");
}

static void read_file(const char *name, Buffer *to) {
        _cleanup_free_ char *path = str_printf("%s/%s", TEST_UNITS, name);
        char bytes[4096];
        FILE *stream = fopen(path, "re");
        size_t n;

        if (!stream)
                fail_msg("%s cannot be opened", path);
        while ((n = fread(bytes, 1, sizeof(bytes), stream)) > 0)
                assert_int_equal(buffer_append(to, bytes, n), 0);
        (void)fclose(stream);
}

static void test_hashes_of_recorded_units(void **state) {
        _cleanup_buffer_ Buffer list = BUFFER_INIT;
        Slice rest, line;
        size_t checked = 0;

        (void)state;
        read_file("HASHES", &list);
        rest = slice_from(buffer_string(&list));
        while (slice_split(&rest, '\n', &line)) {
                _cleanup_unitfile_ UnitFile file = {0};
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                char name[256], prefix[16], hex[UNIT_HASH_HEX_SIZE];
                UnitHash hash;

                if (line.length == 0)
                        continue;
                assert_int_equal(sscanf(line.data, "%255s %15s", name, prefix), 2);
                read_file(name, &text);
                parse(buffer_string(&text), &file);
                assert_int_equal(unit_hash(&file, &hash), 0);
                unit_hash_to_hex(&hash, hex);
                if (!str_starts_with(hex, prefix))
                        fail_msg("%s: %s, recorded %s", name, hex, prefix);
                checked++;
        }
        assert_int_equal(checked, 22);
}

static void requirements(const char *name, const char *section, UnitRequirements *ret) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_free_ char *text = str_printf("[X-Fleet]\n%s\n", section);

        parse(text, &file);
        assert_int_equal(unit_requirements_read(&file, name, ret), 0);
}

static void assert_list(const StringList *list, const char *expected) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < list->length; i++)
                assert_int_equal(buffer_printf(&text, "[%s]", list->items[i]), 0);
        assert_string_equal(buffer_string(&text), expected);
}

static void test_conflicts_are_words_and_older_spelling_comes_first(void **state) {
        _cleanup_unit_requirements_ UnitRequirements got = {0};

        (void)state;
        requirements("a.service", "Conflicts=b* c?\nConflicts=\"d\" \"e f\"\nX-Conflicts=old*", &got);
        assert_list(&got.conflicts, "[old*][b*][c?][d][e][f]");
}

static void test_metadata_is_or_within_a_key_and_and_across(void **state) {
        _cleanup_unit_requirements_ UnitRequirements got = {0};

        (void)state;
        requirements("a.service",
                     "MachineMetadata=\"region=us-east\" \"disk=ssd\"\nMachineMetadata=region=us-west\n"
                     "MachineMetadata=a=b=c\nMachineMetadata=x\nMachineMetadata==y\nMachineMetadata=z=\n"
                     "X-ConditionMachineMetadata=disk=ssd",
                     &got);
        assert_int_equal(got.n_metadata, 2);
        assert_string_equal(got.metadata[0].key, "disk");
        assert_list(&got.metadata[0].values, "[ssd]");
        assert_list(&got.metadata[1].values, "[us-east][us-west]");
}

static void test_specifiers(void **state) {
        _cleanup_unit_requirements_ UnitRequirements got = {0}, bare = {0};

        (void)state;
        requirements("web@eu-1.service", "MachineOf=%p-db@%i.service\nMachineOf=%n\nMachineOf=%N %% %%n %x", &got);
        assert_list(&got.peers, "[web-db@eu-1.service][web@eu-1.service][web@eu-1 %% %web@eu-1.service %x]");
        requirements(NULL, "MachineOf=%p.timer", &bare);
        assert_list(&bare.peers, "[%p.timer]");
}

static void test_first_machine_id_and_last_global_win(void **state) {
        _cleanup_unit_requirements_ UnitRequirements got = {0}, old = {0}, none = {0};

        (void)state;
        requirements("a.service", "X-ConditionMachineID=x\nMachineID=a\nMachineID=b\nGlobal=no\nGlobal=YES", &got);
        assert_string_equal(got.machine_id, "a");
        assert_true(got.global);
        requirements("a.service", "X-ConditionMachineBootID=boot\nGlobal=true\nGlobal=0", &old);
        assert_string_equal(old.machine_id, "boot");
        assert_false(old.global);
        requirements("a.service", "Bogus=1", &none);
        assert_null(none.machine_id);
        assert_false(unit_requirement_is_known("Bogus"));
        assert_true(unit_requirement_is_known("X-Conflicts"));
}

static void test_machine_id_may_be_short(void **state) {
        (void)state;
        assert_true(machine_id_matches("1111111122222222", "1111111122222222"));
        assert_true(machine_id_matches("1111111122222222", "11111111"));
        assert_false(machine_id_matches("1111111122222222", "1111111"));
        assert_false(machine_id_matches("1111111122222222", "111111112"));
        assert_false(machine_id_matches("1111111122222222", ""));
}

static void assert_mangled(const char *argument, const char *expected) {
        _cleanup_free_ char *name = NULL;

        assert_int_equal(unit_name_mangle(argument, &name, NULL), 0);
        assert_string_equal(name, expected);
}

static void test_names_are_mangled_as_by_fleetctl(void **state) {
        char *name;

        (void)state;
        assert_mangled("web", "web.service");
        assert_mangled("./dir/web@1.service", "web@1.service");
        assert_mangled("dir/web.timer/", "web.timer");
        assert_mangled("x.target", "x.target.service");
        assert_int_equal(unit_name_mangle("/", &name, NULL), -EINVAL);
        assert_int_equal(unit_name_mangle("", &name, NULL), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hashes_are_those_of_fleet),
                cmocka_unit_test(test_hashes_of_recorded_units),
                cmocka_unit_test(test_conflicts_are_words_and_older_spelling_comes_first),
                cmocka_unit_test(test_metadata_is_or_within_a_key_and_and_across),
                cmocka_unit_test(test_specifiers),
                cmocka_unit_test(test_first_machine_id_and_last_global_win),
                cmocka_unit_test(test_machine_id_may_be_short),
                cmocka_unit_test(test_names_are_mangled_as_by_fleetctl),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
