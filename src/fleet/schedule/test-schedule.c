#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"
#include "fleet/schedule/schedule.h"
#include "fleet/unit/glob.h"

enum { CLUSTERS = 1000 };

static void add_unit(Picture *picture, const char *name, const char *section, UnitState desired, uint64_t order) {
        _cleanup_unitfile_ UnitFile file = {0};
        _cleanup_free_ char *text = str_printf("[X-Fleet]\n%s", section);
        UnitRequirements requirements;

        assert_int_equal(unitfile_parse(&file, slice_from(text), NULL, NULL), 0);
        assert_int_equal(unit_requirements_read(&file, name, &requirements), 0);
        assert_int_equal(picture_put_unit(picture, name, &requirements, desired, order), 0);
}

static void machine_id(uint64_t number, char ret[33]) {
        (void)snprintf(ret, 33, "%08llx%024llx", (unsigned long long)number, (unsigned long long)number);
}

static void unit_name(uint64_t number, char ret[32]) {
        (void)snprintf(ret, 32, "%c@%llu.service", (int)('a' + number % 4), (unsigned long long)(number / 4));
}

static void put_random_machine(Random *random, Picture *picture, uint64_t number) {
        char id[33], region[2] = {(char)('x' + random_below(random, 2)), '\0'};
        char disk[2] = {(char)('p' + random_below(random, 2)), '\0'}, region_key[] = "region", disk_key[] = "disk";
        const MetadataPair pairs[] = {{region_key, region}, {disk_key, disk}};

        machine_id(number, id);
        assert_int_equal(picture_put_machine(picture, id, "10.0.0.1", pairs, random_below(random, 3)), 0);
        if (random_chance(random, 1, 2))
                assert_int_equal(picture_set_capacity(picture, id, random_below(random, 4) * 400, random_below(random, 4) * 400), 0);
        if (random_chance(random, 1, 4))
                assert_int_equal(picture_set_cordon(picture, id, (PictureCordon)random_below(random, 3)), 0);
}

static void ban_somewhere(Random *random, Picture *picture, const char *name) {
        char id[33], reason[] = "it failed";
        PictureBan ban = {id, reason};

        machine_id(random_below(random, 7), id);
        assert_int_equal(picture_set_bans(picture, name, &ban, random_below(random, 2)), 0);
}

/* Requirements of every kind, also such as the API would refuse. */
static void random_section(Random *random, Buffer *text) {
        static const char *const globs[] = {"a@*.service", "b@?.service", "[cd]@[0-3].service", "*", "d@1.service",
                                            "[", "b@*", "c@2.service"};

        if (random_chance(random, 1, 8))
                (void)buffer_printf(text, "MachineID=%08llx\n", (unsigned long long)random_below(random, 6));
        for (uint64_t i = random_below(random, 3); i > 0; i--)
                (void)buffer_printf(text, "MachineMetadata=%s\n",
                                    (const char *const[]){"region=x", "region=y", "disk=p",
                                                          "disk=q"}[random_below(random, 4)]);
        if (random_chance(random, 1, 5)) {
                char peer[32];

                unit_name(random_below(random, 24), peer);
                (void)buffer_printf(text, "MachineOf=%s\n", peer);
        }
        for (uint64_t i = random_below(random, 3); i > 0; i--)
                if (random_chance(random, 1, 2))
                        (void)buffer_printf(text, "%s=%s\n", random_chance(random, 1, 3) ? "Replaces" : "Conflicts",
                                            globs[random_below(random, ARRAY_SIZE(globs))]);
        if (random_chance(random, 1, 8))
                (void)buffer_append_string(text, "Global=true\n");
        if (random_chance(random, 1, 3))
                (void)buffer_printf(text, "Memory=%s\n", (const char *const[]){"400", "900", "30%", "60%"}[random_below(random, 4)]);
        if (random_chance(random, 1, 3))
                (void)buffer_printf(text, "CPU=%s\n", (const char *const[]){"0.4", "90%"}[random_below(random, 2)]);
        if (random_chance(random, 1, 8))
                (void)buffer_printf(text, "Spread=%s\n", random_chance(random, 1, 2) ? "region" : "disk all");
        if (random_chance(random, 1, 8))
                (void)buffer_printf(text, "Avoids=%s\n", globs[random_below(random, ARRAY_SIZE(globs))]);
}

