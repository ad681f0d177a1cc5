#include "boot/config/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/json-write.h"
#include "boot/config/multipart.h"

static void step_deinit(Step *step) {
        free(step->path);
        free(step->text);
        free(step->owner);
        free(step->unit);
        free(step->action);
        free(step->user);
        free(step->key_name);
        free(step->url);
        string_list_deinit(&step->options);
}

void boot_plan_deinit(BootPlan *plan) {
        for (size_t i = 0; i < plan->length; i++)
                step_deinit(&plan->steps[i]);
        free(plan->steps);
        string_list_deinit(&plan->warnings);
        *plan = (BootPlan){0};
}

/* ---- adding ---- */

static int add_step(Planner *planner, const Step *step) {
        BootPlan *plan = planner->plan;

        if (plan->length == PLAN_STEPS_MAX)
                return error_set(planner->error, -EMSGSIZE, "line %u: more than %zu things to do", step->line,
                                 PLAN_STEPS_MAX);
        if (size_add_overflows(plan->content, step->text_length, &plan->content) || plan->content > PLAN_CONTENT_MAX)
                return error_set(planner->error, -EMSGSIZE, "line %u: the files have more than %zu bytes together",
                                 step->line, PLAN_CONTENT_MAX);
        if (plan->length == plan->capacity) {
                size_t wanted = plan->capacity ? plan->capacity * 2 : 16;
                Step *more = reallocarray(plan->steps, wanted, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                plan->steps = more;
                plan->capacity = wanted;
        }
        plan->steps[plan->length++] = *step;
        return 0;
}

int planner_add(Planner *planner, Step step, bool complete) {
        int r = complete ? add_step(planner, &step) : -ENOMEM;

        if (r < 0)
                step_deinit(&step);
        return r;
}

int planner_add_file(Planner *planner, unsigned line, const char *path, char *text) {
        const Step step = {.kind = STEP_FILE,
                           .line = line,
                           .path = strdup(path),
                           .text = text,
                           .text_length = text ? strlen(text) : 0,
                           .mode = 0644};

        return planner_add(planner, step, step.path && text);
}

int planner_warn(Planner *planner, const char *format, ...) {
        va_list args;
        char *text = NULL;
        int r;

        if (planner->plan->warnings.length == PLAN_STEPS_MAX)
                return 0;
        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        return r < 0 ? -ENOMEM : string_list_take(&planner->plan->warnings, text);
}

/* ---- making ---- */

static int plan_cloud_config(Planner *planner) {
        static int (*const sections[])(Planner *) = {
                plan_hostname, plan_users,     plan_core_keys, plan_write_files,      plan_oem,
                plan_update,   plan_etc_hosts, plan_flannel,   plan_environment_file, plan_units,
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(sections) && r >= 0; i++)
                r = sections[i](planner);
        return r;
}

/* Empty lines in front, so that the lines of a part are those of the whole. */
static int pad_lines(const Planner *planner, Slice text, Buffer *to) {
        for (unsigned line = 1; line < planner->line; line++)
                (void)buffer_append_byte(to, '\n');
        return buffer_append(to, text.data, text.length);
}

static int plan_tree(Planner *planner, Slice text) {
        _cleanup_config_tree_ ConfigTree tree = {0};
        _cleanup_buffer_ Buffer padded = BUFFER_INIT;
        int r = pad_lines(planner, text, &padded);

        if (r >= 0)
                r = config_tree_parse((Slice){buffer_data(&padded), buffer_length(&padded)}, &tree, NULL,
                                      planner->error);
        if (r < 0)
                return r == -ENOMEM ? r : error_prefix(planner->error, r, "the cloud-config is not YAML");
        if (tree.root && tree.root->kind == CONFIG_MAP)
                planner->root = tree.root;
        else if (tree.root && !(tree.root->kind == CONFIG_SCALAR && tree.root->type == SCALAR_NULL))
                return error_set(planner->error, -EINVAL, "line %u: the cloud-config is no mapping of keys to values",
                                 tree.root->line);
        planner->reload = planner->network = false;
        r = plan_cloud_config(planner);
        planner->root = NULL;
        return r;
}

/* The first line that has it and is no comment; 0: none has. */
static unsigned line_of(Slice text, const char *what) {
        Slice line;

        for (unsigned number = 1; slice_split(&text, '\n', &line); number++)
                if (line.length > 0 && memmem(line.data, line.length, what, strlen(what)) &&
                    slice_trim(line).data[0] != '#')
                        return number;
        return 0;
}

/* "http://:2379" is the trap: it looks like an address, and nothing listens there. */
static int tell_of_missing(Planner *planner, Slice text, unsigned missing) {
        unsigned before = planner->line ? planner->line - 1 : 0;
        int r = 0;

        for (Address one = 0; one < ADDRESSES_COUNT && r >= 0; one++) {
                unsigned line = missing & 1U << one ? line_of(text, address_name(one)) : 0;

                if (line == 0)
                        continue;
                line += before;
                if (planner->facts->strict)
                        return error_set(planner->error, -EINVAL,
                                         "line %u: %s is used but not known, and would become nothing: set %s in the "
                                         "environment or in /etc/environment, or take a datasource that knows it",
                                         line, address_name(one), address_variable(one));
                r = planner_warn(planner, "line %u: %s is used but not known, and becomes nothing: set %s", line,
                                 address_name(one), address_variable(one));
        }
        return r;
}

/* A script comes alone, but what the meta-data says counts beside it. */
static int plan_script_user_data(Planner *planner, Slice script) {
        static int (*const sections[])(Planner *) = {plan_hostname, plan_core_keys, plan_environment_file};
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(sections) && r >= 0; i++)
                r = sections[i](planner);
        if (r >= 0)
                r = plan_network(planner);
        return r < 0 ? r : plan_script(planner, script);
}

