#include "containers/runtime/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>

#include "base/util.h"

#define NEVER 63 /* no capability permits it */

typedef struct Refused {
        const char *name;
        unsigned capability;
} Refused;

/* Of the documented table "personality" is not here: which of its values are harmless cannot be said by a list of
 * what is refused. */
static const Refused refused[] = {
        {"acct", CAP_SYS_PACCT},
        {"add_key", NEVER},
        {"bpf", CAP_SYS_ADMIN},
        {"clock_adjtime", CAP_SYS_TIME},
        {"clock_adjtime64", CAP_SYS_TIME},
        {"clock_settime", CAP_SYS_TIME},
        {"clock_settime64", CAP_SYS_TIME},
        {"create_module", NEVER},
        {"delete_module", CAP_SYS_MODULE},
        {"fanotify_init", CAP_SYS_ADMIN},
        {"finit_module", CAP_SYS_MODULE},
        {"fsconfig", CAP_SYS_ADMIN},
        {"fsmount", CAP_SYS_ADMIN},
        {"fsopen", CAP_SYS_ADMIN},
        {"fspick", CAP_SYS_ADMIN},
        {"get_kernel_syms", NEVER},
        {"get_mempolicy", CAP_SYS_NICE},
        {"init_module", CAP_SYS_MODULE},
        {"io_uring_enter", NEVER},
        {"io_uring_register", NEVER},
        {"io_uring_setup", NEVER},
        {"ioperm", CAP_SYS_RAWIO},
        {"iopl", CAP_SYS_RAWIO},
        {"kcmp", CAP_SYS_PTRACE},
        {"kexec_file_load", CAP_SYS_BOOT},
        {"kexec_load", CAP_SYS_BOOT},
        {"keyctl", NEVER},
        {"lookup_dcookie", CAP_SYS_ADMIN},
        {"mbind", CAP_SYS_NICE},
        {"mount", CAP_SYS_ADMIN},
        {"mount_setattr", CAP_SYS_ADMIN},
        {"move_mount", CAP_SYS_ADMIN},
        {"move_pages", CAP_SYS_NICE},
        {"nfsservctl", NEVER},
        {"open_by_handle_at", CAP_DAC_READ_SEARCH},
        {"open_tree", CAP_SYS_ADMIN},
        {"perf_event_open", CAP_SYS_ADMIN},
        {"pivot_root", NEVER},
        {"process_vm_readv", CAP_SYS_PTRACE},
        {"process_vm_writev", CAP_SYS_PTRACE},
        {"query_module", NEVER},
        {"quotactl", CAP_SYS_ADMIN},
        {"quotactl_fd", CAP_SYS_ADMIN},
        {"reboot", CAP_SYS_BOOT},
        {"request_key", NEVER},
        {"set_mempolicy", CAP_SYS_NICE},
        {"setns", CAP_SYS_ADMIN},
        {"settimeofday", CAP_SYS_TIME},
        {"stime", CAP_SYS_TIME},
        {"swapoff", NEVER},
        {"swapon", NEVER},
        {"sysfs", NEVER},
        {"_sysctl", NEVER},
        {"umount", CAP_SYS_ADMIN},
        {"umount2", CAP_SYS_ADMIN},
        {"unshare", CAP_SYS_ADMIN},
        {"uselib", NEVER},
        {"userfaultfd", NEVER},
        {"ustat", NEVER},
        {"vm86", NEVER},
        {"vm86old", NEVER},
};

/* A new namespace by clone(): one rule for each flag, since a rule can only ask whether masked bits equal something. */
static const uint32_t clone_flags[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
                                       CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

static bool has_capability(uint64_t capabilities, unsigned number) {
        return number != NEVER && capabilities >> number & 1;
}

static json_t *rule(json_t *names, int error) {
        return json_pack("{s:o, s:s, s:i}", "names", names, "action", "SCMP_ACT_ERRNO", "errnoRet", error);
}

json_t *seccomp_default(uint64_t capabilities) {
        json_t *names = json_array(), *rules = json_array();

        for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
                if (!has_capability(capabilities, refused[i].capability))
                        (void)json_array_append_new(names, json_string(refused[i].name));
        (void)json_array_append_new(rules, rule(names, EPERM));
        if (!has_capability(capabilities, CAP_SYS_ADMIN)) {
                for (size_t i = 0; i < ARRAY_SIZE(clone_flags); i++)
                        (void)json_array_append_new(
                                rules, json_pack("{s:[s], s:s, s:i, s:[{s:i, s:I, s:I, s:s}]}", "names", "clone",
                                                 "action", "SCMP_ACT_ERRNO", "errnoRet", EPERM, "args", "index", 0,
                                                 "value", (json_int_t)clone_flags[i], "valueTwo",
                                                 (json_int_t)clone_flags[i], "op", "SCMP_CMP_MASKED_EQ"));
                /* its flags lie in memory where no filter sees them; C libraries go back to clone() on this error */
                (void)json_array_append_new(rules, rule(json_pack("[s]", "clone3"), ENOSYS));
        }
#if defined(__x86_64__)
        return json_pack("{s:s, s:[s,s,s], s:o}", "defaultAction", "SCMP_ACT_ALLOW", "architectures",
                         "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "syscalls", rules);
#elif defined(__aarch64__)
        return json_pack("{s:s, s:[s,s], s:o}", "defaultAction", "SCMP_ACT_ALLOW", "architectures", "SCMP_ARCH_AARCH64",
                         "SCMP_ARCH_ARM", "syscalls", rules);
#else
        return json_pack("{s:s, s:o}", "defaultAction", "SCMP_ACT_ALLOW", "syscalls", rules);
#endif
}
