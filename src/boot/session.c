#include "boot/session.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/json-write.h"
#include "base/random.h"
#include "boot/unit-manager.h"
#include "host/file.h"
#include "unitfile/environment-file.h"

#define ENVIRONMENT_PATH "/etc/environment"
#define UNITS_NOTED_MAX (BOOT_STATE_MAX / 2) /* what the first of them are told in; the log has all */

static Slice buffer_slice(const Buffer *buffer) {
        return (Slice){buffer_length(buffer) ? buffer_data(buffer) : "", buffer_length(buffer)};
}

/* ---- what is known of the machine ---- */

static int take_environment_file(BootSession *session, Error *error) {
        _cleanup_string_list_ StringList list = {0};
        int r = root_files_read(&session->files, ENVIRONMENT_PATH, ENVIRONMENT_FILE_MAX, &session->environment, error);

        session->has_environment = r >= 0;
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = environment_file_parse(buffer_slice(&session->environment), &list, error);
        if (r < 0)
                return r == -ENOMEM ? r : error_prefix(error, r, "%s", ENVIRONMENT_PATH);
        for (size_t i = 0; i < list.length && r >= 0; i++)
                for (Address one = 0; one < ADDRESSES_COUNT && r >= 0; one++) {
                        size_t length = strlen(address_variable(one));

                        if (str_starts_with(list.items[i], address_variable(one)) && list.items[i][length] == '=')
                                r = addresses_set(&session->addresses, one, slice_from(list.items[i] + length + 1),
                                                  error);
                }
        return r;
}

static int take_environment(BootSession *session, Error *error) {
        int r = 0;

        for (Address one = 0; one < ADDRESSES_COUNT && r >= 0; one++)
                r = addresses_set(&session->addresses, one, slice_from(getenv(address_variable(one)) ?: ""), error);
        return r;
}

static int take_update_conf(BootSession *session, Error *error) {
        static const char *const paths[] = {"/etc/coreos/update.conf", "/usr/share/coreos/update.conf"};
        int r = -ENOENT;

        for (size_t i = 0; i < ARRAY_SIZE(paths) && r == -ENOENT; i++)
                r = root_files_read(&session->files, paths[i], FILE_SMALL_MAX, &session->update_conf, error);
        session->has_update_conf = r >= 0;
        return r == -ENOENT ? 0 : r;
}

static int take_hostname(BootSession *session) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Slice name = {"localhost", 9};

        if (session->files.is_machine && gethostname(session->hostname, sizeof(session->hostname)) == 0)
                return 0;
        if (root_files_read(&session->files, "/etc/hostname", BOOT_STATE_MAX, &text, NULL) >= 0 &&
            buffer_length(&text) > 0)
                name = slice_trim(buffer_slice(&text));
        (void)snprintf(session->hostname, sizeof(session->hostname), "%.*s", (int)min_of(name.length, (size_t)64),
                       name.data);
        return 0;
}

int boot_session_open(const char *root, BootSession *session, Error *error) {
        uint32_t number;
        int r;

        *session = (BootSession){
                .files.fd = -1, .key_name = session->key_name, .network = session->network, .strict = session->strict};
        r = root_files_open(root, &session->files, error);
        session->root = r >= 0 ? realpath(root, NULL) : NULL; /* useradd wants the whole path */
        if (r >= 0 && !session->root)
                r = error_set_errno(error, -errno, "cannot find the root %s", root);
        root_accounts_init(&session->accounts, &session->files, session->root);
        if (r >= 0)
                r = take_environment_file(session, error);
        if (r >= 0)
                r = take_environment(session, error);
        if (r >= 0)
                r = take_update_conf(session, error);
        if (r >= 0)
                r = take_hostname(session);
        random_secret(&number, sizeof(number));
        (void)snprintf(session->script_name, sizeof(session->script_name), "%u", number);
        return r;
}

void boot_session_close(BootSession *session) {
        root_files_close(&session->files);
        free(session->root);
        free(session->source);
        metadata_deinit(&session->metadata);
        buffer_deinit(&session->user_data);
        buffer_deinit(&session->environment);
        buffer_deinit(&session->update_conf);
        addresses_deinit(&session->addresses);
        boot_plan_deinit(&session->plan);
}

/* ---- the steps of a run ---- */

static int take_user_data(BootSession *session, Slice bytes, Error *error) {
        if (!gzip_is(bytes))
                return buffer_append(&session->user_data, bytes.data, bytes.length);
        return gzip_decode(bytes, CONFIG_TEXT_MAX, &session->user_data, error);
}

int boot_session_fetch(BootSession *session, const Datasource *source, Fetch *fetch, Error *error) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT, shown = BUFFER_INIT;
        int r;

        (void)url_format_shown(source->location[0] ? source->location : source->kind->name, &shown);
        session->source = buffer_steal_string(&shown, NULL);
        if (!session->source)
                return -ENOMEM;
        r = source->kind->user_data(source, fetch, &bytes, error);
        if (r >= 0)
                r = take_user_data(session, buffer_slice(&bytes), error);
        return r < 0 ? error_prefix(error, r, "user-data of %s", source->kind->name) : 0;
}

