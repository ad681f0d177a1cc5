/* Reasons in words. Looks at names and globs themselves, not at the picture's counters. */
#include <errno.h>
#include <stdlib.h>

#include "fleet/schedule/schedule.h"
#include "fleet/unit/glob.h"
#include "fleet/unit/resources.h"

enum { RING_MAX = 64 }; /* units that wait for each other */

static void obstacle_deinit(Obstacle *obstacle) {
        free(obstacle->subject);
        free(obstacle->text);
        free(obstacle->remedy);
}

void machine_verdict_deinit(MachineVerdict *verdict) {
        for (size_t i = 0; i < verdict->n_obstacles; i++)
                obstacle_deinit(&verdict->obstacles[i]);
        free(verdict->obstacles);
        *verdict = (MachineVerdict){0};
}

void explanation_deinit(Explanation *explanation) {
        for (size_t i = 0; i < explanation->n_machines; i++)
                machine_verdict_deinit(&explanation->machines[i]);
        free(explanation->machines);
        free(explanation->summary);
        *explanation = (Explanation){0};
}

/* Takes text and remedy, which may be NULL for want of memory. */
static int add(MachineVerdict *verdict, ObstacleKind kind, const char *subject, char *text, char *remedy) {
        Obstacle obstacle = {kind, strdup(subject), text, remedy};

        if (verdict->n_obstacles == verdict->capacity_obstacles) {
                size_t capacity = verdict->capacity_obstacles ? verdict->capacity_obstacles * 2 : 4;
                Obstacle *larger = reallocarray(verdict->obstacles, capacity, sizeof(*larger));

                if (!larger)
                        goto failed;
                verdict->obstacles = larger;
                verdict->capacity_obstacles = capacity;
        }
        if (!obstacle.subject || !obstacle.text || !obstacle.remedy)
                goto failed;
        verdict->obstacles[verdict->n_obstacles++] = obstacle;
        return 0;

failed:
        obstacle_deinit(&obstacle);
        return -ENOMEM;
}

static int explain_metadata(const MetadataRule *rule, MachineVerdict *verdict) {
        const char *value = picture_machine_metadata(verdict->machine, rule->key);
        _cleanup_buffer_ Buffer wanted = BUFFER_INIT;

        if (value && string_list_contains(&rule->values, value))
                return 0;
        for (size_t i = 0; i < rule->values.length; i++)
                (void)buffer_printf(&wanted, "%s%s=%s", i ? " or " : "", rule->key, rule->values.items[i]);
        if (buffer_failed(&wanted) < 0 || !buffer_string(&wanted))
                return -ENOMEM;
        return add(verdict, OBSTACLE_METADATA, rule->key,
                   value ? str_printf("its metadata has %s=%s, not %s", rule->key, value, buffer_string(&wanted))
                         : str_printf("its metadata lacks %s", buffer_string(&wanted)),
                   str_printf("give the machine %s", buffer_string(&wanted)));
}

/* Whether the unit waits for `name`, perhaps over others that wait as well: of each its first that does is looked at. */
static bool waits_for(const Picture *picture, const PictureUnit *unit, const char *name) {
        for (int step = 0; unit && step < RING_MAX; step++) {
                const StringList *peers = &unit->requirements->peers;

                if (string_list_contains(peers, name))
                        return true;
                unit = NULL;
                for (size_t i = 0; !unit && i < peers->length; i++) {
                        unit = picture_unit(picture, peers->items[i]);
                        if (unit && (unit->target || unit->desired == UNIT_INACTIVE))
                                unit = NULL;
                }
        }
        return false;
}

