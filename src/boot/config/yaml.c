/*
 * Builds the tree from libyaml's events, with a stack of its own: the depth of a text costs no stack of ours.
 *
 * An alias is the node itself a second time. Its weight is counted again wherever it stands, so a text that doubles
 * itself by aliases ("billion laughs") runs into CONFIG_NODES_MAX after a few lines.
 */
#include <errno.h>
#include <yaml.h>

#include "base/encode.h"
#include "boot/config/node.h"

typedef struct Frame {
        ConfigNode *node;
        char *key; /* of a mapping: the key whose value comes next; NULL: a key comes next. Owned by the tree */
        unsigned key_line, key_column;
        bool has_key;
} Frame;

typedef struct Anchor {
        char *name; /* owned by the tree */
        ConfigNode *node;
} Anchor;

enum { ANCHORS_MAX = 256 };

typedef struct Reader {
        ConfigTree *tree;
        Frame stack[CONFIG_DEPTH_MAX];
        size_t depth;
        Anchor anchors[ANCHORS_MAX];
        size_t n_anchors;
        size_t nodes;
        Error *error;
} Reader;

void config_tree_deinit(ConfigTree *tree) {
        for (size_t i = 0; i < tree->length; i++) {
                free(tree->nodes[i]->entries);
                free(tree->nodes[i]);
        }
        for (size_t i = 0; i < tree->n_memory; i++)
                free(tree->memory[i]);
        free(tree->nodes);
        free(tree->memory);
        *tree = (ConfigTree){0};
}

const ConfigEntry *config_entry(const ConfigNode *map, const char *name) {
        if (!map || map->kind != CONFIG_MAP)
                return NULL;
        for (size_t i = 0; i < map->length; i++)
                if (!map->entries[i].hidden && str_equals(map->entries[i].name, name))
                        return &map->entries[i];
        return NULL;
}

const ConfigNode *config_child(const ConfigNode *map, const char *name) {
        const ConfigEntry *entry = config_entry(map, name);

        return entry ? entry->value : NULL;
}

/* Makes room for one more of `size` bytes. */
static int grow(void *array, size_t length, size_t *capacity, size_t size) {
        void **items = array, *more;
        size_t wanted = *capacity ? *capacity * 2 : 8;

        if (length < *capacity)
                return 0;
        more = reallocarray(*items, wanted, size);
        if (!more)
                return -ENOMEM;
        *items = more;
        *capacity = wanted;
        return 0;
}

/* The tree keeps `memory` from here on, or it is freed. */
static int keep_memory(ConfigTree *tree, void *memory) {
        if (!memory)
                return -ENOMEM;
        if (grow(&tree->memory, tree->n_memory, &tree->memory_capacity, sizeof(*tree->memory)) < 0) {
                free(memory);
                return -ENOMEM;
        }
        tree->memory[tree->n_memory++] = memory;
        return 0;
}

static int refuse(Reader *reader, unsigned line, const char *why) {
        return error_set(reader->error, -EINVAL, "line %u: %s", line, why);
}

static int count_nodes(Reader *reader, size_t weight, unsigned line) {
        if (size_add_overflows(reader->nodes, weight, &reader->nodes) || reader->nodes > CONFIG_NODES_MAX)
                return error_set(reader->error, -EMSGSIZE, "line %u: more than %zu values, aliases counted each time",
                                 line, CONFIG_NODES_MAX);
        return 0;
}

static int new_node(Reader *reader, ConfigKind kind, const yaml_event_t *event, ConfigNode **ret) {
        ConfigTree *tree = reader->tree;
        ConfigNode *node;
        int r = count_nodes(reader, 1, (unsigned)event->start_mark.line + 1);

        if (r < 0)
                return r;
        if (grow(&tree->nodes, tree->length, &tree->capacity, sizeof(*tree->nodes)) < 0)
                return -ENOMEM;
        node = calloc(1, sizeof(*node));
        if (!node)
                return -ENOMEM;
        node->kind = kind;
        node->line = (unsigned)event->start_mark.line + 1;
        node->column = (unsigned)event->start_mark.column + 1;
        node->weight = node->height = 1;
        tree->nodes[tree->length++] = node;
        *ret = node;
        return 0;
}

