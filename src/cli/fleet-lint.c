/* lint: what is wrong or doubtful in unit files; also what start, load and submit look at before the first change. */
#include <errno.h>

#include "cli/fleet.h"
#include "fleet/unit/lint.h"

/* Longest waits for a cluster that need not be there. A change asks systemd of its first files only: each costs a tenth of a second
 * and more. */
enum { ASK_MSEC = 2000, VERIFY_MSEC = 10000, CHANGE_VERIFIES_MAX = 4 };

/* ---- the cluster, if one answers ---- */

typedef struct Cluster {
        CliAnswer amounts; /* /faering/v1/machines */
        json_t *machines;  /* /fleet/v1/machines: its metadata */
        LintMachine *items;
        LintCluster view;
        bool asked;
} Cluster;

static void cluster_deinit(Cluster *cluster) {
        for (size_t i = 0; i < cluster->view.length; i++)
                free((void *)(uintptr_t)cluster->items[i].metadata);
        free(cluster->items);
        json_decref(cluster->machines);
        cli_answer_deinit(&cluster->amounts);
}

static int ask_quietly(FleetGroup *group, const char *target, CliAnswer *ret) {
        const HttpCallSpec spec = {
                .url = &group->endpoint,
                .target = target,
                .connect_timeout = ASK_MSEC * USEC_PER_MSEC,
                .head_timeout = min_of(group->request_timeout, ASK_MSEC * USEC_PER_MSEC),
        };
        int r = cli_request(&group->loop, group->http, &spec, ret, NULL);

        return r >= 0 && ret->status != 200 ? -EREMOTEIO : r;
}

static uint64_t amount_of(json_t *machine, const char *key) {
        json_int_t amount = json_integer_value(json_object_get(machine, key));

        return amount > 0 ? (uint64_t)amount : 0;
}

static json_t *find_amounts(const Cluster *cluster, const char *id) {
        json_t *machine;
        size_t i;

        json_array_foreach (json_object_get(cluster->amounts.json, "machines"), i, machine)
                if (str_equals(cli_text(machine, "id"), id))
                        return machine;
        return NULL;
}

static bool cluster_add(Cluster *cluster, json_t *machine) {
        json_t *metadata = json_object_get(machine, "metadata"), *value;
        json_t *amounts = find_amounts(cluster, cli_text(machine, "id"));
        const char **pairs = calloc(2 * json_object_size(metadata) + 1, sizeof(*pairs));
        size_t count = 0;
        const char *key;

        if (!pairs)
                return false;
        json_object_foreach (metadata, key, value) {
                pairs[count++] = key;
                pairs[count++] = json_string_value(value) ?: "";
        }
        cluster->items[cluster->view.length++] = (LintMachine){
                .id = cli_text(machine, "id"),
                .metadata = pairs,
                .memory = amount_of(amounts, "memory"),
                .cpu = amount_of(amounts, "milliCPU"),
        };
        return true;
}

/* NULL: none answers. */
static const LintCluster *cluster_get(FleetGroup *group, Cluster *cluster) {
        json_t *machine;
        size_t i;

        if (!cluster->asked) {
                cluster->asked = true;
                if (ask_quietly(group, "/faering/v1/machines", &cluster->amounts) < 0 ||
                    fleet_list(group, "machines", "machines", &cluster->machines) != 0)
                        return NULL;
                cluster->items = calloc(json_array_size(cluster->machines) + 1, sizeof(*cluster->items));
                cluster->view.machines = cluster->items;
                json_array_foreach (cluster->machines, i, machine)
                        if (cluster->items && !cluster_add(cluster, machine))
                                return NULL;
        }
        return cluster->view.length > 0 ? &cluster->view : NULL;
}

static const LintFinding *first_error(const LintReport *report) {
        for (size_t i = 0; i < report->length; i++)
                if (report->items[i].severity == LINT_ERROR)
                        return &report->items[i];
        return NULL;
}

/* ---- what systemd says on the machine that the unit would go to ---- */

/* "NAME:LINE: TEXT": with its place; otherwise of the file as a whole. */
static void add_line(const char *name, const char *line, LintReport *report) {
        size_t length = strlen(name);
        unsigned number = 0;
        int used = 0;

        if (str_starts_with(line, name) && sscanf(line + length, ":%u:%n", &number, &used) == 1 && used > 0)
                line += length + (size_t)used;
        else if (str_starts_with(line, name) && line[length] == ':')
                line += length + 1;
        line += strspn(line, " ");
        (void)lint_report_add(report, LINT_WARNING, (TextPosition){number, number ? 1 : 0}, 1, "systemd there says: %s",
                              line);
}

