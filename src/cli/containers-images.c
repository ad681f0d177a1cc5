/* images, tag, rmi, version, info */
#include <stdio.h>

#include "cli/containers.h"
#include "cli/human.h"

/* ---- images ---- */

static int add_row(Table *table, json_t *image, const char *name, bool whole) {
        _cleanup_buffer_ Buffer created = BUFFER_INIT, size = BUFFER_INIT, id = BUFFER_INIT;
        _cleanup_free_ char *repository = strdup(name);
        char *colon = repository ? strrchr(repository, ':') : NULL;
        WallUsec at = (WallUsec)json_integer_value(json_object_get(image, "Created")) * (WallUsec)USEC_PER_SEC,
                 now = clock_wall();
        const char *digest = cli_text(image, "Id");
        const char *texts[5];
        int r = 0;

        if (!repository)
                return -1;
        if (colon)
                *colon = '\0';
        human_duration(now > at ? (Usec)(now - at) : 0, &created);
        (void)buffer_append_string(&created, " ago");
        human_size((uint64_t)json_integer_value(json_object_get(image, "Size")), &size);
        (void)buffer_printf(&id, whole ? "%s" : "%.12s",
                            whole || !str_starts_with(digest, "sha256:") ? digest : digest + strlen("sha256:"));
        texts[0] = repository;
        texts[1] = colon ? colon + 1 : "<none>";
        texts[2] = buffer_string(&id);
        texts[3] = buffer_string(&created);
        texts[4] = buffer_string(&size);
        for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(texts); i++)
                r = table_add(table, texts[i] ?: "");
        return r;
}

static void print_images(json_t *images, bool whole, bool header) {
        static const char *const titles[] = {"REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"};
        _cleanup_table_ Table table;
        json_t *image, *names, *name;
        size_t i, k;

        table_init(&table, ARRAY_SIZE(titles));
        for (i = 0; i < ARRAY_SIZE(titles); i++)
                (void)table_add(&table, titles[i]);
        json_array_foreach(images, i, image) {
                names = json_object_get(image, "RepoTags");
                if (json_array_size(names) == 0)
                        (void)add_row(&table, image, "<none>", whole);
                json_array_foreach(names, k, name)(void) add_row(&table, image, json_string_value(name) ?: "", whole);
        }
        table_print(&table, TABLE_WIDE, header);
}