static void put_random_unit(Random *random, Picture *picture, uint64_t number) {
        _cleanup_buffer_ Buffer section = BUFFER_INIT;
        char name[32];

        unit_name(number, name);
        assert_int_equal(buffer_append_string(&section, ""), 0);
        random_section(random, &section);
        add_unit(picture, name, buffer_string(&section), (UnitState)random_below(random, 3),
                 random_below(random, 10));
}

static void random_change(Random *random, Picture *picture) {
        char id[33], name[32];

        machine_id(random_below(random, 7), id);
        unit_name(random_below(random, 24), name);
        switch (random_below(random, 10)) {
        case 0:
                put_random_machine(random, picture, random_below(random, 7));
                break;
        case 1:
                assert_int_equal(picture_remove_machine(picture, id), 0);
                break;
        case 2:
                picture_remove_unit(picture, name);
                break;
        case 3:
                if (picture_unit(picture, name))
                        assert_int_equal(picture_set_desired(picture, name, (UnitState)random_below(random, 3)), 0);
                break;
        case 4:
        case 5:
                if (picture_unit(picture, name))
                        assert_int_equal(
                                picture_set_target(picture, name, random_chance(random, 1, 4) ? NULL : id), 0);
                break;
        case 6:
                if (picture_unit(picture, name))
                        ban_somewhere(random, picture, name);
                break;
        case 7: {
                char other[33];

                machine_id(random_below(random, 7), other);
                if (picture_unit(picture, name))
                        assert_int_equal(picture_set_placement(picture, name, id, random_chance(random, 1, 2) ? other : NULL), 0);
                break;
        }
        default:
                put_random_unit(random, picture, random_below(random, 24));
                break;
        }
}

/* What picture.h says of the counters, by counting anew. */
static void assert_counters_are_right(const Picture *picture) {
        for (size_t slot = 0; slot < picture->n_slots; slot++) {
                const PictureMachine *machine = picture->slots[slot];
                size_t placed = 0, occupants = 0;
                uint64_t memory = 0, cpu = 0;

                if (!machine)
                        continue;
                for (size_t i = 0; i < picture->units.length; i++) {
                        const PictureUnit *unit = picture->units.items[i];
                        bool here = unit->target == machine || unit->source == machine;

                        placed += here;
                        occupants += picture_occupies(unit, machine);
                        if (!unit->requirements->global)
                                assert_int_equal(picture_occupies(unit, machine),
                                                 here && unit->desired != UNIT_INACTIVE);
                }
                assert_int_equal(machine->placed, placed);
                for (size_t j = 0; j < machine->occupants.length; j++) {
                        const UnitResources *resources = &machine->occupants.items[j]->resources;

                        memory += unit_resources_memory(resources, machine->memory);
                        cpu += resources->cpu;
                }
                assert_int_equal(machine->memory_used, memory);
                assert_int_equal(machine->cpu_used, cpu);
                assert_int_equal(machine->occupants.length, occupants);
                assert_true(machine->present || placed > 0);
                for (size_t i = 0; i < picture->patterns.length; i++) {
                        const PicturePattern *pattern = picture->patterns.items[i];
                        PatternCount expected = {0}, got = pattern->counts[slot];

                        for (size_t j = 0; j < machine->occupants.length; j++) {
                                const PictureUnit *unit = machine->occupants.items[j];

                                expected.matching += glob_matches(slice_from(pattern->text),
                                                                  slice_from(picture_unit_name(unit)));
                                expected.conflicting +=
                                        string_list_contains(&unit->requirements->conflicts, pattern->text);
                                expected.replacing +=
                                        string_list_contains(&unit->requirements->replaces, pattern->text);
                        }
                        assert_int_equal(got.matching, expected.matching);
                        assert_int_equal(got.conflicting, expected.conflicting);
                        assert_int_equal(got.replacing, expected.replacing);
                }
        }
}

static void assert_global_agrees(const PictureUnit *unit, const PictureMachine *machine) {
        MachineVerdict verdict;

        if (unit->desired == UNIT_INACTIVE)
                return;
        assert_int_equal(schedule_explain_global(unit, machine, &verdict), 0);
        assert_int_equal(verdict.n_obstacles == 0, picture_occupies(unit, machine));
        machine_verdict_deinit(&verdict);
}

