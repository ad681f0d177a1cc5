#pragma once
/* New volumes get what the image has at their place, on another thread, before the container's first start. */
#include "containers/engine/container.h"

/* Whether there is anything to do. Call with the files mounted. */
bool volumes_want_filling(const Container *container);

/* `filled` comes in a later turn, not when the engine stops meanwhile. -errno: it does not come. */
int volumes_fill(Container *container, void (*filled)(Container *container, int r, const Error *error));
