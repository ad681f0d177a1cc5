#include "fleet/cluster.h"

#include <errno.h>

/* Machines that are kept from one unit; of more, some are tried again. */
enum { UNIT_BANS_MAX = 64 };

#define GLOBALS_UNSEEN UINT64_MAX

void cluster_init(Cluster *cluster, Registry *registry) {
        *cluster = (Cluster){.registry = registry, .globals_seen = GLOBALS_UNSEEN};
}

void cluster_deinit(Cluster *cluster) {
        picture_deinit(&cluster->picture);
}

int cluster_read_requirements(const RegistryUnit *unit, UnitRequirements *ret) {
        _cleanup_unitfile_ UnitFile file = {0};
        int r;

        r = unitfile_parse(&file, slice_from(unit->text), NULL, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;
        return unit_requirements_read(&file, unit->name, ret);
}

static int update_machine(Cluster *cluster, const char *id) {
        const RegistryMachine *machine = registry_machine(cluster->registry, id);
        MetadataPair *metadata;
        size_t count;
        int r;

        if (!machine || !machine->present)
                return picture_remove_machine(&cluster->picture, id);
        r = registry_machine_metadata(machine, &metadata, &count);
        if (r < 0)
                return r;
        r = picture_put_machine(&cluster->picture, id, machine->record.address, metadata, count);
        metadata_pairs_free(metadata, count);
        if (r >= 0)
                r = picture_set_capacity(&cluster->picture, id, machine->record.memory, machine->record.cpu);
        return r < 0 ? r : picture_set_cordon(&cluster->picture, id, machine->cordon);
}

/* Those of the text that the unit has now: another one may do better. */
static int update_bans(Cluster *cluster, const RegistryUnit *unit) {
        PictureBan bans[UNIT_BANS_MAX];
        size_t count = 0;

        map_foreach(registry_bans(cluster->registry), entry) {
                const RegistryBan *ban = entry->value;

                if (count == ARRAY_SIZE(bans) || !unit->hash || !str_equals(ban->unit, unit->name) || !str_equals(ban->record.hash, unit->hash))
                        continue;
                bans[count++] = (PictureBan){ban->machine, ban->record.reason};
        }
        return picture_set_bans(&cluster->picture, unit->name, bans, count);
}

/* A unit whose text is not here, or cannot be read, is wanted nowhere. */
static int update_unit(Cluster *cluster, const char *name) {
        const RegistryUnit *unit = registry_unit(cluster->registry, name);
        UnitRequirements requirements = {0};
        bool sound = unit && registry_unit_is_complete(unit);
        int r;

        if (!unit) {
                picture_remove_unit(&cluster->picture, name);
                return 0;
        }
        if (sound) {
                r = cluster_read_requirements(unit, &requirements);
                if (r == -ENOMEM)
                        return r;
                sound = r >= 0;
        }
        r = picture_put_unit(&cluster->picture, name, &requirements, sound ? unit->desired : UNIT_INACTIVE, unit->order);
        if (r >= 0)
                r = picture_set_placement(&cluster->picture, name, unit->machine, unit->source);
        return r < 0 ? r : update_bans(cluster, unit);
}

static int rebuild(Cluster *cluster) {
        int r = 0;

        picture_deinit(&cluster->picture);
        cluster->picture = (Picture){0};
        cluster->globals_seen = GLOBALS_UNSEEN;
        map_foreach(registry_machines(cluster->registry), entry)
                if (r >= 0)
                        r = update_machine(cluster, ((RegistryMachine *)entry->value)->id);
        map_foreach(registry_units(cluster->registry), entry)
                if (r >= 0)
                        r = update_unit(cluster, ((RegistryUnit *)entry->value)->name);
        return r;
}

int cluster_update(Cluster *cluster, RegistryChange change, const char *subject) {
        int r = 0;

        if (cluster->stale)
                return 0;
        switch (change) {
        case REGISTRY_LOADED:
                r = rebuild(cluster);
                break;
        case REGISTRY_MACHINE:
                r = update_machine(cluster, subject);
                break;
        case REGISTRY_UNIT:
        case REGISTRY_PLACEMENT:
                r = update_unit(cluster, subject);
                break;
        case REGISTRY_STATE:
        case REGISTRY_LEASE:
                break;
        }
        if (r < 0)
                cluster->stale = true;
        return r;
}

Picture *cluster_picture(Cluster *cluster) {
        if (cluster->stale && rebuild(cluster) >= 0)
                cluster->stale = false;
        return cluster->stale ? NULL : &cluster->picture;
}

bool cluster_runs_global(Cluster *cluster, const char *machine, const char *unit, bool is_here) {
        Picture *picture = cluster_picture(cluster);
        const PictureMachine *self = picture ? picture_machine(picture, machine) : NULL;
        const PictureUnit *known = picture ? picture_unit(picture, unit) : NULL;

        if (!picture)
                return is_here;
        if (!known || !known->requirements->global)
                return false;
        /* one that is gone is kept in the picture while units are placed there */
        return self && self->present ? picture_occupies(known, self) : is_here;
}

bool cluster_globals_have_changed(Cluster *cluster, const char *machine) {
        const Picture *picture = cluster_picture(cluster);
        const PictureMachine *self = picture ? picture_machine(picture, machine) : NULL;
        uint64_t before = cluster->globals_seen;

        cluster->globals_seen = self ? self->globals_changed : GLOBALS_UNSEEN;
        return cluster->globals_seen != before;
}