static void assert_unit_agrees(const Picture *picture, const PictureUnit *unit) {
        _cleanup_explanation_ Explanation explanation = {0};
        Decision decision = schedule_decide(picture, unit);
        size_t eligible = 0, refused[OBSTACLE_KINDS] = {0};

        assert_int_equal(schedule_explain(picture, unit, &explanation), 0);
        assert_int_equal(explanation.n_machines, decision.machines);
        for (size_t i = 0; i < explanation.n_machines; i++) {
                const MachineVerdict *verdict = &explanation.machines[i];

                if (verdict->n_obstacles == 0)
                        eligible++;
                else
                        refused[verdict->obstacles[0].kind]++;
                if (verdict->machine == decision.machine)
                        assert_int_equal(verdict->n_obstacles, 0);
                if (verdict->n_obstacles == 0 && !unit->group && unit->avoids.length == 0)
                        assert_true(decision.load <= verdict->machine->occupants.length);
        }
        assert_int_equal(eligible, decision.eligible);
        assert_int_equal(eligible > 0, decision.machine != NULL);
        for (size_t kind = 0; kind < OBSTACLE_KINDS; kind++)
                assert_int_equal(decision.refusals[kind].count, refused[kind]);
}

static void assert_all_agree(const Picture *picture) {
        for (size_t i = 0; i < picture->units.length; i++) {
                const PictureUnit *unit = picture->units.items[i];

                if (!unit->requirements->global) {
                        assert_unit_agrees(picture, unit);
                        continue;
                }
                for (size_t slot = 0; slot < picture->n_slots; slot++)
                        if (picture->slots[slot])
                                assert_global_agrees(unit, picture->slots[slot]);
        }
}

static void test_decide_and_explain_agree_on_random_clusters(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
                Random random;
                Picture picture = {0};

                random_seed(&random, seed);
                for (int i = 0; i < 60; i++)
                        random_change(&random, &picture);
                assert_counters_are_right(&picture);
                assert_all_agree(&picture);
                picture_deinit(&picture);
        }
}

/* "let it ask for less": as much as there is. */
static void make_room(Picture *picture, const char *name, const char *id, ObstacleKind kind) {
        const PictureUnit *unit = picture_unit(picture, name);
        const PictureMachine *machine = picture_machine(picture, id);
        UnitRequirements changed;

        assert_int_equal(picture_unit_requirements(unit, &changed), 0);
        if (kind == OBSTACLE_CPU) {
                changed.resources.cpu = schedule_cpu_left(unit, machine);
        } else {
                changed.resources.memory_percent = 0;
                changed.resources.memory = schedule_memory_left(unit, machine);
        }
        assert_int_equal(picture_put_unit(picture, name, &changed, unit->desired, unit->order), 0);
}