static void add_systemd(FleetGroup *group, const Cluster *cluster, const char *name, const char *text,
                        LintReport *report) {
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer body = BUFFER_INIT;
        JsonWriter json = json_writer(&body);
        HttpCallSpec spec = {
                .url = &group->endpoint,
                .method = "POST",
                .target = "/faering/v1/verify",
                .headers = "Content-Type: application/json\r\n",
                .connect_timeout = ASK_MSEC * USEC_PER_MSEC,
                .head_timeout = VERIFY_MSEC * USEC_PER_MSEC,
        };
        json_t *line;
        size_t i;

        json_begin_object(&json);
        json_field_string(&json, "name", name);
        json_field_string(&json, "text", text);
        json_end_object(&json);
        if (cluster->view.length == 0 || first_error(report) || !buffer_string(&body))
                return;
        spec.body = slice_from(buffer_string(&body));
        if (cli_request(&group->loop, group->http, &spec, &answer, NULL) < 0 || answer.status != 200)
                return; /* a daemon that is no more, or an old one */
        json_array_foreach (json_object_get(answer.json, "lines"), i, line)
                add_line(name, json_string_value(line) ?: "", report);
        if (strstr(cli_text(answer.json, "why"), "by https"))
                (void)lint_report_add(report, LINT_NOTE, (TextPosition){0}, 0,
                                      "what systemd says there is not known: %s", cli_text(answer.json, "why"));
}

/* ---- findings ---- */

static void print_findings(const LintReport *report, LintSeverity least, const char *path, const char *text, FILE *to) {
        _cleanup_buffer_ Buffer out = BUFFER_INIT;

        for (size_t i = 0; i < report->length; i++)
                if (report->items[i].severity >= least)
                        (void)lint_finding_write(&report->items[i], path, slice_from(text), &out);
        if (buffer_length(&out) > 0)
                (void)fwrite(buffer_data(&out), 1, buffer_length(&out), to);
}

/* ---- before a change ---- */

/* Whether the cluster's own text counts, and not the file's. */
static int is_kept(FleetGroup *group, const char *name, bool replace, bool *ret) {
        json_t *unit = NULL;
        int code = replace ? 0 : fleet_get_unit(group, name, &unit);

        *ret = unit;
        json_decref(unit);
        return code;
}

/* fleetctl said of a refusal only what the API had answered. */
static int refuse(FleetGroup *group, const LintReport *report, const char *source, const char *text) {
        const LintFinding *error = first_error(report);

        if (!group->old || !error->refusal)
                print_findings(report, LINT_ERROR, source, text, stderr);
        fleet_complain(group, "Error creating units: %s", error->text);
        if (!error->refusal && !group->old)
                fleet_complain(group, "nothing was changed; --no-lint sends the file as it is");
        return CLI_FAILED;
}

static int lint_argument(FleetGroup *group, Cluster *cluster, const char *argument, bool replace, StringList *seen) {
        _cleanup_free_ char *name = NULL, *text = NULL, *source = NULL;
        _cleanup_lint_report_ LintReport report = {0};
        bool kept = false;
        int code;

        if (unit_name_mangle(argument, &name, NULL) < 0 || fleet_read_local_text(argument, name, &text, &source) < 0 ||
            string_list_contains(seen, source))
                return 0; /* who sends it says what is wrong with that */
        if (lint_unit(name, slice_from(text), cluster_get(group, cluster), &report) < 0 ||
            string_list_add(seen, source) < 0)
                return CLI_FAILED;
        if (!first_error(&report)) {
                if (group->old)
                        return 0;
                if (seen->length <= CHANGE_VERIFIES_MAX)
                        add_systemd(group, cluster, name, text, &report);
                print_findings(&report, LINT_WARNING, source, text, stderr);
                return 0;
        }
        code = is_kept(group, name, replace, &kept);
        return code != 0 || kept ? code : refuse(group, &report, source, text);
}

int fleet_lint_before(FleetGroup *group, const StringList *arguments, bool replace) {
        _cleanup_(cluster_deinit) Cluster cluster = {0};
        _cleanup_string_list_ StringList seen = {0};
        int code = 0;

        for (size_t i = 0; code == 0 && i < arguments->length; i++)
                code = lint_argument(group, &cluster, arguments->items[i], replace, &seen);
        return code;
}

