/*
 * etcdctl's library has an app with global flags and commands; a command with commands below it is an app of its own. Each
 * has its own form of help and of complaint.
 */
#include "cli/store-old.h"

#include <errno.h>

#define OLD_PROGRAM "etcdctl"

/* ---- help ---- */

/* Lines of two columns, the second two blanks behind the widest first. */
typedef struct HelpTable {
        StringList cells;
} HelpTable;

static void help_add(HelpTable *table, char *left, const char *right) {
        if (string_list_take(&table->cells, left) >= 0)
                (void)string_list_add(&table->cells, right);
}

/* `indent_behind`: the indent of a further line follows the last, which is so where the library's template has it. */
static void help_print(HelpTable *table, bool indent_behind) {
        size_t width = 0;

        for (size_t i = 0; i + 1 < table->cells.length; i += 2)
                width = max_of(width, strlen(table->cells.items[i]));
        for (size_t i = 0; i + 1 < table->cells.length; i += 2)
                printf("   %-*s  %s\n", (int)width, table->cells.items[i], table->cells.items[i + 1]);
        if (indent_behind)
                printf("   \n");
        string_list_deinit(&table->cells);
        *table = (HelpTable){0};
}

static char *flag_form(const char *name, const char *argument) {
        return str_printf("%s%s%s%s", name[1] ? "--" : "-", name, argument ? " " : "", argument ?: "");
}

static void help_add_flag(HelpTable *table, const StoreFlag *flag) {
        const char *argument = flag->type == STORE_FLAG_SWITCH ? NULL : flag->old_argument ?: "value";
        _cleanup_free_ char *name = flag_form(flag->name, argument), *alias = NULL, *right = NULL;

        if (flag->alias)
                alias = flag_form(flag->alias, argument);
        right = str_printf("%s%s%s%s", flag->old_usage, flag->old_default ? " (default: " : "", flag->old_default ?: "",
                           flag->old_default ? ")" : "");
        if (name && right)
                help_add(table, str_printf("%s%s%s", name, alias ? ", " : "", alias ?: ""), right);
}

static void help_add_flags(HelpTable *table, const StoreFlag *flags) {
        for (const StoreFlag *flag = flags; flag && flag->name; flag++)
                if (flag->old_usage)
                        help_add_flag(table, flag);
}

static const StoreCommandGroup *find_group(const char *name) {
        const StoreCommandGroup *group = store_verb_group_find(name);

        return group && group->old_summary ? group : NULL;
}

static void help_add_commands(HelpTable *table, const char *group) {
        for (const StoreCommand *const *at = store_verbs; *at; at++)
                if (group ? (*at)->group && str_equals((*at)->group, group) : !(*at)->group)
                        help_add(table, strdup((*at)->name), (*at)->old_summary);
        for (const StoreCommandGroup *one = store_verb_groups; !group && one->name; one++)
                if (one->old_summary)
                        help_add(table, strdup(one->name), one->old_summary);
}

static void print_app_help(void) {
        HelpTable table = {0};

        printf("NAME:\n   " OLD_PROGRAM " - A simple command line client for etcd.\n\nUSAGE:\n   " OLD_PROGRAM
               " [global options] command [command options] [arguments...]\n\nVERSION:\n   %s\n\nCOMMANDS:\n",
               FAERING_VERSION);
        help_add_commands(&table, NULL);
        help_add(&table, strdup("help, h"), "Shows a list of commands or help for one command");
        help_print(&table, false);
        printf("\nGLOBAL OPTIONS:\n");
        help_add_flags(&table, store_global_flags);
        help_add(&table, strdup("--help, -h"), "show help");
        help_add(&table, strdup("--version, -v"), "print the version");
        help_print(&table, false);
}

/* `as_app`: "etcdctl member help" prints it in the form of a program. */
static void print_group_help(const StoreCommandGroup *group, bool as_app) {
        HelpTable table = {0};

        printf("NAME:\n   " OLD_PROGRAM " %s - %s\n\nUSAGE:\n   " OLD_PROGRAM
               " %s %scommand [command options] [arguments...]\n\n",
               group->name, group->old_summary, group->name, as_app ? "[global options] " : "");
        if (as_app)
                printf("VERSION:\n   %s\n\n", FAERING_VERSION);
        printf("COMMANDS:\n");
        help_add_commands(&table, group->name);
        help_print(&table, false);
        printf("\n%sOPTIONS:\n", as_app ? "GLOBAL " : "");
        help_add(&table, strdup("--help, -h"), "show help");
        help_print(&table, !as_app);
}