static int plan_kind(Planner *planner, Slice text, UserDataKind kind) {
        switch (kind) {
        case USER_DATA_CLOUD_CONFIG:
                return plan_tree(planner, text);
        case USER_DATA_SCRIPT:
                return plan_script_user_data(planner, text);
        case USER_DATA_EMPTY:
                return plan_cloud_config(planner);
        case USER_DATA_IGNITION:
                return 0;
        case USER_DATA_UNKNOWN:
        default:
                return error_set(planner->error, -EINVAL,
                                 "the user-data is neither a cloud-config nor a script: its first line must be "
                                 "#cloud-config, or begin with #!");
        }
}

/* One cloud-config, or one script. */
static int plan_one(Planner *planner, Slice user_data) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        unsigned missing;
        int r = addresses_substitute(&planner->facts->addresses, user_data, &text, &missing);
        Slice whole;

        if (r == -EMSGSIZE)
                return error_set(planner->error, r, "the user-data has more than %zu bytes with its addresses put in",
                                 CONFIG_TEXT_MAX);
        if (r >= 0)
                r = tell_of_missing(planner, user_data, missing);
        if (r < 0)
                return r;
        whole = (Slice){buffer_length(&text) ? buffer_data(&text) : "", buffer_length(&text)};
        planner->plan->kind = user_data_kind(whole);
        return plan_kind(planner, whole, planner->plan->kind);
}

static int plan_parts(Planner *planner, Slice user_data) {
        _cleanup_multipart_ Multipart multipart = {0};
        int r = multipart_split(user_data, &multipart, planner->error);

        for (size_t i = 0; i < multipart.length && r >= 0; i++) {
                const Buffer *part = &multipart.parts[i].text;

                planner->line = multipart.parts[i].line;
                r = plan_one(planner, (Slice){buffer_length(part) ? buffer_data(part) : "", buffer_length(part)});
                if (r < 0 && r != -ENOMEM && !(planner->error && str_starts_with(planner->error->text, "line ")))
                        return error_prefix(planner->error, r, "part %zu", i + 1);
        }
        planner->plan->kind = USER_DATA_CLOUD_CONFIG;
        return r;
}

int boot_plan_make(const BootFacts *facts, Slice user_data, BootPlan *plan, Error *error) {
        Planner planner = {.facts = facts, .plan = plan, .error = error};
        int r = multipart_is(user_data) ? plan_parts(&planner, user_data) : plan_one(&planner, user_data);

        if (r < 0)
                boot_plan_deinit(plan);
        return r;
}

/* ---- for people and programs ---- */

