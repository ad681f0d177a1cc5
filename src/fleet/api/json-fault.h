#pragma once
/* What is wrong with a text that is no JSON, in the words of Go's encoding/json: fleet's clients know these. Pure. */
#include "base/buffer.h"
#include "base/str.h"

/* Deepest nesting that is followed. */
#define JSON_FAULT_DEPTH_MAX 512

/* Appends the first fault of the value at the front of `text` to `message`; what follows that value is not looked at, as by
 * Go's Decoder. 1 when there was one, 0 when the value is sound; the buffer's failure otherwise. */
int json_fault_find(Slice text, Buffer *message);
