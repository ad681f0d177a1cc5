#include "unitfile/known-options.h"

#include <strings.h>

#include "base/suggest.h"

/* systemd.unit(5) */
static const char *const unit_options[] = {
        "Description", "Documentation", "Wants", "Requires", "Requisite", "BindsTo", "BindTo", "PartOf", "Upholds", "Conflicts",
        "Before", "After", "OnFailure", "OnSuccess", "PropagatesReloadTo", "PropagateReloadTo", "ReloadPropagatedFrom",
        "PropagateReloadFrom", "PropagatesStopTo", "StopPropagatedFrom", "JoinsNamespaceOf", "RequiresMountsFor", "WantsMountsFor",
        "RequiresOverridable", "RequisiteOverridable", "OnFailureJobMode", "OnFailureIsolate", "OnSuccessJobMode", "IgnoreOnIsolate",
        "IgnoreOnSnapshot", "StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop", "AllowIsolate", "DefaultDependencies",
        "SurviveFinalKillSignal", "CollectMode", "FailureAction", "SuccessAction", "FailureActionExitStatus",
        "SuccessActionExitStatus", "JobTimeoutSec", "JobRunningTimeoutSec", "JobTimeoutAction", "JobTimeoutRebootArgument",
        "StartLimitIntervalSec", "StartLimitInterval", "StartLimitBurst", "StartLimitAction", "RebootArgument", "SourcePath",
        "ConditionArchitecture", "ConditionFirmware", "ConditionVirtualization", "ConditionHost", "ConditionKernelCommandLine",
        "ConditionKernelVersion", "ConditionVersion", "ConditionCredential", "ConditionEnvironment", "ConditionSecurity",
        "ConditionCapability", "ConditionACPower", "ConditionNeedsUpdate", "ConditionFirstBoot", "ConditionPathExists",
        "ConditionPathExistsGlob", "ConditionPathIsDirectory", "ConditionPathIsSymbolicLink", "ConditionPathIsMountPoint",
        "ConditionPathIsReadWrite", "ConditionPathIsEncrypted", "ConditionDirectoryNotEmpty", "ConditionFileNotEmpty",
        "ConditionFileIsExecutable", "ConditionUser", "ConditionGroup", "ConditionControlGroupController", "ConditionMemory",
        "ConditionCPUs", "ConditionCPUFeature", "ConditionOSRelease", "ConditionMemoryPressure", "ConditionCPUPressure",
        "ConditionIOPressure", "ConditionNull", "AssertArchitecture", "AssertFirmware", "AssertVirtualization", "AssertHost",
        "AssertKernelCommandLine", "AssertKernelVersion", "AssertCredential", "AssertEnvironment", "AssertSecurity",
        "AssertCapability", "AssertACPower", "AssertNeedsUpdate", "AssertFirstBoot", "AssertPathExists", "AssertPathExistsGlob",
        "AssertPathIsDirectory", "AssertPathIsSymbolicLink", "AssertPathIsMountPoint", "AssertPathIsReadWrite",
        "AssertPathIsEncrypted", "AssertDirectoryNotEmpty", "AssertFileNotEmpty", "AssertFileIsExecutable", "AssertUser",
        "AssertGroup", "AssertControlGroupController", "AssertMemory", "AssertCPUs", "AssertCPUFeature", "AssertOSRelease",
        "AssertMemoryPressure", "AssertCPUPressure", "AssertIOPressure", "AssertNull", NULL,
};

static const char *const install_options[] = {"Alias", "WantedBy", "RequiredBy", "UpheldBy", "Also", "DefaultInstance", NULL};

