#include "boot/boot.h"

#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "boot/session.h"
#include "boot/settings.h"

/* As coreos-cloudinit's. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- a run ---- */

static const char *step_text(const Step *step, Buffer *text) {
        (void)boot_plan_format_step(step, text);
        return buffer_string(text) ?: "";
}

static void on_step(void *userdata, const Step *step, int r, const char *result) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *line = step_text(step, &text);

        (void)userdata;
        if (r == BOOT_SAME || r == BOOT_NOT_MASKED)
                log_debug("%s: %s", line, r == BOOT_SAME ? "is so already" : "not masked");
        else if (r == UNIT_COMMAND_FAILED)
                log_warning("%s: %s", line, result);
        else
                log_info("%s%s%s", line, *result ? ": " : "", result);
}

/* What is to come after this may come: the rest is waiting and telling. The barrier, because a word that comes after the
 * program's end counts for nothing. */
static void say_ready(void) {
        if (sd_notify(0, "READY=1") > 0)
                (void)sd_notify_barrier(0, 5 * USEC_PER_SEC);
}

static void on_ready(void *userdata) {
        (void)userdata;
        say_ready();
}

static void on_ended(void *userdata, const Step *step, int r, const char *result) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *line = step_text(step, &text);

        (void)userdata;
        if (r == UNIT_COMMAND_PENDING && *result)
                log_warning("%s: it is not known how it went: %s", line, result);
        else if (r == UNIT_COMMAND_PENDING)
                log_warning("%s: goes on after %d seconds", line, (int)(BOOT_UNITS_WAIT / USEC_PER_SEC));
        else if (r == UNIT_COMMAND_FAILED)
                log_warning("%s: %s", line, result);
        else
                log_info("%s: %s", line, result);
}

static const ApplyEvents apply_events = {.done = on_step, .ready = on_ready, .ended = on_ended};

static int print_report(const BootSession *session, size_t *ret_lines) {
        _cleanup_report_ Report report = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = boot_session_report(session, &report);

        if (r >= 0)
                r = report_format(&report, REPORT_THEIRS, &text, ret_lines);
        if (r >= 0)
                (void)fputs(buffer_string(&text) ?: "", stderr);
        return r;
}

static const char *error_text(const Error *error) {
        return error->text[0] ? error->text : "out of memory";
}

static int refuse(BootSession *session, const BootSettings *settings, const Error *why) {
        log_error("the user-data was not used, and nothing was changed: %s", error_text(why));
        boot_session_note_refusal(session, why);
        return settings->ignore_failure ? EXIT_OK : EXIT_FAILED;
}

static int apply(BootSession *session, const BootSettings *settings, Fetch *fetch) {
        ApplyCount count;
        Error error = ERROR_NONE;

        if ((settings->strict && boot_session_check_strict(session, fetch, &error) < 0) ||
            boot_session_plan(session, settings->workspace, &error) < 0 ||
            boot_session_fetch_keys(session, fetch, &error) < 0)
                return refuse(session, settings, &error);
        if (session->plan.kind == USER_DATA_IGNITION) {
                printf("Detected an Ignition config. Exiting...\n");
                return EXIT_OK;
        }
        for (size_t i = 0; i < session->plan.warnings.length; i++)
                log_warning("%s", session->plan.warnings.items[i]);
        if (boot_session_apply(session, &apply_events, NULL, &count, &error) < 0) {
                log_error("%s", error_text(&error));
                return EXIT_FAILED;
        }
        if (count.changed == 0)
                log_info("nothing had to be changed: the machine is so already");
        else
                log_info("%zu things were changed", count.changed);
        if (count.remade > 0)
                log_info("%zu things of this boot were made, below /run", count.remade);
        return EXIT_OK;
}

static int validate_strictly(BootSession *session, const BootSettings *settings, Fetch *fetch) {
        Error error = ERROR_NONE;

        if (!settings->strict || (boot_session_check_strict(session, fetch, &error) >= 0 &&
                                  boot_session_plan(session, settings->workspace, &error) >= 0))
                return EXIT_OK;
        log_error("%s", error_text(&error));
        return EXIT_FAILED;
}

static int run_from(BootSession *session, const BootSettings *settings, const Datasource *source, Fetch *fetch) {
        Error error = ERROR_NONE;
        size_t lines = 0;

        log_info("Fetching user-data from datasource of type \"%s\"", source->kind->name);
        if (boot_session_fetch(session, source, fetch, &error) < 0) {
                if (!settings->validate)
                        return refuse(session, settings, &error);
                log_error("%s", error_text(&error));
                return EXIT_FAILED;
        }
        if (print_report(session, &lines) < 0) {
                log_error("out of memory");
                return EXIT_FAILED;
        }
        if (settings->validate)
                return lines > 0 ? EXIT_FAILED : validate_strictly(session, settings, fetch);
        if (source->kind->metadata)
                log_info("Fetching meta-data from datasource of type \"%s\"", source->kind->name);
        if (boot_session_fetch_metadata(session, source, fetch, &error) < 0) {
                log_error("nothing was changed: the meta-data: %s", error_text(&error));
                boot_session_note_refusal(session, &error);
                return EXIT_FAILED;
        }
        return apply(session, settings, fetch);
}

static int run(const BootSettings *settings) {
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        _cleanup_curl_fetch_ CurlFetch *fetch = NULL;
        const Datasource *source;
        Error error = ERROR_NONE;

        session.key_name = settings->ssh_key_name;
        session.network = settings->network;
        session.strict = settings->strict;
        if (curl_fetch_new(&fetch) < 0 || boot_session_open(settings->root, &session, &error) < 0 ||
            datasource_choose(&settings->sources, DATASOURCE_WAIT_SECONDS * USEC_PER_SEC, &source, &error) < 0) {
                log_error("%s", error_text(&error));
                return EXIT_FAILED;
        }
        return run_from(&session, settings, source, curl_fetch_base(fetch));
}

int boot_main(const char *program, int argc, char **argv) {
        _cleanup_boot_settings_ BootSettings settings = {0};
        _cleanup_buffer_ Buffer help = BUFFER_INIT;
        Error error = ERROR_NONE;
        int code;

        log_init(program, LOG_LEVEL_INFO);
        (void)signal(SIGPIPE, SIG_IGN);
        if (boot_settings_parse(&settings, program, argc, argv, &help, &error) < 0) {
                log_error("%s", error_text(&error));
                return EXIT_USAGE;
        }
        if (settings.help) {
                (void)fwrite(buffer_data(&help), 1, buffer_length(&help), stdout);
                return EXIT_OK;
        }
        if (settings.version) {
                printf("%s %s\n", program, FAERING_VERSION);
                return EXIT_OK;
        }
        if (settings.sources.length == 0) {
                log_error("no datasource: give -from-file FILE, or another of the -from flags that -help shows");
                return EXIT_USAGE;
        }
        code = run(&settings);
        if (code == EXIT_OK)
                say_ready();
        return code;
}
