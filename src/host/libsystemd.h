#pragma once
/*
 * libsystemd, loaded when it is first needed and not with the program: with what it brings along it is a megabyte of memory, and a
 * machine whose units are not run by systemd need not have it. Its functions are called as libsystemd.NAME(…), after libsystemd_load().
 */
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

#include "base/error.h"

#define LIBSYSTEMD_FUNCTIONS(X) \
        X(sd_bus_add_match_async) \
        X(sd_bus_call_async) \
        X(sd_bus_call_method_async) \
        X(sd_bus_close_unref) \
        X(sd_bus_error_get_errno) \
        X(sd_bus_error_has_name) \
        X(sd_bus_flush) \
        X(sd_bus_flush_close_unref) \
        X(sd_bus_get_events) \
        X(sd_bus_get_fd) \
        X(sd_bus_get_property) \
        X(sd_bus_get_property_string) \
        X(sd_bus_get_timeout) \
        X(sd_bus_match_signal) \
        X(sd_bus_match_signal_async) \
        X(sd_bus_message_append) \
        X(sd_bus_message_appendv) \
        X(sd_bus_message_close_container) \
        X(sd_bus_message_enter_container) \
        X(sd_bus_message_exit_container) \
        X(sd_bus_message_get_error) \
        X(sd_bus_message_get_path) \
        X(sd_bus_message_has_signature) \
        X(sd_bus_message_is_method_error) \
        X(sd_bus_message_new_method_call) \
        X(sd_bus_message_open_container) \
        X(sd_bus_message_read) \
        X(sd_bus_message_ref) \
        X(sd_bus_message_set_expect_reply) \
        X(sd_bus_message_skip) \
        X(sd_bus_message_unref) \
        X(sd_bus_open_system) \
        X(sd_bus_open_user) \
        X(sd_bus_path_encode) \
        X(sd_bus_process) \
        X(sd_bus_send) \
        X(sd_bus_set_exit_on_disconnect) \
        X(sd_bus_set_method_call_timeout) \
        X(sd_bus_slot_unref) \
        X(sd_journal_add_disjunction) \
        X(sd_journal_add_match) \
        X(sd_journal_close) \
        X(sd_journal_get_data) \
        X(sd_journal_get_fd) \
        X(sd_journal_get_realtime_usec) \
        X(sd_journal_next) \
        X(sd_journal_open) \
        X(sd_journal_previous_skip) \
        X(sd_journal_process) \
        X(sd_journal_seek_head) \
        X(sd_journal_seek_tail) \
        X(sd_listen_fds_with_names) \
        X(sd_pid_get_unit)

#define LIBSYSTEMD_FIELD(name) typeof(name) *name;

extern struct LibSystemd {
        LIBSYSTEMD_FUNCTIONS(LIBSYSTEMD_FIELD)
} libsystemd;

/* Once it is loaded it stays, and this does nothing. -ENOENT: it is not installed, or lacks a function. */
int libsystemd_load(Error *error);