static int explain_peer(const Picture *picture, const PictureUnit *unit, const char *name, MachineVerdict *verdict) {
        const PictureUnit *peer = picture_unit(picture, name);

        if (peer && picture_occupies(peer, verdict->machine))
                return 0;
        if (!peer)
                return add(verdict, OBSTACLE_PEER, name, str_printf("it must join %s, which is not known", name),
                           str_printf("submit and start %s", name));
        if (peer->desired == UNIT_INACTIVE)
                return add(verdict, OBSTACLE_PEER, name, str_printf("it must join %s, which is inactive", name),
                           str_printf("load or start %s", name));
        if (peer->requirements->global)
                return add(verdict, OBSTACLE_PEER, name,
                           str_printf("it must join %s, which is global but does not run here", name),
                           str_printf("see why %s does not run here", name));
        if (!peer->target && waits_for(picture, peer, picture_unit_name(unit)))
                return add(verdict, OBSTACLE_PEER, name,
                           str_printf("it must join %s, which in turn waits for %s: neither is ever placed", name, picture_unit_name(unit)),
                           str_printf("take a MachineOf= out of this ring"));
        if (!peer->target)
                return add(verdict, OBSTACLE_PEER, name, str_printf("it must join %s, which is on no machine", name),
                           str_printf("see why %s is on no machine", name));
        return add(verdict, OBSTACLE_PEER, name,
                   str_printf("it must join %s, which is on %s", name, peer->target->id),
                   str_printf("move %s here", name));
}

static const char *first_match(const StringList *globs, const char *name) {
        for (size_t i = 0; i < globs->length; i++)
                if (glob_matches(slice_from(globs->items[i]), slice_from(name)))
                        return globs->items[i];
        return NULL;
}

static int explain_conflict(const PictureUnit *unit, const PictureUnit *other, MachineVerdict *verdict) {
        const char *name = picture_unit_name(unit), *other_name = picture_unit_name(other);
        const char *ours = first_match(&unit->requirements->conflicts, other_name);
        const char *theirs = first_match(&other->requirements->conflicts, name);

        if (ours)
                return add(verdict, OBSTACLE_CONFLICT, other_name,
                           str_printf("%s is here, and its own Conflicts=%s matches that", other_name, ours),
                           str_printf("move or stop %s", other_name));
        if (theirs)
                return add(verdict, OBSTACLE_CONFLICT, other_name,
                           str_printf("%s is here, whose Conflicts=%s matches it", other_name, theirs),
                           str_printf("move or stop %s", other_name));
        return 0;
}

static int explain_replaced(const Picture *picture, const PictureUnit *unit, const PictureUnit *other, MachineVerdict *verdict) {
        const char *name = picture_unit_name(unit), *other_name = picture_unit_name(other);
        const char *glob = first_match(&other->requirements->replaces, name);

        if (!glob || !schedule_replaces(picture, other, unit))
                return 0;
        return add(verdict, OBSTACLE_REPLACED, other_name,
                   str_printf("%s is here, whose Replaces=%s matches it", other_name, glob),
                   str_printf("move or stop %s", other_name));
}

