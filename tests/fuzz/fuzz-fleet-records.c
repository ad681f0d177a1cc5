/* What fleet has in the store; the first byte says of what kind. What can be read is written and read again as the same. */
#include <assert.h>
#include <errno.h>

#include "fleet/registry/records.h"
#include "fleet/registry/roll.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Reads `json` and appends what would be written of it. */
typedef int (*Rewrite)(const char *json, Buffer *to);

#define REWRITE(name, type, read, write, deinit)                    \
        static int name(const char *json, Buffer *to) {             \
                type record = {0};                                  \
                int r = read(json, &record);                        \
                                                                    \
                if (r < 0)                                          \
                        return r;                                   \
                r = write(&record, to);                             \
                deinit(&record);                                    \
                return r;                                           \
        }

REWRITE(rewrite_machine, MachineRecord, machine_record_read, machine_record_write, machine_record_deinit)
REWRITE(rewrite_state, StateRecord, state_record_read, state_record_write, state_record_deinit)
REWRITE(rewrite_placement, PlacementRecord, placement_read, placement_write, placement_record_deinit)
REWRITE(rewrite_ban, BanRecord, ban_read, ban_write, ban_record_deinit)
REWRITE(rewrite_move, MoveRecord, move_read, move_write, move_record_deinit)
REWRITE(rewrite_roll, RollRecord, roll_read, roll_write, roll_record_deinit)

static int rewrite_cordon(const char *json, Buffer *to) {
        PictureCordon cordon;
        int r = cordon_read(json, &cordon);

        return r < 0 ? r : cordon_write(cordon, to);
}

static int rewrite_text(const char *json, Buffer *to) {
        _cleanup_free_ char *text = NULL;
        int r = unit_text_read(json, &text);

        return r < 0 ? r : unit_text_write(text, to);
}

static int rewrite_lease(const char *json, Buffer *to) {
        _cleanup_free_ char *machine = NULL;
        int r = lease_read(json, &machine);

        return r < 0 ? r : lease_write(machine, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        static const Rewrite rewrites[] = {rewrite_machine, rewrite_state, rewrite_placement, rewrite_ban,  rewrite_move,
                                           rewrite_roll,    rewrite_cordon, rewrite_text,     rewrite_lease};
        _cleanup_buffer_ Buffer once = BUFFER_INIT, twice = BUFFER_INIT, thrice = BUFFER_INIT;
        _cleanup_free_ char *json = NULL;
        Rewrite rewrite;
        int r;

        if (length == 0)
                return 0;
        rewrite = rewrites[bytes[0] % ARRAY_SIZE(rewrites)];
        json = strndup((const char *)bytes + 1, length - 1);
        r = json ? rewrite(json, &once) : -ENOMEM;
        if (r < 0 || !buffer_string(&once))
                return 0;
        assert(rewrite(buffer_string(&once), &twice) >= 0);
        /* a bare lease may have been no UTF-8: writing mends that */
        assert(rewrite(buffer_string(&twice), &thrice) >= 0);
        assert(str_equals(buffer_string(&twice), buffer_string(&thrice)));
        return 0;
}
