#pragma once
/*
 * Go's path.Match, which fleet's Conflicts= and Replaces= follow: '*' any run without '/', '?' one character but '/',
 * [a-z] one of a class, [^a-z] none of it, '\' makes the next character ordinary. The whole name must match.
 */
#include "base/str.h"

/* False, too, for a pattern that is malformed: Go reports an error there, and fleet took that as no match. */
bool glob_matches(Slice pattern, Slice name);

/* Whether Go would take the pattern. */
bool glob_is_valid(Slice pattern);

/* Whether the pattern matches nothing but itself. */
bool glob_is_literal(Slice pattern);
