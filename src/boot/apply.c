#include "boot/apply.h"

#include <errno.h>

typedef struct Owner {
        FileOwner ids;
        bool later; /* a user of the plan: not there before */
} Owner;

typedef struct Apply {
        const BootPlan *plan;
        const BootMachine *machine;
        const ApplyEvents *events;
        void *userdata;
        Owner *owners;     /* one for each step */
        bool *outstanding; /* commands that were asked for */
        Error *error;
} Apply;

/* ---- owners ---- */

/* The name before the colon. */
static bool plan_makes_user(const BootPlan *plan, const char *owner) {
        size_t length = strcspn(owner, ":");

        for (size_t i = 0; i < plan->length; i++)
                if (plan->steps[i].kind == STEP_USER &&
                    slice_equals(slice_from(plan->steps[i].user), (Slice){owner, length}))
                        return true;
        return false;
}

static int find_owner(Apply *apply, const Step *step, FileOwner *ret) {
        BootFiles *files = apply->machine->files;

        return files->ops->find_owner(files, step->owner, ret, apply->error);
}

static int find_owners(Apply *apply) {
        for (size_t i = 0; i < apply->plan->length; i++) {
                const Step *step = &apply->plan->steps[i];
                Owner *owner = &apply->owners[i];
                int r;

                owner->ids = (FileOwner){BOOT_FILE_KEEP, (gid_t)BOOT_FILE_KEEP};
                if (!step->owner)
                        continue;
                r = find_owner(apply, step, &owner->ids);
                owner->later = r == -ENOENT && plan_makes_user(apply->plan, step->owner);
                if (r < 0 && !owner->later)
                        return error_prefix(apply->error, r, "line %u: owner of %s", step->line, step->path);
        }
        return 0;
}

/* Whoever is to get SSH keys is there, or is made by the plan. */
static int find_key_users(Apply *apply) {
        BootAccounts *accounts = apply->machine->accounts;

        for (size_t i = 0; i < apply->plan->length; i++) {
                const Step *step = &apply->plan->steps[i];
                int r;

                if (step->kind != STEP_KEYS || plan_makes_user(apply->plan, step->user))
                        continue;
                r = accounts->ops->exists(accounts, step->user, apply->error);
                if (r == 0)
                        r = error_set(apply->error, -ENOENT,
                                      "there is no user %s to give SSH keys to; make it with users:, or give the keys to a user who is there",
                                      step->user);
                if (r < 0)
                        return error_prefix(apply->error, r, "line %u", step->line);
        }
        return 0;
}

/* ---- steps ---- */

static int apply_user(Apply *apply, const Step *step, Buffer *result) {
        BootAccounts *accounts = apply->machine->accounts;
        int exists = accounts->ops->exists(accounts, step->user, apply->error), r = BOOT_SAME;

        if (exists < 0)
                return exists;
        if (!exists)
                r = accounts->ops->create(accounts, step->user, &step->options, apply->error);
        else if (step->options.length > 1) /* more than that a home is made */
                (void)buffer_append_string(result, "is there already, and stays as it is but for password and keys");
        if (r >= 0 && step->text) {
                int set = accounts->ops->set_password(accounts, step->user, step->text, apply->error);

                r = set < 0 || set == 0 ? set : r;
        }
        return r;
}

static int apply_file(Apply *apply, const Step *step, Owner *owner) {
        BootFiles *files = apply->machine->files;
        int r;

        if (owner->later && apply->machine->looking)
                return 0;
        r = owner->later ? find_owner(apply, step, &owner->ids) : 0;
        return r < 0 ? r
                     : files->ops->write(files, step->path, (Slice){step->text, step->text_length}, step->mode,
                                         owner->ids, apply->error);
}

/* The kernel may have it built in, and loads it itself when a device of its kind is made. */
static int apply_module(Apply *apply, const Step *step, Buffer *result) {
        BootFiles *files = apply->machine->files;
        Error why = ERROR_NONE;
        int r = files->ops->load_module(files, step->unit, &step->options, &why);

        if (r >= 0)
                return BOOT_SAME;
        (void)buffer_append_string(result, why.text);
        return UNIT_COMMAND_FAILED;
}

