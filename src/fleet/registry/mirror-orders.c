/* Bans and moves. */
#include <errno.h>

#include "fleet/registry/internal.h"

static void ban_free(RegistryBan *ban) {
        free(ban->key);
        free(ban->unit);
        free(ban->machine);
        ban_record_deinit(&ban->record);
        free(ban);
}

static void move_free(RegistryMove *move) {
        free(move->unit);
        move_record_deinit(&move->record);
        free(move);
}

int mirror_ban(Registry *registry, const char *unit, const char *machine, const char *value) {
        RegistryBan *ban = calloc(1, sizeof(*ban));
        void *old = NULL;
        int r;

        if (!ban)
                return -ENOMEM;
        *ban = (RegistryBan){.key = str_printf("%s/%s", unit, machine), .unit = strdup(unit), .machine = strdup(machine)};
        r = ban->key && ban->unit && ban->machine ? ban_read(value, &ban->record) : -ENOMEM;
        if (r >= 0)
                r = map_put(&registry->bans, slice_from(ban->key), ban, &old);
        if (r < 0)
                ban_free(ban);
        if (old)
                ban_free(old);
        return r == -EBADMSG ? 0 : r;
}

void mirror_ban_gone(Registry *registry, const char *unit, const char *machine) {
        _cleanup_free_ char *key = machine ? str_printf("%s/%s", unit, machine) : NULL;
        RegistryBan *ban;

        if (key) {
                ban = map_remove(&registry->bans, slice_from(key));
                if (ban)
                        ban_free(ban);
                return;
        }
        for (bool again = true; again;) {
                again = false;
                map_foreach(&registry->bans, entry) {
                        ban = entry->value;
                        if (!str_equals(ban->unit, unit))
                                continue;
                        (void)map_remove(&registry->bans, slice_from(ban->key));
                        ban_free(ban);
                        again = true;
                        break;
                }
        }
}

int mirror_move(Registry *registry, const char *unit, const char *value) {
        RegistryMove *move = calloc(1, sizeof(*move));
        void *old = NULL;
        int r;

        if (!move)
                return -ENOMEM;
        move->unit = strdup(unit);
        r = move->unit ? move_read(value, &move->record) : -ENOMEM;
        if (r >= 0)
                r = map_put(&registry->moves, slice_from(move->unit), move, &old);
        if (r < 0)
                move_free(move);
        if (old)
                move_free(old);
        return r == -EBADMSG ? 0 : r;
}

void mirror_move_gone(Registry *registry, const char *unit) {
        RegistryMove *move = map_remove(&registry->moves, slice_from(unit));

        if (move)
                move_free(move);
}

void mirror_clear_orders(Registry *registry) {
        map_foreach(&registry->bans, entry)
                ban_free(entry->value);
        map_deinit(&registry->bans);
        map_foreach(&registry->moves, entry)
                move_free(entry->value);
        map_deinit(&registry->moves);
}
