#include "base/log.h"
#include "net/tls.h"

void tls_log_note(void *userdata, bool bad, const char *text) {
        (void)userdata;
        if (bad)
                log_warning("%s", text);
        else
                log_info("%s", text);
}
