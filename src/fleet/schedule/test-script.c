/*
 * Runs the scripts of tests/schedule. A script is a row of cases that share one cluster. A case is commands, a line "----", what
 * they print, and a blank line. Commands:
 *
 *   machine ID ADDRESS [key=value …]      a machine comes, or changes
 *   gone ID                               a machine goes
 *   unit NAME STATE [ORDER]               a unit comes, or changes; indented lines below are its [X-Fleet] section
 *   cordon ID none|closed|draining
 *   capacity ID MEMORY CPU                what it has for units, as in unit files
 *   ban NAME ID                           it has failed there
 *   arrive NAME                           what is handed over runs at its target
 *   drain                                 moves one unit off machines that are being drained, as the engine does
 *   rebalance                             the moves, and makes them
 *   remove NAME
 *   desired NAME STATE
 *   target NAME ID|-                      as if it had been placed there
 *   plan                                  one pass of the engine
 *   decide NAME                           the decision in one line
 *   explain NAME                          all reasons
 *   where                                 who is on each machine
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "fleet/schedule/move.h"
#include "fleet/unit/resources.h"

typedef struct Script {
        Picture picture;
        Buffer output;
        uint64_t order;
        const char *file;
        unsigned line;
} Script;

static char *slice_word(Slice *rest) {
        Slice word;

        *rest = slice_trim(*rest);
        if (rest->length == 0)
                return NULL;
        word = (Slice){rest->data, 0};
        while (word.length < rest->length && rest->data[word.length] != ' ')
                word.length++;
        *rest = (Slice){rest->data + word.length, rest->length - word.length};
        return slice_dup(word);
}

static void run_machine(Script *script, const char *id, Slice rest) {
        _cleanup_free_ char *address = slice_word(&rest);
        MetadataPair pairs[8];
        size_t n = 0;
        char *word;

        while ((word = slice_word(&rest))) {
                char *equals = strchr(word, '=');

                assert_non_null(equals);
                *equals = '\0';
                assert_true(n < ARRAY_SIZE(pairs));
                pairs[n++] = (MetadataPair){word, equals + 1};
        }
        assert_int_equal(picture_put_machine(&script->picture, id, address, pairs, n), 0);
        for (size_t i = 0; i < n; i++)
                free(pairs[i].key);
}

static UnitState state_of(const char *word) {
        UnitState state;

        assert_int_equal(unit_state_from_string(word, &state, NULL), 0);
        return state;
}

static void run_unit(Script *script, const char *name, Slice rest, const char *section) {
        _cleanup_free_ char *state = slice_word(&rest), *order = slice_word(&rest);
        _cleanup_unitfile_ UnitFile file = {0};
        UnitRequirements requirements;
        uint64_t number = ++script->order;

        if (order)
                assert_int_equal(str_parse_u64(slice_from(order), UINT64_MAX, &number), 0);
        assert_int_equal(unitfile_parse(&file, slice_from(section), NULL, NULL), 0);
        assert_int_equal(unit_requirements_read(&file, name, &requirements), 0);
        assert_int_equal(picture_put_unit(&script->picture, name, &requirements, state_of(state), number), 0);
}

static void print_steps(Script *script, const Plan *plan) {
        static const char *const kinds[] = {
                [PLAN_UNSCHEDULE] = "unschedule", [PLAN_SCHEDULE] = "schedule", [PLAN_HAND_OVER] = "hand-over"};

        for (size_t i = 0; i < plan->length; i++)
                (void)buffer_printf(&script->output, "%s %s %s: %s\n", kinds[plan->steps[i].kind], plan->steps[i].unit,
                                    plan->steps[i].machine_id, plan->steps[i].reason);
}

static void run_drain(Script *script) {
        _cleanup_plan_ Plan plan = {0};
        Decision decision;
        PictureUnit *unit = schedule_next_drained(&script->picture, &decision);

        if (!unit) {
                (void)buffer_append_string(&script->output, "nothing moves\n");
                return;
        }
        assert_int_equal(schedule_move(&script->picture, unit, decision.machine, "drain", &plan), 0);
        print_steps(script, &plan);
}

/* What is handed over is so at once. */
static void run_arrive(Script *script, const PictureUnit *unit) {
        assert_non_null(unit->source);
        assert_int_equal(picture_set_target(&script->picture, picture_unit_name(unit), unit->target->id), 0);
}

