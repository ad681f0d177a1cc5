/* What is said to NOTIFY_SOCKET while no supervisor is there is read, so that nobody waits in vain for room, and kept within bounds. */
#include "host/shim/shim.h"

enum { BATCH_MAX = 64 };

void unit_shim_notes_read(UnitShim *shim, int fd) {
        char text[UNIT_NOTIFY_MESSAGE_MAX], run[UNIT_NOTIFY_RUN_MAX];

        for (int i = 0; i < BATCH_MAX; i++) {
                pid_t pid = 0;
                ssize_t n = unit_notify_receive(fd, text, &pid);

                if (n < 0)
                        return;
                if (pid <= 0)
                        continue;
                unit_notify_run_of(pid, run);
                (void)kept_notices_add(&shim->notes, pid, run, (Slice){text, (size_t)n});
        }
}

void unit_shim_notes_hand_over(UnitShim *shim) {
        for (size_t i = 0; i < shim->notes.length; i++) {
                const KeptNotice *note = &shim->notes.items[i];

                unit_shim_tell(shim->control, &(UnitShimMessage){.kind = UNIT_SHIM_NOTE,
                                                  .end.pid = note->pid,
                                                  .run = slice_from(note->run),
                                                  .part = {note->text, note->length}},
                               NULL, 0);
        }
        kept_notices_deinit(&shim->notes);
}
