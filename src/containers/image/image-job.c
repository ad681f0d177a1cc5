#include "containers/image/image-job.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/list.h"
#include "containers/image/layer.h"
#include "host/file.h"

enum { SAYINGS_MAX = 4096, ID_MAX = 32, STATUS_MAX = 512, SIZE_TEXT_MAX = 32 };

/* One line of progress on its way to the loop. */
typedef struct Saying {
        ListNode link;
        char id[ID_MAX];
        char status[STATUS_MAX];
        uint64_t current, total;
} Saying;

struct ImageJob {
        ImageStore *store;
        ImageJobRun run;
        void *input;
        void (*input_free)(void *input);
        const ImageJobEvents *events;
        void *userdata;
        pthread_t thread;
        uv_async_t wake;

        pthread_mutex_t lock; /* over what follows */
        List sayings;
        size_t saying_count;
        bool ended;

        atomic_bool cancelled;
        StringList manifests, names; /* results, pair by pair; "" for no name */
        uint64_t unpacked;
        int r;
        Error error;
};

static atomic_uint jobs_running;

ImageStore *image_job_store(const ImageJob *job) {
        return job->store;
}

bool image_job_is_cancelled(ImageJob *job) {
        return atomic_load(&job->cancelled);
}

void image_job_cancel(ImageJob *job) {
        atomic_store(&job->cancelled, true);
}

int image_job_add(ImageJob *job, const char *manifest, const char *name) {
        int r = string_list_add(&job->manifests, manifest);

        return r < 0 ? r : string_list_add(&job->names, name ?: "");
}

/* When the loop does not keep up, a line is dropped: the next one tells more. */
void image_job_say(ImageJob *job, const char *id, const char *status, uint64_t current, uint64_t total) {
        Saying *saying = calloc(1, sizeof(*saying));

        if (!saying)
                return;
        memcpy(saying->id, id, min_of(strlen(id), sizeof(saying->id) - 1));
        memcpy(saying->status, status, min_of(strlen(status), sizeof(saying->status) - 1));
        saying->current = current;
        saying->total = total;
        (void)pthread_mutex_lock(&job->lock);
        if (job->saying_count < SAYINGS_MAX) {
                list_append(&job->sayings, &saying->link);
                job->saying_count++;
                saying = NULL;
        }
        (void)pthread_mutex_unlock(&job->lock);
        free(saying);
        (void)uv_async_send(&job->wake);
}

/* ---- layers ---- */

static int layer_keep(const char *temporary, const char *path, const LayerResult *layer, Error *error) {
        _cleanup_free_ char *size_path = str_printf("%s.size", path);
        _cleanup_free_ char *text = str_printf("%llu\n", (unsigned long long)layer->size);
        int r;

        if (!size_path || !text)
                return error_set_errno(error, -ENOMEM, "cannot keep the layer");
        r = file_replace(size_path, 0600, slice_from(text), true, error);
        /* another job may have been faster with the same layer */
        if (r >= 0 && rename(temporary, path) < 0 && errno != EEXIST && errno != ENOTEMPTY)
                r = error_set_errno(error, -errno, "cannot keep the layer %s", path);
        return r;
}

static int unpack_into(ImageJob *job, int archive, const char *temporary, char *diff_id, Error *error) {
        _cleanup_free_ char *path = NULL;
        LayerResult layer;
        int r;

        r = file_make_folder(temporary, 0755, error);
        if (r >= 0)
                r = layer_unpack(archive, temporary, LAYER_WHITEOUTS_TRANSLATE, &layer, error);
        if (r >= 0 && diff_id[0] && !str_equals(diff_id, layer.diff_id))
                r = error_set(error, -EBADMSG, "the layer's files have the digest %s, but the image says %s",
                              layer.diff_id, diff_id);
        if (r < 0)
                return r;
        memcpy(diff_id, layer.diff_id, DIGEST_TEXT_MAX);
        path = image_store_layer_path(job->store, diff_id);
        return path ? layer_keep(temporary, path, &layer, error)
                    : error_set_errno(error, -ENOMEM, "cannot keep the layer");
}