static void run_rebalance(Script *script) {
        _cleanup_moves_ Moves moves = {0};

        assert_int_equal(schedule_rebalance(&script->picture, &moves), 0);
        for (size_t i = 0; i < moves.length; i++)
                (void)buffer_printf(&script->output, "%s from %s to %s: %s\n", moves.items[i].unit, moves.items[i].from,
                                    moves.items[i].to, moves.items[i].reason);
        if (moves.length == 0)
                (void)buffer_append_string(&script->output, "it is even\n");
}

static void run_cordon(Script *script, const char *id, Slice rest) {
        _cleanup_free_ char *word = slice_word(&rest);
        PictureCordon cordon = str_equals(word, "draining") ? CORDON_DRAINING : str_equals(word, "closed") ? CORDON_CLOSED : CORDON_NONE;

        assert_int_equal(picture_set_cordon(&script->picture, id, cordon), 0);
}

static void run_capacity(Script *script, const char *id, Slice rest) {
        _cleanup_free_ char *memory = slice_word(&rest), *cpu = slice_word(&rest);
        UnitResources all = {0};

        assert_int_equal(unit_parse_memory(memory, &all), 0);
        assert_int_equal(unit_parse_cpu(cpu, &all.cpu), 0);
        assert_int_equal(picture_set_capacity(&script->picture, id, all.memory, all.cpu), 0);
}

static void run_ban(Script *script, const char *name, Slice rest) {
        _cleanup_free_ char *id = slice_word(&rest);
        char reason[] = "3 failures";
        const PictureBan ban = {id, reason};

        assert_int_equal(picture_set_bans(&script->picture, name, &ban, id ? 1 : 0), 0);
}

static void run_plan(Script *script) {
        _cleanup_plan_ Plan plan = {0};

        assert_int_equal(schedule_plan(&script->picture, &plan), 0);
        print_steps(script, &plan);
        for (size_t i = 0; i < plan.waiting.length; i++)
                (void)buffer_printf(&script->output, "waiting %s\n", plan.waiting.items[i]);
        if (plan.length + plan.waiting.length == 0)
                (void)buffer_append_string(&script->output, "nothing to do\n");
}

static void run_decide(Script *script, const PictureUnit *unit) {
        Decision decision = schedule_decide(&script->picture, unit);

        if (decision.machine)
                (void)buffer_printf(&script->output, "%s: ", decision.machine->id);
        (void)schedule_describe(&decision, &script->output);
        (void)buffer_append_byte(&script->output, '\n');
}

static void run_explain(Script *script, const PictureUnit *unit) {
        _cleanup_explanation_ Explanation explanation = {0};

        assert_int_equal(schedule_explain(&script->picture, unit, &explanation), 0);
        (void)buffer_printf(&script->output, "%s\n", explanation.summary);
        for (size_t i = 0; i < explanation.n_machines; i++) {
                const MachineVerdict *verdict = &explanation.machines[i];

                if (verdict->n_obstacles == 0)
                        (void)buffer_printf(&script->output, "%s: nothing against it\n", verdict->machine->id);
                for (size_t j = 0; j < verdict->n_obstacles; j++)
                        (void)buffer_printf(&script->output, "%s: %s; %s\n", verdict->machine->id,
                                            verdict->obstacles[j].text, verdict->obstacles[j].remedy);
        }
}

static void run_where(Script *script) {
        _cleanup_string_list_ StringList machines = {0};

        for (size_t slot = 0; slot < script->picture.n_slots; slot++)
                if (script->picture.slots[slot])
                        assert_int_equal(string_list_add(&machines, script->picture.slots[slot]->id), 0);
        string_list_sort(&machines);
        for (size_t i = 0; i < machines.length; i++) {
                const PictureMachine *machine = picture_machine(&script->picture, machines.items[i]);
                _cleanup_string_list_ StringList units = {0};

                for (size_t j = 0; j < machine->occupants.length; j++)
                        assert_int_equal(string_list_add(&units, picture_unit_name(machine->occupants.items[j])), 0);
                string_list_sort(&units);
                (void)buffer_printf(&script->output, "%s%s:", machine->id, machine->present ? "" : " (gone)");
                for (size_t j = 0; j < units.length; j++)
                        (void)buffer_printf(&script->output, " %s", units.items[j]);
                (void)buffer_append_byte(&script->output, '\n');
        }
}

