#include <errno.h>
#include <nftables/libnftables.h>

#include "base/str.h"
#include "containers/network/rules.h"

int rules_apply(const char *text, Error *error) {
        struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
        Slice rest, said;
        int r = 0;

        if (!context)
                return error_set(error, -ENOMEM, "no memory for the firewall rules");
        (void)nft_ctx_buffer_error(context);
        (void)nft_ctx_buffer_output(context);
        if (nft_run_cmd_from_buffer(context, text) != 0) {
                rest = slice_from(nft_ctx_get_error_buffer(context) ?: "");
                (void)slice_split(&rest, '\n', &said);
                r = error_set(error, -EIO,
                              "the kernel did not take the rules of the containers' network (is nf_tables there, with "
                              "nat and fib?): %.*s",
                              (int)said.length, said.data);
        }
        nft_ctx_free(context);
        return r;
}
