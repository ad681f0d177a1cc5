#include "base/error.h"

#include <stdio.h>
#include <string.h>

int error_set(Error *error, int r, const char *format, ...) {
        va_list args;

        if (!error)
                return r;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        return r;
}

int error_set_errno(Error *error, int r, const char *format, ...) {
        size_t used;
        va_list args;
        char reason[128];

        if (!error)
                return r;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        used = strlen(error->text);
        (void)snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror_r(-r, reason, sizeof(reason)));
        return r;
}

int error_prefix(Error *error, int r, const char *format, ...) {
        Error inner;
        size_t used;
        va_list args;

        if (!error)
                return r;
        inner = *error;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        used = strlen(error->text);
        (void)snprintf(error->text + used, sizeof(error->text) - used, ": %s", inner.text);
        return r;
}
