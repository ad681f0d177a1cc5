/* What is mounted into a container from the host: paths, and volumes below the state directory. */
#include <errno.h>
#include <sys/stat.h>

#include "base/encode.h"
#include "base/random.h"
#include "containers/engine/engine.h"
#include "host/file.h"

/* A missing source of -v is made as a directory, as Docker does. */
static int settle_bind(const SpecMount *mount, ContainerVolume *volume, Error *error) {
        struct stat info;

        volume->source = strdup(mount->source);
        if (!volume->source)
                return -ENOMEM;
        if (stat(mount->source, &info) >= 0)
                return 0;
        if (mount->must_exist)
                return error_set(error, -EINVAL,
                                 "invalid mount config for type \"bind\": bind source path does not exist: %s",
                                 mount->source);
        return file_make_folder(mount->source, 0755, error);
}

static int settle_volume(const Engine *engine, const SpecMount *mount, ContainerVolume *volume, Error *error) {
        if (mount->source) {
                volume->name = strdup(mount->source);
        } else {
                _cleanup_buffer_ Buffer text = BUFFER_INIT;
                uint8_t secret[32];

                random_secret(secret, sizeof(secret));
                (void)encode_hex(&text, secret, sizeof(secret));
                volume->name = buffer_steal_string(&text, NULL);
                volume->anonymous = true;
        }
        volume->source =
                volume->name ? str_printf("%s/volumes/%s/_data", engine->settings->state_dir, volume->name) : NULL;
        return volume->source ? file_make_folder(volume->source, 0755, error) : -ENOMEM;
}

int container_make_volumes(Container *container, Error *error) {
        const ContainerSpec *spec = &container->spec;
        int r = 0;

        container->volumes = calloc(spec->n_mounts + 1, sizeof(*container->volumes));
        if (!container->volumes)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < spec->n_mounts; i++) {
                const SpecMount *mount = &spec->mounts[i];
                ContainerVolume *volume = &container->volumes[container->n_volumes];

                if (mount->kind == MOUNT_TMPFS)
                        continue;
                container->n_volumes++;
                volume->read_only = mount->read_only;
                volume->target = strdup(mount->target);
                volume->propagation = mount->propagation ? strdup(mount->propagation) : NULL;
                if (!volume->target || (mount->propagation && !volume->propagation))
                        return -ENOMEM;
                r = mount->kind == MOUNT_BIND ? settle_bind(mount, volume, error)
                                              : settle_volume(container->engine, mount, volume, error);
        }
        return r;
}

void container_remove_volumes(Container *container) {
        for (size_t i = 0; i < container->n_volumes; i++) {
                const ContainerVolume *volume = &container->volumes[i];
                _cleanup_free_ char *path = NULL;

                if (!volume->anonymous)
                        continue;
                path = str_printf("%s/volumes/%s", container->engine->settings->state_dir, volume->name);
                if (path)
                        (void)file_remove_tree(path, NULL);
        }
}
