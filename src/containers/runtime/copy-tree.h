#pragma once
/* Copies what an image has at a volume's place into the new volume: files, folders and symbolic links with owners and
 * modes. Blocks. */
#include "base/error.h"

/* True when there is nothing in the folder. */
bool folder_is_empty(const char *path);

/* `from`: a path inside the root directory `root`; that it is absent, or no folder, is success. `to` is there and
 * empty; it gets the owner and mode of `from`. */
int copy_tree(const char *root, const char *from, const char *to, Error *error);
