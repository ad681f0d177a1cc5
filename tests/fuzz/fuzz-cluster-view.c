/* What a running member says of its cluster to one that begins: what is accepted has ids and names. */
#include <assert.h>
#include <errno.h>

#include "store/cluster-view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_cluster_view_ ClusterView view = {0};
        Error error = ERROR_NONE;
        int r;

        r = cluster_view_parse((Slice){(const char *)data, size}, &view, &error);
        assert(r == 0 || r == -EINVAL);
        assert(r == 0 || (error.text[0] && view.count == 0));
        assert(r < 0 || view.cluster != 0);
        for (size_t i = 0; i < view.count; i++)
                assert(view.members[i].id != 0 && view.members[i].name);
        return 0;
}
