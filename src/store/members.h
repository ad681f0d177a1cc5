#pragma once
/* The members as the tree has them, below TREE_SYSTEM "/members" (as etcd 3.4 keeps them there). */
#include "store/api/backend.h"

typedef struct Members {
        StoreMember *items;
        size_t length;
        StringList names; /* owns the items' names */
} Members;

/* Reads all members anew. -ENOMEM: `members` is as before. */
int members_read(Members *members, const Tree *tree);
void members_deinit(Members *members);

const StoreMember *members_find(const Members *members, uint64_t id);

/* What a member says of itself once it has started: {"name":…,"clientURLs":[…]}. */
int members_format_attributes(Buffer *buffer, const char *name, const StringList *client_urls);

/* All, as etcd lists them at its peer URLs: [{"id":1,"peerURLs":[…],"name":…,"clientURLs":[…]}]. -ENOMEM. */
int members_format(Buffer *buffer, const Members *members);

/* The key where it says so. */
int members_attributes_path(Buffer *buffer, uint64_t id);