/* Does what the remedy of an obstacle says. False: this kind of obstacle has a remedy of several steps. */
static bool remove_obstacle(Picture *picture, const char *unit_name_, const char *id, const Obstacle *obstacle) {
        const PictureUnit *unit = picture_unit(picture, unit_name_);
        const PictureMachine *machine = picture_machine(picture, id);
        const PictureUnit *other = picture_unit(picture, obstacle->subject);
        MetadataPair pairs[3];
        size_t n = 0;

        switch (obstacle->kind) {
        case OBSTACLE_GONE:
                assert_int_equal(picture_put_machine(picture, id, "", machine->metadata, 0), 0);
                return unit->requirements->n_metadata == 0;
        case OBSTACLE_METADATA:
                for (size_t i = 0; i < machine->n_metadata; i++)
                        if (!str_equals(machine->metadata[i].key, obstacle->subject))
                                pairs[n++] = (MetadataPair){strdup(machine->metadata[i].key),
                                                            strdup(machine->metadata[i].value)};
                for (size_t i = 0; i < unit->requirements->n_metadata; i++)
                        if (str_equals(unit->requirements->metadata[i].key, obstacle->subject))
                                pairs[n++] = (MetadataPair){strdup(obstacle->subject),
                                                            strdup(unit->requirements->metadata[i].values.items[0])};
                assert_int_equal(picture_put_machine(picture, id, "", pairs, n), 0);
                for (size_t i = 0; i < n; i++) {
                        free(pairs[i].key);
                        free(pairs[i].value);
                }
                return true;
        case OBSTACLE_CONFLICT:
        case OBSTACLE_REPLACED:
                if (string_list_contains(&unit->requirements->peers, obstacle->subject))
                        return false; /* it must join what keeps it out: nothing helps */
                picture_remove_unit(picture, obstacle->subject);
                return true;
        case OBSTACLE_PEER:
                if (!other || other->requirements->global || other->desired == UNIT_INACTIVE)
                        return false;
                assert_int_equal(picture_set_target(picture, obstacle->subject, id), 0);
                return true;
        case OBSTACLE_CORDONED:
                assert_int_equal(picture_set_cordon(picture, id, CORDON_NONE), 0);
                return true;
        case OBSTACLE_FAILED:
                assert_int_equal(picture_set_bans(picture, unit_name_, NULL, 0), 0);
                return true;
        case OBSTACLE_MEMORY:
        case OBSTACLE_CPU:
                make_room(picture, unit_name_, id, obstacle->kind);
                return true;
        case OBSTACLE_MACHINE: {
                UnitRequirements changed;

                assert_int_equal(picture_unit_requirements(unit, &changed), 0);
                free(changed.machine_id);
                changed.machine_id = strdup(id);
                assert_int_equal(picture_put_unit(picture, unit_name_, &changed, unit->desired, unit->order), 0);
                return true;
        }
        case OBSTACLE_KINDS:
                break;
        }
        return false;
}

/* Removes on a copy all that stands against the unit on one machine. False: something has no remedy of one step. */
static bool remove_all_obstacles(Picture *copy, const char *name, const char *id, bool *ret_peer, size_t removed[OBSTACLE_KINDS]) {
        _cleanup_explanation_ Explanation explanation = {0};

        *ret_peer = false;
        assert_int_equal(schedule_explain(copy, picture_unit(copy, name), &explanation), 0);
        for (size_t i = 0; i < explanation.n_machines; i++) {
                const MachineVerdict *verdict = &explanation.machines[i];

                if (!str_equals(verdict->machine->id, id))
                        continue;
                for (size_t j = 0; j < verdict->n_obstacles; j++) {
                        ObstacleKind kind = verdict->obstacles[j].kind;

                        *ret_peer = *ret_peer || kind == OBSTACLE_PEER;
                        /* one that is against it in two ways is gone already */
                        if ((kind == OBSTACLE_CONFLICT || kind == OBSTACLE_REPLACED) && !picture_unit(copy, verdict->obstacles[j].subject))
                                continue;
                        if (!remove_obstacle(copy, name, id, &verdict->obstacles[j]))
                                return false;
                        removed[kind]++;
                }
                break; /* other machines may be forgotten by now */
        }
        return true;
}

/* Globals move into what becomes free and could conflict in turn: without them the named causes are the only ones. */
static void test_removing_the_named_obstacles_makes_the_machine_eligible(void **state) {
        size_t removed[OBSTACLE_KINDS] = {0};

        (void)state;
        for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
                Random random;
                Picture picture = {0};

                random_seed(&random, seed);
                for (int i = 0; i < 60; i++)
                        random_change(&random, &picture);
                while (picture.globals.length > 0) {
                        _cleanup_free_ char *name = strdup(picture_unit_name(picture.globals.items[0]));

                        picture_remove_unit(&picture, name);
                }
                for (int tries = 0; tries < 24; tries++) {
                        Picture copy = {0};
                        char name[32], id[33];
                        ObstacleKind left;
                        bool peer;

                        unit_name(random_below(&random, 24), name);
                        machine_id(random_below(&random, 7), id);
                        if (!picture_unit(&picture, name) || !picture_machine(&picture, id))
                                continue;
                        assert_int_equal(picture_copy(&picture, &copy), 0);
                        assert_counters_are_right(&copy);
                        /* a peer that comes may itself be in conflict: then the obstacle is another one */
                        if (picture_machine(&copy, id) && remove_all_obstacles(&copy, name, id, &peer, removed) &&
                            !schedule_is_able(&copy, picture_unit(&copy, name), picture_machine(&copy, id), &left))
                                assert_true(peer && left > OBSTACLE_PEER);
                        picture_deinit(&copy);
                }
                picture_deinit(&picture);
        }
        assert_true(removed[OBSTACLE_CORDONED] > 20 && removed[OBSTACLE_FAILED] > 20 && removed[OBSTACLE_MACHINE] > 20);
        assert_true(removed[OBSTACLE_MEMORY] > 20 && removed[OBSTACLE_CPU] > 20);
        assert_true(removed[OBSTACLE_METADATA] > 20);
        assert_true(removed[OBSTACLE_CONFLICT] > 20);
        assert_true(removed[OBSTACLE_REPLACED] > 5);
        assert_true(removed[OBSTACLE_PEER] > 20);
}