static int apply_step(Apply *apply, size_t at, Buffer *result) {
        const Step *step = &apply->plan->steps[at];
        BootFiles *files = apply->machine->files;
        BootAccounts *accounts = apply->machine->accounts;
        UnitManager *units = apply->machine->units;

        switch (step->kind) {
        case STEP_HOSTNAME:
                return files->ops->set_hostname(files, step->text, apply->error);
        case STEP_USER:
                return apply_user(apply, step, result);
        case STEP_KEYS:
                if (!step->text)
                        return error_set(apply->error, -EINVAL, "the keys were not fetched");
                return accounts->ops->authorize(accounts, step->user, step->key_name,
                                                (Slice){step->text, step->text_length}, apply->error);
        case STEP_FILE:
                return apply_file(apply, step, &apply->owners[at]);
        case STEP_MASK:
                return files->ops->mask(files, step->path, apply->error);
        case STEP_UNMASK:
                return files->ops->unmask(files, step->path, apply->error);
        case STEP_ENABLE:
                return units->ops->enable(units, step->unit, step->runtime, apply->error);
        case STEP_MODULE:
                return apply_module(apply, step, result);
        case STEP_RELOAD:
                return units->ops->reload(units, apply->error);
        case STEP_COMMAND:
                return units->ops->command(units, step->unit, step->action, result, apply->error);
        default:
                return -EINVAL;
        }
}

/* "line 4: cannot start x.service: why" */
static int explain(const Step *step, int r, Error *error) {
        _cleanup_buffer_ Buffer what = BUFFER_INIT;
        const char *text;

        (void)boot_plan_format_step(step, &what);
        text = buffer_string(&what) ?: "go on";
        if (error && !error->text[0])
                (void)error_set_errno(error, r, "failed");
        return step->line ? error_prefix(error, r, "line %u: cannot %s", step->line, text)
                          : error_prefix(error, r, "cannot %s", text);
}

static const char *result_text(Buffer *result) {
        return buffer_length(result) ? buffer_string(result) ?: "" : "";
}

static bool is_change(const Step *step, int r) {
        return r == 0 && step->kind != STEP_RELOAD && step->kind != STEP_COMMAND;
}

/* Until the machine is off: each boot makes it anew. */
static bool is_of_one_boot(const Step *step) {
        return step->kind == STEP_ENABLE ? step->runtime : step->path && str_starts_with(step->path, "/run/");
}

static int apply_steps(Apply *apply, ApplyCount *count) {
        for (size_t i = 0; i < apply->plan->length; i++) {
                const Step *step = &apply->plan->steps[i];
                _cleanup_buffer_ Buffer result = BUFFER_INIT;
                int r = apply_step(apply, i, &result);

                if (r < 0)
                        return explain(step, r, apply->error);
                apply->outstanding[i] = step->kind == STEP_COMMAND && step->wait && r == 0;
                apply->events->done(apply->userdata, step, r, result_text(&result));
                count->done = i + 1;
                count->changed += is_change(step, r) && !is_of_one_boot(step);
                count->remade += is_change(step, r) && is_of_one_boot(step);
        }
        return 0;
}

/* ---- units ---- */

/* How a unit fares does not end a run: its own state tells of it. */
static void await_units(Apply *apply, Usec left) {
        UnitManager *units = apply->machine->units;

        for (size_t i = 0; i < apply->plan->length; i++) {
                _cleanup_buffer_ Buffer result = BUFFER_INIT;
                Error error = ERROR_NONE;
                int r;

                if (!apply->outstanding[i])
                        continue;
                r = units->ops->await(units, apply->plan->steps[i].unit, &left, &result, &error);
                if (r < 0) {
                        (void)buffer_append_string(&result, error.text);
                        r = UNIT_COMMAND_PENDING;
                }
                apply->events->ended(apply->userdata, &apply->plan->steps[i], r, result_text(&result));
        }
}

int boot_apply(const BootPlan *plan, const BootMachine *machine, Usec wait, const ApplyEvents *events, void *userdata,
               ApplyCount *count, Error *error) {
        _cleanup_free_ Owner *owners = calloc(plan->length + 1, sizeof(*owners));
        _cleanup_free_ bool *outstanding = calloc(plan->length + 1, sizeof(*outstanding));
        Apply apply = {plan, machine, events, userdata, owners, outstanding, error};
        ApplyCount counted = {0};
        int r = owners && outstanding ? find_owners(&apply) : -ENOMEM;

        if (r >= 0)
                r = find_key_users(&apply);
        if (r >= 0)
                r = apply_steps(&apply, &counted);
        if (count)
                *count = counted;
        if (r < 0)
                return r;
        if (events->ready)
                events->ready(userdata);
        if (events->ended)
                await_units(&apply, wait);
        return 0;
}
