/*
 * How fast the pure scheduler is, alone. For clusters of growing size, 100 units to a machine: time to place all units, with
 * metadata, conflicts and resources; time to decide anew when a machine with its units is lost; memory. Prints a table.
 *
 *     build-release/tests/bench/schedule/bench-schedule [UNITS…]      default: 1000 10000 100000 1000000
 *
 * Not a test: it says what is so, and passes always.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "fleet/schedule/schedule.h"

enum {
        UNITS_PER_MACHINE = 100,
        UNITS_PER_APP = 1000, /* instances of a template that conflict with each other */
        LOSS_UNITS = 200,
        ZONES = 8,
};

static void must(int r) {
        if (r < 0) {
                (void)fprintf(stderr, "bench-schedule: %s\n", strerror(-r));
                exit(1);
        }
}

/* A quarter asks for fast disks, a quarter for a zone, a fifth may not be beside its like, and all take memory and CPU. */
static void describe(uint64_t number, size_t instances, Buffer *text, Buffer *name) {
        uint64_t app = number / instances, instance = number % instances;

        buffer_clear(text);
        buffer_clear(name);
        must(buffer_printf(name, "app%llu@%llu.service", (unsigned long long)app, (unsigned long long)instance));
        must(buffer_printf(text, "[X-Fleet]\nMemory=%uM\nCPU=0.%u\n", 64 + (unsigned)(number % 5) * 32, 1 + (unsigned)(number % 3)));
        if (app % 4 == 0)
                must(buffer_append_string(text, "MachineMetadata=disk=ssd\n"));
        if (app % 4 == 1)
                must(buffer_printf(text, "MachineMetadata=zone=z%llu\n", (unsigned long long)(app % ZONES)));
        if (app % 5 == 0)
                must(buffer_printf(text, "Conflicts=app%llu@*\n", (unsigned long long)app));
}

static void add_machine(Picture *picture, uint64_t number) {
        char id[33], zone_key[] = "zone", disk_key[] = "disk", zone[16], ssd[] = "ssd", hdd[] = "hdd";
        const MetadataPair pairs[] = {{zone_key, zone}, {disk_key, number % 2 ? ssd : hdd}};

        (void)snprintf(id, sizeof(id), "%032llx", (unsigned long long)(number * 2654435761u));
        (void)snprintf(zone, sizeof(zone), "z%llu", (unsigned long long)(number % ZONES));
        must(picture_put_machine(picture, id, "10.0.0.1", pairs, 2));
        must(picture_set_capacity(picture, id, (uint64_t)64 << 30, 64000));
}

static void build(Picture *picture, size_t machines, size_t units) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT, name = BUFFER_INIT;
        size_t instances = UNITS_PER_APP < machines / 16 ? UNITS_PER_APP : machines / 16 + 1;

        for (uint64_t i = 0; i < machines; i++)
                add_machine(picture, i);
        for (uint64_t i = 0; i < units; i++) {
                _cleanup_unitfile_ UnitFile file = {0};
                UnitRequirements requirements;

                describe(i, instances, &text, &name);
                must(unitfile_parse(&file, slice_from(buffer_string(&text)), NULL, NULL));
                must(unit_requirements_read(&file, buffer_string(&name), &requirements));
                must(picture_put_unit(picture, buffer_string(&name), &requirements, UNIT_LAUNCHED, i));
        }
}

/* A machine with LOSS_UNITS units, or the fullest there is. */
static Usec lose_machine(Picture *picture, size_t *ret_units) {
        _cleanup_plan_ Plan plan = {0};
        PictureMachine *fullest = picture->slots[0];
        Usec begun;

        for (size_t i = 0; i < picture->units.length && picture_machine_load(fullest) < LOSS_UNITS; i++) {
                PictureUnit *unit = picture->units.items[i];

                if (unit->target && unit->target != fullest && schedule_is_able(picture, unit, fullest, NULL))
                        must(picture_set_target(picture, picture_unit_name(unit), fullest->id));
        }
        {
                _cleanup_plan_ Plan settle = {0};

                must(schedule_plan(picture, &settle));
        }
        *ret_units = picture_machine_load(fullest);
        begun = clock_monotonic();
        must(picture_remove_machine(picture, fullest->id));
        must(schedule_plan(picture, &plan));
        return clock_monotonic() - begun;
}

static void measure(size_t units) {
        size_t machines = units / UNITS_PER_MACHINE, before = mallinfo2().uordblks, lost, memory;
        _cleanup_plan_ Plan plan = {0};
        Picture picture = {0};
        Usec begun = clock_monotonic(), built, placed, loss;

        build(&picture, machines, units);
        built = clock_monotonic();
        must(schedule_plan(&picture, &plan));
        placed = clock_monotonic();
        if (plan.waiting.length > 0)
                printf("%zu units found no machine\n", plan.waiting.length);
        plan_deinit(&plan);
        memory = mallinfo2().uordblks - before;
        loss = lose_machine(&picture, &lost);
        printf("%9zu %9zu %9.2f s %9.2f s %12.0f %9.2f %9zu %8zu %10.2f ms\n", units, machines, (double)(built - begun) / 1e6,
               (double)(placed - built) / 1e6, (double)units / ((double)(placed - built) / 1e6), (double)(placed - built) / (double)units,
               memory / units, lost, (double)loss / 1e3);
        (void)fflush(stdout);
        picture_deinit(&picture);
}

int main(int argc, char **argv) {
        static const size_t sizes[] = {1000, 10000, 100000, 1000000};

        (void)mallopt(M_MMAP_THRESHOLD, 1 << 30); /* so that all memory is counted */
        printf("%9s %9s %11s %11s %12s %9s %9s %8s %13s\n", "units", "machines", "made", "placed", "units/s", "us/unit", "B/unit", "lost", "decided anew");
        for (int i = 1; i < argc; i++)
                measure((size_t)strtoull(argv[i], NULL, 10));
        for (size_t i = 0; argc < 2 && i < ARRAY_SIZE(sizes); i++)
                measure(sizes[i]);
        return 0;
}
