#include "fleet/unit/validate.h"

#include <errno.h>

#include "base/encode.h"
#include "fleet/unit/glob.h"

/* Go's %q: a string in double quotes, or a character in single ones, with escapes. What is not ASCII is printed as it
 * is when it is valid. */
static void append_quoted(Buffer *to, Slice text, char quote) {
        static const char letters[] = "abfnrtv";
        static const char meanings[] = "\a\b\f\n\r\t\v";

        (void)buffer_append_byte(to, quote);
        for (size_t i = 0; i < text.length; i++) {
                size_t length = utf8_sequence_length(text.data + i, text.length - i);
                char c = text.data[i];
                const char *meaning = c ? strchr(meanings, c) : NULL;

                if (c == quote || c == '\\')
                        (void)buffer_printf(to, "\\%c", c);
                else if (meaning)
                        (void)buffer_printf(to, "\\%c", letters[meaning - meanings]);
                else if (length == 0 || (unsigned char)c < ' ' || c == 0x7f)
                        (void)buffer_printf(to, "\\x%02x", (unsigned char)c);
                else
                        (void)buffer_append(to, text.data + i, length);
                i += length > 1 ? length - 1 : 0;
        }
        (void)buffer_append_byte(to, quote);
}

static int refuse_quoted(Error *error, const char *before, Slice text, char quote, const char *after) {
        _cleanup_buffer_ Buffer quoted = BUFFER_INIT;

        append_quoted(&quoted, text, quote);
        if (buffer_failed(&quoted) < 0 || !buffer_string(&quoted))
                return -ENOMEM;
        return error_set(error, -EINVAL, "%s%s%s", before, buffer_string(&quoted), after);
}

static bool is_one_of(Slice word, const char *const *words, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (slice_equals(word, slice_from(words[i])))
                        return true;
        return false;
}

static int validate_characters(Slice stem, Error *error) {
        static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";

        for (size_t i = 0; i < stem.length; i++) {
                size_t length = utf8_sequence_length(stem.data + i, stem.length - i);
                Slice character = {stem.data + i, length};

                if (strchr(allowed, stem.data[i]))
                        continue;
                if (length == 0)
                        character = slice_from("\xef\xbf\xbd"); /* what Go reads in place of a broken sequence */
                return refuse_quoted(error, "invalid character ", character, '\'', " in unit name");
        }
        return 0;
}

int unit_validate_name(const char *name, Error *error) {
        static const char *const types[] = {"service", "socket",    "busname", "target", "snapshot", "device", "mount",
                                            "automount", "swap",    "timer",   "path",   "slice",    "scope"};
        static const char *const template_types[] = {"service", "socket", "target", "timer", "path"};
        UnitName parts = unit_name_split(slice_from(name));
        int r;

        if (name[0] == '\0')
                return error_set(error, -EINVAL, "unit name cannot be empty");
        if (strlen(name) > UNIT_NAME_MAX)
                return error_set(error, -EINVAL, "unit name exceeds maximum length (%d)", UNIT_NAME_MAX);
        if (parts.stem.length == parts.full.length)
                return error_set(error, -EINVAL, "unit name must contain \".\"");
        if (parts.type.length == 0)
                return error_set(error, -EINVAL, "unit name cannot end in \".\"");
        if (!is_one_of(parts.type, types, ARRAY_SIZE(types)))
                return refuse_quoted(error, "invalid unit type: ", parts.type, '"', "");
        if (strchr(name, '@') && !is_one_of(parts.type, template_types, ARRAY_SIZE(template_types)))
                return refuse_quoted(error, "invalid unit type for template: ", parts.type, '"', "");
        r = validate_characters(parts.stem, error);
        if (r < 0)
                return r;
        if (name[0] == '@')
                return error_set(error, -EINVAL, "unit name cannot start in \"@\"");
        return 0;
}

static int refuse_peer(Error *error, const char *peer, const char *pattern, const char *kind) {
        _cleanup_buffer_ Buffer text = BUFFER_INIT;

        (void)buffer_append_string(&text, "unresolvable requirements: peer ");
        append_quoted(&text, slice_from(peer), '"');
        (void)buffer_printf(&text, " matches %s ", kind);
        append_quoted(&text, slice_from(pattern), '"');
        if (buffer_failed(&text) < 0 || !buffer_string(&text))
                return -ENOMEM;
        return error_set(error, -EINVAL, "%s", buffer_string(&text));
}

static int validate_peers(const UnitRequirements *requirements, Error *error) {
        for (size_t i = 0; i < requirements->peers.length; i++) {
                const char *peer = requirements->peers.items[i];

                for (size_t j = 0; j < requirements->conflicts.length; j++)
                        if (glob_matches(slice_from(requirements->conflicts.items[j]), slice_from(peer)))
                                return refuse_peer(error, peer, requirements->conflicts.items[j], "conflict");
                for (size_t j = 0; j < requirements->replaces.length; j++)
                        if (glob_matches(slice_from(requirements->replaces.items[j]), slice_from(peer)))
                                return refuse_peer(error, peer, requirements->replaces.items[j], "replace");
        }
        return 0;
}

int unit_validate_options(const UnitFile *file, Error *error) {
        _cleanup_unit_requirements_ UnitRequirements requirements = {0};
        bool pinned, peers, conflicts, replaces;
        int r;

        /* fleet judges the options before it knows the name: specifiers stay */
        r = unit_requirements_read(file, NULL, &requirements);
        if (r < 0)
                return r;
        r = validate_peers(&requirements, error);
        if (r < 0)
                return r;
        pinned = requirements.machine_id;
        peers = requirements.peers.length > 0;
        conflicts = requirements.conflicts.length > 0;
        replaces = requirements.replaces.length > 0;
        if (pinned && peers)
                return error_set(error, -EINVAL, "MachineID cannot be used with Peers");
        if (pinned && conflicts)
                return error_set(error, -EINVAL, "MachineID cannot be used with Conflicts");
        if (pinned && requirements.global)
                return error_set(error, -EINVAL, "MachineID cannot be used with Global");
        if (pinned && replaces)
                return error_set(error, -EINVAL, "MachineID cannot be used with Replaces");
        if (requirements.global && peers)
                return error_set(error, -EINVAL, "Global cannot be used with Peers");
        if (requirements.global && replaces)
                return error_set(error, -EINVAL, "Global cannot be used with Replaces");
        if (conflicts && replaces)
                return error_set(error, -EINVAL, "Conflicts cannot be used with Replaces");
        return 0;
}

int unit_validate_state(const char *name, UnitState desired, Error *error) {
        if (desired != UNIT_INACTIVE && unit_name_split(slice_from(name)).kind == UNIT_NAME_TEMPLATE)
                return refuse_quoted(error, "cannot activate template ", slice_from(name), '"', "");
        return 0;
}