static const char *const service_options[] = {
        "Type", "ExitType", "RemainAfterExit", "GuessMainPID", "PIDFile", "BusName", "BusPolicy", "ExecStart", "ExecStartPre",
        "ExecStartPost", "ExecCondition", "ExecReload", "ExecStop", "ExecStopPost", "RestartSec", "RestartSteps", "RestartMaxDelaySec",
        "RestartMode", "TimeoutStartSec", "TimeoutStopSec", "TimeoutAbortSec", "TimeoutSec", "TimeoutStartFailureMode",
        "TimeoutStopFailureMode", "RuntimeMaxSec", "RuntimeRandomizedExtraSec", "WatchdogSec", "Restart", "SuccessExitStatus",
        "RestartPreventExitStatus", "RestartForceExitStatus", "RootDirectoryStartOnly", "PermissionsStartOnly", "NonBlocking",
        "NotifyAccess", "Sockets", "FileDescriptorStoreMax", "FileDescriptorStorePreserve", "USBFunctionDescriptors",
        "USBFunctionStrings", "OOMPolicy", "OpenFile", "ReloadSignal", "SysVStartPriority", "FsckPassNo", "StartLimitInterval",
        "StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument", NULL,
};

/* systemd.exec(5) */
static const char *const exec_options[] = {
        "ExecSearchPath", "WorkingDirectory", "RootDirectory", "RootImage", "RootImageOptions", "RootImagePolicy", "RootEphemeral",
        "RootHash", "RootHashSignature", "RootVerity", "MountAPIVFS", "ProtectProc", "ProcSubset", "BindPaths", "BindReadOnlyPaths",
        "MountImages", "MountImagePolicy", "ExtensionImages", "ExtensionImagePolicy", "ExtensionDirectories", "User", "Group",
        "DynamicUser", "SupplementaryGroups", "SetLoginEnvironment", "PAMName", "CapabilityBoundingSet", "AmbientCapabilities",
        "Capabilities", "NoNewPrivileges", "SecureBits", "SELinuxContext", "AppArmorProfile", "SmackProcessLabel", "LimitCPU",
        "LimitFSIZE", "LimitDATA", "LimitSTACK", "LimitCORE", "LimitRSS", "LimitNOFILE", "LimitAS", "LimitNPROC", "LimitMEMLOCK",
        "LimitLOCKS", "LimitSIGPENDING", "LimitMSGQUEUE", "LimitNICE", "LimitRTPRIO", "LimitRTTIME", "UMask", "CoredumpFilter",
        "KeyringMode", "OOMScoreAdjust", "TimerSlackNSec", "Personality", "IgnoreSIGPIPE", "Nice", "CPUSchedulingPolicy",
        "CPUSchedulingPriority", "CPUSchedulingResetOnFork", "CPUAffinity", "NUMAPolicy", "NUMAMask", "IOSchedulingClass",
        "IOSchedulingPriority", "ProtectSystem", "ProtectHome", "RuntimeDirectory", "StateDirectory", "CacheDirectory",
        "LogsDirectory", "ConfigurationDirectory", "RuntimeDirectoryMode", "StateDirectoryMode", "CacheDirectoryMode",
        "LogsDirectoryMode", "ConfigurationDirectoryMode", "RuntimeDirectoryPreserve", "TimeoutCleanSec", "ReadWritePaths",
        "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "ReadWriteDirectories", "ReadOnlyDirectories",
        "InaccessibleDirectories", "TemporaryFileSystem", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "NetworkNamespacePath",
        "PrivateIPC", "IPCNamespacePath", "MemoryKSM", "PrivatePIDs", "PrivateUsers", "ProtectHostname", "ProtectClock",
        "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "RestrictAddressFamilies",
        "RestrictFileSystems", "RestrictNamespaces", "LockPersonality", "MemoryDenyWriteExecute", "RestrictRealtime",
        "RestrictSUIDSGID", "RemoveIPC", "PrivateMounts", "MountFlags", "SystemCallFilter", "SystemCallErrorNumber",
        "SystemCallArchitectures", "SystemCallLog", "Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment",
        "StandardInput", "StandardOutput", "StandardError", "StandardInputText", "StandardInputData", "LogLevelMax",
        "LogExtraFields", "LogRateLimitIntervalSec", "LogRateLimitBurst", "LogFilterPatterns", "LogNamespace", "SyslogIdentifier",
        "SyslogFacility", "SyslogLevel", "SyslogLevelPrefix", "TTYPath", "TTYReset", "TTYVHangup", "TTYRows", "TTYColumns",
        "TTYVTDisallocate", "LoadCredential", "LoadCredentialEncrypted", "ImportCredential", "SetCredential",
        "SetCredentialEncrypted", "UtmpIdentifier", "UtmpMode", "TCPWrapName", NULL,
};

