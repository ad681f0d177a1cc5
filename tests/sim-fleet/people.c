/* People: they submit, start, stop and destroy units and order things of machines, each order in the steps of the API. */
#include "fleet/registry/roll.h"
#include "fleet/schedule/move.h"
#include "world.h"

enum { TRIES_MAX = 6, UPDATES = 5 };

static void go_on(Person *person);

static const char *unit_name(const Person *person) {
        return person->world->units[person->unit].name;
}

static void rest(Person *person) {
        World *world = person->world;

        person->step = person->tries = 0;
        person->busy = false;
        if (!world->healed && world->now < WORLD_BEGIN + world->plan.busy)
                world_schedule(world, &person->timer, world->now + world_draw_time(&world->people_chance, world->plan.think));
}

/* What the store did not take is asked again for a while; what it refuses for a reason is over. */
static void on_done(void *userdata, const StoreReply *reply) {
        Person *person = userdata;
        World *world = person->world;
        bool exists = reply->code == STORE_KEY_EXISTS;

        if (reply->r >= 0 || exists) {
                person->step++;
                go_on(person);
        } else if (reply->code == STORE_KEY_NOT_FOUND || ++person->tries == TRIES_MAX) {
                rest(person);
        } else {
                world_schedule(world, &person->timer, world->now + USEC_PER_SEC);
        }
}

static bool put_roll(Person *person, uint32_t machines) {
        World *world = person->world;
        RollRecord record = {.from = (char *)(uintptr_t)person->before->hash, .to = (char *)(uintptr_t)person->spec->hash};
        bool sent;

        for (size_t i = 0; i < world->plan.machines; i++)
                if ((machines >> i & 1) && string_list_add(&record.machines, world->machines[i].id) < 0)
                        abort();
        sent = registry_put_roll(world->people_registry, unit_name(person), &record, on_done, person) >= 0;
        string_list_deinit(&record.machines);
        return sent;
}

/* The end, as the API makes it: the key goes, and before that the unit gets the new text, if nobody has given it a third. */
static bool end_update(Person *person) {
        World *world = person->world;
        const RegistryUnit *unit = registry_unit(world->seen, unit_name(person));
        const RegistryRoll *roll = registry_roll(world->seen, unit_name(person));

        if (person->step == 3 && !person->back && unit && roll && registry_roll_holds(roll, unit) && !str_equals(unit->hash, roll->record.to))
                return registry_replace_unit(world->people_registry, unit_name(person), roll->record.to, on_done, person) >= 0;
        person->step = 5;
        return registry_drop_roll(world->people_registry, unit_name(person), on_done, person) >= 0;
}

static bool order_update(Person *person) {
        World *world = person->world;

        if (person->step == 0)
                return registry_put_text(world->people_registry, person->spec->hash, person->spec->text, on_done, person) >= 0;
        if (person->step == 1)
                return put_roll(person, person->updated);
        if (person->step == 2 && !person->lost)
                return put_roll(person, person->back ? 0 : UINT32_MAX);
        return (person->step == 3 || person->step == 4) && !person->lost && end_update(person);
}

/* One step of an order that changes units. False: there are no more. */
static bool do_step(Person *person) {
        Registry *registry = person->world->people_registry;

        switch (person->kind) {
        case ORDER_START:
        case ORDER_LOAD:
        case ORDER_SUBMIT:
                if (person->step == 0)
                        return registry_put_text(registry, person->spec->hash, person->spec->text, on_done, person) >= 0;
                if (person->step == 1)
                        return registry_create_unit(registry, unit_name(person), person->spec->hash, on_done, person) >= 0;
                return person->step == 2 && registry_set_desired(registry, unit_name(person), person->desired, on_done, person) >= 0;
        case ORDER_REPLACE:
                if (person->step == 0)
                        return registry_put_text(registry, person->spec->hash, person->spec->text, on_done, person) >= 0;
                if (person->step == 1)
                        return registry_set_desired(registry, unit_name(person), person->desired, on_done, person) >= 0;
                return person->step == 2 && registry_replace_unit(registry, unit_name(person), person->spec->hash, on_done, person) >= 0;
        case ORDER_UNLOAD:
                return person->step == 0 && registry_set_desired(registry, unit_name(person), person->desired, on_done, person) >= 0;
        case ORDER_DESTROY:
                return person->step == 0 && registry_destroy_unit(registry, unit_name(person), on_done, person) >= 0;
        default:
                return false;
        }
}