static void print_verb_help(const StoreCommand *verb) {
        const char *space = verb->group ? " " : "", *group = verb->group ?: "";
        bool has_flags = verb->flags && verb->flags->name;
        HelpTable table = {0};

        printf("NAME:\n   " OLD_PROGRAM " %s%s%s - %s\n\nUSAGE:\n   " OLD_PROGRAM " %s%s%s%s %s\n", group, space,
               verb->name, verb->old_summary, group, space, verb->name, has_flags ? " [command options]" : "",
               verb->old_arguments);
        if (verb->old_description)
                printf("\nDESCRIPTION:\n   %s\n", verb->old_description);
        if (!has_flags)
                return;
        printf("\nOPTIONS:\n");
        help_add_flags(&table, verb->flags);
        help_print(&table, true);
}

static int complain_no_topic(const char *word) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "No help topic for '%s'\n", word);
        return STORE_EXIT_HELP;
}

static int run_help(const char *topic) {
        const StoreCommand *verb = topic ? store_verb_find(NULL, topic, false) : NULL;
        const StoreCommandGroup *group = topic ? find_group(topic) : NULL;

        if (!topic)
                print_app_help();
        else if (verb)
                print_verb_help(verb);
        else if (group)
                printf("NAME:\n   " OLD_PROGRAM " %s - %s\n\nUSAGE:\n   " OLD_PROGRAM " %s [arguments...]\n",
                       group->name, group->old_summary, group->name);
        else if (str_equals(topic, "help") || str_equals(topic, "h"))
                printf("NAME:\n    - Shows a list of commands or help for one command\n\nUSAGE:\n    [command]\n");
        else
                return complain_no_topic(topic);
        return CLI_OK;
}

/* ---- parsing ---- */

static const StoreFlag *find_flag(const StoreFlag *flags, const char *word) {
        const char *name = word;
        Slice key;

        if (word[0] != '-' || !word[1] || str_equals(word, "--"))
                return NULL;
        for (int dashes = 0; dashes < 3 && *name == '-'; dashes++)
                name++;
        key = (Slice){name, strcspn(name, "=")};
        for (const StoreFlag *flag = flags; flag->name; flag++)
                if (slice_equals(key, slice_from(flag->name)) ||
                    (flag->alias && slice_equals(key, slice_from(flag->alias))))
                        return flag;
        return NULL;
}

void store_old_order(const StoreFlag *flags, char *const *words, size_t count, bool keep_separator, char **ret) {
        size_t front = 0, plain = 0, end = count, separator = 0;
        bool takes;

        /* pass 0 counts what comes to the front, pass 1 puts all in its place */
        for (int pass = 0; pass < 2; pass++) {
                size_t at_front = 0, at_plain = front + separator;

                takes = false;
                for (size_t i = 0; i < end; i++) {
                        const StoreFlag *flag = find_flag(flags, words[i]);
                        bool to_front = flag || takes;

                        takes = flag && !strchr(words[i], '=') && !(keep_separator && flag->type == STORE_FLAG_SWITCH);
                        if (!to_front && str_equals(words[i], "--")) {
                                end = i;
                                break;
                        }
                        if (pass == 1)
                                ret[to_front ? at_front : at_plain] = words[i];
                        at_front += to_front;
                        at_plain += !to_front;
                }
                front = at_front;
                plain = at_plain - (pass == 1 ? front + separator : 0);
                separator = end < count && !(keep_separator && plain > 0);
        }
        if (end == count)
                return;
        if (separator)
                ret[front] = words[end];
        for (size_t i = end + separator; i < count; i++)
                ret[i] = words[i];
}

/* A copy of the verb's flags with --help behind them. */
static void flags_with_help(const StoreFlag *flags, StoreFlag table[STORE_FLAGS_MAX]) {
        size_t count = 0;

        for (const StoreFlag *flag = flags; flag && flag->name && count + 2 < STORE_FLAGS_MAX; flag++)
                table[count++] = *flag;
        table[count++] = (StoreFlag){.name = "help", .alias = "h", .type = STORE_FLAG_SWITCH, .offset = STORE_AT(help)};
        table[count] = (StoreFlag){0};
}

/* The same text goes to both outputs, once with the help and once without. */
static void complain_usage(char mark, const Error *error) {
        printf("Incorrect Usage%c %s\n\n", mark, error->text);
}

static int usage_exit(const Error *error) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s\n", error->text);
        return STORE_EXIT_USAGE;
}