static bool picture_has_replaces(const Picture *picture) {
        for (size_t i = 0; i < picture->units.length; i++)
                if (picture->units.items[i]->replaces.length > 0)
                        return true;
        return false;
}

/* After a pass nobody is where he may not be, but those that rings of Replaces= keep moving; nobody waits who could be
 * placed; and the steps lead from the old places to the new. */
static void test_plan_leaves_nothing_undone(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= CLUSTERS; seed++) {
                _cleanup_plan_ Plan plan = {0};
                Picture picture = {0};
                Random random;

                random_seed(&random, seed);
                for (int i = 0; i < 60; i++)
                        random_change(&random, &picture);
                assert_int_equal(schedule_plan(&picture, &plan), 0);
                assert_counters_are_right(&picture);
                for (size_t i = 0; i < picture.units.length; i++) {
                        const PictureUnit *unit = picture.units.items[i];
                        ObstacleKind kind = OBSTACLE_KINDS;

                        if (unit->target && !schedule_may_stay(&picture, unit, unit->target, &kind))
                                assert_int_equal(kind, OBSTACLE_REPLACED);
                        if (unit->target && unit->desired != UNIT_INACTIVE && picture_ban(unit, unit->target) && !unit->source)
                                assert_true(!schedule_decide(&picture, unit).machine || unit->name->followers.length > 0 ||
                                            picture_has_replaces(&picture));
                        assert_false(unit->target && unit->desired == UNIT_INACTIVE);
                }
                for (size_t i = 0; i < plan.waiting.length; i++)
                        assert_null(picture_unit(&picture, plan.waiting.items[i])->target);
                picture_deinit(&picture);
        }
}

static void assert_same_places(const Picture *a, const Picture *b) {
        for (size_t i = 0; i < a->units.length; i++) {
                const PictureUnit *x = a->units.items[i], *y = picture_unit(b, picture_unit_name(x));

                assert_non_null(y);
                assert_string_equal(x->target ? x->target->id : "", y->target ? y->target->id : "");
        }
}

/* A pass looks only at what has changed; a copy has no memory of that, and is looked at whole. */
static void test_pass_over_changes_comes_to_the_same_as_one_over_all(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= CLUSTERS / 5; seed++) {
                Picture picture = {0};
                Random random;

                random_seed(&random, seed);
                for (int i = 0; i < 40; i++)
                        random_change(&random, &picture);
                for (int round = 0; round < 6; round++) {
                        _cleanup_plan_ Plan plan = {0}, whole = {0};
                        Picture copy = {0};

                        assert_int_equal(picture_copy(&picture, &copy), 0);
                        assert_int_equal(schedule_plan(&picture, &plan), 0);
                        assert_int_equal(schedule_plan(&copy, &whole), 0);
                        assert_same_places(&picture, &copy);
                        picture_deinit(&copy);
                        for (int i = 0; i < 4; i++)
                                random_change(&random, &picture);
                }
                picture_deinit(&picture);
        }
}

