/*
 * How long events take to many watchers: watch-fan PORT WATCHERS ROUNDS. Opens stream watches on one key of a v2 server on
 * loopback, writes the key, and prints the median and the 99th percentile of the milliseconds from the write to the arrival at
 * each watcher. A program of its own, in C, because reading a thousand sockets in a script takes longer than what is measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

enum { WATCHERS_MAX = 20000, ROUNDS_MAX = 1000, PAUSE_MSEC = 200, SILENCE_MSEC = 10000 };

static int connect_to(uint16_t port) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                perror("cannot connect");
                exit(1);
        }
        return fd;
}

static void send_text(int fd, const char *text) {
        if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
                perror("cannot write");
                exit(1);
        }
}

/* Reads until `mark` has come, which is shorter than a packet and comes in one. */
static void read_until(int fd, const char *mark) {
        char bytes[8192];

        for (;;) {
                ssize_t n = read(fd, bytes, sizeof(bytes) - 1);

                if (n <= 0) {
                        (void)fprintf(stderr, "the server closed a connection\n");
                        exit(1);
                }
                bytes[n] = '\0';
                if (strstr(bytes, mark))
                        return;
        }
}

static int open_watcher(uint16_t port, int poll) {
        int fd = connect_to(port);

        send_text(fd, "GET /v2/keys/fan/k?wait=true&stream=true HTTP/1.1\r\nHost: bench\r\n\r\n");
        read_until(fd, "\r\n\r\n");
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd}) < 0) {
                perror("cannot poll");
                exit(1);
        }
        return fd;
}

/* Each watcher's milliseconds, of one write. */
static void measure_round(int writer, int poll, size_t watchers, unsigned number, double *milliseconds) {
        struct epoll_event events[256];
        char request[256], bytes[8192];
        size_t heard = 0;
        Usec begun;

        (void)snprintf(request, sizeof(request),
                       "PUT /v2/keys/fan/k HTTP/1.1\r\nHost: bench\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                       "Content-Length: 11\r\n\r\nvalue=%05u", number);
        begun = clock_monotonic();
        send_text(writer, request);
        while (heard < watchers) {
                int n = epoll_wait(poll, events, ARRAY_SIZE(events), SILENCE_MSEC);

                if (n <= 0) {
                        (void)fprintf(stderr, "%zu of %zu watchers heard nothing\n", watchers - heard, watchers);
                        exit(1);
                }
                for (int i = 0; i < n; i++) {
                        ssize_t length = read(events[i].data.fd, bytes, sizeof(bytes));

                        if (length <= 0 || !memmem(bytes, (size_t)length, "\"action\"", 8))
                                continue;
                        milliseconds[heard++] = (double)(clock_monotonic() - begun) / USEC_PER_MSEC;
                }
        }
        read_until(writer, "\r\n\r\n");
}

static int compare(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

int main(int argc, char **argv) {
        uint16_t port = argc == 4 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0;
        size_t watchers = argc == 4 ? strtoul(argv[2], NULL, 10) : 0, rounds = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
        double *times = calloc(watchers * rounds + 1, sizeof(*times));
        int poll = epoll_create1(EPOLL_CLOEXEC), writer;

        if (!times || port == 0 || watchers == 0 || watchers > WATCHERS_MAX || rounds == 0 || rounds > ROUNDS_MAX) {
                (void)fprintf(stderr, "Usage: watch-fan PORT WATCHERS ROUNDS\n");
                return 2;
        }
        for (size_t i = 0; i < watchers; i++)
                (void)open_watcher(port, poll);
        writer = connect_to(port);
        for (size_t i = 0; i < rounds; i++) {
                (void)usleep(PAUSE_MSEC * 1000);
                measure_round(writer, poll, watchers, (unsigned)i, times + i * watchers);
        }
        qsort(times, watchers * rounds, sizeof(*times), compare);
        printf("%.3f %.3f\n", times[watchers * rounds / 2], times[watchers * rounds * 99 / 100]);
        free(times);
        return 0;
}
