#pragma once
/*
 * Which sections and options systemd's unit files have, old spellings among them: for telling a misspelt one from one that
 * is meant. Nothing is said of their values.
 */
#include "base/str.h"

/* Of systemd: [X-…] is for others. */
bool known_section(const char *section);

/* False also when the section itself is not known. */
bool known_option(const char *section, const char *name);

/* What may have been meant: a name of another case, or the nearest one; NULL: nothing is near. */
const char *known_section_near(const char *section);
const char *known_option_near(const char *section, const char *name);

/* The section that has an option of this name; NULL: none has. For an option that stands in the wrong one. */
const char *known_option_section(const char *name);