/* What the meta-data says of addresses counts more than the environment. */
int boot_session_fetch_metadata(BootSession *session, const Datasource *source, Fetch *fetch, Error *error) {
        int r = source->kind->metadata ? source->kind->metadata(source, fetch, &session->metadata, error) : 0;

        for (Address one = 0; one < ADDRESSES_COUNT && r >= 0; one++)
                if (session->metadata.addresses.values[one])
                        r = addresses_set(&session->addresses, one, slice_from(session->metadata.addresses.values[one]),
                                          error);
        return r;
}

int boot_session_read(BootSession *session, const char *file, Error *error) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        int r = file_read(file, CONFIG_TEXT_MAX, &bytes, error);

        if (r < 0)
                return error_prefix(error, r, "user-data");
        session->source = strdup(file);
        if (!session->source)
                return -ENOMEM;
        r = take_user_data(session, buffer_slice(&bytes), error);
        return r < 0 ? error_prefix(error, r, "user-data %s", file) : 0;
}

int boot_session_report(const BootSession *session, Report *report) {
        return report_check(buffer_slice(&session->user_data), report);
}

/* A cluster's URL is taken once, so that it answers matters more than what it says. */
static int check_discovery(const BootSession *session, Fetch *fetch, Error *error) {
        _cleanup_string_list_ StringList urls = {0};
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        int r = addresses_substitute(&session->addresses, buffer_slice(&session->user_data), &text, NULL);

        if (r >= 0)
                r = report_discovery_urls(buffer_slice(&text), &urls);
        for (size_t i = 0; i < urls.length && r >= 0; i++) {
                _cleanup_buffer_ Buffer body = BUFFER_INIT;

                r = fetch_once(fetch, urls.items[i], NULL, CONFIG_TEXT_MAX, &body, error);
                if (r < 0)
                        return error_prefix(error, r,
                                            "the discovery URL does not answer; take a new one, or name the members by "
                                            "initial-cluster");
        }
        return r;
}

int boot_session_check_strict(BootSession *session, Fetch *fetch, Error *error) {
        _cleanup_report_ Report report = {0};
        int r = boot_session_report(session, &report);

        if (r >= 0)
                r = report_refuse(&report, error);
        return r < 0 ? r : check_discovery(session, fetch, error);
}

int boot_session_plan(BootSession *session, const char *workspace, Error *error) {
        const BootFacts facts = {
                .addresses = session->addresses,
                .hostname = session->hostname,
                .environment_file = session->has_environment ? buffer_slice(&session->environment) : (Slice){NULL, 0},
                .update_conf = session->has_update_conf ? buffer_slice(&session->update_conf) : (Slice){NULL, 0},
                .script_name = session->script_name,
                .workspace = workspace,
                .key_name = session->key_name,
                .metadata = &session->metadata,
                .network = session->network,
                .strict = session->strict,
        };

        return boot_plan_make(&facts, buffer_slice(&session->user_data), &session->plan, error);
}

int boot_session_fetch_keys(BootSession *session, Fetch *fetch, Error *error) {
        for (size_t i = 0; i < session->plan.length; i++) {
                Step *step = &session->plan.steps[i];
                _cleanup_buffer_ Buffer body = BUFFER_INIT;
                int r;

                if (step->kind != STEP_KEYS || step->text)
                        continue;
                r = fetch_retry(fetch, step->url, NULL, METADATA_DOCUMENT_MAX, &body, error);
                if (r >= 0)
                        r = keys_parse_list(buffer_slice(&body), &step->text, error);
                if (r < 0)
                        return error_prefix(error, r, "line %u: SSH keys of the user %s", step->line, step->user);
                step->text_length = strlen(step->text);
        }
        return 0;
}

/* ---- the note of what happened ---- */

typedef struct Outcome {
        const char *text; /* "applied" and so on */
        const char *manager;
        ApplyCount count;
        const char *why;
        Buffer units; /* JSON of what became of the units */
} Outcome;

