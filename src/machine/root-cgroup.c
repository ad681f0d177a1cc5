#include "machine/root-cgroup.h"

#include <errno.h>
#include <sys/stat.h>

#include "host/file.h"
#include "machine/hierarchy.h"

#define OWN_GROUP "init.scope"

static int move_in(const char *top) {
        _cleanup_free_ char *folder = str_printf("%s/" OWN_GROUP, top),
                            *procs = str_printf("%s/" OWN_GROUP "/cgroup.procs", top);

        if (!folder || !procs)
                return -ENOMEM;
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return -errno;
        return file_write(procs, "0");
}

int root_cgroup_delegate(Error *error) {
        _cleanup_hierarchies_ Hierarchies all = {0};
        _cleanup_string_list_ StringList withheld = {0};
        int r;

        r = hierarchies_read(&all, error);
        for (size_t i = 0; r >= 0 && i < all.length; i++) {
                if (!all.items[i].unified)
                        continue;
                r = move_in(all.items[i].top);
                if (r >= 0)
                        r = hierarchy_withheld_controllers(all.items[i].top, &withheld);
                if (r < 0)
                        return error_set_errno(error, r, "cannot divide the control group %s", all.items[i].top);
                hierarchy_set_controllers(all.items[i].top, &withheld, true);
        }
        return r;
}
