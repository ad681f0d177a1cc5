#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unitfile/trigger-options.h"

static int read_text(const char *unit, const char *text, TriggerOptions *ret, Error *error) {
        _cleanup_unitfile_ UnitFile file = {0};
        SpecifierFacts facts = {.unit = unit};
        SpecifierSource source = specifier_source(&facts);

        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        return trigger_options_read(&file, unit, &source, ret, error);
}

static void test_a_socket(void **state) {
        _cleanup_trigger_options_ TriggerOptions o = {0};

        (void)state;
        assert_int_equal(read_text("echo.socket",
                                   "[Socket]\nListenStream=127.0.0.1:7007\nListenStream=[::1]:80\nListenStream=/run/%p.sock\n"
                                   "ListenDatagram=514\nListenSequentialPacket=@abstract\nSocketMode=0600\nBacklog=5\n"
                                   "FileDescriptorName=one\nRemoveOnStop=yes\nBindIPv6Only=both\nWhat=ever\nKeepAlive=perhaps\n",
                                   &o, NULL),
                         0);
        assert_int_equal(o.n_listens, 5);
        assert_string_equal(o.listens[0].where, "127.0.0.1");
        assert_int_equal(o.listens[0].port, 7007);
        assert_string_equal(o.listens[1].where, "::1");
        assert_string_equal(o.listens[2].where, "/run/echo.sock");
        assert_int_equal(o.listens[2].family, LISTEN_UNIX);
        assert_int_equal(o.listens[3].family, LISTEN_ANY_HOST);
        assert_int_equal(o.listens[3].kind, LISTEN_DATAGRAM);
        assert_string_equal(o.listens[4].where, "@abstract");
        assert_int_equal(o.socket_mode, 0600);
        assert_int_equal(o.backlog, 5);
        assert_string_equal(o.descriptor_name, "one");
        assert_true(o.remove_on_stop);
        assert_string_equal(o.unit, "echo.service");
        assert_int_equal(o.limit_burst, 20);
        assert_int_equal(o.notes.length, 2);
}

static void test_accept_uses_the_template(void **state) {
        _cleanup_trigger_options_ TriggerOptions o = {0};

        (void)state;
        assert_int_equal(read_text("echo.socket", "[Socket]\nListenStream=1\nAccept=yes\n", &o, NULL), 0);
        assert_string_equal(o.unit, "echo@.service");
        assert_int_equal(o.limit_burst, 200);
}

static void test_a_timer_and_a_path(void **state) {
        _cleanup_trigger_options_ TriggerOptions timer = {0}, path = {0};

        (void)state;
        assert_int_equal(read_text("backup.timer",
                                   "[Timer]\nOnActiveSec=1h\nOnActiveSec=\nOnActiveSec=5s\nOnUnitActiveSec=1min\nOnCalendar=daily\n"
                                   "OnCalendar=sometimes\nPersistent=yes\nRandomizedDelaySec=10\n",
                                   &timer, NULL),
                         0);
        assert_int_equal(timer.n_timers, 3);
        assert_int_equal(timer.timers[0].span, 5000000);
        assert_int_equal(timer.timers[1].base, TIMER_ON_UNIT_ACTIVE);
        assert_int_equal(timer.timers[2].base, TIMER_ON_CALENDAR);
        assert_int_equal(timer.notes.length, 1);
        assert_true(timer.persistent);
        assert_int_equal(timer.randomized_delay, 10000000);
        assert_int_equal(read_text("spool.path",
                                   "[Path]\nPathExistsGlob=/tmp/spool/*.job\nDirectoryNotEmpty=/a/b//\nMakeDirectory=yes\n"
                                   "Unit=drain.service\nPathChanged=relative\n",
                                   &path, NULL),
                         0);
        assert_int_equal(path.n_paths, 2);
        assert_string_equal(path.paths[1].path, "/a/b");
        assert_string_equal(path.unit, "drain.service");
        assert_int_equal(path.notes.length, 1);
}

static void test_what_cannot_run_is_refused(void **state) {
        static const struct {
                const char *unit, *text;
        } rows[] = {
                {"a.socket", "[Socket]\nAccept=yes\n"},
                {"a.socket", "[Socket]\nListenDatagram=5\nAccept=yes\n"},
                {"a.socket", "[Socket]\nListenStream=5\nAccept=yes\nService=b.service\n"},
                {"a.socket", "[Socket]\nListenStream=70000\n"},
                {"a.socket", "[Socket]\nListenStream=host:80\n"},
                {"a.socket", "[Socket]\nListenStream=[::1]\n"},
                {"a.socket", "[Socket]\nListenStream=/\n"},
                {"a.timer", "[Timer]\nPersistent=yes\n"},
                {"a.path", "[Path]\nMakeDirectory=yes\n"},
                {"a.mount", "[Mount]\nWhat=/a\n"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                TriggerOptions o = {0};
                Error error;

                if (read_text(rows[i].unit, rows[i].text, &o, &error) != -EINVAL)
                        fail_msg("row %zu was taken", i);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_socket),
                cmocka_unit_test(test_accept_uses_the_template),
                cmocka_unit_test(test_a_timer_and_a_path),
                cmocka_unit_test(test_what_cannot_run_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
