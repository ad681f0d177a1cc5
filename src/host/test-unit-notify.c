#include "host/unit-notify.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <cmocka.h>

static bool add(KeptNotices *notes, pid_t pid, const char *text) {
        return kept_notices_add(notes, pid, "", slice_from(text));
}

static void test_mere_signs_of_life_are_not_kept(void **state) {
        KeptNotices notes = {0};

        (void)state;
        assert_false(add(&notes, 7, "WATCHDOG=1"));
        assert_false(add(&notes, 7, "WATCHDOG=1\n"));
        assert_false(add(&notes, 7, ""));
        assert_true(add(&notes, 7, "WATCHDOG=1\nREADY=1"));
        assert_true(add(&notes, 8, "WATCHDOG=trigger"));
        assert_int_equal(notes.length, 2);
        assert_int_equal(notes.items[1].pid, 8);
        kept_notices_deinit(&notes);
        assert_int_equal(notes.bytes, 0);
}

static void test_what_only_tells_of_itself_makes_room(void **state) {
        KeptNotices notes = {0};
        char text[32];

        (void)state;
        assert_true(add(&notes, 1, "READY=1"));
        for (int i = 1; i < KEPT_NOTICES_MAX; i++) {
                (void)snprintf(text, sizeof(text), "STATUS=at %d", i);
                assert_true(add(&notes, 1, text));
        }
        assert_true(add(&notes, 2, "READY=1\nSTATUS=there"));
        assert_int_equal(notes.length, KEPT_NOTICES_MAX);
        assert_memory_equal(notes.items[0].text, "READY=1", 7);
        assert_memory_equal(notes.items[1].text, "STATUS=at 2", 11);
        assert_int_equal(notes.items[KEPT_NOTICES_MAX - 1].pid, 2);
        kept_notices_deinit(&notes);
}

static void test_there_is_a_limit_of_bytes(void **state) {
        KeptNotices notes = {0};
        char text[UNIT_NOTIFY_MESSAGE_MAX + 1];
        size_t n = 0;

        (void)state;
        memset(text, 'x', sizeof(text));
        assert_false(kept_notices_add(&notes, 1, "", (Slice){text, sizeof(text)}));
        while (kept_notices_add(&notes, 1, "", (Slice){text, UNIT_NOTIFY_MESSAGE_MAX}))
                n++;
        assert_int_equal(n, KEPT_NOTICES_BYTES_MAX / UNIT_NOTIFY_MESSAGE_MAX);
        kept_notices_deinit(&notes);
}

static void test_the_sender_is_known_and_its_files_are_closed(void **state) {
        int pair[2], on = 1, before, after;
        char text[UNIT_NOTIFY_MESSAGE_MAX];
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
        struct iovec vector = {(void *)(uintptr_t) "READY=1", 7};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        pid_t pid = 0;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        memcpy(CMSG_DATA(&control.header), &pair[1], sizeof(int));
        assert_int_equal(sendmsg(pair[1], &message, 0), 7);
        before = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
        assert_int_equal(unit_notify_receive(pair[0], text, &pid), 7);
        assert_int_equal(pid, getpid());
        after = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);
        assert_int_equal(after, before + 1);
        assert_int_equal(unit_notify_receive(pair[0], text, &pid), -EAGAIN);
        (void)close(before);
        (void)close(after);
        (void)close(pair[0]);
        (void)close(pair[1]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mere_signs_of_life_are_not_kept),
                cmocka_unit_test(test_what_only_tells_of_itself_makes_room),
                cmocka_unit_test(test_there_is_a_limit_of_bytes),
                cmocka_unit_test(test_the_sender_is_known_and_its_files_are_closed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