static void test_quick_decision_is_the_same(void **state) {
        size_t compared = 0;

        (void)state;
        for (uint64_t seed = 1; seed <= 40; seed++) {
                Picture picture = {0};
                Random random;

                random_seed(&random, seed);
                for (uint64_t i = 0; i < SCHEDULE_QUICK_MACHINES + 20; i++)
                        put_random_machine(&random, &picture, i);
                for (uint64_t i = 0; i < 60; i++) {
                        char name[32], id[33];

                        put_random_unit(&random, &picture, i);
                        unit_name(i, name);
                        machine_id(random_below(&random, SCHEDULE_QUICK_MACHINES + 20), id);
                        if (random_chance(&random, 1, 2))
                                assert_int_equal(picture_set_target(&picture, name, id), 0);
                        if (random_chance(&random, 1, 10))
                                assert_int_equal(picture_remove_machine(&picture, id), 0);
                        for (size_t j = 0; j < picture.units.length; j++) {
                                const PictureUnit *unit = picture.units.items[j];
                                Decision quick, whole;

                                if (unit->requirements->global || j % 5 != i % 5)
                                        continue;
                                quick = schedule_decide_quickly(&picture, unit);
                                whole = schedule_decide(&picture, unit);
                                assert_ptr_equal(quick.machine, whole.machine);
                                assert_int_equal(quick.load, whole.load);
                                compared += quick.quick;
                        }
                }
                picture_deinit(&picture);
        }
        assert_true(compared > 1000);
}

static void test_same_cluster_gives_the_same_plan(void **state) {
        Buffer texts[2] = {BUFFER_INIT, BUFFER_INIT};

        (void)state;
        for (size_t run = 0; run < 2; run++) {
                Picture picture = {0};
                _cleanup_plan_ Plan plan = {0};

                /* machines and units come in another order */
                for (uint64_t i = 0; i < 10; i++) {
                        char id[33];

                        machine_id(run ? 9 - i : i, id);
                        assert_int_equal(picture_put_machine(&picture, id, "", NULL, 0), 0);
                }
                for (uint64_t i = 0; i < 100; i++) {
                        char name[32];

                        unit_name(run ? 99 - i : i, name);
                        add_unit(&picture, name, "Conflicts=a@1*.service\n", UNIT_LAUNCHED, 0);
                }
                assert_int_equal(schedule_plan(&picture, &plan), 0);
                for (size_t i = 0; i < plan.length; i++)
                        assert_int_equal(buffer_printf(&texts[run], "%s %s %s\n", plan.steps[i].unit,
                                                       plan.steps[i].machine_id, plan.steps[i].reason),
                                         0);
                picture_deinit(&picture);
        }
        assert_string_equal(buffer_string(&texts[0]), buffer_string(&texts[1]));
        buffer_deinit(&texts[0]);
        buffer_deinit(&texts[1]);
}

/* 1,000 units, of which half conflict with their like, on 50 machines. The bound is many times what it takes, so that a
 * loaded machine passes and a return of the square of the units does not. */
static void test_a_large_pass_is_quick(void **state) {
        _cleanup_plan_ Plan first = {0}, second = {0};
        Picture picture = {0};
        Usec start, built, planned, idle;

        (void)state;
        start = clock_monotonic();
        for (uint64_t i = 0; i < 50; i++) {
                char id[33];

                machine_id(i, id);
                assert_int_equal(picture_put_machine(&picture, id, "", NULL, 0), 0);
        }
        for (uint64_t i = 0; i < 1000; i++) {
                _cleanup_free_ char *name = str_printf("app%llu@%llu.service", (unsigned long long)(i % 100),
                                                       (unsigned long long)(i / 100));
                _cleanup_free_ char *section = str_printf("Conflicts=app%llu@*.service\n",
                                                          (unsigned long long)(i % 100));

                add_unit(&picture, name, i % 2 ? section : "", UNIT_LAUNCHED, i);
        }
        built = clock_monotonic();
        assert_int_equal(schedule_plan(&picture, &first), 0);
        planned = clock_monotonic();
        assert_int_equal(schedule_plan(&picture, &second), 0);
        idle = clock_monotonic();
        assert_int_equal(first.length, 1000);
        assert_int_equal(second.length, 0);
        print_message("built in %llu us, placed in %llu us, idle pass %llu us\n", (unsigned long long)(built - start),
                      (unsigned long long)(planned - built), (unsigned long long)(idle - planned));
        assert_true(planned - built < 500 * USEC_PER_MSEC);
        assert_true(idle - planned < 100 * USEC_PER_MSEC);
        picture_deinit(&picture);
}

