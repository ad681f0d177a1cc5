/* pull, import, load, save: images that come in and go out. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/containers.h"
#include "cli/human.h"

enum { READ_SIZE = 65536, QUEUE_MAX = 1 << 20, LINE_MAX_BYTES = 65536 };

/* ---- lines of progress ---- */

/* An answer of JSON lines, shown as they come. */
typedef struct Lines {
        ContainersGroup *group;
        FILE *out;
        bool quiet, terminal;
        Buffer rest; /* of a line */
        bool done;
        int r;
        unsigned status;
        Error error;
        char *failure; /* what an "error" line said */
        char last_status[LINE_MAX_BYTES / 64];

        /* what is sent */
        HttpCall *call;
        int file;
        bool finished;
} Lines;

static void show_progress(Lines *lines, json_t *line) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;
        json_t *detail = json_object_get(line, "progressDetail");
        json_int_t total = json_integer_value(json_object_get(detail, "total"));

        if (!lines->terminal)
                return;
        human_size((uint64_t)json_integer_value(json_object_get(detail, "current")), &text);
        if (total > 0) {
                (void)buffer_append_byte(&text, '/');
                human_size((uint64_t)total, &text);
        }
        (void)fprintf(lines->out, "\r\033[K%s: %s %s", cli_text(line, "id"), cli_text(line, "status"),
                      buffer_string(&text) ?: "");
        (void)fflush(lines->out);
}

static void show_line(Lines *lines, json_t *line) {
        const char *error = cli_text(line, "error"), *stream = cli_text(line, "stream"), *id = cli_text(line, "id");

        (void)snprintf(lines->last_status, sizeof(lines->last_status), "%s", cli_text(line, "status"));
        if (*error) {
                free(lines->failure);
                lines->failure = strdup(error);
        } else if (lines->quiet) {
                return;
        } else if (*stream) {
                (void)fputs(stream, lines->out);
        } else if (json_object_get(line, "progressDetail")) {
                show_progress(lines, line);
        } else {
                (void)fprintf(lines->out, "%s%s%s%s\n", lines->terminal ? "\r\033[K" : "", id, *id ? ": " : "",
                              cli_text(line, "status"));
        }
        (void)fflush(lines->out);
}

static void on_piece(HttpCall *call, Slice bytes) {
        Lines *lines = http_call_userdata(call);
        const char *end;

        (void)buffer_append(&lines->rest, bytes.data, bytes.length);
        while (http_call_status(call) == 200 && buffer_length(&lines->rest) > 0 &&
               (end = memchr(buffer_data(&lines->rest), '\n', buffer_length(&lines->rest)))) {
                size_t length = (size_t)(end - buffer_data(&lines->rest)) + 1;
                json_t *line = json_loadb(buffer_data(&lines->rest), length, 0, NULL);

                if (line)
                        show_line(lines, line);
                json_decref(line);
                buffer_consume(&lines->rest, length);
        }
}

static void on_done(HttpCall *call, int r, const Error *error) {
        Lines *lines = http_call_userdata(call);

        lines->call = NULL;
        lines->done = true;
        lines->r = r;
        lines->error = *error;
        lines->status = http_call_status(call);
}

static int lines_result(Lines *lines) {
        if (lines->r < 0)
                return containers_complain_unreachable(lines->group, &lines->error);
        if (lines->status >= 400) {
                _cleanup_cli_answer_ CliAnswer answer = {
                        .status = lines->status, .json = json_loads(buffer_string(&lines->rest) ?: "", 0, NULL)};

                return containers_complain(lines->group, &answer);
        }
        if (lines->failure) {
                cli_complain(lines->group->program, "%s", lines->failure);
                return CLI_FAILED;
        }
        return CLI_OK;
}

static void lines_deinit(Lines *lines) {
        buffer_deinit(&lines->rest);
        free(lines->failure);
}

/* ---- pull ---- */

static const HttpCallOps pull_ops = {.body = on_piece, .done = on_done};

/* Where the tag or digest of a name begins; NULL: none. */
static const char *find_version(const char *name) {
        const char *at = strchr(name, '@'), *colon = strrchr(name, ':');

        if (at)
                return at;
        return colon && !strchr(colon, '/') ? colon : NULL;
}