static int run_verb(StoreGroup *group, const StoreCommand *verb, char *const *words, size_t count) {
        _cleanup_(store_arguments_deinit) StoreArguments arguments = {0};
        _cleanup_free_ char **ordered = calloc(count + 1, sizeof(*ordered));
        StoreFlag flags[STORE_FLAGS_MAX];
        Error error = ERROR_NONE;
        size_t used = 0;

        if (!ordered)
                return CLI_FAILED;
        flags_with_help(verb->flags, flags);
        store_old_order(flags, words, count, verb->takes_command, ordered);
        if (store_flags_parse_old(flags, &arguments, ordered, count, &used, &error) < 0) {
                complain_usage(':', &error);
                print_verb_help(verb);
                return usage_exit(&error);
        }
        if (arguments.help) {
                print_verb_help(verb);
                return CLI_OK;
        }
        for (size_t i = used; i < count; i++)
                if (string_list_add(&arguments.words, ordered[i]) < 0)
                        return CLI_FAILED;
        return verb->run(group, &arguments);
}

/* "etcdctl member …": flags may stand before the verb, but there are none but --help. */
static int run_group(StoreGroup *group, const StoreCommandGroup *chosen, char *const *words, size_t count) {
        _cleanup_(store_arguments_deinit) StoreArguments arguments = {0};
        StoreFlag flags[STORE_FLAGS_MAX];
        Error error = ERROR_NONE;
        const StoreCommand *verb;
        size_t used = 0;

        flags_with_help(NULL, flags);
        if (store_flags_parse_old(flags, &arguments, words, count, &used, &error) < 0) {
                complain_usage('.', &error);
                print_group_help(chosen, false);
                return usage_exit(&error);
        }
        words += used;
        count -= used;
        if (arguments.help || count == 0) {
                print_group_help(chosen, false);
                return CLI_OK;
        }
        verb = store_verb_find(chosen->name, words[0], false);
        if (verb)
                return run_verb(group, verb, words + 1, count - 1);
        if (!str_equals(words[0], "help") && !str_equals(words[0], "h"))
                return complain_no_topic(words[0]);
        if (count == 1) {
                print_group_help(chosen, true);
                return CLI_OK;
        }
        verb = store_verb_find(chosen->name, words[1], false);
        if (!verb)
                return complain_no_topic(words[1]);
        print_verb_help(verb);
        return CLI_OK;
}

static StoreOutput choose_output(const char *name) {
        if (str_equals(name, "simple"))
                return STORE_OUTPUT_SIMPLE;
        if (str_equals(name, "extended"))
                return STORE_OUTPUT_EXTENDED;
        return str_equals(name, "json") ? STORE_OUTPUT_JSON : STORE_OUTPUT_UNKNOWN;
}

int store_old_main(StoreGroup *group, int argc, char **argv) {
        StoreFlag flags[STORE_FLAGS_MAX];
        const StoreCommandGroup *below;
        Error error = ERROR_NONE;
        const StoreCommand *verb;
        size_t used = 0, count = argc > 0 ? (size_t)argc - 1 : 0, known = 0;
        char **words = argv + 1;

        for (const StoreFlag *flag = store_global_flags; flag->name && known + 3 < STORE_FLAGS_MAX; flag++)
                if (flag->old_usage)
                        flags[known++] = *flag;
        flags[known++] = (StoreFlag){.name = "help", .alias = "h", .offset = offsetof(StoreGroup, help)};
        flags[known++] = (StoreFlag){.name = "version", .alias = "v", .offset = offsetof(StoreGroup, version)};
        flags[known] = (StoreFlag){0};
        if (store_flags_parse_old(flags, group, words, count, &used, &error) < 0) {
                complain_usage('.', &error);
                print_app_help();
                return usage_exit(&error);
        }
        words += used;
        count -= used;
        if (group->help || (count == 0 && !group->version)) {
                print_app_help();
                return CLI_OK;
        }
        if (group->version) {
                printf(OLD_PROGRAM " version: %s\nAPI version: 2\n", FAERING_VERSION);
                return CLI_OK;
        }
        group->output = choose_output(group->output_name ?: "simple");
        if (str_equals(words[0], "help") || str_equals(words[0], "h"))
                return run_help(count > 1 ? words[1] : NULL);
        verb = store_verb_find(NULL, words[0], false);
        below = find_group(words[0]);
        if (verb)
                return run_verb(group, verb, words + 1, count - 1);
        return below ? run_group(group, below, words + 1, count - 1) : complain_no_topic(words[0]);
}
