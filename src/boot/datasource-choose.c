/* One thread for each datasource; the first that is there ends the others. */
#include <errno.h>
#include <pthread.h>

#include "boot/datasource.h"

enum { PAUSE_FIRST_MSEC = 100, PAUSE_MAX_SECONDS = 30 };

typedef struct Race Race;

typedef struct Looker {
        Race *race;
        const Datasource *source;
        CurlFetch *fetch;
        pthread_t thread;
        bool started;
        Error why; /* it is not there */
} Looker;

struct Race {
        Looker lookers[DATASOURCES_MAX];
        size_t length;
        pthread_mutex_t lock;
        pthread_cond_t news;
        size_t running;
        const Datasource *first; /* NULL: none yet */
};

/* 0: it is there. */
static int look_until_there(Looker *looker) {
        Fetch *fetch = curl_fetch_base(looker->fetch);
        Usec pause = PAUSE_FIRST_MSEC * USEC_PER_MSEC;

        for (;;) {
                Error why = ERROR_NONE;
                int r = looker->source->kind->look(looker->source, fetch, &why);

                if (r != -ECANCELED) {
                        (void)pthread_mutex_lock(&looker->race->lock);
                        looker->why = why;
                        (void)pthread_mutex_unlock(&looker->race->lock);
                }
                if (r >= 0 || !looker->source->kind->waits || r == -ECANCELED)
                        return r;
                if (fetch->ops->pause(fetch, pause) < 0)
                        return -ECANCELED;
                pause = min_of(pause * 2, PAUSE_MAX_SECONDS * USEC_PER_SEC);
        }
}

static void *look(void *userdata) {
        Looker *looker = userdata;
        Race *race = looker->race;
        int r = look_until_there(looker);

        (void)pthread_mutex_lock(&race->lock);
        if (r >= 0 && !race->first)
                race->first = looker->source;
        race->running--;
        (void)pthread_cond_signal(&race->news);
        (void)pthread_mutex_unlock(&race->lock);
        return NULL;
}

static int start(Race *race, const Datasource *source) {
        Looker *looker = &race->lookers[race->length++];
        int r;

        *looker = (Looker){.race = race, .source = source};
        r = curl_fetch_new(&looker->fetch);
        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&race->lock);
        r = pthread_create(&looker->thread, NULL, look, looker);
        looker->started = r == 0;
        race->running += looker->started;
        (void)pthread_mutex_unlock(&race->lock);
        return -r;
}

/* Until one is there, all have given up, or the time is over. */
static void await_first(Race *race, Usec wait) {
        struct timespec end;
        int r = 0;

        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_sec += (time_t)(wait / USEC_PER_SEC);
        (void)pthread_mutex_lock(&race->lock);
        while (!race->first && race->running > 0 && r == 0)
                r = pthread_cond_timedwait(&race->news, &race->lock, &end);
        (void)pthread_mutex_unlock(&race->lock);
}

static void end_all(Race *race) {
        for (size_t i = 0; i < race->length; i++)
                if (race->lookers[i].started)
                        curl_fetch_stop(race->lookers[i].fetch);
        for (size_t i = 0; i < race->length; i++) {
                if (race->lookers[i].started)
                        (void)pthread_join(race->lookers[i].thread, NULL);
                curl_fetch_free(race->lookers[i].fetch);
        }
        (void)pthread_cond_destroy(&race->news);
        (void)pthread_mutex_destroy(&race->lock);
}

static int explain(const Race *race, bool gone, Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        for (size_t i = 0; i < race->length; i++)
                (void)buffer_printf(&text, "%s%s: %s", i ? "; " : "", race->lookers[i].source->kind->name,
                                    race->lookers[i].why.text[0] ? race->lookers[i].why.text : "no answer yet");
        return error_set(error, gone ? -ENOENT : -ETIMEDOUT, "No datasources available in time: %s",
                         buffer_string(&text) ?: "");
}

int datasource_choose(const DatasourceList *list, Usec wait, const Datasource **ret, Error *error) {
        Race *race = calloc(1, sizeof(*race));
        pthread_condattr_t attributes;
        bool gone;
        int r = 0;

        if (!race)
                return -ENOMEM;
        (void)pthread_mutex_init(&race->lock, NULL);
        (void)pthread_condattr_init(&attributes);
        (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&race->news, &attributes);
        (void)pthread_condattr_destroy(&attributes);
        for (size_t i = 0; i < list->length && r >= 0; i++)
                r = start(race, &list->items[i]);
        if (r >= 0)
                await_first(race, wait);
        (void)pthread_mutex_lock(&race->lock);
        gone = race->running == 0;
        (void)pthread_mutex_unlock(&race->lock);
        end_all(race);
        if (r >= 0 && !race->first)
                r = explain(race, gone, error);
        if (r >= 0)
                *ret = race->first;
        free(race);
        return r;
}

/* ---- lists ---- */

void datasource_list_deinit(DatasourceList *list) {
        for (size_t i = 0; i < list->length; i++)
                free(list->items[i].location);
        *list = (DatasourceList){0};
}

int datasource_list_add(DatasourceList *list, const DatasourceKind *kind, const char *location) {
        char *copy;

        if (list->length == DATASOURCES_MAX)
                return -EINVAL;
        copy = strdup(location);
        if (!copy)
                return -ENOMEM;
        list->items[list->length++] = (Datasource){kind, copy};
        return 0;
}