static void run_command(Script *script, const char *verb, const char *name, Slice rest, const char *section) {
        Picture *picture = &script->picture;

        if (str_equals(verb, "plan")) {
                run_plan(script);
        } else if (str_equals(verb, "where")) {
                run_where(script);
        } else if (str_equals(verb, "drain")) {
                run_drain(script);
        } else if (str_equals(verb, "rebalance")) {
                run_rebalance(script);
        } else if (!name) {
                fail_msg("%s:%u: %s needs a name", script->file, script->line, verb);
        } else if (str_equals(verb, "machine")) {
                run_machine(script, name, rest);
        } else if (str_equals(verb, "cordon")) {
                run_cordon(script, name, rest);
        } else if (str_equals(verb, "capacity")) {
                run_capacity(script, name, rest);
        } else if (str_equals(verb, "gone")) {
                assert_int_equal(picture_remove_machine(picture, name), 0);
        } else if (str_equals(verb, "unit")) {
                run_unit(script, name, rest, section);
        } else if (!picture_unit(picture, name)) {
                fail_msg("%s:%u: no unit %s", script->file, script->line, name);
        } else if (str_equals(verb, "arrive")) {
                run_arrive(script, picture_unit(picture, name));
        } else if (str_equals(verb, "ban")) {
                run_ban(script, name, rest);
        } else if (str_equals(verb, "remove")) {
                picture_remove_unit(picture, name);
        } else if (str_equals(verb, "decide")) {
                run_decide(script, picture_unit(picture, name));
        } else if (str_equals(verb, "explain")) {
                run_explain(script, picture_unit(picture, name));
        } else {
                _cleanup_free_ char *word = slice_word(&rest);

                if (str_equals(verb, "desired"))
                        assert_int_equal(picture_set_desired(picture, name, state_of(word)), 0);
                else if (str_equals(verb, "target"))
                        assert_int_equal(picture_set_target(picture, name, str_equals(word, "-") ? NULL : word), 0);
                else
                        fail_msg("%s:%u: unknown command %s", script->file, script->line, verb);
        }
}

/* The indented lines that follow, as a section. */
static void take_section(Script *script, Slice *rest, Buffer *section) {
        assert_int_equal(buffer_append_string(section, "[X-Fleet]\n"), 0);
        while (rest->data && rest->length > 0 && rest->data[0] == ' ') {
                Slice line;

                (void)slice_split(rest, '\n', &line);
                script->line++;
                assert_int_equal(buffer_printf(section, "%.*s\n", (int)line.length, line.data), 0);
        }
}

static void check_output(Script *script, Slice *rest) {
        _cleanup_buffer_ Buffer expected = BUFFER_INIT;
        unsigned at = script->line;
        Slice line;

        while (slice_split(rest, '\n', &line) && line.length > 0) {
                script->line++;
                assert_int_equal(buffer_printf(&expected, "%.*s\n", (int)line.length, line.data), 0);
        }
        script->line++;
        if (!str_equals(buffer_string(&expected), buffer_string(&script->output)))
                fail_msg("%s:%u: expected\n%sgot\n%s", script->file, at, buffer_string(&expected),
                         buffer_string(&script->output));
        buffer_clear(&script->output);
}

static void run_script(const char *path) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        Script script = {.file = path};
        FILE *stream = fopen(path, "re");
        char bytes[4096];
        Slice rest, line;
        size_t n, cases = 0;

        assert_non_null(stream);
        while ((n = fread(bytes, 1, sizeof(bytes), stream)) > 0)
                assert_int_equal(buffer_append(&text, bytes, n), 0);
        (void)fclose(stream);
        rest = slice_from(buffer_string(&text));
        while (slice_split(&rest, '\n', &line)) {
                _cleanup_free_ char *verb = NULL, *name = NULL;
                _cleanup_buffer_ Buffer section = BUFFER_INIT;

                script.line++;
                if (slice_equals(line, slice_from("----"))) {
                        check_output(&script, &rest);
                        cases++;
                        continue;
                }
                if (line.length == 0 || line.data[0] == '#')
                        continue;
                verb = slice_word(&line);
                name = slice_word(&line);
                take_section(&script, &rest, &section);
                run_command(&script, verb, name, line, buffer_string(&section));
        }
        assert_int_equal(buffer_length(&script.output), 0);
        assert_true(cases > 0);
        buffer_deinit(&script.output);
        picture_deinit(&script.picture);
}

static void test_scripts(void **state) {
        glob_t files;

        (void)state;
        assert_int_equal(glob(TEST_SCRIPTS "/*.txt", 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++)
                run_script(files.gl_pathv[i]);
        globfree(&files);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
