#include "fleet/schedule/forecast.h"

#include <errno.h>
#include <stdlib.h>

void forecast_deinit(Forecast *forecast) {
        for (size_t i = 0; i < forecast->length; i++) {
                free(forecast->rows[i].unit);
                free(forecast->rows[i].from);
                free(forecast->rows[i].to);
                free(forecast->rows[i].reason);
        }
        free(forecast->rows);
        *forecast = (Forecast){0};
}

static int copy_id(const PictureMachine *machine, char **ret) {
        *ret = machine ? strdup(machine->id) : NULL;
        return machine && !*ret ? -ENOMEM : 0;
}

/* Takes the reason, which may be NULL for want of memory. */
static int add_row(Forecast *forecast, const char *unit, const PictureMachine *from, const PictureMachine *to, bool homeless, char *reason) {
        ForecastRow *row;
        int r;

        if (forecast->length == forecast->capacity) {
                size_t capacity = forecast->capacity ? forecast->capacity * 2 : 16;
                ForecastRow *larger = reallocarray(forecast->rows, capacity, sizeof(*larger));

                if (!larger) {
                        free(reason);
                        return -ENOMEM;
                }
                forecast->rows = larger;
                forecast->capacity = capacity;
        }
        row = &forecast->rows[forecast->length++];
        *row = (ForecastRow){.unit = strdup(unit), .reason = reason, .homeless = homeless};
        r = copy_id(from, &row->from);
        if (r >= 0)
                r = copy_id(to, &row->to);
        forecast->homeless += homeless;
        return r < 0 || !row->unit || !row->reason ? -ENOMEM : 0;
}

static const PictureMachine *place_of(const PictureUnit *unit) {
        return unit && unit->desired != UNIT_INACTIVE ? unit->target : NULL;
}

static char *reason_of(const Picture *after, const PictureUnit *unit, const Plan *plan) {
        Buffer text = BUFFER_INIT;
        Decision decision;

        for (size_t i = plan->length; i > 0; i--)
                if (plan->steps[i - 1].kind == PLAN_SCHEDULE && str_equals(plan->steps[i - 1].unit, picture_unit_name(unit)))
                        return strdup(plan->steps[i - 1].reason);
        decision = schedule_decide(after, unit);
        (void)schedule_describe(&decision, &text);
        return buffer_steal_string(&text, NULL);
}

static bool same_machine(const PictureMachine *a, const PictureMachine *b) {
        return a && b ? str_equals(a->id, b->id) : a == b;
}

static bool is_wanted(const PictureUnit *unit) {
        return unit && unit->desired != UNIT_INACTIVE && !unit->requirements->global;
}

static int compare_unit(const Picture *before, const Picture *after, const PictureUnit *unit, const Plan *plan, Forecast *forecast) {
        const PictureUnit *old = picture_unit(before, picture_unit_name(unit));
        const PictureMachine *from = place_of(old), *to = place_of(unit);
        bool homeless = is_wanted(unit) && !to;

        if (unit->requirements->global || (same_machine(from, to) && !(homeless && !is_wanted(old))))
                return 0;
        return add_row(forecast, picture_unit_name(unit), from, to, homeless,
                       is_wanted(unit) ? reason_of(after, unit, plan) : strdup("its desired state is inactive"));
}

static int compare_rows(const void *a, const void *b) {
        return strcmp(((const ForecastRow *)a)->unit, ((const ForecastRow *)b)->unit);
}

int schedule_forecast(const Picture *before, Picture *after, Forecast *ret) {
        _cleanup_plan_ Plan plan = {0};
        _cleanup_forecast_ Forecast forecast = {0};
        int r = schedule_plan(after, &plan);

        for (size_t i = 0; r >= 0 && i < after->units.length; i++)
                r = compare_unit(before, after, after->units.items[i], &plan, &forecast);
        for (size_t i = 0; r >= 0 && i < before->units.length; i++) {
                const PictureUnit *unit = before->units.items[i];

                if (!picture_unit(after, picture_unit_name(unit)) && place_of(unit))
                        r = add_row(&forecast, picture_unit_name(unit), unit->target, NULL, false, strdup("it is destroyed"));
        }
        if (r < 0)
                return r;
        if (forecast.length > 1)
                qsort(forecast.rows, forecast.length, sizeof(*forecast.rows), compare_rows);
        *ret = forecast;
        forecast = (Forecast){0};
        return 0;
}

int schedule_forecast_loss(const Picture *picture, const StringList *machines, Forecast *ret) {
        Picture before = {0}, after = {0};
        Plan due = {0};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < machines->length; i++) {
                const PictureMachine *machine = picture_machine(picture, machines->items[i]);

                if (!machine || !machine->present)
                        r = -ENOENT;
        }
        if (r >= 0)
                r = picture_copy(picture, &before);
        if (r >= 0)
                r = schedule_plan(&before, &due); /* what is to happen anyway is not the loss's doing */
        if (r >= 0)
                r = picture_copy(&before, &after);
        for (size_t i = 0; r >= 0 && i < machines->length; i++)
                r = picture_remove_machine(&after, machines->items[i]);
        if (r >= 0)
                r = schedule_forecast(&before, &after, ret);
        plan_deinit(&due);
        picture_deinit(&before);
        picture_deinit(&after);
        return r;
}