static void test_a_ring_of_replacements_replaces_nobody(void **state) {
        _cleanup_plan_ Plan first = {0}, second = {0};
        Picture picture = {0};

        (void)state;
        assert_int_equal(picture_put_machine(&picture, "m1", "", NULL, 0), 0);
        assert_int_equal(picture_put_machine(&picture, "m2", "", NULL, 0), 0);
        add_unit(&picture, "a.service", "Replaces=b.service\n", UNIT_LAUNCHED, 1);
        add_unit(&picture, "b.service", "Replaces=c.service\n", UNIT_LAUNCHED, 2);
        add_unit(&picture, "c.service", "Replaces=a.service\n", UNIT_LAUNCHED, 3);
        assert_int_equal(schedule_plan(&picture, &first), 0);
        assert_int_equal(first.length, 3);
        assert_int_equal(schedule_plan(&picture, &second), 0);
        assert_int_equal(second.length, 0);
        picture_deinit(&picture);
}

/* b.service can only be where a.service is, and wants it away: both were placed and taken away in turn, for ever. */
static void test_unit_does_not_replace_the_one_that_it_must_join(void **state) {
        _cleanup_plan_ Plan first = {0}, second = {0};
        Picture picture = {0};

        (void)state;
        assert_int_equal(picture_put_machine(&picture, "m1", "", NULL, 0), 0);
        add_unit(&picture, "a.service", "", UNIT_LAUNCHED, 1);
        add_unit(&picture, "b.service", "MachineOf=c.service\nReplaces=a.service\n", UNIT_LAUNCHED, 2);
        add_unit(&picture, "c.service", "MachineOf=a.service\n", UNIT_LAUNCHED, 3);
        assert_int_equal(schedule_plan(&picture, &first), 0);
        assert_int_equal(first.length, 3);
        assert_int_equal(schedule_plan(&picture, &second), 0);
        assert_int_equal(second.length, 0);
        picture_deinit(&picture);
}

static void assert_told(const Picture *picture, const char *name, const char *text) {
        Explanation explanation;

        assert_int_equal(schedule_explain(picture, picture_unit(picture, name), &explanation), 0);
        assert_int_equal(explanation.n_machines, 1);
        assert_int_equal(explanation.machines[0].n_obstacles, 1);
        assert_string_equal(explanation.machines[0].obstacles[0].text, text);
        explanation_deinit(&explanation);
}

static void test_units_that_wait_for_each_other_are_told(void **state) {
        _cleanup_picture_ Picture picture = {0};

        (void)state;
        assert_int_equal(picture_put_machine(&picture, "m1", "", NULL, 0), 0);
        add_unit(&picture, "a.service", "MachineOf=b.service\n", UNIT_LAUNCHED, 1);
        add_unit(&picture, "b.service", "MachineOf=c.service\n", UNIT_LAUNCHED, 2);
        add_unit(&picture, "c.service", "MachineOf=a.service\n", UNIT_LAUNCHED, 3);
        add_unit(&picture, "d.service", "MachineOf=a.service\n", UNIT_LAUNCHED, 4);
        assert_told(&picture, "a.service", "it must join b.service, which in turn waits for a.service: neither is ever placed");
        assert_told(&picture, "c.service", "it must join a.service, which in turn waits for c.service: neither is ever placed");
        assert_told(&picture, "d.service", "it must join a.service, which is on no machine");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_decide_and_explain_agree_on_random_clusters),
                cmocka_unit_test(test_units_that_wait_for_each_other_are_told),
                cmocka_unit_test(test_removing_the_named_obstacles_makes_the_machine_eligible),
                cmocka_unit_test(test_plan_leaves_nothing_undone),
                cmocka_unit_test(test_pass_over_changes_comes_to_the_same_as_one_over_all),
                cmocka_unit_test(test_quick_decision_is_the_same),
                cmocka_unit_test(test_same_cluster_gives_the_same_plan),
                cmocka_unit_test(test_a_large_pass_is_quick),
                cmocka_unit_test(test_a_ring_of_replacements_replaces_nobody),
                cmocka_unit_test(test_unit_does_not_replace_the_one_that_it_must_join),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
