/* Docker's create objects: what is accepted has all that the bundle is made of, and gives one or a reason. */
#include <assert.h>
#include <errno.h>

#include "containers/runtime/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_bundle(const ContainerSpec *spec) {
        static const BundleHost host = {.capability_bound = UINT64_MAX};
        const ImageUser user = {.home = "/"};
        const BundleInput input = {.spec = spec,
                                   .host = &host,
                                   .id = "id",
                                   .root = "/root",
                                   .host_name = "box",
                                   .cgroup = "/c",
                                   .user = &user};
        Error error = ERROR_NONE;
        json_t *config = NULL;
        int r = bundle_config(&input, &config, &error);

        assert(r >= 0 ? config != NULL : error.text[0] != '\0' || r == -ENOMEM);
        json_decref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        json_t *body = json_loadb((const char *)data, size, 0, NULL);
        _cleanup_container_spec_ ContainerSpec spec = {0};
        Error error = ERROR_NONE;
        int r;

        if (!body)
                return 0;
        r = container_spec_parse(body, json_object_get(body, "HostConfig"), NULL, &spec, &error);
        assert(r == 0 || error.text[0] != '\0');
        if (r == 0) {
                assert(spec.command.length > 0 && spec.image);
                for (size_t i = 0; i < spec.n_mounts; i++)
                        assert(spec.mounts[i].target[0] == '/');
                for (size_t i = 0; i < spec.n_ports; i++)
                        assert(spec.ports[i].container > 0);
                make_bundle(&spec);
        }
        json_decref(body);
        return 0;
}
