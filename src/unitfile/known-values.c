#include "unitfile/known-values.h"

#include <ctype.h>

#include "unitfile/calendar.h"
#include "unitfile/value.h"

/* ---- words ---- */

static const char *const service_types[] = {"simple", "exec",          "forking", "oneshot", "dbus",
                                            "notify", "notify-reload", "idle",    NULL};
static const char *const restarts[] = {"no",          "on-success", "on-failure", "on-abnormal",
                                       "on-watchdog", "on-abort",   "always",     NULL};
static const char *const kill_modes[] = {"control-group", "mixed", "process", "none", NULL};
static const char *const accesses[] = {"none", "main", "exec", "all", NULL};

static const struct {
        const char *section; /* NULL: any */
        const char *option;
        const char *const *words;
} words_of[] = {
        {"Service", "Type", service_types},
        {"Service", "Restart", restarts},
        {"Service", "NotifyAccess", accesses},
        {NULL, "KillMode", kill_modes},
};

const char *const *known_value_words(const char *section, const char *option) {
        for (size_t i = 0; i < ARRAY_SIZE(words_of); i++)
                if (str_equals(words_of[i].option, option) &&
                    (!words_of[i].section || str_equals(words_of[i].section, section)))
                        return words_of[i].words;
        return NULL;
}

/* ---- the others ---- */

static bool is_bool(Slice value) {
        bool unused;

        return value_parse_bool(value, &unused) >= 0;
}

static bool is_span(Slice value) {
        Usec unused;

        return value_parse_span(value, &unused) >= 0;
}

static bool is_amount(Slice value) {
        uint64_t unused;

        return slice_equals(value, slice_from("infinity")) || value_parse_size(value, &unused) >= 0;
}

static bool is_mode(Slice value) {
        unsigned unused;

        return value_parse_mode(value, &unused) >= 0;
}

static bool is_signal(Slice value) {
        int unused;

        return value_parse_signal(value, &unused) >= 0;
}

/* Without the name of a zone at its end: which there are depends on the machine. */
static Slice cut_zone(Slice value) {
        const char *blank = value.length ? memrchr(value.data, ' ', value.length) : NULL;
        Slice word = blank ? (Slice){blank + 1, value.length - (size_t)(blank + 1 - value.data)} : (Slice){"", 0};

        if (word.length == 0 || !isupper((unsigned char)word.data[0]) || !memchr(word.data, '/', word.length))
                return value;
        return slice_trim((Slice){value.data, (size_t)(blank - value.data)});
}

/* "@SECONDS" and "Wed, 17:48" are systemd's too, and not calendar_parse()'s: nothing is said of them. */
static bool is_calendar(Slice value) {
        CalendarSpec unused;

        if (value.data[0] == '@' || memmem(value.data, value.length, ", ", 2))
                return true;
        return calendar_parse(cut_zone(value), &unused, NULL) >= 0;
}

static const char *const bool_options[] = {
        "Accept",
        "AllowIsolate",
        "Broadcast",
        "CPUAccounting",
        "DefaultDependencies",
        "DynamicUser",
        "FlushPending",
        "ForceUnmount",
        "FreeBind",
        "GuessMainPID",
        "IOAccounting",
        "IPAccounting",
        "IgnoreOnIsolate",
        "IgnoreSIGPIPE",
        "KeepAlive",
        "LazyUnmount",
        "LockPersonality",
        "MakeDirectory",
        "MemoryAccounting",
        "MemoryDenyWriteExecute",
        "NoDelay",
        "NoNewPrivileges",
        "NonBlocking",
        "PassCredentials",
        "PassSecurity",
        "PermissionsStartOnly",
        "Persistent",
        "PrivateDevices",
        "PrivateNetwork",
        "ProtectClock",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "RefuseManualStart",
        "RefuseManualStop",
        "RemainAfterElapse",
        "RemainAfterExit",
        "RemoveIPC",
        "RemoveOnStop",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "ReusePort",
        "RootDirectoryStartOnly",
        "SendSIGHUP",
        "SendSIGKILL",
        "SloppyOptions",
        "StopWhenUnneeded",
        "SyslogLevelPrefix",
        "TasksAccounting",
        "Transparent",
        "WakeSystem",
        "Writable",
        NULL,
};
static const char *const calendar_options[] = {"OnCalendar", NULL};
static const char *const span_options[] = {"StartLimitInterval", NULL}; /* and all that end with "Sec" */
static const char *const amount_options[] = {"MemoryMin",     "MemoryLow",   "MemoryHigh", "MemoryMax",
                                             "MemorySwapMax", "MemoryLimit", NULL};
static const char *const mode_options[] = {"CacheDirectoryMode",
                                           "ConfigurationDirectoryMode",
                                           "DirectoryMode",
                                           "LogsDirectoryMode",
                                           "RuntimeDirectoryMode",
                                           "SocketMode",
                                           "StateDirectoryMode",
                                           "UMask",
                                           NULL};
static const char *const signal_options[] = {"FinalKillSignal",   "KillSignal",     "ReloadSignal",
                                             "RestartKillSignal", "WatchdogSignal", NULL};

static const struct {
        const char *const *options;
        const char *ending; /* options with such names as well; NULL: none */
        bool (*is_valid)(Slice value);
        const char *expected;
} kinds[] = {
        {bool_options, NULL, is_bool, "yes or no"},
        {calendar_options, NULL, is_calendar, "a calendar event such as daily, Mon..Fri 10:00 or *-*-01 02:30:00"},
        {span_options, "Sec", is_span, "a time span such as 5s, 1min 30s or infinity"},
        {amount_options, NULL, is_amount, "an amount such as 512M, 2G or infinity"},
        {mode_options, NULL, is_mode, "an octal mode such as 0755"},
        {signal_options, NULL, is_signal, "a signal such as SIGTERM"},
};

static bool contains(const char *const *list, const char *name) {
        for (; *list; list++)
                if (str_equals(*list, name))
                        return true;
        return false;
}

const char *known_value_fault(const char *option, Slice value) {
        if (value.length == 0 || memchr(value.data, '%', value.length))
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                if (contains(kinds[i].options, option) || (kinds[i].ending && str_ends_with(option, kinds[i].ending)))
                        return kinds[i].is_valid(value) ? NULL : kinds[i].expected;
        return NULL;
}