int image_job_unpack(ImageJob *job, const char *archive_digest, char diff_id[static DIGEST_TEXT_MAX], Error *error) {
        _cleanup_free_ char *archive_path = content_path(image_store_content(job->store), archive_digest);
        _cleanup_free_ char *name = str_printf("layer-%p-%llu", (void *)job, (unsigned long long)job->unpacked++);
        _cleanup_free_ char *temporary = name ? image_store_temporary_path(job->store, name) : NULL;
        _cleanup_close_ int archive = -1;
        int r;

        if (!archive_path || !temporary)
                return error_set_errno(error, -ENOMEM, "cannot unpack the layer");
        if (diff_id[0]) {
                _cleanup_free_ char *path = image_store_layer_path(job->store, diff_id);

                if (path && access(path, F_OK) == 0)
                        return 0;
        }
        archive = open(archive_path, O_RDONLY | O_CLOEXEC);
        if (archive < 0)
                return error_set_errno(error, -errno, "cannot open %s", archive_path);
        r = unpack_into(job, archive, temporary, diff_id, error);
        (void)file_remove_tree(temporary, NULL);
        return r;
}

int image_job_put_manifest(ImageJob *job, const Manifest *manifest, char ret[static DIGEST_TEXT_MAX], Error *error) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (manifest_write(manifest, &text) < 0)
                return error_set_errno(error, -ENOMEM, "cannot write the manifest");
        return content_put(image_store_content(job->store), (Slice){buffer_data(&text), buffer_length(&text)}, ret,
                           error);
}

/* ---- the thread and its end ---- */

static void *job_thread(void *userdata) {
        ImageJob *job = userdata;

        job->r = job->run(job, job->input, &job->error);
        if (job->r >= 0 && image_job_is_cancelled(job))
                job->r = error_set(&job->error, -ECANCELED, "it was cancelled");
        (void)pthread_mutex_lock(&job->lock);
        job->ended = true;
        (void)pthread_mutex_unlock(&job->lock);
        (void)uv_async_send(&job->wake);
        return NULL;
}

static void job_free(ImageJob *job) {
        job->input_free(job->input);
        string_list_deinit(&job->manifests);
        string_list_deinit(&job->names);
        (void)pthread_mutex_destroy(&job->lock);
        free(job);
}

static void on_closed(uv_handle_t *handle) {
        job_free(handle->data);
}

static void job_end(ImageJob *job) {
        Image *image = NULL;

        (void)pthread_join(job->thread, NULL);
        for (size_t i = 0; job->r >= 0 && i < job->manifests.length; i++)
                job->r = image_store_add(job->store, job->manifests.items[i],
                                         job->names.items[i][0] ? job->names.items[i] : NULL, &image, &job->error);
        (void)atomic_fetch_sub(&jobs_running, 1);
        job->events->done(job->userdata, job->r, &job->error, image);
        image_store_job_end(job->store);
        uv_close((uv_handle_t *)&job->wake, on_closed);
}

static void on_wake(uv_async_t *async) {
        ImageJob *job = async->data;
        List sayings;
        bool ended;

        list_init(&sayings);
        (void)pthread_mutex_lock(&job->lock);
        list_foreach (&job->sayings, node) {
                list_unlink(node);
                list_append(&sayings, node);
        }
        job->saying_count = 0;
        ended = job->ended;
        (void)pthread_mutex_unlock(&job->lock);
        list_foreach (&sayings, node) {
                Saying *saying = container_of(node, Saying, link);

                job->events->progress(job->userdata, saying->id, saying->status, saying->current, saying->total);
                list_unlink(node);
                free(saying);
        }
        if (ended)
                job_end(job);
}

int image_job_start(ImageStore *store, ImageJobRun run, void *input, void (*input_free)(void *input),
                    const ImageJobEvents *events, void *userdata, ImageJob **ret, Error *error) {
        ImageJob *job;
        int r;

        if (atomic_load(&jobs_running) >= IMAGE_JOBS_MAX) {
                input_free(input);
                return error_set(error, -EBUSY,
                                 "%d pulls, imports and the like are under way already: try again when one has ended",
                                 IMAGE_JOBS_MAX);
        }
        job = calloc(1, sizeof(*job));
        if (!job) {
                input_free(input);
                return error_set_errno(error, -ENOMEM, "cannot begin");
        }
        *job = (ImageJob){.store = store,
                          .run = run,
                          .input = input,
                          .input_free = input_free,
                          .events = events,
                          .userdata = userdata};
        list_init(&job->sayings);
        (void)pthread_mutex_init(&job->lock, NULL);
        r = uv_async_init(image_store_loop(store), &job->wake, on_wake);
        if (r < 0) {
                job_free(job);
                return error_set_errno(error, r, "cannot begin");
        }
        job->wake.data = job;
        r = pthread_create(&job->thread, NULL, job_thread, job);
        if (r != 0) {
                uv_close((uv_handle_t *)&job->wake, on_closed);
                return error_set_errno(error, -r, "cannot start a thread");
        }
        (void)atomic_fetch_add(&jobs_running, 1);
        image_store_job_begin(store);
        *ret = job;
        return 0;
}
