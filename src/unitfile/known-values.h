#pragma once
/* What systemd can read as the value of an option: times, switches, amounts, modes, signals, words. By names, for telling a
 * value that it would pass over. */
#include "base/str.h"

/* What is expected instead, as "a time span such as 5s, 1min 30s or infinity"; NULL: the value is fine, or nothing is known of
 * the option's values. A value with a '%' is not judged: specifiers are resolved only on the machine. */
const char *known_value_fault(const char *option, Slice value);

/* The words that an option takes, and nothing else, as a list that ends with NULL; NULL: it is no option of that kind. */
const char *const *known_value_words(const char *section, const char *option);
