/* Passwords from the terminal, or a line of standard input. */
#include <errno.h>
#include <signal.h>
#include <termios.h>

#include "cli/store.h"

enum { PASSWORD_MAX = 4096 };

/* A line without its end; NULL at the end of the input. Byte by byte: what is behind the line is not ours. */
static char *read_line(void) {
        char line[PASSWORD_MAX], byte, *copy;
        size_t length = 0;
        ssize_t got;

        while ((got = read(STDIN_FILENO, &byte, 1)) != 0) {
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0 || byte == '\n' || length + 1 == sizeof(line))
                        break;
                line[length++] = byte;
        }
        if (got <= 0 && length == 0)
                return NULL;
        if (length > 0 && line[length - 1] == '\r')
                length--;
        line[length] = '\0';
        copy = strdup(line);
        explicit_bzero(line, sizeof(line));
        return copy;
}

/* Ctrl-C has to wait until the terminal echoes again. */
char *store_ask_password(const char *prompt) {
        struct termios before, quiet;
        bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
        sigset_t held, old;
        char *password;

        printf("%s", prompt);
        (void)fflush(stdout);
        (void)sigemptyset(&held);
        (void)sigaddset(&held, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &held, &old);
        if (terminal) {
                quiet = before;
                quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        password = read_line();
        if (terminal)
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
        printf("\n");
        (void)fflush(stdout);
        /* without ISIG Ctrl-C is a byte of the line */
        if (password && strchr(password, '\003'))
                exit(128 + SIGINT);
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
