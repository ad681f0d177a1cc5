/* What strangers say of images: manifests, configurations, names, challenges. A name that is taken reads the same when written in full. */
#include <assert.h>

#include "containers/image/challenge.h"
#include "containers/image/manifest.h"
#include "containers/image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void try_reference(const char *text) {
        char first[REFERENCE_TEXT_MAX], second[REFERENCE_TEXT_MAX];
        Reference reference, again;
        Error error;

        if (reference_parse(text, &reference, &error) < 0)
                return;
        reference_format(&reference, first);
        assert(reference_parse(first, &again, &error) == 0);
        reference_format(&again, second);
        assert(strcmp(first, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
        Slice text = {(const char *)bytes, length};
        _cleanup_image_config_ ImageConfig config = {0};
        _cleanup_free_ char *string = slice_dup(text);
        Challenge challenge;
        Manifest manifest;
        Error error;

        (void)challenge_parse(text, &challenge);
        if (manifest_parse(text, "amd64", "linux", &manifest, &error) == 0)
                assert(manifest.layer_count <= IMAGE_LAYERS_MAX);
        (void)image_config_parse(text, &config, &error);
        try_reference(string);
        return 0;
}
