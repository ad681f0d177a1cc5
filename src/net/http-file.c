#include "net/http-file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_SIZE = 256 * 1024 };

/* One answer under way. It outlives its request by the read that is in flight. */
typedef struct FileAnswer {
        HttpRequest *request; /* NULL: the peer is gone */
        uv_fs_t read;
        bool reading;
        int fd;
        uint64_t sent, size;
        char piece[PIECE_SIZE];
} FileAnswer;

static void answer_free(FileAnswer *answer) {
        (void)close(answer->fd);
        free(answer);
}

static void on_gone(HttpRequest *request) {
        FileAnswer *answer = http_request_data(request);

        answer->request = NULL;
        if (!answer->reading)
                answer_free(answer);
}

static void read_next(FileAnswer *answer);

static void end(FileAnswer *answer, bool whole) {
        HttpRequest *request = answer->request;

        answer->request = NULL;
        http_request_set_gone(request, NULL, false);
        http_request_set_drained(request, NULL);
        if (whole)
                http_respond_end(request);
        else
                http_respond_abort(request);
        answer_free(answer);
}

static void on_drained(HttpRequest *request) {
        FileAnswer *answer = http_request_data(request);

        if (!answer->reading)
                read_next(answer);
}

static void on_read(uv_fs_t *read) {
        FileAnswer *answer = read->data;
        ssize_t n = read->result;

        uv_fs_req_cleanup(read);
        answer->reading = false;
        if (!answer->request) {
                answer_free(answer);
                return;
        }
        if (n <= 0) {
                end(answer, false);
                return;
        }
        answer->sent += (uint64_t)n;
        answer->reading = true; /* `gone` may come from within the write */
        (void)http_respond_write(answer->request, (Slice){answer->piece, (size_t)n});
        answer->reading = false;
        if (!answer->request)
                answer_free(answer);
        else if (answer->sent == answer->size)
                end(answer, true);
        else if (http_request_queued(answer->request) == 0)
                read_next(answer);
}

static void read_next(FileAnswer *answer) {
        uv_buf_t piece =
                uv_buf_init(answer->piece, (unsigned)min_of(answer->size - answer->sent, (uint64_t)PIECE_SIZE));

        answer->read.data = answer;
        answer->reading = true;
        if (uv_fs_read(http_request_loop(answer->request), &answer->read, answer->fd, &piece, 1, (int64_t)answer->sent,
                       on_read) < 0) {
                answer->reading = false;
                end(answer, false);
        }
}

void http_respond_file(HttpRequest *request, unsigned status, const char *headers, int fd) {
        FileAnswer *answer = malloc(sizeof(*answer));
        struct stat info;

        if (!answer || fstat(fd, &info) < 0) {
                free(answer);
                (void)close(fd);
                http_respond_text(request, 500, "cannot read the file\n");
                return;
        }
        answer->request = request;
        answer->reading = false;
        answer->fd = fd;
        answer->sent = 0;
        answer->size = (uint64_t)info.st_size;
        http_request_set_data(request, answer);
        http_request_set_gone(request, on_gone, false);
        http_request_set_drained(request, on_drained);
        answer->reading = true;
        http_respond_begin(request, status, headers, answer->size);
        answer->reading = false;
        if (!answer->request)
                answer_free(answer);
        else if (answer->size == 0 || http_request_method(request) == HTTP_METHOD_HEAD)
                end(answer, true);
        else
                read_next(answer);
}
