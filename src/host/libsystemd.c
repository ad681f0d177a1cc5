#include "host/libsystemd.h"

#include <dlfcn.h>
#include <errno.h>

#include "base/util.h"

#define LIBRARY "libsystemd.so.0"

struct LibSystemd libsystemd;

static const struct {
        const char *name;
        size_t offset;
} functions[] = {
#define LIBSYSTEMD_ROW(name) {#name, offsetof(struct LibSystemd, name)},
        LIBSYSTEMD_FUNCTIONS(LIBSYSTEMD_ROW)
};

static int find_all(void *library, struct LibSystemd *ret, Error *error) {
        for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
                void *function = dlsym(library, functions[i].name);

                if (!function)
                        return error_set(error, -ENOENT, "%s has no %s: it is too old", LIBRARY, functions[i].name);
                memcpy((char *)ret + functions[i].offset, &function, sizeof(function));
        }
        return 0;
}

int libsystemd_load(Error *error) {
        static bool loaded;
        struct LibSystemd found;
        void *library;
        int r;

        if (loaded)
                return 0;
        library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
        if (!library)
                return error_set(error, -ENOENT, "cannot load %s (Debian: libsystemd0): %s", LIBRARY, dlerror());
        r = find_all(library, &found, error);
        if (r < 0) {
                (void)dlclose(library);
                return r;
        }
        libsystemd = found;
        loaded = true;
        return 0;
}
