/*
 * A complete small stand-in for the image store: images are directories FOLDER/NAME/{rootfs/,config} whose config is one "key value"
 * a line (env, cmd, entrypoint, user, workdir, port, volume, label, stopsignal). For tests.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "containers/image/image-store.h"

struct ImageStore {
        Image *images[64];
        char *folders[64];
        size_t length;
};

void image_config_deinit(ImageConfig *config) {
        StringList *lists[] = {&config->entrypoint, &config->command, &config->environment, &config->ports, &config->volumes, &config->labels,
                               &config->diff_ids};

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
                string_list_deinit(lists[i]);
        free(config->architecture);
        free(config->os);
        free(config->user);
        free(config->directory);
        free(config->stop_signal);
        *config = (ImageConfig){0};
}

static void read_config(const char *path, ImageConfig *config) {
        char line[1024];
        FILE *file = fopen(path, "re");

        while (file && fgets(line, sizeof(line), file)) {
                char *value = strchr(line, ' ');

                line[strcspn(line, "\n")] = '\0';
                if (!value)
                        continue;
                *value++ = '\0';
                if (str_equals(line, "env"))
                        (void)string_list_add(&config->environment, value);
                else if (str_equals(line, "cmd"))
                        (void)string_list_add(&config->command, value);
                else if (str_equals(line, "entrypoint")) {
                        (void)string_list_add(&config->entrypoint, value);
                        config->has_entrypoint = true;
                } else if (str_equals(line, "port"))
                        (void)string_list_add(&config->ports, value);
                else if (str_equals(line, "volume"))
                        (void)string_list_add(&config->volumes, value);
                else if (str_equals(line, "label"))
                        (void)string_list_add(&config->labels, value);
                else if (str_equals(line, "user"))
                        config->user = strdup(value);
                else if (str_equals(line, "workdir"))
                        config->directory = strdup(value);
                else if (str_equals(line, "stopsignal"))
                        config->stop_signal = strdup(value);
        }
        if (file)
                (void)fclose(file);
}

int image_store_open(const char *directory, ImageStore **ret, Error *error) {
        ImageStore *store = calloc(1, sizeof(*store));
        DIR *folder = opendir(directory);
        struct dirent *entry;

        (void)error;
        while (store && folder && (entry = readdir(folder)) && store->length < ARRAY_SIZE(store->images)) {
                Image *image;
                char *path;

                if (entry->d_name[0] == '.')
                        continue;
                image = calloc(1, sizeof(*image));
                path = str_printf("%s/%s/config", directory, entry->d_name);
                (void)snprintf(image->id, sizeof(image->id), "sha256:%064zx", store->length + 1);
                read_config(path, &image->config);
                free(path);
                (void)string_list_take(&image->names, str_printf("%s:latest", entry->d_name));
                store->folders[store->length] = str_printf("%s/%s/rootfs", directory, entry->d_name);
                store->images[store->length++] = image;
        }
        if (folder)
                (void)closedir(folder);
        *ret = store;
        return store ? 0 : -ENOMEM;
}

ImageStore *image_store_free(ImageStore *store) {
        for (size_t i = 0; store && i < store->length; i++) {
                image_config_deinit(&store->images[i]->config);
                string_list_deinit(&store->images[i]->names);
                free(store->images[i]);
                free(store->folders[i]);
        }
        free(store);
        return NULL;
}

int image_store_find(const ImageStore *store, const char *name, Image **ret, Error *error) {
        for (size_t i = 0; i < store->length; i++) {
                const char *full = store->images[i]->names.items[0];

                if (str_equals(store->images[i]->id, name) || str_equals(full, name) ||
                    (strncmp(full, name, strlen(name)) == 0 && str_equals(full + strlen(name), ":latest"))) {
                        *ret = store->images[i];
                        return 0;
                }
        }
        return error_set(error, -ENOENT, "No such image: %s", name);
}

Image *image_store_at(const ImageStore *store, size_t at) {
        return at < store->length ? store->images[at] : NULL;
}

char *image_lower_directories(const ImageStore *store, const Image *image) {
        for (size_t i = 0; i < store->length; i++)
                if (store->images[i] == image)
                        return strdup(store->folders[i]);
        return NULL;
}

int image_store_tag(ImageStore *store, Image *image, const char *name, Error *error) {
        (void)store;
        (void)image;
        (void)name;
        return error_set(error, -EOPNOTSUPP, "this store is a stand-in");
}

int image_store_remove(ImageStore *store, const char *name, bool force, StringList *removed, Error *error) {
        (void)store;
        (void)name;
        (void)force;
        (void)removed;
        return error_set(error, -EOPNOTSUPP, "this store is a stand-in");
}