static int write_locked_state(BootSession *session, Outcome *outcome, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        JsonWriter json = json_writer(&text);
        time_t now = time(NULL);
        char when[32] = "";
        struct tm parts;

        if (gmtime_r(&now, &parts))
                (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
        json_begin_object(&json);
        json_field_u64(&json, "version", 1);
        json_field_string(&json, "when", when);
        json_field_string(&json, "source", session->source ?: "");
        json_field_string(&json, "outcome", outcome->text);
        json_field_string(&json, "unitManager", outcome->manager);
        json_field_u64(&json, "steps", session->plan.length);
        json_field_u64(&json, "done", outcome->count.done);
        json_field_u64(&json, "changed", outcome->count.changed);
        json_field_u64(&json, "remade", outcome->count.remade);
        json_field_string(&json, "error", outcome->why);
        json_key(&json, "units");
        (void)buffer_printf(&text, "[%s]", buffer_length(&outcome->units) ? buffer_string(&outcome->units) : "");
        json_end_object(&json);
        (void)buffer_append_byte(&text, '\n');
        if (buffer_failed(&text) < 0 || buffer_failed(&outcome->units) < 0)
                return -ENOMEM;
        if (buffer_length(&text) > BOOT_STATE_MAX)
                return error_set(error, -EMSGSIZE, "the note of the run has more than %zu bytes", BOOT_STATE_MAX);
        return session->files.base.ops->write(&session->files.base, BOOT_STATE_PATH, buffer_slice(&text), 0644,
                                              (FileOwner){BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP}, error);
}

static int write_state(BootSession *session, Outcome *outcome, Error *error) {
        _cleanup_close_ int lock = -1;
        int r = root_files_lock(&session->files, BOOT_LOCK_PATH, &lock, error);

        return r < 0 ? r : write_locked_state(session, outcome, error);
}

static void unlock(int *lock) {
        if (*lock >= 0)
                (void)close(take_fd(*lock));
}

/* The reason counts more than that it could not be noted, so a failure to note it is not told. */
void boot_session_note_refusal(BootSession *session, const Error *why) {
        Outcome outcome = {.text = "refused", .manager = "", .why = why->text};

        (void)write_state(session, &outcome, NULL);
}

/* ---- carrying out ---- */

/* Hands events on, and gathers what the note says of units. */
typedef struct Listener {
        const ApplyEvents *events;
        void *userdata;
        Buffer *units;
        int *lock;
} Listener;

static void on_done(void *userdata, const Step *step, int r, const char *result) {
        const Listener *listener = userdata;

        listener->events->done(listener->userdata, step, r, result);
}

static void on_ready(void *userdata) {
        const Listener *listener = userdata;

        unlock(listener->lock); /* units are waited for now, and may themselves wait for another run */
        if (listener->events->ready)
                listener->events->ready(listener->userdata);
}

static void note_unit(Buffer *units, const Step *step, int r, const char *result) {
        JsonWriter json = json_writer(units);

        if (buffer_length(units) > 0)
                (void)buffer_append_byte(units, ',');
        json_begin_object(&json);
        json_field_string(&json, "unit", step->unit);
        json_field_string(&json, "action", step->action);
        json_field_string(&json, "result", r == UNIT_COMMAND_PENDING && !*result ? "goes on" : result);
        json_end_object(&json);
}

static void on_ended(void *userdata, const Step *step, int r, const char *result) {
        const Listener *listener = userdata;

        if (buffer_length(listener->units) < UNITS_NOTED_MAX)
                note_unit(listener->units, step, r, result);
        if (listener->events->ended)
                listener->events->ended(listener->userdata, step, r, result);
}

static int carry_out(BootSession *session, UnitManager *manager, Listener *listener, ApplyCount *count, Error *error) {
        static const ApplyEvents events = {.done = on_done, .ready = on_ready, .ended = on_ended};
        const BootMachine machine = {
                .files = &session->files.base, .accounts = &session->accounts.base, .units = manager};

        return boot_apply(&session->plan, &machine, BOOT_UNITS_WAIT, &events, listener, count, error);
}

/* What a run that is cut off leaves behind; and a disk that takes no more is found before the first change. The lock is held. */
static int note_beginning(BootSession *session, const UnitManager *manager, Error *error) {
        Outcome outcome = {.text = "unfinished", .manager = manager->ops->name, .why = ""};

        return write_locked_state(session, &outcome, error);
}

int boot_session_apply(BootSession *session, const ApplyEvents *events, void *userdata, ApplyCount *count,
                       Error *error) {
        _cleanup_unit_manager_ UnitManager *manager = NULL;
        _cleanup_close_ int lock = -1;
        Outcome outcome = {.text = "applied", .manager = "", .why = ""};
        Listener listener = {events, userdata, &outcome.units, &lock};
        int r = unit_manager_choose(&session->files, &manager, error);

        *count = (ApplyCount){0};
        if (r >= 0)
                r = root_files_lock(&session->files, BOOT_LOCK_PATH, &lock, error);
        if (r >= 0)
                r = note_beginning(session, manager, error);
        if (r < 0) {
                unlock(&lock);
                boot_session_note_refusal(session, error);
                return error_prefix(error, r, "nothing was changed");
        }
        r = carry_out(session, manager, &listener, &outcome.count, error);
        outcome.manager = manager->ops->name;
        *count = outcome.count;
        unlock(&lock);
        if (r < 0) {
                outcome.text = "failed";
                outcome.why = error->text;
                (void)write_state(session, &outcome, NULL);
                r = error_prefix(error, r, "%zu of %zu steps are done, the rest is not", count->done,
                                 session->plan.length);
        } else {
                r = write_state(session, &outcome, error);
        }
        buffer_deinit(&outcome.units);
        return r;
}

int boot_session_look(BootSession *session, const ApplyEvents *events, void *userdata, Error *error) {
        _cleanup_unit_manager_ UnitManager *manager = NULL;
        BootMachine machine = {.files = &session->files.base, .accounts = &session->accounts.base, .looking = true};
        int r;

        session->files.dry = true;
        r = unit_manager_choose(&session->files, &manager, error);
        machine.units = manager;
        if (r >= 0)
                r = boot_apply(&session->plan, &machine, 0, events, userdata, NULL, error);
        session->files.dry = false;
        return r;
}
