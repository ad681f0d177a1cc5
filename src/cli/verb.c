#include "cli/verb.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/suggest.h"

enum { VERBS_MAX = 64, OPTIONS_WITH_HELP_MAX = 64 };

const Verb *verb_find(const Verb *verbs, const char *name, bool allow_prefix) {
        const Verb *found = NULL;

        for (const Verb *verb = verbs; verb->name; verb++) {
                if (str_equals(verb->name, name))
                        return verb;
                if (allow_prefix && str_starts_with(verb->name, name)) {
                        if (found)
                                return NULL;
                        found = verb;
                }
        }
        return found;
}

void cli_complain(const char *program, const char *format, ...) {
        va_list args;

        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: ", program);
        va_start(args, format);
        (void)vfprintf(stderr, format, args);
        va_end(args);
        (void)fputc('\n', stderr);
}

void verb_complain(const Verb *verbs, const char *program, const char *name) {
        const char *names[VERBS_MAX], *nearest;
        size_t count = 0;

        for (const Verb *verb = verbs; verb->name && count < VERBS_MAX; verb++)
                names[count++] = verb->name;
        nearest = suggest_nearest(name, names, count);
        if (nearest)
                cli_complain(program, "unknown verb \"%s\"; did you mean \"%s\"?", name, nearest);
        else
                cli_complain(program, "unknown verb \"%s\"; see \"%s --help\"", name, program);
}

/* The other end of the pipe is closed. */
static bool output_is_gone(void) {
        struct pollfd fd = {.fd = STDOUT_FILENO};

        return poll(&fd, 1, 0) > 0 && (fd.revents & POLLERR);
}

static int write_output(void) {
        int r = fflush(stdout) == 0 ? 0 : -errno;

        if (r == -EPIPE || output_is_gone())
                return -EPIPE;
        return r < 0 ? r : ferror(stdout) ? -EIO : 0;
}

static void complain_output(int r) {
        (void)fprintf(stderr, "cannot write the output: %s\n", strerror(-r));
}

void cli_flush(void) {
        int r = write_output();

        if (r == -EPIPE) {
                (void)signal(SIGPIPE, SIG_DFL);
                (void)raise(SIGPIPE);
        }
        if (r == 0)
                return;
        complain_output(r);
        _exit(CLI_FAILED);
}

int cli_end(int code) {
        int r = write_output();

        if (r == 0 || r == -EPIPE)
                return code;
        complain_output(r);
        return code ?: CLI_FAILED;
}

static void print_options(const Option *options) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        if (options_format_help(options, "--", &text) >= 0)
                (void)fwrite(buffer_data(&text), 1, buffer_length(&text), stdout);
}

void verb_print_group_help(const Verb *verbs, const char *program, const char *what, const Option *options) {
        size_t width = 0;

        printf("Usage: %s [OPTIONS] VERB [ARGUMENTS]\n\n%s\n\nVerbs:\n", program, what);
        for (const Verb *verb = verbs; verb->name; verb++)
                width = max_of(width, strlen(verb->name) + strlen(verb->arguments) + 1);
        for (const Verb *verb = verbs; verb->name; verb++)
                printf("  %s %-*s  %s\n", verb->name, (int)(width - strlen(verb->name) - 1), verb->arguments, verb->summary);
        if (options) {
                printf("\nOptions:\n");
                print_options(options);
        }
        printf("\n\"%s VERB --help\" says more of a verb.\n", program);
}

int verb_parse(const Verb *verb, const char *program, const Option *options, OptionsFlags flags, int argc, char **argv,
               StringList *ret_arguments, int *ret_exit) {
        Option table[OPTIONS_WITH_HELP_MAX];
        Error error = ERROR_NONE;
        bool help = false;
        size_t count = 0;

        for (const Option *option = options; option && option->name && count + 2 < ARRAY_SIZE(table); option++)
                table[count++] = *option;
        table[count++] = (Option){"help", 'h', OPTION_SWITCH, NULL, NULL, "print this", &help, NULL};
        table[count] = (Option){0};
        if (options_parse(table, flags, argc, argv, ret_arguments, &error) < 0) {
                cli_complain(program, "%s: %s", verb->name, error.text[0] ? error.text : "out of memory");
                *ret_exit = CLI_USAGE;
                return -1;
        }
        if (!help)
                return 0;
        printf("Usage: %s %s [OPTIONS] %s\n\n%s\n\nOptions:\n", program, verb->name, verb->arguments, verb->summary);
        print_options(table);
        *ret_exit = CLI_OK;
        return -1;
}

bool cli_wants_color(FILE *file) {
        const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

        return isatty(fileno(file)) && !(no && *no) && !(terminal && str_equals(terminal, "dumb"));
}