int containers_pull(ContainersGroup *group, const char *name, bool quiet, FILE *out) {
        Lines lines = {.group = group,
                       .out = out,
                       .quiet = quiet,
                       .terminal = isatty(fileno(out)),
                       .rest = BUFFER_INIT_LIMIT(LINE_MAX_BYTES)};
        const char *version = find_version(name);
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        HttpCallSpec spec = {.url = &group->endpoint,
                             .method = "POST",
                             .headers = "X-Registry-Auth: e30=\r\n",
                             .body = slice_from("")};
        int code;

        (void)buffer_append_string(&target, "/images/create?fromImage=");
        (void)url_encode(&target, URL_SEGMENT, (Slice){name, version ? (size_t)(version - name) : strlen(name)});
        (void)buffer_append_string(&target, "&tag=");
        (void)url_encode(&target, URL_SEGMENT, slice_from(version ? version + 1 : "latest"));
        spec.target = buffer_string(&target);
        if (!spec.target || http_client_call(group->http, &spec, &pull_ops, &lines, &lines.call) < 0)
                return CLI_FAILED;
        while (!lines.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        code = lines_result(&lines);
        lines_deinit(&lines);
        return code;
}

int containers_verb_pull(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        bool quiet = false;
        const Option options[] = {
                {"quiet", 'q', OPTION_SWITCH, NULL, NULL, "show no progress", &quiet, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        int code;

        if (verb_parse(verb_find(containers_verbs, "pull", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length != 1) {
                cli_complain(group->program, "pull needs the name of an image");
                return CLI_USAGE;
        }
        if (!find_version(arguments.items[0]) && !quiet)
                printf("Using default tag: latest\n");
        code = containers_pull(group, arguments.items[0], quiet, stdout);
        if (code == 0)
                printf("%s%s\n", arguments.items[0], find_version(arguments.items[0]) ? "" : ":latest");
        return code;
}

/* ---- sending an archive ---- */

static void send_more(HttpCall *call) {
        Lines *lines = http_call_userdata(call);
        char bytes[READ_SIZE];
        ssize_t n = 1;

        while (!lines->finished && http_call_queued(call) < QUEUE_MAX) {
                n = read(lines->file, bytes, sizeof(bytes));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        lines->finished = true;
                        (void)http_call_finish(call);
                        return;
                }
                if (http_call_write(call, (Slice){bytes, (size_t)n}) < 0)
                        return;
        }
}

static const HttpCallOps send_ops = {.body = on_piece, .drained = send_more, .done = on_done};

static int send_archive(ContainersGroup *group, const char *target, const char *path, const char *type, Lines *lines) {
        const HttpCallSpec spec = {
                .url = &group->endpoint, .method = "POST", .target = target, .headers = type, .stream_body = true};
        int code;

        lines->file = str_equals(path, "-") ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        if (lines->file < 0) {
                cli_complain(group->program, "cannot open %s: %s", path, strerror(errno));
                return CLI_FAILED;
        }
        if (http_client_call(group->http, &spec, &send_ops, lines, &lines->call) < 0)
                return CLI_FAILED;
        send_more(lines->call);
        while (!lines->done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        if (lines->file != STDIN_FILENO)
                (void)close(lines->file);
        code = lines_result(lines);
        return code;
}

int containers_verb_import(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList changes = {0}, arguments = {0};
        _cleanup_free_ char *message = NULL;
        const Option options[] = {
                {"change", 'c', OPTION_LIST, "LINE", NULL, "a line of a Dockerfile, such as CMD [\"/bin/sh\"]",
                 &changes, NULL},
                {"message", 'm', OPTION_STRING, "TEXT", NULL, "a remark", &message, NULL},
                {0},
        };
        Lines lines = {.group = group, .out = stdout, .quiet = true, .rest = BUFFER_INIT_LIMIT(LINE_MAX_BYTES)};
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        int code;

        if (verb_parse(verb_find(containers_verbs, "import", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length < 1 || arguments.length > 2) {
                cli_complain(group->program, "import needs a file, or - for standard input, and the image's name");
                return CLI_USAGE;
        }
        (void)buffer_append_string(&target, "/images/create?fromSrc=-");
        if (arguments.length == 2) {
                (void)buffer_append_string(&target, "&repo=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(arguments.items[1]));
        }
        if (message) {
                (void)buffer_append_string(&target, "&message=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(message));
        }
        for (size_t i = 0; i < changes.length; i++) {
                (void)buffer_append_string(&target, "&changes=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(changes.items[i]));
        }
        code = buffer_string(&target) ? send_archive(group, buffer_string(&target), arguments.items[0],
                                                     "Content-Type: text/plain\r\n", &lines)
                                      : CLI_FAILED;
        if (code == 0)
                printf("%s\n", lines.last_status);
        lines_deinit(&lines);
        return code;
}

int containers_verb_load(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_free_ char *path = NULL;
        bool quiet = false;
        const Option options[] = {
                {"input", 'i', OPTION_STRING, "FILE", NULL, "the archive (default: standard input)", &path, NULL},
                {"quiet", 'q', OPTION_SWITCH, NULL, NULL, "show no progress", &quiet, NULL},
                {0},
        };
        Lines lines = {.group = group, .out = stdout, .rest = BUFFER_INIT_LIMIT(LINE_MAX_BYTES)};
        _cleanup_string_list_ StringList arguments = {0};
        int code;

        if (verb_parse(verb_find(containers_verbs, "load", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (!path && isatty(STDIN_FILENO)) {
                cli_complain(group->program, "requested load from stdin, but stdin is empty: give --input FILE");
                return CLI_USAGE;
        }
        code = send_archive(group, "/images/load?quiet=1", path ?: "-", "Content-Type: application/x-tar\r\n", &lines);
        lines_deinit(&lines);
        return code;
}

/* ---- save ---- */

typedef struct Save {
        int file;
        bool done;
        int r;
        unsigned status;
        Error error;
        Buffer refusal;
} Save;

static void on_saved_piece(HttpCall *call, Slice bytes) {
        Save *save = http_call_userdata(call);

        if (http_call_status(call) != 200) {
                (void)buffer_append(&save->refusal, bytes.data, bytes.length);
                return;
        }
        while (save->r >= 0 && bytes.length > 0) {
                ssize_t n = write(save->file, bytes.data, bytes.length);

                if (n < 0 && errno != EINTR)
                        save->r = error_set_errno(&save->error, -errno, "cannot write the archive");
                if (n > 0)
                        bytes = (Slice){bytes.data + n, bytes.length - (size_t)n};
        }
}

static void on_save_done(HttpCall *call, int r, const Error *error) {
        Save *save = http_call_userdata(call);

        save->done = true;
        save->status = http_call_status(call);
        if (save->r >= 0 && r < 0) {
                save->r = r;
                save->error = *error;
        }
}

static const HttpCallOps save_ops = {.body = on_saved_piece, .done = on_save_done};

static int save_to(ContainersGroup *group, const char *target, int file) {
        Save save = {.file = file, .refusal = BUFFER_INIT_LIMIT(LINE_MAX_BYTES)};
        const HttpCallSpec spec = {.url = &group->endpoint, .target = target};
        int code = CLI_OK;

        if (http_client_call(group->http, &spec, &save_ops, &save, NULL) < 0)
                return CLI_FAILED;
        while (!save.done)
                (void)uv_run(&group->loop, UV_RUN_ONCE);
        if (save.r < 0 && save.status == 0)
                code = containers_complain_unreachable(group, &save.error);
        else if (save.r < 0) {
                cli_complain(group->program, "%s", save.error.text);
                code = CLI_FAILED;
        } else if (save.status != 200) {
                CliAnswer answer = {.status = save.status,
                                    .json = json_loads(buffer_string(&save.refusal) ?: "", 0, NULL)};

                code = containers_complain(group, &answer);
                cli_answer_deinit(&answer);
        }
        buffer_deinit(&save.refusal);
        return code;
}

/* A file gets its name when it is whole. */
static int save_to_file(ContainersGroup *group, const char *target, const char *path) {
        _cleanup_free_ char *beside = str_printf("%s.part", path);
        int file = beside ? open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1, code;

        if (file < 0) {
                cli_complain(group->program, "cannot write %s: %s", beside ?: path, strerror(errno));
                return CLI_FAILED;
        }
        code = save_to(group, target, file);
        if (code == 0 && (close(file) < 0 || rename(beside, path) < 0)) {
                cli_complain(group->program, "cannot write %s: %s", path, strerror(errno));
                code = CLI_FAILED;
        }
        if (code != 0)
                (void)unlink(beside);
        return code;
}

int containers_verb_save(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_free_ char *path = NULL;
        const Option options[] = {
                {"output", 'o', OPTION_STRING, "FILE", NULL, "where to (default: standard output)", &path, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_buffer_ Buffer target = BUFFER_INIT;
        int code;

        if (verb_parse(verb_find(containers_verbs, "save", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length == 0 || (!path && isatty(STDOUT_FILENO))) {
                cli_complain(group->program, arguments.length == 0
                                                     ? "save needs an image"
                                                     : "cowardly refusing to save to a terminal: give --output FILE");
                return CLI_USAGE;
        }
        (void)buffer_append_string(&target, "/images/get");
        for (size_t i = 0; i < arguments.length; i++) {
                (void)buffer_append_string(&target, i == 0 ? "?names=" : "&names=");
                (void)url_encode(&target, URL_SEGMENT, slice_from(arguments.items[i]));
        }
        if (!buffer_string(&target))
                return CLI_FAILED;
        return path ? save_to_file(group, buffer_string(&target), path)
                    : save_to(group, buffer_string(&target), STDOUT_FILENO);
}