/* systemd.kill(5), systemd.resource-control(5) */
static const char *const group_options[] = {
        "KillMode", "KillSignal", "RestartKillSignal", "SendSIGHUP", "SendSIGKILL", "FinalKillSignal", "WatchdogSignal", "Slice",
        "Delegate", "DelegateSubgroup", "DisableControllers", "CPUAccounting", "CPUWeight", "StartupCPUWeight", "CPUShares",
        "StartupCPUShares", "CPUQuota", "CPUQuotaPeriodSec", "AllowedCPUs", "StartupAllowedCPUs", "AllowedMemoryNodes",
        "StartupAllowedMemoryNodes", "MemoryAccounting", "MemoryMin", "MemoryLow", "MemoryHigh", "MemoryMax", "MemorySwapMax",
        "MemoryZSwapMax", "MemoryZSwapWriteback", "MemoryLimit", "StartupMemoryLow", "StartupMemoryHigh", "StartupMemoryMax",
        "StartupMemorySwapMax", "StartupMemoryZSwapMax", "DefaultMemoryMin", "DefaultMemoryLow", "DefaultStartupMemoryLow",
        "TasksAccounting", "TasksMax", "IOAccounting", "IOWeight", "StartupIOWeight", "IODeviceWeight", "IOReadBandwidthMax",
        "IOWriteBandwidthMax", "IOReadIOPSMax", "IOWriteIOPSMax", "IODeviceLatencyTargetSec", "BlockIOAccounting", "BlockIOWeight",
        "StartupBlockIOWeight", "BlockIODeviceWeight", "BlockIOReadBandwidth", "BlockIOWriteBandwidth", "IPAccounting",
        "IPAddressAllow", "IPAddressDeny", "IPIngressFilterPath", "IPEgressFilterPath", "BPFProgram", "SocketBindAllow",
        "SocketBindDeny", "RestrictNetworkInterfaces", "NFTSet", "DeviceAllow", "DevicePolicy", "NetClass", "ManagedOOMSwap",
        "ManagedOOMMemoryPressure", "ManagedOOMMemoryPressureLimit", "ManagedOOMMemoryPressureDurationSec", "ManagedOOMPreference",
        "MemoryPressureWatch", "MemoryPressureThresholdSec", "CoredumpReceive", "ControlGroup", "ControlGroupAttribute",
        "ControlGroupModify", "ControlGroupPersistent", NULL,
};

static const char *const socket_options[] = {
        "ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenSpecial", "ListenNetlink",
        "ListenMessageQueue", "ListenUSBFunction", "SocketProtocol", "BindIPv6Only", "Backlog", "BindToDevice", "SocketUser",
        "SocketGroup", "SocketMode", "DirectoryMode", "Accept", "Writable", "FlushPending", "MaxConnections",
        "MaxConnectionsPerSource", "KeepAlive", "KeepAliveTimeSec", "KeepAliveIntervalSec", "KeepAliveProbes", "NoDelay", "Priority",
        "DeferAcceptSec", "ReceiveBuffer", "SendBuffer", "IPTOS", "IPTTL", "Mark", "ReusePort", "SmackLabel", "SmackLabelIPIn",
        "SmackLabelIPOut", "SELinuxContextFromNet", "PipeSize", "MessageQueueMaxMessages", "MessageQueueMessageSize", "FreeBind",
        "Transparent", "Broadcast", "PassCredentials", "PassSecurity", "PassPacketInfo", "PassFileDescriptorsToExec", "Timestamping",
        "TCPCongestion", "ExecStartPre", "ExecStartPost", "ExecStopPre", "ExecStopPost", "TimeoutSec", "Service", "RemoveOnStop",
        "Symlinks", "FileDescriptorName", "TriggerLimitIntervalSec", "TriggerLimitBurst", "PollLimitIntervalSec", "PollLimitBurst",
        NULL,
};

