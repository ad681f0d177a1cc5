#pragma once
/*
 * The text of a systemd unit file: sections and assignments in their order, each with its place in the text.
 *
 * The grammar is the one fleet 1.0 read and wrote (go-systemd), because fleet names a unit by the SHA-1 of the text it
 * wrote: comments go, blanks around keys and values go, a continued line keeps its backslash and line end inside the
 * value. unitfile_join_value() turns such a value into what systemd sees.
 *
 * A UnitFile owns its strings.
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/str.h"

#define UNITFILE_TEXT_MAX ((size_t)1024 * 1024)
#define UNITFILE_SECTIONS_MAX 256
#define UNITFILE_OPTIONS_MAX 16384
#define UNITFILE_NOTES_MAX 64

/* Counted from 1; columns in characters. Line 0: not from a text. */
typedef struct TextPosition {
        uint32_t line, column;
} TextPosition;

typedef struct UnitSection {
        char *name;
        TextPosition at; /* of the first header with this name */
} UnitSection;

typedef struct UnitOption {
        size_t section; /* index into sections */
        char *name;
        char *value; /* continued lines are joined by backslash and newline, as in the text */
        TextPosition name_at, value_at;
} UnitOption;

/* Something odd that does not keep the file from being read. */
typedef struct UnitNote {
        TextPosition at;
        char *text;
} UnitNote;

typedef struct UnitNoteList {
        UnitNote *items; /* at most UNITFILE_NOTES_MAX; further ones are dropped */
        size_t length, capacity;
} UnitNoteList;

void unit_note_list_deinit(UnitNoteList *notes);
int unit_note_list_add(UnitNoteList *notes, TextPosition at, const char *format, ...) _printf_(3, 4);

typedef struct UnitFile {
        UnitSection *sections; /* by first appearance; names are unique */
        size_t n_sections, capacity_sections;
        UnitOption *options; /* in the order of the text */
        size_t n_options, capacity_options;
        UnitNoteList notes;
} UnitFile;

void unitfile_deinit(UnitFile *file);
#define _cleanup_unitfile_ _cleanup_(unitfile_deinit)

/* Reads a whole text into a zeroed `file`. -EINVAL: not a unit file; the error says where, and ret_at (may be NULL)
 * gets the place. -EMSGSIZE: above a limit. -ENOMEM. On failure `file` stays empty. */
int unitfile_parse(UnitFile *file, Slice text, TextPosition *ret_at, Error *error);

/* Appends an assignment, as the API does that gets options one by one. -EINVAL: section, name or value cannot stand in
 * a unit file. -EMSGSIZE, -ENOMEM. */
int unitfile_add(UnitFile *file, Slice section, Slice name, Slice value, Error *error);

/* Appends the normal form: sections by first appearance, a blank line between them, Name=value. fleet's unit hash is
 * the SHA-1 of it. */
int unitfile_write(const UnitFile *file, Buffer *to);

static inline const char *unitfile_section_name(const UnitFile *file, const UnitOption *option) {
        return file->sections[option->section].name;
}

/* Index of a section, or SIZE_MAX. */
size_t unitfile_find_section(const UnitFile *file, Slice name);

/* The next assignment of section and name after `previous` (NULL: the first), or NULL. */
const UnitOption *unitfile_next(const UnitFile *file, const char *section, const char *name,
                                const UnitOption *previous);

/* Where the byte at `offset` of a value stands in the text. */
TextPosition unitfile_value_position(const UnitOption *option, size_t offset);

/* A value as systemd sees it, appended: at each continuation the backslash becomes a blank, comment lines in between are
 * dropped, and blanks on both ends are trimmed. */
int unitfile_join_value(const char *value, Buffer *to);
