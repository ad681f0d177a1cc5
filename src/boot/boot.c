#include "boot/boot.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/options.h"
#include "boot/session.h"

/* As coreos-cloudinit's. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct BootSettings {
        char *from_file, *root, *workspace, *ssh_key_name;
        bool validate, ignore_failure, version, help;
} BootSettings;

static void settings_deinit(BootSettings *settings) {
        free(settings->from_file);
        free(settings->root);
        free(settings->workspace);
        free(settings->ssh_key_name);
}

static int refuse_source(void *target, const char *value, Error *error) {
        (void)target;
        (void)value;
        return error_set(error, -EOPNOTSUPP,
                         "this version has no such datasource; put the user-data into a file and give -from-file FILE");
}

static int refuse_oem(void *target, const char *value, Error *error) {
        (void)target;
        return error_set(error, -EOPNOTSUPP,
                         "\"%s\" stands for datasources that this version does not have; put the user-data into a file "
                         "and give -from-file FILE",
                         value);
}

static int refuse_netconf(void *target, const char *value, Error *error) {
        (void)target;
        return error_set(error, -EOPNOTSUPP,
                         "this version does not convert \"%s\"; write the network's units into the cloud-config",
                         value);
}

#define REFUSED(name, call)                                                                                            \
        { name, 0, OPTION_CALL, "VALUE", NULL, NULL, NULL, call }

static int parse_options(BootSettings *s, const char *program, int argc, char **argv, Buffer *help, Error *error) {
        const Option options[] = {
                {"from-file", 0, OPTION_STRING, "FILE", NULL, "apply the user-data in FILE", &s->from_file, NULL},
                {"validate", 0, OPTION_SWITCH, NULL, NULL,
                 "only report what is wrong with it; exit code 1 if anything is", &s->validate, NULL},
                {"root", 0, OPTION_STRING, "DIR", NULL, "write everything below DIR, and start nothing (default: /)",
                 &s->root, NULL},
                {"workspace", 0, OPTION_STRING, "DIR", NULL, "where scripts are kept (default: " BOOT_WORKSPACE ")",
                 &s->workspace, NULL},
                {"ignore-failure", 0, OPTION_SWITCH, NULL, NULL, "exit with 0 also when the user-data cannot be used",
                 &s->ignore_failure, NULL},
                {"ssh-key-name", 0, OPTION_STRING, "NAME", NULL, NULL, &s->ssh_key_name, NULL},
                {"version", 0, OPTION_SWITCH, NULL, NULL, "print the version", &s->version, NULL},
                {"help", 0, OPTION_SWITCH, NULL, NULL, "print this", &s->help, NULL},
                REFUSED("from-url", refuse_source),
                REFUSED("from-configdrive", refuse_source),
                REFUSED("from-metadata-service", refuse_source),
                REFUSED("from-ec2-metadata", refuse_source),
                REFUSED("from-digitalocean-metadata", refuse_source),
                REFUSED("from-gce-metadata", refuse_source),
                REFUSED("from-packet-metadata", refuse_source),
                REFUSED("from-waagent", refuse_source),
                REFUSED("from-vmware-ovf-env", refuse_source),
                {"from-cloudsigma-metadata", 0, OPTION_CALL, NULL, NULL, NULL, NULL, refuse_source},
                {"from-proc-cmdline", 0, OPTION_CALL, NULL, NULL, NULL, NULL, refuse_source},
                {"from-vmware-guestinfo", 0, OPTION_CALL, NULL, NULL, NULL, NULL, refuse_source},
                REFUSED("oem", refuse_oem),
                REFUSED("convert-netconf", refuse_netconf),
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        int r = options_parse(options, OPTIONS_GO, argc, argv, &arguments, error);

        if (r < 0)
                return r;
        if (arguments.length > 0)
                return error_set(error, -EINVAL, "\"%s\" is no flag; did you mean -from-file %s?", arguments.items[0],
                                 arguments.items[0]);
        if (option_default(&s->root, "/") < 0 || option_default(&s->workspace, BOOT_WORKSPACE) < 0)
                return -ENOMEM;
        (void)buffer_printf(
                help,
                "Usage: %s -from-file FILE [FLAGS]\n\nApplies a machine's user-data, a #cloud-config or a script, as "
                "coreos-cloudinit does.\n\n",
                program);
        return options_format_help(options, "-", help);
}

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

/* What is to come after this boot may come: the rest is waiting and telling. */
static void on_ready(void *userdata) {
        (void)userdata;
        (void)sd_notify(0, "READY=1");
}

static void on_ended(void *userdata, const Step *step, int r, const char *result) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        const char *line = step_text(step, &text);

        (void)userdata;
        if (r == UNIT_COMMAND_PENDING)
                log_warning("%s: goes on after %d seconds%s%s", line, (int)(BOOT_UNITS_WAIT / USEC_PER_SEC),
                            *result ? ": " : "", result);
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

static int apply(BootSession *session, const BootSettings *settings) {
        ApplyCount count;
        Error error = ERROR_NONE;

        if (boot_session_plan(session, settings->workspace, &error) < 0) {
                log_error("the user-data was not used, and nothing was changed: %s", error_text(&error));
                boot_session_note_refusal(session, &error);
                return settings->ignore_failure ? EXIT_OK : EXIT_FAILED;
        }
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
        return EXIT_OK;
}

static int run(const BootSettings *settings) {
        _cleanup_boot_session_ BootSession session = {.files.fd = -1};
        Error error = ERROR_NONE;
        size_t lines = 0;

        session.key_name = settings->ssh_key_name;
        if (boot_session_open(settings->root, &session, &error) < 0 ||
            boot_session_read(&session, settings->from_file, &error) < 0) {
                log_error("%s", error_text(&error));
                return EXIT_FAILED;
        }
        if (print_report(&session, &lines) < 0) {
                log_error("out of memory");
                return EXIT_FAILED;
        }
        if (settings->validate)
                return lines > 0 ? EXIT_FAILED : EXIT_OK;
        return apply(&session, settings);
}

int boot_main(const char *program, int argc, char **argv) {
        _cleanup_(settings_deinit) BootSettings settings = {0};
        _cleanup_buffer_ Buffer help = BUFFER_INIT;
        Error error = ERROR_NONE;

        log_init(program, LOG_LEVEL_INFO);
        (void)signal(SIGPIPE, SIG_IGN);
        if (parse_options(&settings, program, argc, argv, &help, &error) < 0) {
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
        if (!settings.from_file) {
                log_error("no datasource: give -from-file FILE");
                return EXIT_USAGE;
        }
        return run(&settings);
}