/* ---- entries ---- */

static int add_entry(ConfigNode *node, const ConfigEntry *entry) {
        if (grow(&node->entries, node->length, &node->capacity, sizeof(*node->entries)) < 0)
                return -ENOMEM;
        if (entry->name)
                for (size_t i = 0; i < node->length; i++)
                        if (str_equals(node->entries[i].name, entry->name)) {
                                if (entry->merged && !node->entries[i].merged)
                                        return 0;
                                node->entries[i].hidden = true;
                        }
        node->entries[node->length++] = *entry;
        node->weight += entry->value->weight;
        node->height = max_of(node->height, entry->value->height + 1);
        return 0;
}

static int merge_map(Reader *reader, ConfigNode *into, const ConfigNode *from) {
        for (size_t i = 0; i < from->length; i++) {
                ConfigEntry entry = from->entries[i];
                int r;

                if (entry.hidden)
                        continue;
                if (into->length == CONFIG_KEYS_MAX)
                        return error_set(reader->error, -EMSGSIZE, "line %u: more than %zu keys in one mapping",
                                         into->line, CONFIG_KEYS_MAX);
                entry.merged = true;
                r = count_nodes(reader, entry.value->weight, into->line);
                if (r >= 0)
                        r = add_entry(into, &entry);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* "<<": a mapping, or a sequence of mappings of which the first counts most. */
static int merge(Reader *reader, ConfigNode *into, const ConfigNode *value) {
        if (value->kind == CONFIG_MAP)
                return merge_map(reader, into, value);
        if (value->kind == CONFIG_SEQUENCE) {
                for (size_t i = value->length; i-- > 0;) {
                        int r;

                        if (value->entries[i].value->kind != CONFIG_MAP)
                                return refuse(reader, value->line,
                                              "map merge requires map or sequence of maps as the value");
                        r = merge_map(reader, into, value->entries[i].value);
                        if (r < 0)
                                return r;
                }
                return 0;
        }
        return refuse(reader, value->line, "map merge requires map or sequence of maps as the value");
}

/* `value` is whole: it goes into the collection it stands in, or is the root. */
static int place(Reader *reader, ConfigNode *value, unsigned line, unsigned column) {
        Frame *frame;
        ConfigEntry entry = {.value = value, .line = line, .column = column};

        value->complete = true;
        if (reader->depth == 0) {
                reader->tree->root = value;
                return 0;
        }
        frame = &reader->stack[reader->depth - 1];
        if (frame->node->kind == CONFIG_MAP) {
                if (!frame->has_key)
                        return refuse(reader, line, "the key of a mapping must be plain text");
                entry.name = frame->key;
                entry.line = frame->key_line;
                entry.column = frame->key_column;
                frame->has_key = false;
                if (str_equals(entry.name, "<<"))
                        return merge(reader, frame->node, value);
        }
        if (value->height + reader->depth > CONFIG_DEPTH_MAX)
                return error_set(reader->error, -EMSGSIZE, "line %u: nested deeper than %d levels", line,
                                 CONFIG_DEPTH_MAX);
        if (frame->node->kind == CONFIG_MAP && frame->node->length == CONFIG_KEYS_MAX)
                return error_set(reader->error, -EMSGSIZE, "line %u: more than %zu keys in one mapping", line,
                                 CONFIG_KEYS_MAX);
        return add_entry(frame->node, &entry);
}

/* ---- events ---- */

static int remember_anchor(Reader *reader, const yaml_char_t *name, ConfigNode *node) {
        char *copy;
        int r;

        if (!name)
                return 0;
        if (reader->n_anchors == ANCHORS_MAX)
                return error_set(reader->error, -EMSGSIZE, "line %u: more than %d anchors", node->line, ANCHORS_MAX);
        copy = strdup((const char *)name);
        r = keep_memory(reader->tree, copy);
        if (r < 0)
                return r;
        reader->anchors[reader->n_anchors++] = (Anchor){copy, node};
        return 0;
}

static bool wants_key(const Reader *reader) {
        const Frame *frame = reader->depth ? &reader->stack[reader->depth - 1] : NULL;

        return frame && frame->node->kind == CONFIG_MAP && !frame->has_key;
}

static int take_key(Reader *reader, const yaml_event_t *event) {
        Frame *frame = &reader->stack[reader->depth - 1];
        char *name = slice_dup((Slice){(const char *)event->data.scalar.value, event->data.scalar.length});
        int r = keep_memory(reader->tree, name);

        if (r < 0)
                return r;
        for (char *at = name; *at; at++)
                if (*at == '-')
                        *at = '_';
        frame->key = name;
        frame->key_line = (unsigned)event->start_mark.line + 1;
        frame->key_column = (unsigned)event->start_mark.column + 1;
        frame->has_key = true;
        return 0;
}

static bool tag_is(const yaml_char_t *tag, const char *name) {
        return tag && str_equals((const char *)tag, name);
}

static int decode_binary(Reader *reader, ConfigNode *node) {
        _cleanup_buffer_ Buffer bytes = BUFFER_INIT;
        char *text;
        size_t length;
        int r;

        if (decode_base64(&bytes, BASE64_STANDARD, node->text) < 0)
                return refuse(reader, node->line, "!!binary value contains invalid base64 data");
        text = buffer_steal_string(&bytes, &length);
        r = keep_memory(reader->tree, text);
        if (r >= 0)
                node->text = (Slice){text, length};
        return r;
}

static int take_scalar(Reader *reader, const yaml_event_t *event) {
        const yaml_char_t *tag = event->data.scalar.tag;
        ConfigNode *node;
        char *text;
        int r;

        if (wants_key(reader))
                return take_key(reader, event);
        r = new_node(reader, CONFIG_SCALAR, event, &node);
        if (r < 0)
                return r;
        text = slice_dup((Slice){(const char *)event->data.scalar.value, event->data.scalar.length});
        r = keep_memory(reader->tree, text);
        if (r < 0)
                return r;
        node->text = (Slice){text, event->data.scalar.length};
        node->type = SCALAR_STRING;
        if (tag_is(tag, YAML_INT_TAG) || tag_is(tag, YAML_FLOAT_TAG) || tag_is(tag, YAML_BOOL_TAG) ||
            tag_is(tag, YAML_NULL_TAG) || event->data.scalar.plain_implicit)
                node->type = scalar_type_of(node->text);
        if (tag_is(tag, "tag:yaml.org,2002:binary"))
                r = decode_binary(reader, node);
        if (r >= 0)
                r = remember_anchor(reader, event->data.scalar.anchor, node);
        return r < 0 ? r : place(reader, node, node->line, node->column);
}

static int open_collection(Reader *reader, ConfigKind kind, const yaml_event_t *event) {
        const yaml_char_t *anchor =
                kind == CONFIG_MAP ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
        unsigned line = (unsigned)event->start_mark.line + 1;
        ConfigNode *node;
        int r;

        if (wants_key(reader))
                return refuse(reader, line, "the key of a mapping must be plain text");
        if (reader->depth == CONFIG_DEPTH_MAX)
                return error_set(reader->error, -EMSGSIZE, "line %u: nested deeper than %d levels", line,
                                 CONFIG_DEPTH_MAX);
        r = new_node(reader, kind, event, &node);
        if (r >= 0)
                r = remember_anchor(reader, anchor, node);
        if (r >= 0)
                reader->stack[reader->depth++] = (Frame){.node = node};
        return r;
}

static int close_collection(Reader *reader) {
        ConfigNode *node = reader->stack[--reader->depth].node;

        return place(reader, node, node->line, node->column);
}

static int take_alias(Reader *reader, const yaml_event_t *event) {
        const char *name = (const char *)event->data.alias.anchor;
        unsigned line = (unsigned)event->start_mark.line + 1;

        if (wants_key(reader))
                return refuse(reader, line, "the key of a mapping must be plain text");
        for (size_t i = reader->n_anchors; i-- > 0;) {
                ConfigNode *node = reader->anchors[i].node;
                int r;

                if (!str_equals(reader->anchors[i].name, name))
                        continue;
                if (!node->complete)
                        return error_set(reader->error, -EINVAL, "line %u: anchor '%s' value contains itself", line,
                                         name);
                r = count_nodes(reader, node->weight, line);
                return r < 0 ? r : place(reader, node, line, (unsigned)event->start_mark.column + 1);
        }
        return error_set(reader->error, -EINVAL, "line %u: unknown anchor '%s' referenced", line, name);
}

static int take_event(Reader *reader, const yaml_event_t *event) {
        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return take_scalar(reader, event);
        case YAML_SEQUENCE_START_EVENT:
                return open_collection(reader, CONFIG_SEQUENCE, event);
        case YAML_MAPPING_START_EVENT:
                return open_collection(reader, CONFIG_MAP, event);
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
                return close_collection(reader);
        case YAML_ALIAS_EVENT:
                return take_alias(reader, event);
        default:
                return 0;
        }
}

/* libyaml leaves the place of some problems, those of the bytes, at zero. */
static int yaml_failed(const yaml_parser_t *parser, YamlProblem *ret_problem, Error *error) {
        yaml_mark_t mark = parser->problem_mark.line ? parser->problem_mark : parser->context_mark;
        const char *text = parser->problem ?: "unknown problem parsing YAML content";

        if (parser->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        if (ret_problem)
                *ret_problem = (YamlProblem){text, mark.line, mark.column};
        return error_set(error, -EINVAL, "line %zu, column %zu: %s", parser->problem_mark.line + 1,
                         parser->problem_mark.column + 1, text);
}

/* All events of the first document; further documents are no part of a cloud-config. */
static int read_document(Reader *reader, yaml_parser_t *parser, YamlProblem *ret_problem) {
        for (;;) {
                yaml_event_t event;
                yaml_event_type_t type;
                int r;

                if (!yaml_parser_parse(parser, &event))
                        return yaml_failed(parser, ret_problem, reader->error);
                type = event.type;
                r = take_event(reader, &event);
                if (r == -EINVAL && ret_problem)
                        *ret_problem = (YamlProblem){NULL, event.start_mark.line, event.start_mark.column};
                yaml_event_delete(&event);
                if (r < 0)
                        return r;
                if (type == YAML_DOCUMENT_END_EVENT || type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
                        return 0;
        }
}

int config_tree_parse(Slice text, ConfigTree *tree, YamlProblem *ret_problem, Error *error) {
        Reader *reader;
        yaml_parser_t parser;
        int r;

        if (text.length > CONFIG_TEXT_MAX)
                return error_set(error, -EMSGSIZE, "the text has %zu bytes, more than %zu", text.length,
                                 CONFIG_TEXT_MAX);
        reader = calloc(1, sizeof(*reader));
        if (!reader)
                return -ENOMEM;
        if (!yaml_parser_initialize(&parser)) {
                free(reader);
                return -ENOMEM;
        }
        reader->tree = tree;
        reader->error = error;
        yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.length);
        r = read_document(reader, &parser, ret_problem);
        yaml_parser_delete(&parser);
        free(reader);
        if (r < 0)
                config_tree_deinit(tree);
        return r;
}