static const char *const timer_options[] = {
        "OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnCalendar", "AccuracySec",
        "RandomizedDelaySec", "FixedRandomDelay", "OnClockChange", "OnTimezoneChange", "Unit", "Persistent", "WakeSystem",
        "RemainAfterElapse", NULL,
};

static const char *const path_options[] = {
        "PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty", "Unit", "MakeDirectory", "DirectoryMode",
        "TriggerLimitIntervalSec", "TriggerLimitBurst", NULL,
};

static const char *const mount_options[] = {
        "What", "Where", "Type", "Options", "SloppyOptions", "LazyUnmount", "ReadWriteOnly", "ForceUnmount", "DirectoryMode",
        "TimeoutSec", NULL,
};

static const char *const automount_options[] = {"Where", "ExtraOptions", "DirectoryMode", "TimeoutIdleSec", NULL};
static const char *const swap_options[] = {"What", "Priority", "Options", "TimeoutSec", NULL};
static const char *const no_options[] = {NULL};

enum { LISTS_MAX = 3, NAMES_MAX = 512 };

typedef struct SectionOptions {
        const char *section;
        const char *const *lists[LISTS_MAX];
} SectionOptions;

static const SectionOptions sections[] = {
        {"Unit", {unit_options}},
        {"Install", {install_options}},
        {"Service", {service_options, exec_options, group_options}},
        {"Socket", {socket_options, exec_options, group_options}},
        {"Mount", {mount_options, exec_options, group_options}},
        {"Timer", {timer_options}},
        {"Path", {path_options}},
        {"Automount", {automount_options}},
        {"Swap", {swap_options, exec_options, group_options}},
        {"Slice", {group_options}},
        {"Scope", {group_options}},
        {"Device", {no_options}},
        {"Target", {no_options}},
};

static const SectionOptions *find_section(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (str_equals(sections[i].section, name))
                        return &sections[i];
        return NULL;
}

static size_t collect_names(const SectionOptions *section, const char *names[NAMES_MAX]) {
        size_t count = 0;

        for (size_t i = 0; i < LISTS_MAX && section->lists[i]; i++)
                for (const char *const *name = section->lists[i]; *name && count < NAMES_MAX; name++)
                        names[count++] = *name;
        return count;
}

static const char *nearest(const char *word, const char *const *names, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (strcasecmp(word, names[i]) == 0)
                        return names[i];
        return suggest_nearest(word, names, count);
}

static bool has_option(const SectionOptions *section, const char *name) {
        const char *names[NAMES_MAX];
        size_t count = collect_names(section, names);

        for (size_t i = 0; i < count; i++)
                if (str_equals(names[i], name))
                        return true;
        return false;
}

bool known_section(const char *section) {
        return find_section(section);
}

bool known_option(const char *section, const char *name) {
        const SectionOptions *found = find_section(section);

        return found && has_option(found, name);
}

const char *known_section_near(const char *section) {
        const char *names[ARRAY_SIZE(sections) + 1];

        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                names[i] = sections[i].section;
        names[ARRAY_SIZE(sections)] = "X-Fleet";
        return nearest(section, names, ARRAY_SIZE(names));
}

const char *known_option_near(const char *section, const char *name) {
        const SectionOptions *found = find_section(section);
        const char *names[NAMES_MAX];

        return found ? nearest(name, names, collect_names(found, names)) : NULL;
}

const char *known_option_section(const char *name) {
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (has_option(&sections[i], name))
                        return sections[i].section;
        return NULL;
}
