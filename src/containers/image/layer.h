#pragma once
/*
 * A layer's archive becomes a directory for overlayfs. Archives come from strangers: they are unpacked by a thread whose root is that
 * directory, so that neither "..", nor an absolute path, nor a symbolic link leads out of it.
 *
 * Whiteouts (OCI image-spec, layer.md) become overlayfs's: ".wh.NAME" a character device 0:0 called NAME, ".wh..wh..opq" the
 * attribute trusted.overlay.opaque of its directory.
 */
#include "base/error.h"
#include "containers/image/digest.h"

#define LAYER_ENTRIES_MAX 2000000
#define LAYER_BYTES_MAX (UINT64_C(64) << 30)

typedef struct LayerResult {
        char diff_id[DIGEST_TEXT_MAX]; /* digest of the archive without compression */
        uint64_t size;                 /* bytes of its files */
} LayerResult;

typedef enum LayerWhiteouts {
        LAYER_WHITEOUTS_TRANSLATE,
        LAYER_WHITEOUTS_NONE, /* an archive that is no layer: such names are files like others */
} LayerWhiteouts;

/* Unpacks `archive` (a readable file, tar with any compression that libarchive knows) into the empty directory. Blocks. -EBADMSG: no such archive; with the entry's name in
 * `error`. What was unpacked stays: the caller removes it. */
int layer_unpack(int archive, const char *directory, LayerWhiteouts whiteouts, LayerResult *ret, Error *error);
