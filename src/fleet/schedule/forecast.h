#pragma once
/* What would become of units if the cluster were otherwise: two pictures compared. Pure. */
#include "fleet/schedule/schedule.h"

/* A unit whose place would be another one. */
typedef struct ForecastRow {
        char *unit;
        char *from, *to; /* machine IDs; NULL: nowhere */
        char *reason;    /* why there, or why nowhere */
        bool homeless;   /* it is wanted, and no machine may run it */
} ForecastRow;

typedef struct Forecast {
        ForecastRow *rows; /* by name */
        size_t length, capacity;
        size_t homeless;
} Forecast;

void forecast_deinit(Forecast *forecast);
#define _cleanup_forecast_ _cleanup_(forecast_deinit)

/* Lets the scheduler pass over `after`, which is changed, and tells which units are elsewhere than in `before`. Units that
 * waited before and still do are no news. -ENOMEM. */
int schedule_forecast(const Picture *before, Picture *after, Forecast *ret);

/* Of machines that would go: `picture` is as it is, and is not changed. -ENOENT: no such machine. */
int schedule_forecast_loss(const Picture *picture, const StringList *machines, Forecast *ret);
