#pragma once
/* The three kinds of files. Each function carries out one directive and writes what it prints, errors included, and
 * "ok" where an interaction prints nothing. */
#include "environment.h"
#include "script.h"

void interaction_run(Environment *environment, const Directive *directive, Buffer *out);
void quorum_run(const Directive *directive, Buffer *out);

/* One tracker per file. */
typedef struct ConfchangeFile {
        RaftTracker tracker;
        uint64_t last_index; /* grows with every command */
} ConfchangeFile;

void confchange_run(ConfchangeFile *file, const Directive *directive, Buffer *out);

/* "v1 l2 r3 u4" to changes. 1 with `error`: the text that transcripts show. */
int parse_changes(Slice input, RaftConfChange *change, Error *error);