static int explain_machine(const PictureUnit *unit, MachineVerdict *verdict) {
        const PictureMachine *machine = verdict->machine;
        const UnitRequirements *requirements = unit->requirements;
        int r;

        if (!machine->present) {
                r = add(verdict, OBSTACLE_GONE, "", strdup("it has left the cluster"),
                        strdup("bring the machine back"));
                if (r < 0)
                        return r;
        }
        if (requirements->machine_id && !machine_id_matches(machine->id, requirements->machine_id)) {
                r = add(verdict, OBSTACLE_MACHINE, "",
                        str_printf("MachineID=%s names another machine", requirements->machine_id),
                        str_printf("change MachineID= to %s", machine->id));
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < requirements->n_metadata; i++) {
                r = explain_metadata(&requirements->metadata[i], verdict);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int explain_cordon(MachineVerdict *verdict) {
        const PictureMachine *machine = verdict->machine;

        if (machine->cordon == CORDON_NONE)
                return 0;
        return add(verdict, OBSTACLE_CORDONED, "",
                   strdup(machine->cordon == CORDON_DRAINING ? "it is being drained" : "it is cordoned: nothing new is placed there"),
                   str_printf("uncordon %s", machine->id));
}

static int explain_ban(const PictureUnit *unit, MachineVerdict *verdict) {
        const PictureBan *ban = picture_ban(unit, verdict->machine);

        if (!ban)
                return 0;
        return add(verdict, OBSTACLE_FAILED, "", str_printf("it has failed there lately: %s", ban->reason),
                   strdup("wait until that is forgotten, or put a better text in the unit's place"));
}

static char *amount(void (*format)(uint64_t value, Buffer *to), uint64_t value) {
        Buffer text = BUFFER_INIT;

        format(value, &text);
        return buffer_steal_string(&text, NULL);
}

static int explain_amount(MachineVerdict *verdict, ObstacleKind kind, const char *what, uint64_t wanted, uint64_t left, uint64_t all,
                          void (*format)(uint64_t value, Buffer *to)) {
        _cleanup_free_ char *wanted_text = amount(format, wanted), *left_text = amount(format, left), *all_text = amount(format, all);
        _cleanup_free_ char *missing = amount(format, wanted - left);

        if (!wanted_text || !left_text || !all_text || !missing)
                return -ENOMEM;
        return add(verdict, kind, "", str_printf("it takes %s of %s, and %s of %s are left", wanted_text, what, left_text, all_text),
                   wanted > all ? str_printf("let it ask for at most %s", all_text)
                                : str_printf("move or stop units that take %s, or let it ask for less", missing));
}

/* Reckons up the occupants, whatever the picture's sums say. */
static int explain_resources(const PictureUnit *unit, MachineVerdict *verdict) {
        const PictureMachine *machine = verdict->machine;
        const UnitResources *wanted = &unit->resources;
        uint64_t memory = unit_resources_memory(wanted, machine->memory), memory_used = 0, cpu_used = 0;
        int r = 0;

        for (size_t i = 0; i < machine->occupants.length; i++) {
                const PictureUnit *other = machine->occupants.items[i];

                if (other == unit)
                        continue;
                memory_used += unit_resources_memory(&other->resources, machine->memory);
                cpu_used += other->resources.cpu;
        }
        if (memory > 0 && machine->memory > 0 && memory_used + memory > machine->memory)
                r = explain_amount(verdict, OBSTACLE_MEMORY, "memory", memory,
                                   machine->memory - min_of(machine->memory, memory_used), machine->memory, unit_format_memory);
        if (r >= 0 && wanted->cpu > 0 && machine->cpu > 0 && cpu_used + wanted->cpu > machine->cpu)
                r = explain_amount(verdict, OBSTACLE_CPU, "CPUs", wanted->cpu, machine->cpu - min_of(machine->cpu, cpu_used),
                                   machine->cpu, unit_format_cpu);
        return r;
}

static int explain_occupants(const Picture *picture, const PictureUnit *unit, MachineVerdict *verdict) {
        const PictureUnits *occupants = &verdict->machine->occupants;

        for (size_t i = 0; i < occupants->length; i++) {
                const PictureUnit *other = occupants->items[i];
                int r;

                if (other == unit)
                        continue;
                r = explain_conflict(unit, other, verdict);
                if (r < 0)
                        return r;
                r = explain_replaced(picture, unit, other, verdict);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compare_obstacles(const void *a, const void *b) {
        const Obstacle *x = a, *y = b;

        if (x->kind != y->kind)
                return x->kind < y->kind ? -1 : 1;
        return strcmp(x->subject, y->subject);
}

static void sort_obstacles(MachineVerdict *verdict) {
        if (verdict->n_obstacles > 1)
                qsort(verdict->obstacles, verdict->n_obstacles, sizeof(*verdict->obstacles), compare_obstacles);
}

/* Peers are no matter for a global unit: fleet allows it none. */
static int explain(const Picture *picture, const PictureUnit *unit, MachineVerdict *verdict) {
        int r;

        r = explain_machine(unit, verdict);
        if (r >= 0)
                r = explain_cordon(verdict);
        if (r >= 0)
                r = explain_ban(unit, verdict);
        for (size_t i = 0; r >= 0 && i < unit->requirements->peers.length; i++)
                r = explain_peer(picture, unit, unit->requirements->peers.items[i], verdict);
        if (r >= 0)
                r = explain_occupants(picture, unit, verdict);
        if (r >= 0)
                r = explain_resources(unit, verdict);
        if (r < 0)
                return r;
        sort_obstacles(verdict);
        return 0;
}

int schedule_explain_global(const PictureUnit *unit, const PictureMachine *machine, MachineVerdict *ret) {
        MachineVerdict verdict = {.machine = machine};
        int r;

        /* where it runs, nothing may stand against it: a later global that gave way is not an occupant */
        r = explain_machine(unit, &verdict);
        for (size_t i = 0; r >= 0 && i < machine->occupants.length; i++)
                if (machine->occupants.items[i] != unit)
                        r = explain_conflict(unit, machine->occupants.items[i], &verdict);
        if (r < 0) {
                machine_verdict_deinit(&verdict);
                return r;
        }
        sort_obstacles(&verdict);
        *ret = verdict;
        return 0;
}

/* One that should leave and cannot says so. */
static void summarize_placed(const Picture *picture, const PictureUnit *unit, Buffer *text) {
        const PictureBan *ban = picture_ban(unit, unit->target);
        bool leaves = ban || unit->target->cordon == CORDON_DRAINING;
        Decision decision;

        (void)buffer_printf(text, "it is on %s", unit->target->id);
        if (unit->source)
                (void)buffer_printf(text, ", and still runs on %s until it does there", unit->source->id);
        if (!leaves)
                return;
        decision = schedule_decide(picture, unit);
        (void)buffer_printf(text, ", which %s%s", ban ? "it is to leave as it has failed there: " : "is being drained", ban ? ban->reason : "");
        if (decision.machine)
                return;
        (void)buffer_append_string(text, "; it stays: ");
        (void)schedule_describe(&decision, text);
}

static char *summarize(const Picture *picture, const PictureUnit *unit) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Decision decision;

        if (unit->desired == UNIT_INACTIVE)
                (void)buffer_append_string(&text, "its desired state is inactive: it is to run nowhere");
        else if (unit->requirements->global)
                (void)buffer_append_string(&text, "it is global: it runs on every machine that has nothing against it");
        else if (unit->target)
                summarize_placed(picture, unit, &text);
        else {
                decision = schedule_decide(picture, unit);
                (void)schedule_describe(&decision, &text);
        }
        return buffer_steal_string(&text, NULL);
}

static int compare_machines(const void *a, const void *b) {
        return strcmp(((const MachineVerdict *)a)->machine->id, ((const MachineVerdict *)b)->machine->id);
}

int schedule_explain(const Picture *picture, const PictureUnit *unit, Explanation *ret) {
        _cleanup_explanation_ Explanation result = {0};

        result.summary = summarize(picture, unit);
        result.machines = calloc(picture->n_slots ? picture->n_slots : 1, sizeof(*result.machines));
        if (!result.summary || !result.machines)
                return -ENOMEM;
        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                MachineVerdict *verdict = &result.machines[result.n_machines];
                int r;

                if (!picture->slots[slot])
                        continue;
                verdict->machine = picture->slots[slot];
                result.n_machines++;
                r = unit->requirements->global ? schedule_explain_global(unit, verdict->machine, verdict)
                                              : explain(picture, unit, verdict);
                if (r < 0)
                        return r;
        }
        if (result.n_machines > 1)
                qsort(result.machines, result.n_machines, sizeof(*result.machines), compare_machines);
        *ret = result;
        result = (Explanation){0};
        return 0;
}
