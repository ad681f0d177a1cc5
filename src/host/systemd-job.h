#pragma once
/* What systemd is doing with this program's own unit. */
#include "base/util.h"

/* Whether it stops this program only to start it again (`systemctl restart`). Asks systemd, and waits a second at most; false when it is
 * not known. */
bool systemd_job_is_restart(void);