int fleet_lint_file(FleetGroup *group, const char *path) {
        _cleanup_(cluster_deinit) Cluster cluster = {0};
        _cleanup_string_list_ StringList seen = {0};

        return lint_argument(group, &cluster, path, true, &seen);
}

/* ---- the verb ---- */

static json_t *findings_json(const LintReport *report) {
        json_t *list = json_array();

        for (size_t i = 0; i < report->length; i++) {
                const LintFinding *finding = &report->items[i];

                (void)json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:s}", "severity",
                                                            lint_severity_to_string(finding->severity), "line",
                                                            (json_int_t)finding->at.line, "column",
                                                            (json_int_t)finding->at.column, "length",
                                                            (json_int_t)finding->length, "text", finding->text));
        }
        return list;
}

/* Counts, and findings for people or in `files`. */
typedef struct Linting {
        Cluster cluster;
        json_t *files; /* NULL: for people */
        size_t errors, warnings;
} Linting;

static int lint_file(FleetGroup *group, Linting *linting, const char *argument) {
        _cleanup_free_ char *name = NULL, *text = NULL, *source = NULL;
        _cleanup_lint_report_ LintReport report = {0};
        Error error = ERROR_NONE;
        int r;

        if (unit_name_mangle(argument, &name, &error) < 0) {
                fleet_complain(group, "%s", error.text);
                return CLI_USAGE;
        }
        r = fleet_read_local_text(argument, name, &text, &source);
        if (r == -ENOENT) { /* a file of any name */
                free(source);
                source = strdup(argument);
                r = source ? fleet_read_file(argument, &text) : -ENOMEM;
        }
        if (r < 0) {
                fleet_complain(group,
                               "cannot read %s: %s; lint looks at files, and at those of templates for their instances",
                               argument, strerror(-r));
                return CLI_USAGE;
        }
        if (lint_unit(name, slice_from(text), cluster_get(group, &linting->cluster), &report) < 0)
                return CLI_FAILED;
        add_systemd(group, &linting->cluster, name, text, &report);
        linting->errors += lint_report_count(&report, LINT_ERROR);
        linting->warnings += lint_report_count(&report, LINT_WARNING);
        if (linting->files)
                (void)json_array_append_new(
                        linting->files, json_pack("{s:s, s:o}", "file", source, "findings", findings_json(&report)));
        else
                print_findings(&report, LINT_NOTE, source, text, stdout);
        return 0;
}

static void print_json(const Linting *linting, bool cluster) {
        json_t *all = json_pack("{s:O, s:I, s:I, s:b}", "files", linting->files, "errors", (json_int_t)linting->errors,
                                "warnings", (json_int_t)linting->warnings, "cluster", cluster);

        if (all)
                (void)json_dumpf(all, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
        printf("\n");
        json_decref(all);
}

static int lint_files(FleetGroup *group, Linting *linting, const StringList *arguments) {
        int result = 0;

        for (size_t i = 0; i < arguments->length; i++) {
                int code = lint_file(group, linting, arguments->items[i]);

                result = code ?: result;
        }
        if (linting->files)
                print_json(linting, linting->cluster.view.length > 0);
        else if (linting->cluster.asked && linting->cluster.view.length == 0)
                (void)fprintf(stderr, "no fleet daemon answers: whether a machine could run it is not looked at\n");
        return result;
}

int fleet_verb_lint(void *userdata, int argc, char **argv) {
        FleetGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        bool strict = false, as_json = false;
        const Option options[] = {FLEET_FORM_OPTION(as_json),
                                  {"strict", 0, OPTION_SWITCH, NULL, NULL, "exit 1 also for warnings", &strict, NULL},
                                  {0}};
        Linting linting = {0};
        int code = fleet_parse_names(group, "lint", options, argc, argv, true, &arguments);

        if (code == 0) {
                linting.files = as_json ? json_array() : NULL;
                code = lint_files(group, &linting, &arguments);
                if (code == 0 && (linting.errors > 0 || (strict && linting.warnings > 0)))
                        code = CLI_FAILED;
        }
        json_decref(linting.files);
        cluster_deinit(&linting.cluster);
        return code < 0 ? CLI_OK : code;
}
