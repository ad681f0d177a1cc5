#pragma once
/* Lengths of time and sizes as docker shows them. Pure. */
#include "base/buffer.h"
#include "base/clock.h"

/* "Less than a second", "About a minute", "3 hours", "2 weeks". */
void human_duration(Usec length, Buffer *to);

/* Decimal units with three digits: "1.98MB". */
void human_size(uint64_t bytes, Buffer *to);