static bool order_cordon(Person *person, PictureCordon cordon) {
        World *world = person->world;

        return person->step == 0 && registry_set_cordon(world->people_registry, world->machines[person->machine].id, cordon, on_done, person) >= 0;
}

static bool order_rebalance(Person *person) {
        World *world = person->world;
        Picture *picture = cluster_picture(&world->cluster), copy = {0};
        _cleanup_moves_ Moves moves = {0};

        if (person->step > 0 || !picture || picture_copy(picture, &copy) < 0 || schedule_rebalance(&copy, &moves) < 0)
                return false;
        picture_deinit(&copy);
        for (size_t i = 0; i < moves.length; i++) {
                const MoveRecord record = {moves.items[i].from, moves.items[i].to, moves.items[i].reason};

                world_tell(world, NULL, "somebody wants %s moved from %.4s to %.4s", moves.items[i].unit, record.from, record.to);
                (void)registry_put_move(world->people_registry, moves.items[i].unit, &record, i + 1 == moves.length ? on_done : NULL, person);
        }
        return moves.length > 0;
}

static void go_on(Person *person) {
        World *world = person->world;
        bool more;

        switch (person->kind) {
        case ORDER_CORDON:
                more = order_cordon(person, CORDON_CLOSED);
                break;
        case ORDER_UPDATE:
                more = order_update(person);
                break;
        case ORDER_DRAIN:
                more = order_cordon(person, CORDON_DRAINING);
                break;
        case ORDER_UNCORDON:
                more = order_cordon(person, CORDON_NONE);
                break;
        case ORDER_REBALANCE:
                more = order_rebalance(person);
                break;
        case ORDER_METADATA:
                more = person->step == 0 && registry_set_metadata(world->people_registry, world->machines[person->machine].id, "zone",
                                                                  person->zone, on_done, person) >= 0;
                break;
        default:
                more = do_step(person);
                break;
        }
        if (!more)
                rest(person);
}

/* The first global unit from this one on; this one if there is none. */
static size_t next_global(const World *world, size_t unit) {
        for (size_t i = 0; i < world->plan.units; i++) {
                size_t next = (unit + i) % world->plan.units;
                const Spec *known = watch_spec(world, next);

                if (known && known->global)
                        return next;
        }
        return unit;
}

/* A unit that there is, or is not yet, as the order needs it. */
static void draw_order(Person *person) {
        static const OrderKind kinds[] = {ORDER_START, ORDER_START, ORDER_START, ORDER_START, ORDER_START, ORDER_LOAD, ORDER_SUBMIT,
                                          ORDER_UNLOAD, ORDER_REPLACE, ORDER_REPLACE, ORDER_DESTROY, ORDER_DESTROY, ORDER_CORDON, ORDER_DRAIN,
                                          ORDER_UNCORDON, ORDER_UNCORDON, ORDER_REBALANCE, ORDER_METADATA,
                                          ORDER_UPDATE, ORDER_UPDATE, ORDER_UPDATE, ORDER_UPDATE, ORDER_UPDATE};
        World *world = person->world;
        Random *random = &world->people_chance;
        const Spec *known;

        /* updates come in a quarter of the seeds */
        person->kind = kinds[random_below(random, ARRAY_SIZE(kinds) - (world->seed % 4 == 3 ? 0 : UPDATES))];
        person->unit = random_below(random, world->plan.units);
        person->machine = random_below(random, world->plan.machines);
        person->zone[0] = (char)('a' + random_below(random, 3));
        person->desired = person->kind == ORDER_LOAD     ? UNIT_LOADED
                          : person->kind == ORDER_SUBMIT || person->kind == ORDER_UNLOAD ? UNIT_INACTIVE
                                                                                         : UNIT_LAUNCHED;
        if (person->kind == ORDER_UPDATE)
                person->unit = next_global(world, person->unit);
        known = watch_spec(world, person->unit);
        person->spec = known && person->kind != ORDER_REPLACE ? known : spec_draw(world, random, person->unit);
        if (person->kind == ORDER_UPDATE && known) {
                person->before = known;
                person->spec = spec_reword(world, known);
                person->updated = (uint32_t)random_below(random, (uint64_t)1 << world->plan.machines);
                person->back = random_chance(random, 1, 3);
                person->lost = random_chance(random, 1, 2);
        }
}

