/* Passwords from the terminal, or a line of standard input. */
#include <errno.h>
#include <signal.h>
#include <termios.h>

#include "cli/store.h"

enum { PASSWORD_MAX = 4096 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
        (void)number;
        interrupted = 1;
}

/* A line without its end; NULL at the end of the input, or after Ctrl-C. Byte by byte: what is behind the line is not ours. */
static char *read_line(void) {
        char line[PASSWORD_MAX], byte, *copy;
        size_t length = 0;
        ssize_t got;

        while ((got = read(STDIN_FILENO, &byte, 1)) != 0) {
                if (got < 0 && errno == EINTR && !interrupted)
                        continue;
                if (got < 0 || byte == '\n' || length + 1 == sizeof(line))
                        break;
                line[length++] = byte;
        }
        if (interrupted || (got <= 0 && length == 0))
                return NULL;
        if (length > 0 && line[length - 1] == '\r')
                length--;
        line[length] = '\0';
        copy = strdup(line);
        explicit_bzero(line, sizeof(line));
        return copy;
}

/* Ctrl-C waits until the terminal echoes again. */
char *store_ask_password(const char *prompt) {
        struct sigaction catch = {.sa_handler = on_interrupt}, old;
        struct termios before, quiet;
        bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
        char *password;

        printf("%s", prompt);
        (void)fflush(stdout);
        (void)sigaction(SIGINT, &catch, &old);
        if (terminal) {
                quiet = before;
                quiet.c_lflag &= ~(tcflag_t)ECHO;
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        password = read_line();
        if (terminal)
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        (void)sigaction(SIGINT, &old, NULL);
        printf("\n");
        (void)fflush(stdout);
        if (interrupted)
                (void)raise(SIGINT);
        return password;
}

char *store_credentials(const char *name) {
        _cleanup_free_ char *password = NULL;
        char *credentials;

        if (strchr(name, ':'))
                return strdup(name);
        password = store_ask_password("Password: ");
        if (!password) {
                (void)fprintf(stderr, "EOF\n");
                return NULL;
        }
        credentials = str_printf("%s:%s", name, password);
        explicit_bzero(password, strlen(password));
        return credentials;
}
