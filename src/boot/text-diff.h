#pragma once
/* How one text differs from another, for people. */
#include "base/buffer.h"
#include "base/str.h"

#define TEXT_DIFF_LINES_MAX ((size_t)200) /* that are shown */

/*
 * Appends the lines that go ("- ") and come ("+ "), with two around them ("  "). What the texts have in common at both
 * ends is left out; between, all is taken as changed. Texts that are not for people are told by their size.
 */
int text_diff(Slice before, Slice after, Buffer *to);