/* The API asks its mirror first, and refuses. */
static bool is_sensible(const Person *person) {
        const Spec *known = watch_spec(person->world, person->unit);
        bool there = known != NULL;

        if (person->kind == ORDER_UPDATE)
                return there && known->global && person->spec != known;
        return there || (person->kind != ORDER_UNLOAD && person->kind != ORDER_REPLACE && person->kind != ORDER_DESTROY);
}

static const char *kind_name(OrderKind kind) {
        static const char *const names[ORDER_KINDS] = {"starts", "loads", "submits", "unloads", "replaces", "destroys", "updates",
                                                       "cordons", "drains", "uncordons", "rebalances", "rezones"};

        return names[kind];
}

static void on_person(World *world, Timer *timer) {
        Person *person = container_of(timer, Person, timer);

        if (!person->busy) {
                if (world->healed)
                        return;
                draw_order(person);
                if (!is_sensible(person)) {
                        rest(person);
                        return;
                }
                world_count(world, COUNT_ORDERS);
                if (person->kind >= ORDER_CORDON)
                        world_tell(world, NULL, "somebody %s %s%s", kind_name(person->kind), person->kind == ORDER_REBALANCE ? "" : world->machines[person->machine].id,
                                   person->kind == ORDER_METADATA ? person->zone : "");
                else
                        world_tell(world, NULL, "somebody %s %s", kind_name(person->kind), unit_name(person));
        }
        person->busy = true;
        go_on(person);
}

bool people_rest(const World *world) {
        for (size_t i = 0; i < PEOPLE; i++)
                if (world->people[i].busy)
                        return false;
        return true;
}

static void people_changed(void *userdata, RegistryChange change, const char *subject) {
        (void)userdata; /* they have no mirror */
        (void)change;
        (void)subject;
}

static void people_timer_start(void *userdata, Usec after, void (*expired)(void *registry), void *registry) {
        (void)userdata;
        (void)after;
        (void)expired;
        (void)registry;
}

static void people_timer_stop(void *userdata) {
        (void)userdata;
}

void people_init(World *world) {
        static const RegistryTimer timer = {people_timer_start, people_timer_stop};
        static const RegistryEvents events = {.changed = people_changed};

        link_init(&world->people_link, world, NULL);
        if (registry_new(&world->people_link.base, REGISTRY_PREFIX_DEFAULT, &timer, world, &events, world, &world->people_registry) < 0)
                abort();
        for (size_t i = 0; i < PEOPLE; i++) {
                world->people[i] = (Person){.world = world, .timer = TIMER_INIT(on_person)};
                rest(&world->people[i]);
        }
}

void people_end(World *world) {
        for (size_t i = 0; i < PEOPLE; i++)
                world_cancel(world, &world->people[i].timer);
        world->people_registry = registry_free(world->people_registry);
        link_deinit(&world->people_link);
}