int containers_verb_images(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        bool quiet = false, whole = false, no_header = false, all = false;
        _cleanup_free_ char *output = NULL, *filter = NULL, *target = NULL;
        const Option options[] = {
                {"quiet", 'q', OPTION_SWITCH, NULL, NULL, "ids only", &quiet, NULL},
                {"no-trunc", 0, OPTION_SWITCH, NULL, NULL, "whole ids", &whole, NULL},
                {"output", 'o', OPTION_STRING, "FORM", NULL, "table (default) or json", &output, NULL},
                {"no-legend", 0, OPTION_SWITCH, NULL, NULL, "no heading", &no_header, NULL},
                {"all", 'a', OPTION_SWITCH, NULL, NULL, NULL, &all, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer encoded = BUFFER_INIT;
        json_t *image;
        size_t i;
        int code;

        if (verb_parse(verb_find(containers_verbs, "images", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length > 0) {
                json_t *filters = json_pack("{s:[s]}", "reference", arguments.items[0]);

                filter = json_dumps(filters, JSON_COMPACT);
                json_decref(filters);
                (void)url_encode(&encoded, URL_SEGMENT, slice_from(filter ?: "{}"));
        }
        target = str_printf("/images/json%s%s", filter ? "?filters=" : "", filter ? buffer_string(&encoded) : "");
        code = target ? containers_request(group, "GET", target, NULL, &answer) : CLI_FAILED;
        if (code != 0)
                return code;
        if (output && str_equals(output, "json")) {
                printf("%s\n", answer.body);
        } else if (quiet) {
                json_array_foreach(answer.json, i, image)
                        printf(whole ? "%s\n" : "%.12s\n", cli_text(image, "Id") + (whole ? 0 : strlen("sha256:")));
        } else {
                print_images(answer.json, whole, !no_header);
        }
        return CLI_OK;
}

/* ---- names ---- */

int containers_verb_tag(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        _cleanup_buffer_ Buffer action = BUFFER_INIT;
        _cleanup_free_ char *text = NULL, *target = NULL;
        int code;

        if (verb_parse(verb_find(containers_verbs, "tag", false), group->program, NULL, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        if (arguments.length != 2) {
                cli_complain(group->program, "tag needs an image and its new name");
                return CLI_USAGE;
        }
        (void)buffer_append_string(&action, "/tag?repo=");
        (void)url_encode(&action, URL_SEGMENT, slice_from(arguments.items[1]));
        text = buffer_steal_string(&action, NULL);
        target = text ? containers_target("images", arguments.items[0], text) : NULL;
        return target ? containers_request(group, "POST", target, NULL, &answer) : CLI_FAILED;
}

int containers_verb_rmi(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        bool force = false, no_prune = false;
        const Option options[] = {
                {"force", 'f', OPTION_SWITCH, NULL, NULL, "also an image with several names, by its id", &force, NULL},
                {"no-prune", 0, OPTION_SWITCH, NULL, NULL, NULL, &no_prune, NULL},
                {0},
        };
        int code, failed = CLI_OK;

        if (verb_parse(verb_find(containers_verbs, "rmi", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        for (size_t i = 0; i < arguments.length; i++) {
                _cleanup_free_ char *target = containers_target("images", arguments.items[i], force ? "?force=1" : "");
                _cleanup_cli_answer_ CliAnswer answer = {0};
                const char *what;
                json_t *row, *name;
                size_t k;

                if (!target || containers_request(group, "DELETE", target, NULL, &answer) != 0)
                        failed = CLI_FAILED;
                json_array_foreach(answer.json, k, row) json_object_foreach(row, what, name)
                        printf("%s: %s\n", what, json_string_value(name) ?: "");
        }
        return failed;
}

/* ---- the engine ---- */

int containers_verb_version(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code;

        if (verb_parse(verb_find(containers_verbs, "version", false), group->program, NULL, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        printf("Client:\n Version:      %s\n", FAERING_VERSION);
        code = containers_request(group, "GET", "/version", NULL, &answer);
        if (code == 0)
                printf("\nServer:\n Version:      %s\n API version:  %s (minimum %s)\n OS/Arch:      %s/%s\n Kernel:   "
                       "    %s\n",
                       cli_text(answer.json, "Version"), cli_text(answer.json, "ApiVersion"),
                       cli_text(answer.json, "MinAPIVersion"), cli_text(answer.json, "Os"),
                       cli_text(answer.json, "Arch"), cli_text(answer.json, "KernelVersion"));
        return code;
}

int containers_verb_info(void *userdata, int argc, char **argv) {
        ContainersGroup *group = userdata;
        static const char *const numbers[] = {
                "Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images",
                "NCPU",       "MemTotal"};
        static const char *const texts[] = {
                "ServerVersion", "Driver",          "CgroupDriver", "CgroupVersion", "DefaultRuntime",
                "KernelVersion", "OperatingSystem", "Architecture", "Name",          "ID",
                "DockerRootDir"};
        _cleanup_free_ char *output = NULL;
        const Option options[] = {
                {"output", 'o', OPTION_STRING, "FORM", NULL, "text (default) or json", &output, NULL},
                {0},
        };
        _cleanup_string_list_ StringList arguments = {0};
        _cleanup_cli_answer_ CliAnswer answer = {0};
        int code;

        if (verb_parse(verb_find(containers_verbs, "info", false), group->program, options, OPTIONS_GNU, argc, argv,
                       &arguments, &code) < 0)
                return code;
        code = containers_request(group, "GET", "/info", NULL, &answer);
        if (code != 0)
                return code;
        if (output && str_equals(output, "json")) {
                printf("%s\n", answer.body);
                return CLI_OK;
        }
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                printf("%-18s %lld\n", numbers[i],
                       (long long)json_integer_value(json_object_get(answer.json, numbers[i])));
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                printf("%-18s %s\n", texts[i], cli_text(answer.json, texts[i]));
        return CLI_OK;
}
