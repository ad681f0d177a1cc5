/* write_files, in the order of the cloud-config. All contents are decoded here, before any is written. */
#include <errno.h>

#include "boot/config/content.h"
#include "boot/config/keys.h"
#include "boot/config/plan.h"

const ConfigKey write_files_keys[] = {
        {"encoding", KEY_STRING, .pattern = "^(base64|b64|gz|gzip|gz\\+base64|gzip\\+base64|gz\\+b64|gzip\\+b64)$"},
        {"content", .type = KEY_STRING},
        {"owner", .type = KEY_STRING},
        {"path", .type = KEY_STRING},
        {"permissions", KEY_STRING, .pattern = "^0?[0-7]{3,4}$"},
        {0},
};

/* Set-user-ID, set-group-ID and sticky bits count too: coreos-cloudinit loses them, and leaves a program that cannot do
 * what it was written for. */
static int read_mode(Planner *planner, const ConfigNode *file, const char *path, mode_t *ret) {
        Slice text = config_string(file, "permissions");
        int r = permissions_parse(text, ret);

        return r < 0 ? error_set(planner->error, r,
                                 "line %u: permissions \"%s\" of %s are no octal number such as \"0644\"", file->line,
                                 text.data, path)
                     : 0;
}

static int read_content(Planner *planner, const ConfigNode *file, const char *path, Buffer *content) {
        int r = content_decode(config_string(file, "content"), config_string(file, "encoding"), content,
                               planner->error);

        if (r < 0 && r != -ENOMEM)
                return error_prefix(planner->error, r, "line %u: cannot make the content of %s", file->line, path);
        return r;
}

static bool has_nul(Slice text) {
        return text.length > 0 && memchr(text.data, '\0', text.length);
}

static int plan_file(Planner *planner, const ConfigNode *file) {
        _cleanup_free_ char *path = path_clean(config_string(file, "path"));
        _cleanup_buffer_ Buffer content = BUFFER_INIT;
        Slice owner = config_string(file, "owner");
        Step step = {.kind = STEP_FILE, .line = file->line};
        int r;

        if (!path)
                return -ENOMEM;
        if (str_equals(path, "/"))
                return error_set(planner->error, -EINVAL, "line %u: an element of write_files has no path", file->line);
        if (has_nul(config_string(file, "path")) || has_nul(owner))
                return error_set(planner->error, -EINVAL, "line %u: a path or owner has a NUL in it", file->line);
        r = read_mode(planner, file, path, &step.mode);
        if (r >= 0)
                r = read_content(planner, file, path, &content);
        if (r < 0)
                return r;
        step.text = buffer_steal_string(&content, &step.text_length);
        step.path = take_ptr(path);
        step.owner = owner.length ? slice_dup(owner) : NULL;
        return planner_add(planner, step, step.text && (step.owner || !owner.length));
}

int plan_write_files(Planner *planner) {
        const ConfigNode *files = config_child(planner->root, "write_files");
        int r = 0;

        if (!files || files->kind != CONFIG_SEQUENCE)
                return 0;
        for (size_t i = 0; i < files->length && r >= 0; i++)
                if (files->entries[i].value->kind == CONFIG_MAP)
                        r = plan_file(planner, files->entries[i].value);
        return r;
}