static int format_keys(const Step *step, Buffer *to) {
        (void)buffer_printf(to, "authorize SSH keys %s for the user %s", step->key_name, step->user);
        if (step->url)
                (void)buffer_append_string(to, " from ");
        return step->url ? url_format_shown(step->url, to) : buffer_failed(to);
}

int boot_plan_format_step(const Step *step, Buffer *to) {
        switch (step->kind) {
        case STEP_HOSTNAME:
                return buffer_printf(to, "set the host name to %s", step->text);
        case STEP_USER:
                return buffer_printf(to, "have the user %s%s", step->user, step->text ? ", with a password" : "");
        case STEP_KEYS:
                return format_keys(step, to);
        case STEP_FILE:
                return buffer_printf(to, "write %s (%zu bytes, mode %04o%s%s)", step->path, step->text_length,
                                     step->mode, step->owner ? ", owner " : "", step->owner ?: "");
        case STEP_MASK:
                return buffer_printf(to, "mask %s", step->path);
        case STEP_UNMASK:
                return buffer_printf(to, "unmask %s", step->path);
        case STEP_ENABLE:
                return buffer_printf(to, "enable %s%s", step->unit, step->runtime ? " until the next boot" : "");
        case STEP_MODULE:
                return buffer_printf(to, "load the kernel's module %s", step->unit);
        case STEP_RELOAD:
                return buffer_append_string(to, "read the unit files anew");
        case STEP_COMMAND:
                return buffer_printf(to, "%s %s%s", step->action, step->unit, step->wait ? "" : ", without waiting");
        default:
                return -EINVAL;
        }
}

/* Without the hash: a plan is shown, sent around and kept. */
static void write_user(JsonWriter *json, const Step *step) {
        json_field_bool(json, "password", step->text);
        json_field_strings(json, "options", &step->options);
}

static void write_url(JsonWriter *json, const char *url) {
        _cleanup_buffer_ Buffer shown = BUFFER_INIT;

        (void)url_format_shown(url, &shown);
        json_field_string(json, "url", buffer_string(&shown) ?: "");
}

static void write_step(JsonWriter *json, const Step *step, const bool *same) {
        static const char *const names[] = {
                [STEP_HOSTNAME] = "hostname", [STEP_USER] = "user",     [STEP_KEYS] = "keys",
                [STEP_FILE] = "file",         [STEP_MASK] = "mask",     [STEP_UNMASK] = "unmask",
                [STEP_ENABLE] = "enable",     [STEP_RELOAD] = "reload", [STEP_COMMAND] = "command",
                [STEP_MODULE] = "module",
        };
        char mode[8];

        (void)snprintf(mode, sizeof(mode), "%04o", step->mode & 07777U);
        json_begin_object(json);
        json_field_string(json, "step", names[step->kind]);
        if (step->line)
                json_field_u64(json, "line", step->line);
        if (step->path)
                json_field_string(json, "path", step->path);
        if (step->user)
                json_field_string(json, "user", step->user);
        if (step->kind == STEP_USER)
                write_user(json, step);
        if (step->key_name)
                json_field_string(json, "keyName", step->key_name);
        if (step->url)
                write_url(json, step->url);
        if (step->text && step->kind != STEP_USER)
                json_field_slice(json, "content", (Slice){step->text, step->text_length});
        if (step->kind == STEP_FILE)
                json_field_string(json, "mode", mode);
        if (step->owner)
                json_field_string(json, "owner", step->owner);
        if (step->unit)
                json_field_string(json, "unit", step->unit);
        if (step->action)
                json_field_string(json, "action", step->action);
        if (step->kind == STEP_ENABLE)
                json_field_bool(json, "runtime", step->runtime);
        if (same)
                json_field_bool(json, "same", *same);
        json_end_object(json);
}

int boot_plan_format_json(const BootPlan *plan, const bool *same, Buffer *to) {
        JsonWriter json = json_writer(to);

        json_begin_object(&json);
        json_key(&json, "steps");
        json_begin_array(&json);
        for (size_t i = 0; i < plan->length; i++)
                write_step(&json, &plan->steps[i], same ? &same[i] : NULL);
        json_end_array(&json);
        json_field_strings(&json, "warnings", &plan->warnings);
        json_end_object(&json);
        (void)buffer_append_byte(to, '\n');
        return buffer_failed(to);
}
