#include "boot/apply.h"

#include <errno.h>

static int find_owners(const BootPlan *plan, BootFiles *files, FileOwner *owners, Error *error) {
        for (size_t i = 0; i < plan->length; i++) {
                const Step *step = &plan->steps[i];
                int r;

                owners[i] = (FileOwner){BOOT_FILE_KEEP, BOOT_FILE_KEEP};
                if (!step->owner)
                        continue;
                r = files->ops->find_owner(files, step->owner, &owners[i], error);
                if (r < 0)
                        return error_prefix(error, r, "line %u: owner of %s", step->line, step->path);
        }
        return 0;
}

static int apply_step(const Step *step, FileOwner owner, BootFiles *files, UnitManager *units, Buffer *result,
                      Error *error) {
        switch (step->kind) {
        case STEP_HOSTNAME:
                return files->ops->set_hostname(files, step->text, error);
        case STEP_FILE:
                return files->ops->write(files, step->path, (Slice){step->text, step->text_length}, step->mode, owner,
                                         error);
        case STEP_MASK:
                return files->ops->mask(files, step->path, error);
        case STEP_UNMASK:
                return files->ops->unmask(files, step->path, error);
        case STEP_ENABLE:
                return units->ops->enable(units, step->unit, step->runtime, error);
        case STEP_RELOAD:
                return units->ops->reload(units, error);
        case STEP_COMMAND:
                return units->ops->command(units, step->unit, step->action, step->wait, result, error);
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

int boot_apply(const BootPlan *plan, BootFiles *files, UnitManager *units, const ApplyEvents *events, void *userdata,
               size_t *ret_done, Error *error) {
        _cleanup_free_ FileOwner *owners = calloc(plan->length + 1, sizeof(*owners));
        int r = owners ? find_owners(plan, files, owners, error) : -ENOMEM;

        if (ret_done)
                *ret_done = 0;
        for (size_t i = 0; i < plan->length && r >= 0; i++) {
                _cleanup_buffer_ Buffer result = BUFFER_INIT;

                r = apply_step(&plan->steps[i], owners[i], files, units, &result, error);
                if (r < 0)
                        return explain(&plan->steps[i], r, error);
                events->done(userdata, &plan->steps[i], r, buffer_length(&result) ? buffer_string(&result) ?: "" : "");
                if (ret_done)
                        *ret_done = i + 1;
        }
        return r < 0 ? r : 0;
}
